"""What a card in the professional slot is: asked of the card itself, on both readers; which ones get no command."""

from __future__ import annotations

from queue import SimpleQueue

import pytest

from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.events import CardInserted, CardRemoved
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardSession
from kiosk.visit.values import StaffKind
from simulators.card import FaultKind, PlannedFault, open_persona
from tests.hardware.pcsc.conftest import StartHub
from tests.hardware.pcsc.hands import Hands
from tests.hardware.pcsc.support import LIMIT_S, Recorder

SLOT = 1


def looked(hub: ReaderHub, session: CardSession) -> StaffKind | Cause:
    answers: SimpleQueue[StaffKind | Fault] = SimpleQueue()
    hub.look(session, answers.put)
    known = answers.get(timeout=LIMIT_S)
    return known.cause if isinstance(known, Fault) else known


def test_each_kind_of_card_is_told_apart(hands: Hands, start_hub: StartHub, events: Recorder, trace: list[str]) -> None:
    expected: dict[str, tuple[StaffKind | Cause, int]] = {
        "pharmacist": (StaffKind.PROFESSIONAL, 1),
        "technician": (StaffKind.TECHNICIAN, 1),
        "outdated": (Cause.CARD_MISPLACED, 0),
        "vitale1": (Cause.CARD_MISPLACED, 0),
        "bank-card": (Cause.CARD_MISPLACED, 0),
        "unknown-card": (Cause.CARD_MISPLACED, 1),  # its ATR says nothing: it is asked
        "mute": (Cause.CARD_MUTE, 0),
    }
    hub = start_hub()
    for number, (persona, (known, commands)) in enumerate(expected.items(), 1):
        sent = len(trace)
        hands.insert(SLOT, open_persona(persona))
        assert looked(hub, events.wait_event(CardInserted, number).card_session) is known, persona
        assert len(trace) - sent == commands, persona
        hands.remove(SLOT)
        events.wait_event(CardRemoved, number)


@pytest.mark.parametrize("persona", ["pharmacist", "technician"])
def test_a_card_pulled_while_it_is_asked_is_a_removal(
    hands: Hands, start_hub: StartHub, events: Recorder, persona: str
) -> None:
    hub = start_hub()
    hands.insert(SLOT, open_persona(persona, faults=[PlannedFault(FaultKind.REMOVED_BEFORE, at=1)]))
    session = events.wait_event(CardInserted).card_session
    assert looked(hub, session) is Cause.CARD_REMOVED
    events.wait_event(CardRemoved)
    assert looked(hub, session) is Cause.CARD_REMOVED


def test_only_a_badge_stays_under_power(hands: Hands, start_hub: StartHub, events: Recorder) -> None:
    hub = start_hub()
    for number, (persona, kept) in enumerate((("technician", True), ("pharmacist", False)), 1):
        card = open_persona(persona)
        hands.insert(SLOT, card)
        session = events.wait_event(CardInserted, number).card_session
        looked(hub, session)
        ended = looked(hub, session) is Cause.CARD_RESET  # a dialogue that was ended is not begun again by itself
        assert ended is not kept
        hands.remove(SLOT)
        events.wait_event(CardRemoved, number)
