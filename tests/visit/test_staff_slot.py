"""A card in the professional slot: told on a page of its own, and never at the cost of the member at the other slot."""

from __future__ import annotations

import pytest

from kiosk.card.values import CardKind
from kiosk.visit import events as ev
from kiosk.visit.effects import LookAtStaffCard
from kiosk.visit.events import Choice
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.page_kinds import Notice
from kiosk.visit.pages import Attract, StaffSlot, Step
from kiosk.visit.ports import CardSession, ReaderRole
from kiosk.visit.values import RecordType, StaffKind
from simulators import samples
from tests.visit.member import Visit

STAFF, NEXT = CardSession(70), CardSession(71)
MISPLACED = Fault(Cause.CARD_MISPLACED, "kind vitale2")
PROFESSIONAL = ReaderRole.PROFESSIONAL


def put(visit: Visit, session: CardSession = STAFF) -> Visit:
    return visit.tell(ev.CardInserted(PROFESSIONAL, session, CardKind.VITALE_2))


def take(visit: Visit, session: CardSession = STAFF) -> Visit:
    return visit.tell(ev.CardRemoved(PROFESSIONAL, session))


def misplaced(visit: Visit, session: CardSession = STAFF) -> Visit:
    return put(visit, session).tell(ev.StaffCardFailed(session, MISPLACED))


def recognised(visit: Visit) -> Visit:
    return put(visit).tell(ev.StaffCardKnown(STAFF, StaffKind.PROFESSIONAL))


def test_a_card_that_does_not_belong_there_is_told_and_the_page_goes_with_it() -> None:
    visit = put(Visit())
    assert visit.asked[-1] == LookAtStaffCard(STAFF)
    assert visit.shown == Attract()  # not known yet
    visit.tell(ev.StaffCardFailed(STAFF, MISPLACED))
    assert visit.shown == StaffSlot(MISPLACED)
    assert visit.after(10_000).shown == StaffSlot(MISPLACED)  # the text stays until it is read
    assert take(visit).shown == Attract()


def test_a_professional_card_is_recognised_without_a_fault() -> None:
    assert recognised(Visit()).shown == StaffSlot()


@pytest.mark.parametrize("put_in", [misplaced, recognised])
def test_a_member_at_the_other_slot_is_not_disturbed_and_it_is_told_afterwards(put_in: object) -> None:
    assert callable(put_in)
    visit = Visit().at_home()
    before = visit.state
    put_in(visit)
    assert (visit.shown, visit.state.member, visit.state.visit) == (before.step, before.member, before.visit)
    visit.choose(Choice.STOP)
    assert visit.page == "removeCard"
    visit.remove()
    assert visit.shown == Attract(Notice.CARD_REMOVED)  # what is said of the member's own card comes first
    assert visit.after(samples.POLICY.notice_s).page == "staffSlot"


def test_a_card_taken_out_during_the_visit_is_never_told() -> None:
    visit = misplaced(Visit().at_home())
    take(visit).choose(Choice.STOP).remove()
    assert visit.after(samples.POLICY.notice_s).shown == Attract()


def test_a_member_can_begin_while_a_wrong_card_is_in_the_other_slot() -> None:
    visit = misplaced(Visit()).at_home()
    assert visit.page == "home"
    assert [record.fields["reason"] for record in visit.records(RecordType.VISIT_ENDED)] == []


def test_who_reads_the_guide_and_puts_the_card_into_the_wrong_slot_is_told_at_once() -> None:
    visit = misplaced(Visit().choose(Choice.START_WITHOUT_CARD, Choice.GUIDE))
    assert visit.shown == StaffSlot(MISPLACED)
    assert [record.fields["reason"] for record in visit.records(RecordType.VISIT_ENDED)] == ["card_changed"]


def test_a_professional_card_does_not_close_somebodys_guide() -> None:
    assert recognised(Visit().choose(Choice.START_WITHOUT_CARD, Choice.GUIDE)).page == "guide"


@pytest.mark.parametrize("shown", [StaffSlot(MISPLACED), StaffSlot()])
def test_no_choice_is_offered_there(shown: Step) -> None:
    visit = misplaced(Visit()) if shown == StaffSlot(MISPLACED) else recognised(Visit())
    for choice in Choice:
        assert visit.choose(choice).shown == shown


def test_what_was_said_of_another_card_is_not_used() -> None:
    visit = take(put(Visit()))
    visit.tell(ev.StaffCardFailed(STAFF, MISPLACED), ev.StaffCardKnown(STAFF, StaffKind.PROFESSIONAL))
    assert visit.shown == Attract()
    misplaced(visit, NEXT)
    assert take(visit, STAFF).shown == StaffSlot(MISPLACED)  # a removal told late


def test_the_page_goes_with_its_reader_and_gives_way_to_a_kiosk_out_of_service() -> None:
    lost = Fault(Cause.READER_LOST)
    assert misplaced(Visit()).tell(ev.ReaderFailed(PROFESSIONAL, lost)).shown == Attract()
    closed = misplaced(Visit()).tell(ev.ReaderFailed(ReaderRole.PATIENT, lost))
    assert closed.page == "outOfService"
    assert closed.tell(ev.ReaderReady(ReaderRole.PATIENT)).shown == StaffSlot(MISPLACED)
