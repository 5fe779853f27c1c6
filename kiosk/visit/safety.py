"""What may truthfully be said of the card, from what is known: one answer for every page and every way out."""

from __future__ import annotations

from kiosk.visit.failures import CardSafety
from kiosk.visit.model import State
from kiosk.visit.page_kinds import Notice
from kiosk.visit.pages import CardProblem, ForgottenCard, Interrupted, OutOfService, RemoveCard, Updating
from kiosk.visit.values import Outcome, UpdatePhase


def card_safety(state: State) -> CardSafety:
    """What is known of the card now, from phase and outcome of the update; nothing more is ever claimed."""
    step, member = state.step, state.member
    if isinstance(step, CardProblem | OutOfService | RemoveCard | ForgottenCard):
        return step.safety
    if isinstance(step, Interrupted):
        return CardSafety.NOT_CONCERNED if step.other_card else CardSafety.UNFINISHED
    if member is None:
        return CardSafety.UNCHANGED
    if isinstance(step, Updating) and step.phase is not UpdatePhase.OPENING:
        return CardSafety.UNFINISHED
    if member.outcome is Outcome.UPDATED:
        return CardSafety.UPDATED
    if member.outcome is Outcome.UNCERTAIN:
        return CardSafety.UNKNOWN
    if member.unfinished:
        return CardSafety.UNFINISHED
    return CardSafety.PARTLY if member.partly else CardSafety.UNCHANGED


def parting_notice(state: State) -> Notice:
    """What to say on the attract page about a card that was just taken out."""
    match card_safety(state):
        case CardSafety.UNFINISHED:
            return Notice.UNFINISHED
        case CardSafety.UNKNOWN:
            return Notice.UNCERTAIN
        case _:
            return Notice.CARD_REMOVED
