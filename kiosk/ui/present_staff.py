"""Pages of the professional slot: a card that is of no use there, a badge's code, the technician's diagnostics."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from kiosk import __version__
from kiosk.ui import texts as t
from kiosk.ui.failures_view import answers, picture, support_code, todo, what
from kiosk.ui.technician_facts import fact_lines, part_name
from kiosk.ui.technician_reasons import in_french
from kiosk.ui.technician_texts import ADVICE
from kiosk.ui.typography import typeset
from kiosk.ui.views import Icon, Picture, Row, Tone, ViewModel
from kiosk.visit.failures import CardSafety
from kiosk.visit.model import State
from kiosk.visit.pages import Diagnostics, StaffPin, StaffSlot
from kiosk.visit.values import PartLine, StaffKind


def staff_slot(step: StaffSlot, state: State, now: datetime) -> ViewModel:
    """A card in the professional slot, and why it is to be taken out."""
    if step.fault is not None:
        badge = step.fault.cause.value.startswith("B")
        safety = CardSafety.NOT_CONCERNED if badge else CardSafety.UNCHANGED
        return ViewModel(
            page=step.page,
            key=step.fault.cause.value,
            heading=what(step.fault, state, now),
            picture=picture(step.fault),
            rows=answers(step.fault, safety, state, now),
            footnote=support_code(step.fault),
        )
    badge = state.staff is not None and state.staff.kind is StaffKind.TECHNICIAN
    return ViewModel(
        page=step.page,
        key="badge" if badge else "",
        heading=t.BADGE_DONE if badge else t.STAFF_CARD,
        lead=t.BADGE_DONE_LEAD if badge else t.STAFF_CARD_LEAD,
        picture=Picture.CARD_REMOVE,
        rows=(Row(t.STAFF_CARD_MEMBERS, t.STAFF_CARD_MEMBERS_TEXT, Icon.CARD, Tone.INFO),),
    )


def staff_pin(step: StaffPin, state: State, now: datetime) -> ViewModel:
    """The code of a badge: no key shows that it was pressed, only how many digits are there."""
    typed = len(step.digits)
    notice = "" if step.fault is None else f"{what(step.fault, state, now)} {todo(step.fault, state, now)}"
    count = {0: t.TYPED_NONE, 1: t.TYPED_ONE}.get(typed, t.TYPED)
    return ViewModel(
        page=step.page,
        key=f"{step.tries_left}-{step.checking}",
        heading=t.STAFF_PIN,
        lead="" if notice else t.STAFF_PIN_LEAD,
        text="" if notice else t.STAFF_PIN_MEMBERS,
        notice=notice,
        notice_tone=Tone.WARN,
        boxes_text=t.STAFF_PIN_CHECKING if step.checking else count.format(count=typed, total=step.length),
        keypad=not step.checking,
        can_submit=typed == step.length,
    )


def diagnostics(step: Diagnostics, state: State, now: datetime) -> ViewModel:
    """A row a part, what needs somebody first: state and code in a word, meaning, action, detail, facts."""
    rows = sorted((_part(line, now) for line in step.lines), key=lambda row: _URGENCY.index(row.tone))
    return ViewModel(
        page=step.page,
        heading=t.DIAGNOSTICS,
        step=t.DIAGNOSTICS_OF.format(number=state.policy.kiosk_number, version=__version__),
        lead=t.DIAGNOSTICS_LEAD.format(summary=_summary(rows)) if rows else t.DIAGNOSTICS_LOOKING,
        rows=tuple(rows),
    )


_URGENCY = (Tone.ERROR, Tone.WARN, Tone.MUTED, Tone.OK)


def _summary(rows: list[Row]) -> str:
    counts = Counter(row.tone for row in rows)
    words = {Tone.ERROR: t.DIAGNOSTICS_FAULTS, Tone.WARN: t.DIAGNOSTICS_DOUBTS, Tone.MUTED: t.DIAGNOSTICS_UNKNOWN}
    told = [word.format(count=counts[tone]) for tone, word in words.items() if counts[tone]]
    return ", ".join(told) or t.DIAGNOSTICS_WELL


def _part(line: PartLine, now: datetime) -> Row:
    """Unknown is grey, never green; what no cause stands for, as a card left behind, is to be looked at."""
    word, icon, tone = {
        True: (t.PART_WELL, Icon.CHECK, Tone.OK),
        False: (t.PART_FAULT, Icon.CROSS, Tone.ERROR),
        None: (t.PART_UNKNOWN, Icon.UNKNOWN, Tone.MUTED),
    }[line.well]
    if line.well is False and line.fault is None:
        word, icon, tone = t.PART_DOUBT, Icon.WARNING, Tone.WARN
    said = fact_lines(line.part, line.facts, now)
    if line.fault is not None:
        advice = ADVICE[line.fault.cause]
        word = f"{word} – {line.fault.cause.value}"
        detail = t.PART_DETAIL.format(detail=in_french(line.fault.detail)) if line.fault.detail else ""
        said = [advice.meaning, advice.action, detail, *said]
    detail = typeset("\n".join(text for text in said if text))
    return Row(part_name(line.part), detail, icon, tone, word=typeset(word))
