"""Each update run that was started is recorded ended once, however late its end is told."""

from __future__ import annotations

from dataclasses import replace

from kiosk.visit import events as ev
from kiosk.visit.effects import Record
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.machine import step
from kiosk.visit.model import Updating
from kiosk.visit.ports import CardSession
from kiosk.visit.values import Outcome, RecordType, UpdatePhase, UpdateReport
from simulators import samples

OLD, NEW = CardSession(7), CardSession(8)
LOST = UpdateReport(Outcome.ABORTED, 3, 1, 4, wrote=True, fault=Fault(Cause.CARD_REMOVED))


def test_the_end_of_a_run_is_recorded_although_the_next_one_has_begun() -> None:
    """A card that was put back at once: the centre may be slow to take note of the abort."""
    state = replace(
        next(s for s in samples.every_page() if isinstance(s.step, Updating) and s.step.phase is UpdatePhase.OPENING),
        card_session=NEW,
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
