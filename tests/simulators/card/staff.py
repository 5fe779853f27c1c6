"""A powered staff card, and commands to it."""

from __future__ import annotations

from pathlib import Path

from kiosk.card.apdu import CommandApdu, ResponseApdu, parse_command
from kiosk.card.transport import TransportError, complete_t0
from simulators.card import SimulatedCard, open_persona
from tests.simulators.card.driver import Driver

STAFF = ["assistant", "pharmacist", "technician"]
ASK, RIGHT, WRONG = "00200001", "0020000104" + b"2580".hex(), "0020000104" + b"2581".hex()  # the pharmacist's
SET_KEY, SIGN = "002241A403840101", "0088000020" + "5A" * 32


def staff_driver(name: str = "pharmacist", image: Path | None = None) -> Driver:
    """The card of a persona, powered."""
    card = open_persona(name, image)
    card.power_on()
    return Driver(card)


def exchange(card: SimulatedCard, apdu: bytes) -> ResponseApdu | TransportError:
    """The product's own T=0."""
    command = parse_command(apdu)
    assert isinstance(command, CommandApdu)
    return complete_t0(card.transmit, command)


def read(driver: Driver, *apdus: str) -> ResponseApdu:
    """The answer to the last of several commands."""
    answer = [exchange(driver.card, bytes.fromhex(apdu)) for apdu in apdus][-1]
    assert isinstance(answer, ResponseApdu)
    return answer
