"""The professional slot: what becomes of a card in it. A member's own visit, at the other slot, is not disturbed."""

from __future__ import annotations

from dataclasses import replace

from kiosk.visit.effects import LookAtStaffCard
from kiosk.visit.failures import Fault
from kiosk.visit.model import Attract, OutOfService, StaffCard, StaffSlot
from kiosk.visit.ports import CardSession
from kiosk.visit.turn import Turn
from kiosk.visit.values import StaffKind


def on_staff_card(turn: Turn, card_session: CardSession) -> None:
    """A card is in: look what it is."""
    turn.state = replace(turn.state, staff=StaffCard(card_session))
    turn.ask(LookAtStaffCard(card_session))


def on_staff_card_known(turn: Turn, card_session: CardSession, known: StaffKind | Fault) -> None:
    """It was looked at: said at once where nobody is disturbed, else when the visit is over."""
    staff, step = turn.state.staff, turn.state.step
    if staff is None or staff.session != card_session:
        return
    failed = isinstance(known, Fault)
    staff = replace(staff, fault=known) if isinstance(known, Fault) else replace(staff, kind=known)
    turn.state = replace(turn.state, staff=staff)
    alone = turn.state.member is None and turn.state.card_session is None
    if isinstance(step, Attract | StaffSlot):
        turn.rest(step.notice if isinstance(step, Attract) else None)
    elif failed and alone and not isinstance(step, OutOfService):
        turn.end_visit("card_changed")  # who was reading the guide has put a card in, and into the wrong slot


def on_staff_card_gone(turn: Turn, card_session: CardSession | None = None) -> None:
    """It was taken out, or (None) its reader is gone."""
    staff = turn.state.staff
    if staff is None or card_session not in (None, staff.session):
        return
    turn.state = replace(turn.state, staff=None)
    if isinstance(turn.state.step, StaffSlot):
        turn.rest()
