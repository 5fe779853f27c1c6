"""A mute card is turned over once; mute again, it is damaged, unless too much time or another card lies between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiosk.card.values import CardKind
from kiosk.visit import events as ev
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.machine import MUTE_AGAIN_S, step
from kiosk.visit.model import State
from kiosk.visit.pages import Attract, CardProblem
from kiosk.visit.ports import CardSession, ReaderRole
from simulators import samples

PATIENT = ReaderRole.PATIENT


class Visitor:
    """Puts cards in that are refused, at times of the test's choosing."""

    def __init__(self) -> None:
        self.state: State = replace(samples.state(Attract()), card_session=None)
        self.session = 100
        self.now_s = 0.0

    def tries(self, cause: Cause, *, after_s: float) -> Cause:
        """Wait, put a card in, and read on the page why it is not served; then take it out a minute later."""
        self.now_s += after_s
        self.session += 1
        session = CardSession(self.session)
        for event in (ev.CardInserted(PATIENT, session, CardKind.MUTE), ev.CardFailed(session, Fault(cause))):
            self.state, _ = step(self.state, event, self.now_s)
        assert isinstance(self.state.step, CardProblem)
        said = self.state.step.fault.cause
        self.now_s += 60
        self.state, _ = step(self.state, ev.CardRemoved(PATIENT, session), self.now_s)
        return said


@pytest.mark.parametrize(
    ("after_s", "said"),
    [
        (0.0, Cause.CARD_DAMAGED),
        (MUTE_AGAIN_S, Cause.CARD_DAMAGED),
        (MUTE_AGAIN_S + 0.1, Cause.CARD_MUTE),  # perhaps somebody else's
    ],
)
def test_the_second_time_it_is_damaged_if_it_comes_soon(after_s: float, said: Cause) -> None:
    visitor = Visitor()
    assert visitor.tries(Cause.CARD_MUTE, after_s=0) is Cause.CARD_MUTE
    assert visitor.tries(Cause.CARD_MUTE, after_s=after_s) is said


def test_it_stays_damaged_however_often_it_is_tried() -> None:
    visitor = Visitor()
    said = [visitor.tries(Cause.CARD_MUTE, after_s=5) for _ in range(4)]
    assert said == [Cause.CARD_MUTE, *[Cause.CARD_DAMAGED] * 3]


@pytest.mark.parametrize("between", [Cause.CARD_BANK, Cause.CARD_SILENT, Cause.CARD_RESET])
def test_another_card_between_begins_anew(between: Cause) -> None:
    visitor = Visitor()
    assert visitor.tries(Cause.CARD_MUTE, after_s=0) is Cause.CARD_MUTE
    assert visitor.tries(between, after_s=1) is between
    assert visitor.tries(Cause.CARD_MUTE, after_s=1) is Cause.CARD_MUTE


def test_after_a_damaged_card_the_next_one_that_answers_is_served_as_ever() -> None:
    visitor = Visitor()
    for _ in range(2):
        visitor.tries(Cause.CARD_MUTE, after_s=1)
    assert visitor.tries(Cause.CARD_OTHER, after_s=1) is Cause.CARD_OTHER
    assert visitor.state.mute_left_s is None
