"""Wrong status words, a card that hangs, a conversation that expires, answers that get lost: each ends decided."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from kiosk.ui import texts
from kiosk.ui.typography import plain
from kiosk.visit import events as ev
from kiosk.visit.failure_pages import SAFETY
from kiosk.visit.failures import CardSafety, Cause
from kiosk.visit.page_kinds import Notice
from kiosk.visit.pages import Attract, OutOfService, Result
from kiosk.visit.values import Outcome
from simulators.backend import app, http
from simulators.card import FaultKind, PlannedFault, SimulatedCard, open_persona
from tests.e2e.audience import words
from tests.e2e.theatre import Centre, House, Watched, serial_of

PERSONA = "outdated"
COMMANDS, FIRST_WRITE, LAST_PACKAGE = 17, 6, 16
UPDATE_BINARY = 0xD6
SILENCE_S = 61


def agree(house: House, card: SimulatedCard, *faults: PlannedFault) -> Result:
    """Update with these faults planned, to the result's page."""
    house.to_agreement(card)
    card.plan(faults)
    house.choose(ev.Choice.ACCEPT)
    return house.audience.step(Result)


def flag_open(house: House, card: SimulatedCard) -> bool:
    """What a new visit reads of the card's transaction flag."""
    house.leave()
    house.to_home(card)
    member = house.audience.state.member
    assert member is not None
    house.leave()
    return member.card.unfinished


def mends(house: House, centre: Centre, card: SimulatedCard) -> None:
    """The next visit completes the update; everything is told."""
    assert house.updated(card).outcome is Outcome.UPDATED
    assert not flag_open(house, card)
    assert house.drained()
    assert house.journal_whole()
    assert centre.pending(serial_of(PERSONA)) == 0
    assert len(centre.told("update_ended")) == len(house.journal("update_started"))


@pytest.mark.parametrize(("write", "torn"), [(1, False), (3, True), (6, True)], ids=["open", "data", "close"])
@pytest.mark.parametrize("status", [0x6F00, 0x6581])
def test_a_wrong_status_word_stops_the_update_and_the_next_visit_mends_it(
    the_house: House, the_centre: Centre, write: int, torn: bool, status: int
) -> None:
    card = open_persona(PERSONA)
    result = agree(the_house, card, PlannedFault(FaultKind.WRONG_SW, at=write, ins=UPDATE_BINARY, sw=status))
    assert result.outcome is Outcome.ABORTED
    assert result.fault is not None
    assert result.fault.cause is Cause.UNEXPECTED_STATUS
    assert plain(SAFETY[CardSafety.UNFINISHED]) in words(the_house.audience.state)
    assert flag_open(the_house, card) is torn
    mends(the_house, the_centre, card)


@pytest.mark.parametrize("write", [1, 3, 6])
def test_a_lost_secure_session_is_repaired_within_the_visit(the_house: House, the_centre: Centre, write: int) -> None:
    card = open_persona(PERSONA)
    result = agree(the_house, card, PlannedFault(FaultKind.WRONG_SW, at=write, ins=UPDATE_BINARY, sw=0x6982))
    assert result.outcome is Outcome.UPDATED
    assert not flag_open(the_house, card)
    assert the_centre.pending(serial_of(PERSONA)) == 0


def test_a_status_word_before_the_first_write_changes_nothing(the_house: House, the_centre: Centre) -> None:
    card = open_persona(PERSONA)
    before = card.image_bytes()
    result = agree(the_house, card, PlannedFault(FaultKind.WRONG_SW, at=FIRST_WRITE - 1, sw=0x6300))
    assert result.outcome is Outcome.IMPOSSIBLE
    assert plain(SAFETY[CardSafety.UNCHANGED]) in words(the_house.audience.state)
    assert card.image_bytes() == before
    the_house.leave()
    mends(the_house, the_centre, card)


