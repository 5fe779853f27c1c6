"""The backend dies in the middle of an update: the page says what is true just then, and the next visit mends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from kiosk.ui.typography import plain
from kiosk.visit import events as ev
from kiosk.visit.failure_pages import PAGES, SAFETY
from kiosk.visit.failures import CardSafety, Cause, MemberPage
from kiosk.visit.page_kinds import Notice
from kiosk.visit.pages import Attract, Interrupted, Problem, Result
from kiosk.visit.values import Outcome
from simulators.backend import BackendProcess, running
from simulators.card import FaultKind, PlannedFault, open_persona
from tests.e2e.audience import words
from tests.e2e.theatre import Centre, House, Watched, house, one_attempt, reopened, serial_of

PERSONA = "outdated"
FAST = 20.0
BEFORE_THE_FIRST_WRITE, AFTER_THE_LAST_BUT_ONE_PACKAGE, AFTER_THE_LAST = 4, 15, 17


class Truth(NamedTuple):
    """What is true when the backend goes at a command, and what the member reads and is told when leaving."""

    at: int
    outcome: Outcome
    safety: CardSafety
    notice: Notice


@pytest.fixture
def process(tmp_path: Path) -> Iterator[BackendProcess]:
    """A backend in a process of its own, which can be killed."""
    with running(tmp_path / "backend") as started:
        yield started


@pytest.fixture
def kiosk(tmp_path: Path, process: BackendProcess) -> Iterator[House]:
    """A kiosk enrolled there."""
    with house(tmp_path, process) as opened:
        yield opened


@pytest.mark.parametrize("how", ["kill", "stop"])
@pytest.mark.parametrize(
    "truth",
    [
        Truth(BEFORE_THE_FIRST_WRITE, Outcome.IMPOSSIBLE, CardSafety.UNCHANGED, Notice.CARD_REMOVED),
        Truth(AFTER_THE_LAST_BUT_ONE_PACKAGE, Outcome.ABORTED, CardSafety.UNFINISHED, Notice.UNFINISHED),
        Truth(AFTER_THE_LAST, Outcome.UNCERTAIN, CardSafety.UNKNOWN, Notice.UNCERTAIN),
    ],
    ids=["before", "after", "last"],
)
def test_the_backend_goes_during_the_update(kiosk: House, process: BackendProcess, how: str, truth: Truth) -> None:
    card = Watched(open_persona(PERSONA))
    before = card.card.image_bytes()

    def go(number: int, _command: bytes) -> None:
        if number == truth.at:
            getattr(process, how)()

    kiosk.to_agreement(card)
    card.count_from_here()
    card.before = go
    with one_attempt():
        kiosk.choose(ev.Choice.ACCEPT)
        result = kiosk.audience.step(Result)
    assert result.outcome is truth.outcome
    assert result.fault is not None
    assert result.fault.cause is Cause.NETWORK
    shown = words(kiosk.audience.state)
    assert plain(SAFETY[truth.safety]) in shown
    assert (plain(PAGES[MemberPage.UPDATE_STOPPED].todo) in shown) is (truth.safety is not CardSafety.UNCHANGED)
    assert (card.card.image_bytes() == before) is (truth.safety is CardSafety.UNCHANGED)
    assert kiosk.leave().notice is truth.notice

    process.start()
    card.before = lambda _number, _command: None
    assert kiosk.updated(card).outcome is Outcome.UPDATED
    kiosk.leave()
    kiosk.time.run(FAST)  # the outbox had begun to wait longer and longer
    assert kiosk.drained()
    assert kiosk.journal_whole()
    outcomes = kiosk.journal("update_ended")
    assert [f'"outcome":"{truth.outcome.value}"' in outcomes[0], '"outcome":"updated"' in outcomes[1]] == [True, True]
    assert len(outcomes) == 2
    kiosk.time.run(1.0)
    kiosk.to_home(card)
    member = kiosk.audience.state.member
    assert member is not None
    assert (member.pending, member.card.unfinished) == ((), False)


def test_another_kiosk_mends_what_this_one_began(the_house: House, the_centre: Centre, tmp_path: Path) -> None:
    card = open_persona(PERSONA)
    the_house.to_agreement(card)
    card.plan([PlannedFault(FaultKind.REMOVED_AFTER, at=BEFORE_THE_FIRST_WRITE + 2)])
    the_house.choose(ev.Choice.ACCEPT)
    the_house.audience.step(Interrupted)
    with house(tmp_path / "elsewhere", the_centre, kiosk_id="borne-0998") as other:
        assert other.updated(card).outcome is Outcome.UPDATED
        other.leave()
        assert other.drained()
    assert the_centre.pending(serial_of(PERSONA)) == 0
    the_house.let_pass(the_house.audience.state.policy.interrupted_s + 1)
    assert the_house.audience.step(Attract).notice is Notice.UNFINISHED
    the_house.to_home(card)
    member = the_house.audience.state.member
    assert member is not None
    assert (member.pending, member.unfinished) == ((), False)


def test_a_kiosk_that_starts_without_its_backend_serves_what_it_can(tmp_path: Path, process: BackendProcess) -> None:
    """Reading needs no centre; the update says that it does, and works once the centre is back."""
    with house(tmp_path, process) as first:
        settings = first.settings
    process.kill()
    card = open_persona(PERSONA)
    with reopened(settings) as alone:
        with one_attempt():
            alone.to_home(card)
            alone.choose(ev.Choice.UPDATE)
            page = alone.audience.step(Problem)
        assert (page.fault.cause, page.safety) == (Cause.NETWORK, CardSafety.UNCHANGED)
        alone.leave()
        process.start()
        assert alone.updated(card).outcome is Outcome.UPDATED
        alone.leave()
