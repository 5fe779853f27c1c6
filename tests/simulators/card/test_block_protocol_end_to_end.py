"""Checklist, line "T=1: data direct": a persona file whose card offers T=1 alone, read and updated by the product on
both readers, with equal traces and no GET RESPONSE."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import simulators.personas
from kiosk.card.values import CardContent
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.events import CardInserted
from kiosk.visit.ports import CardSession
from simulators.card import SimulatedCard, key_set, open_card
from simulators.card.scp03 import Answer, HostSession
from simulators.personas import Persona, load_file
from simulators.reader.private_pcscd import PrivatePcscd
from tests.hardware.pcsc.hands import EmbeddedHands, Hands, PcscdHands, private_pcscd
from tests.hardware.pcsc.support import Recorder, exchange
from tests.hardware.pcsc.test_contract import read
from tests.hardware.pcsc.test_plans import hub_on, redacted
from tests.simulators.card.driver import SELECT_VITALE, SERIAL
from tests.simulators.card.test_block_protocol import ATR_T1
from tests.simulators.card.test_image import whole_update

__all__ = ["private_pcscd"]

OUTDATED = Path(simulators.personas.__file__).parent / "outdated.json"


def persona_with(atr: bytes, tmp_path: Path) -> Persona:
    document = json.loads(OUTDATED.read_text(encoding="utf-8"))
    document["card"]["atr"] = atr.hex()
    path = tmp_path / "t1.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    persona = load_file(path)
    assert isinstance(persona, Persona)
    return persona


def card_of(persona: Persona) -> SimulatedCard:
    card = open_card(persona, challenge_seed=b"t1")
    assert isinstance(card, SimulatedCard)
    return card


def update(hub: ReaderHub, session: CardSession) -> None:
    """What the centre sends for the persona's order, with bytes that do not depend on chance."""
    host = HostSession(key_set(SERIAL), host_challenge=bytes(8))
    assert exchange(hub, session, SELECT_VITALE) == b"\x90\x00"
    answer = exchange(hub, session, host.initialize_update())
    assert isinstance(answer, bytes)
    command = host.external_authenticate(answer[:-2])
    assert isinstance(command, bytes)
    assert exchange(hub, session, command) == b"\x90\x00"
    for write in whole_update():
        answer = exchange(hub, session, host.wrap(0xD6, *write))
        assert isinstance(answer, bytes)
        assert host.unwrap(answer) == Answer(b"", 0x9000)


def served(hands: Hands, persona: Persona) -> tuple[CardContent, CardContent, list[str], str]:
    """What is read before and after an update, the trace, and the card's digest in the end."""
    events, trace = Recorder(), list[str]()
    card = card_of(persona)
    with hub_on(hands, events, trace.append) as hub:
        hands.insert(0, card)
        session = events.wait_event(CardInserted).card_session
        before = read(hub, session)
        update(hub, session)
        after = read(hub, session)
        hands.remove(0)
    assert isinstance(before, CardContent)
    assert isinstance(after, CardContent)
    return before, after, [redacted(line) for line in trace], card.digest()


@pytest.mark.pcscd
def test_both_readers_serve_a_t1_persona_with_the_same_traces(
    private_pcscd: Callable[[], PrivatePcscd], tmp_path: Path
) -> None:
    t1 = persona_with(ATR_T1, tmp_path)
    embedded = served(EmbeddedHands(), t1)
    hands = PcscdHands(private_pcscd())
    through_pcscd = served(hands, t1)
    hands.tidy()
    assert embedded == through_pcscd
    before, after, trace, digest = embedded
    assert digest != card_of(t1).digest()
    assert t1.centre is not None
    assert after.rights == t1.centre.orders[0].after.rights != before.rights
    assert not any(line[3:5] == "C0" for line in trace), trace


def test_t1_and_t0_give_the_same_card_the_same_content(tmp_path: Path) -> None:
    t0 = served(EmbeddedHands(), persona_with(bytes.fromhex("3b751300004309ea9000"), tmp_path))
    t1 = served(EmbeddedHands(), persona_with(ATR_T1, tmp_path))
    assert t0[:2] == t1[:2]
    assert t0[3] == t1[3]
    assert len(t0[2]) > len(t1[2])
