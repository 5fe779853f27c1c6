"""The professional slot: what becomes of a card in it, and of the technician whose badge it is.

A member's own visit, at the other slot, is not disturbed, but by a badge: that one ends it, unless a card is being
written or awaited. A badge's pages lie over the page of a kiosk that serves nobody; what happens to devices, channel
and store meanwhile happens to that page, so that it is true when it is shown again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from kiosk.visit import events as ev
from kiosk.visit.effects import CheckBadge, LookAround, LookAtStaffCard, ReleaseCard
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.model import StaffCard
from kiosk.visit.pages import (
    Attract,
    CardProblem,
    Diagnostics,
    ForgottenCard,
    Interrupted,
    OutOfService,
    RemoveCard,
    StaffPin,
    StaffSlot,
    Step,
    Updating,
)
from kiosk.visit.ports import CardSession, ReaderRole
from kiosk.visit.turn import Turn
from kiosk.visit.values import RecordType, StaffKind

DIAGNOSTICS_IDLE_S: Final = 600.0
LOOK_EVERY_S: Final = 1.0
_BESIDE: Final = (Attract, StaffSlot, OutOfService, RemoveCard, ForgottenCard, CardProblem)

_Page = StaffSlot | StaffPin | Diagnostics
Dispatch = Callable[[Turn, ev.Event], None]


def on_staff(turn: Turn, event: ev.Event, beneath: Dispatch) -> bool:
    """Answer what concerns the professional slot or its pages; False: it does not. `beneath` answers all else."""
    page = turn.state.step
    match event:
        case ev.CardInserted(role=ReaderRole.PROFESSIONAL):
            _gone(turn)
            turn.state = replace(turn.state, staff=StaffCard(event.card_session))
            turn.ask(LookAtStaffCard(event.card_session))
        case ev.CardRemoved(role=ReaderRole.PROFESSIONAL):
            _gone(turn, event.card_session)
        case ev.ReaderFailed(role=ReaderRole.PROFESSIONAL):
            _gone(turn)
        case ev.StaffCardKnown():
            _known(turn, event.card_session, event.kind)
        case ev.StaffCardFailed():
            _known(turn, event.card_session, event.fault)
        case ev.BadgeAccepted() | ev.BadgeRefused():
            _checked(turn, event)
        case ev.ConditionSeen():
            if isinstance(page, Diagnostics):
                turn.state = replace(turn.state, step=replace(page, lines=event.lines))
        case _ if isinstance(page, StaffPin | Diagnostics):
            return _on_page(turn, page, event, beneath)
        case ev.CardInserted() if isinstance(page, StaffSlot) and page.over is not None:
            turn.go(page.over)  # a member begins
            return False
        case ev.Tick():
            return False
        case _ if isinstance(page, StaffSlot) and page.over is not None:
            _beneath(turn, page, page.over, event, beneath)
        case _:
            return False
    return True


def _on_page(turn: Turn, page: StaffPin | Diagnostics, event: ev.Event, beneath: Dispatch) -> bool:
    match event:
        case ev.Tick():
            return False
        case ev.Chosen() | ev.DigitTyped() | ev.DigitErased() | ev.DigitsSubmitted() | ev.Activity():
            turn.touch()
            if event == ev.Chosen(ev.Choice.STOP):
                _finish(turn, page, "stopped")
            elif isinstance(page, StaffPin) and not page.checking:
                _type(turn, page, event)
        case ev.CardInserted():  # a member who does not know: asked to take the card back, when the badge has gone
            over: Step = replace(page.over, card_in_slot=True) if isinstance(page.over, OutOfService) else RemoveCard()
            turn.state = replace(turn.state, card_session=event.card_session, step=replace(page, over=over))
        case _:
            _beneath(turn, page, page.over, event, beneath)
    return True


def _beneath(turn: Turn, page: _Page, over: Step, event: ev.Event, beneath: Dispatch) -> None:
    staff, entered_s, active_s = turn.state.staff, turn.state.entered_s, turn.state.active_s
    turn.state = replace(turn.state, step=over, staff=None)
    beneath(turn, event)
    shown = replace(page, over=turn.state.step)
    turn.state = replace(turn.state, step=shown, staff=staff, entered_s=entered_s, active_s=active_s)


# --- the card ----------------------------------------------------------------------------------------------------


def _known(turn: Turn, card_session: CardSession, known: StaffKind | Fault) -> None:
    """The card was looked at: said at once where nobody is disturbed, else when the visit is over."""
    staff, state, step = turn.state.staff, turn.state, turn.state.step
    if staff is None or staff.session != card_session or staff.known:
        return
    failed = isinstance(known, Fault)
    staff = replace(staff, fault=known) if isinstance(known, Fault) else replace(staff, kind=known)
    turn.state = replace(state, staff=staff)
    serves = not isinstance(step, _BESIDE) or state.member is not None
    if staff.waits and not serves:
        if isinstance(step, StaffSlot):  # about the card before
            turn.go(step.over or Attract())
        turn.admit_badge()
    elif staff.waits and not _written(turn):
        turn.end_visit("staff")
    elif isinstance(step, Attract | StaffSlot):
        turn.rest(step.notice if isinstance(step, Attract) else None)
    elif failed and serves and state.member is None and state.card_session is None:
        turn.end_visit("card_changed")  # who was reading the guide has put a card in, and into the wrong slot


def _written(turn: Turn) -> bool:
    """Whether a card is being written, or awaited because it left unfinished: that goes first."""
    member = turn.state.member
    awaited = member is not None and member.awaited_until_s is not None
    return awaited or isinstance(turn.state.step, Updating | Interrupted)


def _gone(turn: Turn, card_session: CardSession | None = None) -> None:
    """It was taken out, or (None) its reader is gone or another card is in."""
    staff, page = turn.state.staff, turn.state.step
    if staff is None or card_session not in (None, staff.session):
        return
    turn.state = replace(turn.state, staff=None)
    match page:
        case Diagnostics():
            turn.note(RecordType.STAFF_ENDED, {"reason": "withdrawn"})
            turn.go(StaffSlot(Fault(Cause.BADGE_WITHDRAWN), over=page.over))
        case StaffPin():
            _show(turn, page.over)
        case StaffSlot():
            _show(turn, page.over or Attract())
        case _:
            pass


# --- the badge ---------------------------------------------------------------------------------------------------


def _type(turn: Turn, page: StaffPin, event: ev.Event) -> None:
    staff = turn.state.staff
    match event:
        case ev.DigitTyped(digit=digit) if len(page.digits) < page.length and 0 <= digit <= 9:
            turn.state = replace(turn.state, step=replace(page, digits=f"{page.digits}{digit}", fault=None))
        case ev.DigitErased():
            turn.state = replace(turn.state, step=replace(page, digits=page.digits[:-1]))
        case ev.DigitsSubmitted() if len(page.digits) == page.length and staff is not None:
            turn.ask(CheckBadge(staff.session, page.digits))
            turn.state = replace(turn.state, step=replace(page, digits="", checking=True))
        case _:
            pass


def _checked(turn: Turn, event: ev.BadgeAccepted | ev.BadgeRefused) -> None:
    staff, page = turn.state.staff, turn.state.step
    if staff is None or staff.session != event.card_session or not isinstance(page, StaffPin) or not page.checking:
        return
    if isinstance(event, ev.BadgeRefused) and event.tries_left:
        turn.go(StaffPin(page.over, fault=event.fault, tries_left=event.tries_left))
        return
    turn.ask(ReleaseCard(staff.session))  # nothing more is asked of the card: its PIN is not verified any more
    if isinstance(event, ev.BadgeAccepted):
        turn.note(RecordType.STAFF_ENTERED, {})
        turn.ask(LookAround())
        turn.go(Diagnostics(page.over, looked_s=turn.now_s))
        return
    turn.state = replace(turn.state, staff=replace(staff, fault=event.fault, done=True))
    turn.go(StaffSlot(event.fault, over=page.over))


def on_staff_time(turn: Turn, page: _Page) -> None:
    """The page's time has come, or that of the next look."""
    match page:
        case StaffSlot():
            _show(turn, page.over or Attract())
        case Diagnostics() if turn.now_s < turn.state.active_s + DIAGNOSTICS_IDLE_S:
            turn.ask(LookAround())
            turn.state = replace(turn.state, step=replace(page, looked_s=turn.now_s))
        case _:
            _finish(turn, page, "idle")


def _finish(turn: Turn, page: StaffPin | Diagnostics, reason: str) -> None:
    """The technician has finished, or forgotten the badge, which is asked back."""
    staff = turn.state.staff
    if isinstance(page, Diagnostics):
        turn.note(RecordType.STAFF_ENDED, {"reason": reason})
    elif staff is not None:
        turn.ask(ReleaseCard(staff.session))
    if staff is not None:
        turn.state = replace(turn.state, staff=replace(staff, done=True))
    _show(turn, page.over)


def _show(turn: Turn, over: Step) -> None:
    """The page beneath, as it has become meanwhile."""
    if isinstance(over, Attract | StaffSlot):
        turn.rest(over.notice if isinstance(over, Attract) else None)
    elif isinstance(over, OutOfService) and not over.card_in_slot:
        turn.rest(over.notice)
    else:
        turn.go(over)
