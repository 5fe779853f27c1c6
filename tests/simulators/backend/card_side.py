"""Simulated cards as the centre's tests need them: exchange under T=0, read back, run a package as a relay would."""

from __future__ import annotations

from typing import Any

from kiosk.card.apdu import ApduError, ResponseApdu, parse_command
from kiosk.card.transport import TransportError, complete_t0
from kiosk.card.values import CardContent
from kiosk.card.vitale2 import read_vitale2
from kiosk.sync.allow_list import check_commands
from simulators.backend.conversation import Package
from simulators.backend.simfiles import Content
from simulators.card import CardGoneError, SimulatedCard
from simulators.personas import load


def serial(persona: str) -> str:
    """The 21 digits of a persona's card."""
    chip = load(persona).card.chip
    assert chip is not None
    return chip.serial


def content_before(persona: str) -> Content:
    """What the persona's chip holds at first."""
    chip = load(persona).card.chip
    assert chip is not None
    return Content(chip.organisation, chip.rights)


def content_after(persona: str) -> Content:
    """What it holds once its first order is carried out."""
    centre = load(persona).centre
    assert centre is not None
    return Content(centre.orders[0].after.organisation, centre.orders[0].after.rights)


def exchange(card: SimulatedCard, command: bytes) -> ResponseApdu:
    """One completed APDU; CardGoneError when the card leaves."""
    parsed = parse_command(command)
    assert not isinstance(parsed, ApduError)
    answer = complete_t0(card.transmit, parsed)
    assert not isinstance(answer, TransportError), answer
    return answer


def read(card: SimulatedCard) -> CardContent:
    """The card as the product reads it, after a fresh insertion."""
    card.power_on()
    content = read_vitale2(lambda command: exchange(card, command))
    assert isinstance(content, CardContent), content
    return content


def holds(card: SimulatedCard, expected: Content) -> bool:
    """Whether a finished card holds exactly this."""
    content = read(card)
    return (
        not content.unfinished
        and Content(content.organisation or expected.organisation, content.rights) == expected
        and content.organisation is not None
    )


def commands_of(package: Package | dict[str, Any]) -> list[bytes]:
    """The APDUs of a package, as a value or from the wire; each within the product's own allow-list."""
    commands = (
        list(package.apdus)
        if isinstance(package, Package)
        else [bytes.fromhex(item["apdu"]) for item in package["items"]]
    )
    assert check_commands(commands) is None
    return commands


def run_commands(card: SimulatedCard, commands: list[bytes]) -> tuple[list[bytes], bool]:
    """Answers up to and including an unexpected one, and whether the card left meanwhile."""
    responses: list[bytes] = []
    for command in commands:
        try:
            answer = exchange(card, command)
        except CardGoneError:
            return responses, True
        responses.append(answer.data + answer.sw.to_bytes(2, "big"))
        if answer.sw != 0x9000:
            break
    return responses, False
