"""Update runs that end late, early or twice: each is recorded once, and no page says more than is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiosk.visit import events as ev
from kiosk.visit.effects import Record
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.machine import step
from kiosk.visit.model import Member, State
from kiosk.visit.page_kinds import Notice
from kiosk.visit.pages import Attract, Interrupted, Updating
from kiosk.visit.ports import CardSession, ReaderRole, RunId
from kiosk.visit.values import Outcome, RecordType, UpdatePhase, UpdateReport
from simulators import samples

OLD, NEW = RunId(98), samples.RUN
LOST = UpdateReport(Outcome.ABORTED, 3, 1, 4, wrote=True, fault=Fault(Cause.CARD_REMOVED), unfinished=True)


def test_the_end_of_a_run_is_recorded_although_the_next_one_has_begun() -> None:
    """A card that was put back at once: the centre may be slow to take note of the abort."""
    state = replace(
        next(s for s in samples.every_page() if isinstance(s.step, Updating) and s.step.phase is UpdatePhase.OPENING),
        card_session=CardSession(8),
        running={OLD: samples.MEMBER.pseudonym, NEW: samples.MEMBER.pseudonym},
    )
    later, effects = step(state, ev.UpdateEnded(OLD, LOST), 10.0)
    recorded = [effect for effect in effects if isinstance(effect, Record)]
    assert [(record.type, record.fields["outcome"]) for record in recorded] == [(RecordType.UPDATE_ENDED, "aborted")]
    assert later.step == state.step
    assert set(later.running) == {NEW}
    again, effects = step(later, ev.UpdateEnded(OLD, LOST), 10.0)
    assert effects == ()
    assert again == later


TORN = replace(samples.MEMBER, card=replace(samples.MEMBER.card, unfinished=True))


def opening(member: Member) -> State:
    """An update that has not come to its first write."""
    shown = samples.state(Updating(UpdatePhase.OPENING, samples.RUN), member=member, card=True)
    return replace(shown, running={samples.RUN: member.pseudonym})


@pytest.mark.parametrize("relay_first", [True, False])
def test_before_the_first_write_the_same_is_said_whoever_sees_the_card_leave_first(relay_first: bool) -> None:
    report = UpdateReport(Outcome.ABORTED, 3, 1, 2, wrote=False, fault=Fault(Cause.CARD_REMOVED))
    ended, left = ev.UpdateEnded(samples.RUN, report), ev.CardRemoved(ReaderRole.PATIENT, samples.SESSION)
    state = opening(samples.MEMBER)
    for event in (ended, left) if relay_first else (left, ended):
        state, _ = step(state, event, 10.0)
    assert state.step == Attract(Notice.UNCHANGED)


@pytest.mark.parametrize("relay_first", [True, False])
def test_a_card_that_was_unfinished_already_is_never_called_unchanged(relay_first: bool) -> None:
    report = UpdateReport(Outcome.ABORTED, 3, 1, 2, wrote=False, fault=Fault(Cause.CARD_REMOVED))
    ended, left = ev.UpdateEnded(samples.RUN, report), ev.CardRemoved(ReaderRole.PATIENT, samples.SESSION)
    state = opening(TORN)
    for event in (ended, left) if relay_first else (left, ended):
        state, _ = step(state, event, 10.0)
        assert state.step == Interrupted()
    assert state.member is not None
    assert state.member.unfinished


def test_what_an_earlier_run_may_have_written_is_not_forgotten() -> None:
    state = opening(replace(samples.MEMBER, open_write=True))
    refused = UpdateReport(Outcome.IMPOSSIBLE, 3, 0, 0, wrote=False, fault=Fault(Cause.NETWORK))
    state, _ = step(state, ev.UpdateEnded(samples.RUN, refused), 10.0)
    assert state.member is not None
    assert state.member.unfinished
