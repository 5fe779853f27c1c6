"""How well somebody must be known for a service: the site's documents raise it, and never below what is shipped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiosk.visit import effects as fx
from kiosk.visit import events as ev
from kiosk.visit.events import Choice
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.machine import step
from kiosk.visit.model import State
from kiosk.visit.page_kinds import Goal, Question, Waiting
from kiosk.visit.pages import Home, Identification, Preview, Problem, SerialNumber, Step, Wait
from kiosk.visit.policy import Policy
from kiosk.visit.values import CardStanding, Identified
from simulators import samples


class Visit:
    """A member at home, in a kiosk with these levels."""

    def __init__(self, policy: Policy) -> None:
        state = samples.state(Home(), member=samples.MEMBER, card=True)
        self.state: State = replace(state, policy=policy)
        self.asked: list[fx.Effect] = []

    def tell(self, *events: ev.Event) -> Visit:
        for event in events:
            self.state, effects = step(self.state, event, 1.0)
            self.asked += effects
        return self

    def choose(self, choice: Choice) -> Visit:
        return self.tell(ev.Chosen(choice))

    def type(self, digits: str) -> Visit:
        return self.tell(*(ev.DigitTyped(int(digit)) for digit in digits), ev.DigitsSubmitted())

    @property
    def question(self) -> tuple[Question, Goal] | None:
        shown = self.state.step
        return (shown.question, shown.goal) if isinstance(shown, Identification) else None

    @property
    def reached(self) -> Step | None:
        shown = self.state.step
        return shown.then if isinstance(shown, Wait) else shown

    def identified(self, tries_left: int = 3, *, accepted: bool = True) -> Visit:
        proof = "0" * 32 if accepted else None
        return self.tell(ev.IdentityChecked(self.state.visit, Identified(accepted, tries_left, proof)))


BORN = "17011962"


def levels(update: int, serial: int) -> Policy:
    return replace(samples.POLICY, update_level=update, serial_level=serial)


def test_as_shipped_a_card_is_enough_for_the_update_and_a_birth_date_for_the_number() -> None:
    assert isinstance(Visit(samples.POLICY).choose(Choice.UPDATE).state.step, Preview)
    visit = Visit(samples.POLICY).choose(Choice.SERIAL)
    assert visit.question == (Question.BIRTH_DATE, Goal.SERIAL)
    assert visit.type(BORN).state.step == Wait(Waiting.SAVING, record=visit.state.next_token - 1, then=SerialNumber())


@pytest.mark.parametrize(
    ("policy", "choice", "goal"),
    [(levels(2, 1), Choice.UPDATE, Goal.UPDATE), (levels(0, 2), Choice.SERIAL, Goal.SERIAL)],
)
def test_level_two_asks_the_birth_date_then_the_post_code_and_goes_where_one_wanted(
    policy: Policy, choice: Choice, goal: Goal
) -> None:
    visit = Visit(policy).choose(choice)
    assert visit.question == (Question.BIRTH_DATE, goal)
    assert visit.type(BORN).question == (Question.POSTCODE, goal)
    visit.type("75020")
    assert visit.state.step == Wait(Waiting.CHECKING, goal=goal)
    assert visit.identified(2, accepted=False).question == (Question.POSTCODE, goal)
    visit.type("75020").identified()
    assert isinstance(visit.reached, Preview if goal is Goal.UPDATE else SerialNumber)


def test_level_one_for_the_update_asks_the_birth_date_only() -> None:
    visit = Visit(levels(1, 1)).choose(Choice.UPDATE)
    assert visit.question == (Question.BIRTH_DATE, Goal.UPDATE)
    assert isinstance(visit.type(BORN).state.step, Preview)


def test_nothing_is_asked_where_there_is_nothing_to_update() -> None:
    visit = Visit(levels(2, 1))
    visit.state = replace(visit.state, member=replace(samples.MEMBER, standing=CardStanding(orders=())))
    assert visit.choose(Choice.UPDATE).question is None


def test_a_centre_that_does_not_answer_the_check_is_a_problem_and_not_a_dead_end() -> None:
    visit = Visit(levels(0, 2)).choose(Choice.SERIAL).type(BORN).type("75020")
    visit.tell(ev.RequestFailed(visit.state.visit, Fault(Cause.NETWORK)))
    assert isinstance(visit.state.step, Problem)


def test_a_site_without_tickets_prints_none() -> None:
    shown = samples.state(SerialNumber(), member=replace(samples.MEMBER, level=1), card=True)
    without = replace(shown, policy=replace(shown.policy, print_tickets=False))
    assert step(shown, ev.Chosen(Choice.PRINT), 1.0)[0].step.page == "ticket"
    assert step(without, ev.Chosen(Choice.PRINT), 1.0)[0].step == without.step
