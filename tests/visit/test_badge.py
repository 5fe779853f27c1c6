"""A technician's badge: ends the member's visit, asks for its code, shows the kiosk's condition, goes with the card."""

from __future__ import annotations

import pytest

from kiosk.card.values import CardKind
from kiosk.visit import events as ev
from kiosk.visit.effects import CheckBadge, LookAround, ReleaseCard, Wipe
from kiosk.visit.events import Choice
from kiosk.visit.failures import CardSafety, Cause, Fault
from kiosk.visit.pages import Attract, Diagnostics, OutOfService, StaffPin, StaffSlot
from kiosk.visit.ports import CardSession, ReaderRole
from kiosk.visit.staff import DIAGNOSTICS_IDLE_S, LOOK_EVERY_S
from kiosk.visit.values import RecordType, StaffKind, UpdatePhase
from simulators import samples
from tests.visit.member import DONE, OTHER, TORN, Visit

BADGE = CardSession(80)
PROFESSIONAL, PATIENT = ReaderRole.PROFESSIONAL, ReaderRole.PATIENT
LOST = Fault(Cause.READER_LOST)


def badge(visit: Visit) -> Visit:
    visit.tell(ev.CardInserted(PROFESSIONAL, BADGE, CardKind.PROFESSIONAL))
    return visit.tell(ev.StaffCardKnown(BADGE, StaffKind.TECHNICIAN))


def typed(visit: Visit, digits: str = "3690") -> Visit:
    return visit.type(digits)


def accepted(visit: Visit) -> Visit:
    return typed(badge(visit)).tell(ev.BadgeAccepted(BADGE))


def withdrawn(visit: Visit) -> Visit:
    return visit.tell(ev.CardRemoved(PROFESSIONAL, BADGE))


def ends(visit: Visit) -> list[object]:
    return [record.fields.get("reason") for record in visit.records(RecordType.STAFF_ENDED)]


def test_from_the_badge_to_the_diagnostics_and_back() -> None:
    visit = badge(Visit())
    assert visit.shown == StaffPin(Attract())
    typed(visit)
    assert visit.asked[-1] == CheckBadge(BADGE, "3690")
    assert visit.shown == StaffPin(Attract(), checking=True)
    visit.tell(ev.BadgeAccepted(BADGE))
    assert isinstance(visit.shown, Diagnostics)
    assert ReleaseCard(BADGE) in visit.asked
    assert LookAround() in visit.asked
    assert len(visit.records(RecordType.STAFF_ENTERED)) == 1
    visit.tell(ev.ConditionSeen(samples.LINES))
    assert visit.shown.lines == samples.LINES
    assert withdrawn(visit).shown == StaffSlot(Fault(Cause.BADGE_WITHDRAWN), over=Attract())
    assert ends(visit) == ["withdrawn"]
    assert visit.after(samples.POLICY.notice_s).shown == Attract()


def test_the_pin_is_in_no_text_of_any_state_or_effect() -> None:
    visit = badge(Visit())
    for digit in "3690":
        visit.tell(ev.DigitTyped(int(digit)))
    assert "3690" not in repr(visit.state)
    visit.tell(ev.DigitsSubmitted())
    assert "3690" not in repr(visit.asked)
    assert visit.shown.digits == ""


def test_digits_are_erased_and_nothing_is_asked_before_all_are_there() -> None:
    visit = badge(Visit()).tell(*(ev.DigitTyped(digit) for digit in (1, 2, 3, 4, 5)), ev.DigitErased())
    assert visit.shown.digits == "123"
    asked = len(visit.asked)
    visit.tell(ev.DigitsSubmitted())
    assert len(visit.asked) == asked


def test_a_wrong_pin_is_asked_again_with_the_tries_the_card_has_left() -> None:
    wrong = Fault(Cause.PIN_WRONG)
    visit = typed(badge(Visit()), "0000").tell(ev.BadgeRefused(BADGE, wrong, 2))
    assert visit.shown == StaffPin(Attract(), fault=wrong, tries_left=2)
    assert visit.tell(ev.DigitTyped(3)).shown.fault is None


@pytest.mark.parametrize("cause", [Cause.PIN_BLOCKED, Cause.BADGE_UNPROVEN, Cause.CARD_REMOVED, Cause.CARD_SILENT])
def test_any_other_refusal_stays_until_the_badge_leaves(cause: Cause) -> None:
    visit = typed(badge(Visit())).tell(ev.BadgeRefused(BADGE, Fault(cause)))
    assert visit.shown == StaffSlot(Fault(cause), over=Attract())
    assert visit.asked[-1] == ReleaseCard(BADGE)
    assert visit.after(10_000).page == "staffSlot"
    assert withdrawn(visit).shown == Attract()
    assert ends(visit) == []


def test_a_badge_taken_out_while_its_code_is_typed_or_checked_leaves_nothing() -> None:
    for visit in (badge(Visit()), typed(badge(Visit()))):
        assert withdrawn(visit).shown == Attract()
        assert visit.tell(ev.BadgeAccepted(BADGE)).shown == Attract()  # late