def test_a_card_that_hangs_is_given_up_by_the_watchdog_and_asked_for_back(the_house: House, the_centre: Centre) -> None:
    hung = threading.Event()
    card = Watched(open_persona(PERSONA))
    the_house.to_agreement(card)
    card.count_from_here()
    card.card.plan([PlannedFault(FaultKind.HANG, at=FIRST_WRITE + 2)])
    card.before = lambda number, _command: hung.set() if number == FIRST_WRITE + 2 else None
    the_house.choose(ev.Choice.ACCEPT)
    assert hung.wait(20)
    the_house.let_pass(11)
    page = the_house.audience.step(OutOfService)
    assert page.fault is not None
    assert page.fault.cause is Cause.READER_HUNG
    assert plain(texts.TAKE_CARD) in words(the_house.audience.state)
    assert plain(SAFETY[CardSafety.UNFINISHED]) in words(the_house.audience.state)
    the_house.remove()
    assert the_house.audience.step(Attract).notice is Notice.UNFINISHED
    mends(the_house, the_centre, card.card)


@pytest.mark.parametrize(
    ("at", "outcome", "safety"),
    [
        (FIRST_WRITE - 2, Outcome.IMPOSSIBLE, CardSafety.UNCHANGED),
        (FIRST_WRITE, Outcome.ABORTED, CardSafety.UNFINISHED),
        (COMMANDS, Outcome.UNCERTAIN, CardSafety.UNKNOWN),
    ],
)
def test_a_conversation_expires(
    the_house: House, the_centre: Centre, at: int, outcome: Outcome, safety: CardSafety
) -> None:
    card = Watched(open_persona(PERSONA))

    def late(number: int, _command: bytes) -> None:
        if number == at:
            the_centre.time.ahead_s += SILENCE_S

    the_house.to_agreement(card)
    card.count_from_here()
    card.before = late
    the_house.choose(ev.Choice.ACCEPT)
    result = the_house.audience.step(Result)
    assert result.outcome is outcome
    assert result.fault is not None
    assert result.fault.cause is Cause.CONVERSATION_EXPIRED
    assert plain(SAFETY[safety]) in words(the_house.audience.state)
    the_house.leave()
    mends(the_house, the_centre, card.card)


class Loss:
    """Loses the first answer that holds these words on its way out of the backend; its effect has taken place."""

    def __init__(self, holding: bytes, number: int = 1) -> None:
        self._holding, self._countdown = holding, number
        self._deliver = http.answer
        self.lost: list[dict[str, Any]] = []

    async def __call__(self, send: Any, status: int, fields: Any, body: bytes) -> None:
        """In place of `answer`."""
        if self._holding in body:
            self._countdown -= 1
            if self._countdown == 0:
                self.lost.append(json.loads(body))
                status, fields, body = 502, (("content-length", "0"),), b""
        await self._deliver(send, status, fields, body)


@pytest.mark.parametrize(("holding", "number"), [(b'"package"', n) for n in (1, 2, 3, 4)] + [(b'"close"', 1)])
def test_a_lost_answer_is_asked_for_again_and_no_command_runs_twice(
    the_house: House, the_centre: Centre, monkeypatch: pytest.MonkeyPatch, holding: bytes, number: int
) -> None:
    card, loss = Watched(open_persona(PERSONA)), Loss(holding, number)
    the_house.to_agreement(card)
    card.count_from_here()
    monkeypatch.setattr(app, "answer", loss)
    the_house.choose(ev.Choice.ACCEPT)
    assert the_house.audience.step(Result).outcome is Outcome.UPDATED
    assert len(loss.lost) == 1
    assert len(card.commands) == COMMANDS
    the_house.leave()
    assert the_house.drained()
    assert the_centre.pending(serial_of(PERSONA)) == 0
    assert len(the_centre.told("update_ended")) == 1


def test_events_whose_receipt_is_lost_are_applied_once(
    the_house: House, the_centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = Loss(b'"results"')
    monkeypatch.setattr(app, "answer", loss)
    assert the_house.updated(open_persona(PERSONA)).outcome is Outcome.UPDATED
    the_house.leave()
    the_house.time.run(20.0)
    assert the_house.drained()
    assert len(loss.lost) == 1
    for kind in ("card_read", "update_started", "update_ended", "visit_ended"):
        assert len(the_centre.told(kind)) == len(the_house.journal(kind)) == 1
