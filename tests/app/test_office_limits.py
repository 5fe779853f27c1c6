"""How long a member is let wait, and which commands may go to a card: the office goes by the documents in force."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kiosk import office as module
from kiosk.office import Office, service_health
from kiosk.sync import faults
from kiosk.sync.documents_in_force import InForce
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.visit import effects as fx
from kiosk.visit import events as ev
from kiosk.visit.failures import Fault
from kiosk.visit.policy import Policy
from kiosk.visit.ports import CardSession, RunId, VisitId
from kiosk.visit.timing import WAIT_LIMIT_FACTOR, page_deadline_s
from kiosk.visit.values import Outcome, UpdateReport
from simulators import samples
from tests.sync.support import FakeClock

PATIENCE_S = 10.0
FORCED = InForce(Policy(standing_limit_s=3, answer_limit_s=4, update_step_limit_s=5), frozenset({0xA4}))


class Asked:
    """Stands in for a channel and for the relay: keeps what it is asked with."""

    def __init__(self) -> None:
        self.limits: list[float] = []
        self.runs: list[dict[str, Any]] = []

    def call(self, _route: str, _body: dict[str, Any], *, deadline_s: float) -> Fault:
        self.limits.append(deadline_s)
        return faults.network("nobody")

    def close(self) -> None:
        pass

    def run_update(self, **values: Any) -> UpdateReport:
        self.runs.append(values)
        return UpdateReport(Outcome.UP_TO_DATE, 2, 0, 0, wrote=False)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    stand_in = Asked()
    monkeypatch.setattr(module, "run_update", stand_in.run_update)
    return stand_in


def office(asked: Asked, post: Any) -> Office:
    clock = FakeClock()
    time = TimeKeeper(clock, keep_floor=lambda _floor_s: None)
    made = Office(None, None, time, clock, post)  # type: ignore[arg-type]  # the stand-ins below ask no card
    made._ask = made._update = asked  # type: ignore[assignment]  # the one call that the office makes
    return made


def test_every_wait_takes_its_limit_from_the_policy_in_force(asked: Asked) -> None:
    posted: list[object] = []
    subject = office(asked, posted.append)
    for _ in range(2):
        subject.ask_standing(fx.AskStanding(VisitId(1), samples.CARD))
        subject.identify(fx.Identify(VisitId(1), samples.CARD, "19620117", "75020"))
        subject.issue_code(fx.IssueCode(VisitId(1), samples.CARD, "0" * 32))
        subject._questions.submit(subject.obey, FORCED).result(PATIENCE_S)
    subject.stop()
    shipped = Policy()
    assert asked.limits == [shipped.standing_limit_s, shipped.answer_limit_s, shipped.answer_limit_s, 3, 4, 4]


def test_an_update_takes_step_limit_and_allow_list(asked: Asked) -> None:
    subject = office(asked, lambda _event: None)
    subject.obey(FORCED)
    subject.run_update(fx.RunUpdate(RunId(1), CardSession(1), samples.CARD, ("0a01",)))
    subject.stop()
    (run,) = asked.runs
    assert (run["step_limit_s"], run["allowed_ins"]) == (5, {0xA4})


def test_a_page_waits_longer_than_whoever_asks_for_it() -> None:
    """So that the better answer, which names the cause, comes first."""
    policy = FORCED.policy
    for shown in samples.every_page():
        due_s = page_deadline_s(replace(shown, policy=policy))
        match shown.step.page:
            case "wait":
                assert due_s == policy.answer_limit_s * WAIT_LIMIT_FACTOR
            case "updating":
                assert due_s == policy.update_step_limit_s * WAIT_LIMIT_FACTOR
            case _:
                pass


@pytest.mark.parametrize(
    ("fault", "told"),
    [(faults.clock_wrong("TLS"), [ev.ClockTrusted, ev.ServiceDown]),
     (faults.network("away"), [ev.ClockTrusted, ev.ServiceDown]), (faults.bad_answer("field"), [ev.ClockTrusted])],
)  # fmt: skip
def test_what_a_failure_says_of_service_and_clock(fault: Fault, told: list[type[Any]]) -> None:
    clock = FakeClock()
    time = TimeKeeper(clock, keep_floor=lambda _floor_s: None)
    time.learn(int(clock.utc), clock.monotonic)
    events = list(service_health(fault, time))
    assert [type(event) for event in events] == told
    trusted = events[0]
    assert isinstance(trusted, ev.ClockTrusted)
    wrong = fault.cause.value == "N-06"
    assert (trusted.trusted, trusted.fault) == (not wrong, fault if wrong else None)
