"""Pages of the professional slot: a card that is of no use there, a badge's code, the technician's diagnostics."""

from __future__ import annotations

from datetime import datetime

from kiosk.ui import texts as t
from kiosk.ui.failures_view import answers, picture, support_code, todo, what
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


def diagnostics(step: Diagnostics) -> ViewModel:
    """One line a part: its state in words, the code and what it means. Unknown is grey, never green."""
    return ViewModel(
        page=step.page,
        heading=t.DIAGNOSTICS,
        lead=t.DIAGNOSTICS_LEAD if step.lines else t.DIAGNOSTICS_LOOKING,
        rows=tuple(_part(line) for line in step.lines),
    )


def _part(line: PartLine) -> Row:
    word, icon, tone = {
        True: (t.PART_WELL, Icon.CHECK, Tone.OK),
        False: (t.PART_FAULT, Icon.CROSS, Tone.ERROR),
        None: (t.PART_UNKNOWN, Icon.UNKNOWN, Tone.MUTED),
    }[line.well]
    said = [word]
    if line.fault is not None:
        advice = ADVICE[line.fault.cause]
        said += [f"{line.fault.cause.value} : {advice.meaning}", advice.action, line.fault.detail]
    said.append(line.facts)
    return Row(t.PARTS.get(line.part, line.part), typeset("\n".join(part for part in said if part)), icon, tone)
