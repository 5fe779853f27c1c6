"""Updates that are cut off: what is said of the card, who finishes, and what another card is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiosk.visit import events as ev
from kiosk.visit.effects import RunUpdate
from kiosk.visit.events import Choice
from kiosk.visit.failures import CardSafety, Cause, Fault
from kiosk.visit.page_kinds import Notice
from kiosk.visit.safety import card_safety
from kiosk.visit.values import CardStanding, Outcome, RecordType, UpdatePhase, UpdateReport
from simulators import samples
from tests.visit.member import DONE, OTHER, SESSION, TORN, Visit

OUTAGE = CardStanding(orders=(), outage_until_utc_s=1_790_000_000)
TORN_CARD = replace(samples.CARD, unfinished=True)


@pytest.mark.parametrize(
    ("phase", "page", "notice"),
    [
        (UpdatePhase.OPENING, "attract", Notice.UNCHANGED),
        (UpdatePhase.WRITING, "interrupted", None),
        (UpdatePhase.CLOSING, "interrupted", None),
    ],
)
def test_card_pulled_while_updating(phase: UpdatePhase, page: str, notice: Notice | None) -> None:
    visit = Visit().updating(phase).remove()
    assert visit.page == page
    assert getattr(visit.state.step, "notice", None) is notice


def test_the_same_card_finishes_without_another_question() -> None:
    visit = Visit().updating().remove().ended(TORN)
    assert visit.page == "interrupted"
    visit.insert(OTHER).read(OTHER).standing()
    assert visit.page == "updating"
    runs = [effect for effect in visit.asked if isinstance(effect, RunUpdate)]
    assert [run.card_session for run in runs] == [SESSION, OTHER]
    visit.tell(ev.UpdateEnded(visit.run, DONE))
    assert visit.page == "result"
    assert [record.fields["outcome"] for record in visit.records(RecordType.UPDATE_ENDED)] == ["aborted", "updated"]


def test_another_card_is_told_so_and_the_first_is_still_awaited() -> None:
    visit = Visit().updating().remove().insert(OTHER)
    other = replace(samples.CARD, iccsn="802500000201234567892")
    visit.tell(ev.CardRead(OTHER, other, "1" * 32))
    assert (visit.page, visit.shown.other_card) == ("interrupted", True)
    visit.remove(OTHER)
    assert (visit.page, visit.shown.other_card) == ("interrupted", False)


def test_an_interrupted_update_that_nobody_finishes() -> None:
    visit = Visit().updating().remove().ended(TORN).after(121.0)
    assert visit.shown.notice is Notice.UNFINISHED
    assert visit.state.member is None


def test_the_relay_may_see_the_removal_first() -> None:
    visit = Visit().updating().ended(TORN)
    assert visit.page == "interrupted"
    visit.remove()
    assert visit.page == "interrupted"


def test_removed_after_the_last_write_and_closed_all_the_same() -> None:
    visit = Visit().updating(UpdatePhase.CLOSING).remove().ended(DONE)
    assert visit.shown.notice is Notice.UPDATED


def test_a_late_end_is_still_recorded_under_the_right_pseudonym() -> None:
    visit = Visit().updating(UpdatePhase.OPENING).remove()
    visit.tell(ev.UpdateEnded(visit.run, replace(TORN, wrote=False, unfinished=False)))
    record = visit.records(RecordType.UPDATE_ENDED)[-1]
    assert (record.pseudonym, record.fields["wrote"]) == (samples.MEMBER.pseudonym, False)
    assert visit.page == "attract"


def torn_again(visit: Visit) -> Visit:
    """The card of an interrupted update is put back, and read: its flag is 1."""
    visit.insert(OTHER)
    return visit.tell(ev.CardRead(OTHER, TORN_CARD, samples.MEMBER.pseudonym))


def test_a_torn_card_is_never_called_updated_because_the_centre_is_closed() -> None:
    visit = torn_again(Visit().updating().remove().ended(TORN)).standing(OUTAGE)
    assert (visit.page, visit.shown.safety) == ("cardProblem", CardSafety.UNFINISHED)
    visit.remove(OTHER)
    assert visit.page == "interrupted"


def test_a_torn_card_without_an_order_is_told_so() -> None:
    visit = Visit().insert().tell(ev.CardRead(SESSION, TORN_CARD, "0" * 32)).standing(CardStanding(orders=()))
    visit.choose(Choice.UPDATE)
    assert (visit.shown.fault.cause, visit.shown.safety) == (Cause.CARD_TORN, CardSafety.UNFINISHED)
    again = torn_again(Visit().updating().remove().ended(TORN)).standing(CardStanding(orders=()))
    assert (again.page, again.shown.fault.cause) == ("cardProblem", Cause.CARD_TORN)


def test_a_lost_last_word_is_looked_up_on_the_card_itself() -> None:
    lost = UpdateReport(Outcome.UNCERTAIN, 3, 3, 12, wrote=True, fault=Fault(Cause.NETWORK), unfinished=True)
    visit = Visit().updating().ended(lost).choose(Choice.CONTINUE, Choice.UPDATE)
    assert visit.page == "reading"
    visit.read().standing(CardStanding(orders=()))  # the card is whole, the order is gone
    assert (visit.page, visit.shown.outcome) == ("result", Outcome.UPDATED)


def test_after_a_lost_last_word_the_card_is_neither_called_whole_nor_torn() -> None:
    lost = UpdateReport(Outcome.UNCERTAIN, 3, 3, 12, wrote=True, fault=Fault(Cause.NETWORK), unfinished=True)
    visit = Visit().updating().ended(lost).remove()
    assert visit.shown.notice is Notice.UNCERTAIN


def test_one_order_of_two_done_is_neither_unchanged_nor_unfinished() -> None:
    half = UpdateReport(Outcome.IMPOSSIBLE, 3, 5, 20, wrote=True, fault=Fault(Cause.UPDATE_IMPOSSIBLE))
    visit = Visit().updating().ended(half)
    assert card_safety(visit.state) is CardSafety.PARTLY


def test_an_untouched_card_is_not_called_unfinished() -> None:
    silent = UpdateReport(Outcome.ABORTED, 3, 1, 2, wrote=False, fault=Fault(Cause.CARD_SILENT))
    visit = Visit().updating(UpdatePhase.OPENING).ended(silent)
    assert card_safety(visit.state) is CardSafety.UNCHANGED


def test_each_word_of_the_relay_restarts_the_limit_and_a_late_end_is_not_the_next_runs() -> None:
    visit = Visit().updating().after(100.0)
    first = visit.run
    visit.tell(ev.UpdateProgress(first, UpdatePhase.WRITING)).after(100.0)
    assert visit.page == "updating"
    visit.after(121.0)
    assert visit.shown.outcome is Outcome.UNCERTAIN
    visit.choose(Choice.CONTINUE, Choice.UPDATE).read().standing()
    assert (visit.page, visit.run != first) == ("updating", True)
    visit.tell(ev.UpdateEnded(first, DONE))
    assert visit.page == "updating", "the first run's end is recorded, not taken for the second's"
    assert [record.fields["outcome"] for record in visit.records(RecordType.UPDATE_ENDED)] == ["uncertain", "updated"]


def test_a_strangers_card_is_not_told_about_another_members_update() -> None:
    visit = Visit().updating().remove().insert(OTHER)
    visit.tell(ev.CardFailed(OTHER, Fault(Cause.CARD_BANK)))
    assert (visit.page, visit.shown.other_card) == ("interrupted", True)
    visit.after(121.0)
    assert (visit.page, visit.shown.safety) == ("removeCard", CardSafety.NOT_CONCERNED)


def test_trying_cards_does_not_prolong_the_wait() -> None:
    visit = Visit().updating().remove()
    for _ in range(4):
        visit.after(40.0).insert(OTHER)
        if visit.page != "reading":
            break
        visit.tell(ev.CardFailed(OTHER, Fault(Cause.CARD_BANK))).remove(OTHER)
    assert visit.state.member is None


def test_the_notice_about_an_unfinished_card_survives_a_kiosk_out_of_service() -> None:
    visit = Visit().updating().remove().ended(TORN)
    visit.tell(ev.RecordFailed(0, Fault(Cause.STORE_FULL))).after(121.0)
    assert (visit.page, visit.shown.notice) == ("outOfService", Notice.UNFINISHED)