def test_a_members_visit_ends_first_and_is_wiped() -> None:
    visit = Visit().at_home()
    number = visit.state.visit
    badge(visit)
    assert (visit.state.member, visit.page) == (None, "staffPin")
    assert Wipe(number) in visit.asked
    assert [record.fields["reason"] for record in visit.records(RecordType.VISIT_ENDED)] == ["staff"]
    assert withdrawn(visit).page == "removeCard"


def test_a_card_taken_back_while_the_badge_is_in_is_not_asked_for_again() -> None:
    visit = badge(Visit().at_home()).remove()
    assert visit.page == "staffPin"
    assert isinstance(withdrawn(visit).shown, Attract)


@pytest.mark.parametrize("phase", list(UpdatePhase))
def test_a_card_being_written_is_finished_first(phase: UpdatePhase) -> None:
    visit = badge(Visit().updating(phase))
    assert visit.page == "updating"
    visit.ended(DONE)
    assert visit.page == "result"
    assert visit.choose(Choice.STOP).page == "staffPin"
    assert withdrawn(visit).shown.safety is CardSafety.UPDATED


def test_a_card_that_is_awaited_unfinished_comes_first() -> None:
    visit = badge(Visit().updating().remove())
    assert visit.page == "interrupted"
    visit.ended(TORN).insert(OTHER)
    assert visit.page == "reading"
    visit.remove(OTHER)
    assert visit.after(10_000).page == "staffPin"


def test_the_diagnostics_look_again_each_second_and_end_by_themselves() -> None:
    visit = accepted(Visit())
    for _ in range(3):
        looks = visit.asked.count(LookAround())
        visit.after(LOOK_EVERY_S)
        assert visit.asked.count(LookAround()) == looks + 1
    assert visit.after(DIAGNOSTICS_IDLE_S).shown == StaffSlot()
    assert ends(visit) == ["idle"]
    assert visit.after(10_000).shown == StaffSlot()  # the forgotten badge is asked back
    assert visit.at_home().page == "home"  # and a member served meanwhile
    withdrawn(visit).choose(Choice.STOP).remove()
    assert visit.after(10_000).shown == Attract()


def test_somebody_who_touches_the_screen_keeps_the_diagnostics() -> None:
    visit = accepted(Visit())
    visit.after(DIAGNOSTICS_IDLE_S - 1).tell(ev.Activity())
    assert visit.after(DIAGNOSTICS_IDLE_S - 1).page == "diagnostics"
    assert visit.choose(Choice.STOP).shown == StaffSlot()
    assert ends(visit) == ["stopped"]


def test_a_code_nobody_types_is_given_up() -> None:
    visit = badge(Visit()).after(samples.POLICY.idle_public_s)
    assert visit.shown == StaffSlot()
    assert visit.asked[-1] == ReleaseCard(BADGE)


def test_it_opens_over_a_kiosk_out_of_service_which_recovers_beneath() -> None:
    visit = Visit().tell(ev.ReaderFailed(PATIENT, LOST))
    assert accepted(visit).shown.over == OutOfService(LOST)
    visit.tell(ev.ReaderReady(PATIENT))
    assert visit.shown.over == Attract()
    visit.tell(ev.ReaderFailed(PATIENT, LOST))
    withdrawn(visit)
    assert visit.after(samples.POLICY.notice_s).shown == OutOfService(LOST)


def test_it_opens_over_a_forgotten_card_which_is_still_asked_for() -> None:
    visit = Visit().at_home().choose(Choice.STOP).after(samples.POLICY.remove_card_s)
    assert visit.page == "forgottenCard"
    assert accepted(visit).shown.over.page == "forgottenCard"
    withdrawn(visit)
    assert visit.after(samples.POLICY.notice_s).page == "forgottenCard"
    assert isinstance(visit.remove().shown, Attract)


def test_a_members_card_put_in_meanwhile_is_asked_back_and_not_read() -> None:
    visit = accepted(Visit())
    asked = len(visit.asked)
    visit.insert()
    assert (visit.page, len(visit.asked)) == ("diagnostics", asked)
    withdrawn(visit)
    assert visit.after(samples.POLICY.notice_s).page == "removeCard"


def test_a_member_may_begin_while_a_withdrawn_badge_is_told() -> None:
    assert withdrawn(accepted(Visit())).at_home().page == "home"


def test_its_reader_lost_is_the_badge_withdrawn() -> None:
    visit = accepted(Visit()).tell(ev.ReaderFailed(PROFESSIONAL, LOST))
    assert visit.shown.fault.cause is Cause.BADGE_WITHDRAWN


def test_what_belongs_to_another_insertion_opens_nothing() -> None:
    visit = typed(badge(Visit()))
    visit.tell(ev.BadgeAccepted(CardSession(81)), ev.BadgeRefused(CardSession(81), LOST))
    assert visit.shown == StaffPin(Attract(), checking=True)
    unasked = badge(Visit()).tell(ev.BadgeAccepted(BADGE))
    assert unasked.shown == StaffPin(Attract())
