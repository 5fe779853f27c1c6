"""What a kiosk says of a card, held against the card itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kiosk.visit.failures import CardSafety
from kiosk.visit.model import State
from kiosk.visit.page_kinds import Notice
from kiosk.visit.pages import Attract, Home, OutOfService, Result
from kiosk.visit.safety import card_safety
from kiosk.visit.values import Outcome
from simulators.soak.card import Content, Truth, WatchedCard


def untrue(state: State, truth: Truth) -> Iterator[str]:
    """What this page says and is not so. `truth`: of the card that the page speaks of."""
    step = state.step
    if isinstance(step, Attract | OutOfService) and step.notice is not None:
        yield from _notice(step.notice, truth)
    if isinstance(step, Attract) or (isinstance(step, OutOfService) and not step.card_in_slot):
        return  # no card is spoken of
    yield from _safety(card_safety(state), truth)
    if isinstance(step, Result):
        yield from _outcome(step.outcome, truth)
    if isinstance(step, Home) and state.member is not None and truth.unfinished and not state.member.unfinished:
        yield "a card marked unfinished is read as valid"


def _notice(notice: Notice, truth: Truth) -> Iterator[str]:
    match notice:
        case Notice.UNCHANGED if truth.changed:
            yield "told unchanged, and it was changed"
        case Notice.UPDATED if truth.unfinished or truth.content is not Content.NEW:
            yield "told updated, and it is not"
        case Notice.UNFINISHED | Notice.UNCERTAIN if not truth.write_sent and not truth.unfinished:
            yield f"told {notice.value}, and nothing was written"
        case Notice.CARD_REMOVED if truth.unfinished and truth.write_sent:
            yield "told to have a good day, and the card is unfinished"
        case _:
            pass


def _safety(safety: CardSafety, truth: Truth) -> Iterator[str]:
    match safety:
        case CardSafety.UNCHANGED if truth.changed:
            yield "said to be unchanged, and it was changed"
        case CardSafety.UPDATED if truth.unfinished or truth.content is not Content.NEW:
            yield "said to be updated, and it is not"
        case CardSafety.UNFINISHED | CardSafety.UNKNOWN if not truth.write_sent and not truth.unfinished:
            yield f"said to be {safety.value}, and nothing was written"
        case CardSafety.PARTLY if truth.unfinished:
            yield "said to be partly updated and usable, and it is unfinished"
        case _:
            pass


def _outcome(outcome: Outcome, truth: Truth) -> Iterator[str]:
    match outcome:
        case Outcome.UPDATED if truth.unfinished or truth.content is not Content.NEW:
            yield "result updated, and the card is not"
        case Outcome.UP_TO_DATE | Outcome.DECLINED | Outcome.IMPOSSIBLE if truth.changed:
            yield f"result {outcome.value}, and the card was changed"
        case _:
            pass


def left_behind(state: State, card: WatchedCard, books: dict[str, Any]) -> Iterator[str]:
    """What must hold once the card has been back with everything in service: entirely old or new, and the centre
    knows which. `books`: the centre's about this card."""
    truth = card.truth()
    if state.member is not None:
        yield "a member is still in the state"
    if truth.unfinished:
        yield "the card is still marked unfinished"
    if truth.content is Content.MIXED:
        yield "the card is neither old nor new"
    if not card.holds(books["content"]):
        yield "the centre believes something else to be on the card"
    if card.persona.centre is not None and card.persona.centre.orders:
        if books["pending"] and truth.content is Content.NEW:
            yield "the card is new, and the centre would write it again"
        if not books["pending"] and truth.content is Content.OLD:
            yield "the card is old, and the centre believes it done"
