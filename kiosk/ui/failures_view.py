"""The four answers of a failure: what happened, is my card safe, what can I do, whom do I call."""

from __future__ import annotations

from datetime import datetime

from kiosk.ui import texts as t
from kiosk.ui.typography import after, typeset, until
from kiosk.ui.views import Icon, Picture, Row, Tone
from kiosk.visit.availability import closed_until_s
from kiosk.visit.failure_pages import CALL, PAGES, SAFETY
from kiosk.visit.failures import CATALOGUE, CardSafety, Fault, MemberPage
from kiosk.visit.model import State
from kiosk.visit.pages import Identification, StaffPin

_PICTURES = {
    "card_turn": Picture.CARD_TURN,
    "card_wipe": Picture.CARD_WIPE,
    "card_insert": Picture.CARD_INSERT,
    "card_other": Picture.CARD_OTHER,
    "card_vitale1": Picture.CARD_VITALE_1,
    "call": Picture.CALL,
    "clock": Picture.CLOCK,
    "network": Picture.NETWORK,
    "update": Picture.UPDATE,
    "question": Picture.QUESTION,
    "ticket": Picture.TICKET,
    "reader": Picture.KIOSK,
    "closed": Picture.KIOSK,
}
_FINISH = PAGES[MemberPage.UPDATE_STOPPED].todo


def call_text(state: State) -> str:
    """The same last line everywhere: place, phone and hours of the site."""
    policy = state.policy
    place = t.PLACE.format(place=policy.help_place) if policy.help_place else ""
    return typeset(CALL.format(place=place, phone=policy.phone, hours=policy.phone_hours))


def _fill(text: str, fault: Fault, state: State, now: datetime) -> str:
    until_s = closed_until_s(state)
    step = state.step
    return typeset(
        text.format(
            phone=state.policy.phone,
            hours=state.policy.phone_hours,
            until=f"à {t.REOPENING}" if until_s is None else until(until_s, now),
            after=t.REOPENING if until_s is None else after(until_s, now),
            tries=step.tries_left if isinstance(step, Identification | StaffPin) else 0,
            reason=t.REASONS.get(fault.detail, t.REASON_OTHER),
        )
    )


def what(fault: Fault, state: State, now: datetime) -> str:
    """What happened, in one sentence."""
    return _fill(PAGES[CATALOGUE[fault.cause].page].what, fault, state, now)


def todo(fault: Fault, state: State, now: datetime) -> str:
    """What the member can do now."""
    return _fill(PAGES[CATALOGUE[fault.cause].page].todo, fault, state, now)


def picture(fault: Fault) -> Picture:
    """The illustration of the page a cause leads to."""
    return _PICTURES[PAGES[CATALOGUE[fault.cause].page].picture]


def ticket_answers(page: MemberPage, state: State) -> tuple[Row, ...]:
    """The answers about a ticket, whose cause may be unknown."""
    text = PAGES[page]
    return (
        Row(t.ANSWER_SAFE, typeset(f"{SAFETY[CardSafety.NOT_CONCERNED]} {text.rights}"), Icon.SHIELD, Tone.OK),
        Row(t.ANSWER_TODO, typeset(text.todo), Icon.NEXT, Tone.INFO),
        Row(t.ANSWER_CALL, call_text(state), Icon.PHONE, Tone.INFO),
    )


def loose_ticket(state: State) -> str:
    """What is said while a ticket may have come out before the program died; else nothing."""
    return "" if state.world.loose_ticket_until_s is None else t.NOTICE_LOOSE_TICKET


def answers(
    fault: Fault, safety: CardSafety, state: State, now: datetime, *, with_what: bool = False, finish: bool = False
) -> tuple[Row, ...]:
    """The answers after the heading. The heading says what happened; `with_what` repeats it where it does not.

    `finish`: whatever the cause, an update that has begun is to be finished: put the card back, here or elsewhere.
    """
    page = PAGES[CATALOGUE[fault.cause].page]
    safe = typeset(f"{SAFETY[safety]} {page.rights}")
    worried = safety in (CardSafety.UNFINISHED, CardSafety.UNKNOWN)
    rows = (
        Row(t.ANSWER_SAFE, safe, Icon.SHIELD, Tone.WARN if worried else Tone.OK),
        Row(t.ANSWER_TODO, typeset(_FINISH) if finish and worried else todo(fault, state, now), Icon.NEXT, Tone.INFO),
        Row(t.ANSWER_CALL, call_text(state), Icon.PHONE, Tone.INFO),
    )
    return (Row(t.ANSWER_WHAT, what(fault, state, now), Icon.INFO, Tone.INFO), *rows) if with_what else rows


def support_code(fault: Fault) -> str:
    """The small last line."""
    return t.SUPPORT_CODE.format(code=fault.cause.value)
