"""Pages about numbers: who is there, the serial number, the provisional code, the ticket, short waits."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from kiosk.ui import texts as t
from kiosk.ui.failures_view import support_code, ticket_answers, todo, what
from kiosk.ui.typography import until
from kiosk.ui.views import Box, BoxKind, Button, Icon, Picture, Row, Tone, ViewModel
from kiosk.visit.events import Choice
from kiosk.visit.failures import MemberPage
from kiosk.visit.model import Member, State
from kiosk.visit.page_kinds import Goal, Question
from kiosk.visit.pages import CodeIntro, CodePage, Identification, SerialNumber, TicketPage, Wait
from kiosk.visit.ports import PrintState
from kiosk.visit.tickets import may_be_out
from kiosk.visit.values import TicketKind

_WHY = {
    Goal.SENSITIVE: t.WHY_SENSITIVE,
    Goal.UPDATE: t.WHY_UPDATE,
    Goal.SERIAL: t.WHY_SERIAL,
    Goal.CODE: t.WHY_CODE,
}
_DATE_GAPS = (2, 4)  # JJ MM AAAA
PREFIX_DIGITS = 10  # printed 8025000002, then the 11 digits that sites ask for, the last one apart
PRINTED_DIGITS = 21
MASK = "•"


def identification(step: Identification, state: State, now: datetime) -> ViewModel:
    """A question answered on the keypad; what is typed stays masked and counted."""
    birth = step.question is Question.BIRTH_DATE
    hint = t.BIRTH_DATE_HINT if birth else "\u00a0" * step.length
    typed = len(step.digits)
    boxes = tuple(
        Box(
            MASK if place < typed else hint[place],
            BoxKind.TYPED if place < typed else BoxKind.EMPTY,
            gap=birth and place in _DATE_GAPS,
        )
        for place in range(step.length)
    )
    notice = ""
    if step.fault is not None:
        notice = f"{what(step.fault, state, now)} {todo(step.fault, state, now)}"
    count = {0: t.TYPED_NONE, 1: t.TYPED_ONE}.get(typed, t.TYPED)
    return ViewModel(
        page=step.page,
        key=f"{step.question.value}-{step.tries_left}",
        heading=t.BIRTH_DATE if birth else t.POSTCODE,
        lead="" if notice else t.BIRTH_DATE_LEAD if birth else t.POSTCODE_LEAD,
        text="" if notice else _WHY[step.goal],
        notice=notice,
        notice_tone=Tone.WARN,
        boxes=boxes,
        boxes_text=count.format(count=typed, total=step.length),
        keypad=True,
        can_submit=typed == step.length,
        second=Button(t.BACK, Choice.BACK, Icon.BACK),
    )


def serial_boxes(serial: str, *, masked: bool) -> tuple[str, tuple[Box, ...]]:
    """Prefix and boxes of the printed number: 10 digits, then 10 + 1. A digit the chip lacks is left to be read."""
    prefix, rest = serial[:PREFIX_DIGITS], serial[PREFIX_DIGITS:]
    boxes = [
        Box(MASK if masked else digit, BoxKind.MASKED if masked else BoxKind.SHOWN, gap=place == PREFIX_DIGITS)
        for place, digit in enumerate(rest)
    ]
    if len(serial) == PRINTED_DIGITS - 1:
        boxes.append(Box("?", BoxKind.UNKNOWN, gap=True))
    return prefix, tuple(boxes)


def serial_number(step: SerialNumber, state: State, member: Member) -> ViewModel:
    """The printed number, as the form asks for it."""
    prefix, boxes = serial_boxes(member.serial, masked=step.masked)
    unknown = any(box.kind is BoxKind.UNKNOWN for box in boxes)
    return ViewModel(
        page=step.page,
        heading=t.SERIAL,
        lead=t.SERIAL_WHERE,
        boxes_title=t.SERIAL_TITLE,
        boxes_prefix=prefix,
        boxes=boxes,
        boxes_text=t.HIDDEN if step.masked else t.SERIAL_UNKNOWN if unknown else "",
        picture=Picture.NUMBER_FRONT,
        notice=t.SERIAL_USE,
        notice_tone=Tone.WARN,
        inline=_mask_button(step.masked),
        main=Button(t.NOTED, Choice.CONTINUE, Icon.CHECK),
        second=_print_button(state, TicketKind.SERIAL),
    )


def code_intro(step: CodeIntro, state: State) -> ViewModel:
    """What the code is for, before it is made."""
    icons = (Icon.GLOBE, Icon.KEY, Icon.LOCK)
    return ViewModel(
        page=step.page,
        heading=t.CODE_INTRO,
        lead=t.CODE_INTRO_LEAD,
        rows=tuple(
            Row(text.format(site=state.policy.contents.account_site), pictogram=icon, tone=Tone.INFO)
            for icon, text in zip(icons, t.CODE_INTRO_ROWS, strict=True)
        ),
        main=Button(t.CODE_INTRO_MAIN, Choice.CONTINUE, Icon.KEY),
        second=Button(t.BACK, Choice.BACK, Icon.BACK),
    )


def code(step: CodePage, state: State, member: Member, now: datetime) -> ViewModel:
    """The four digits."""
    issued = member.code
    digits = issued.digits if issued is not None else ""
    kind = BoxKind.MASKED if step.masked else BoxKind.SHOWN
    return ViewModel(
        page=step.page,
        heading=t.CODE,
        lead="" if issued is None else t.CODE_UNTIL.format(until=until(issued.expires_utc_s, now)),
        boxes_title=t.CODE_TITLE,
        boxes=tuple(Box(MASK if step.masked else digit, kind) for digit in digits),
        boxes_text=t.CODE_HIDDEN if step.masked else "",
        notice=t.CODE_SECRET,
        notice_tone=Tone.WARN,
        inline=_mask_button(step.masked),
        main=Button(t.NOTED, Choice.CONTINUE, Icon.CHECK),
        second=_print_button(state, TicketKind.CODE),
    )


def _mask_button(masked: bool) -> Button:
    return Button(t.SHOW if masked else t.HIDE, Choice.TOGGLE_MASK, Icon.EYE if masked else Icon.EYE_OFF)


def _print_button(state: State, kind: TicketKind) -> Button | None:
    if not state.policy.print_tickets or not state.world.printer.usable:
        return None
    return Button(t.PRINT_AGAIN if may_be_out(state, kind) else t.PRINT, Choice.PRINT, Icon.TICKET)


def ticket(step: TicketPage, state: State) -> ViewModel:
    """What became of a ticket: printed, or taken, only when the printer has said so."""
    match step.state:
        case PrintState.QUEUED:
            return ViewModel(
                page=step.page,
                key=step.state.value,
                heading=t.TICKET_QUEUED,
                lead=t.TICKET_QUEUED_LEAD,
                picture=Picture.TICKET,
                second=Button(t.NO_TICKET, Choice.NO_TICKET),
            )
        case PrintState.PRINTED:
            return ViewModel(
                page=step.page,
                key="taken" if step.taken else step.state.value,
                heading=t.TICKET_TAKEN if step.taken else t.TICKET_PRINTED,
                lead=t.TICKET_TAKEN_LEAD if step.taken else t.TICKET_PRINTED_LEAD,
                picture=Picture.TICKET,
                main=Button(t.CONTINUE, Choice.CONTINUE, Icon.NEXT),
                second=Button(t.TICKET_BACK, Choice.BACK, Icon.BACK),
            )
        case PrintState.FAILED | PrintState.UNKNOWN:
            return _no_ticket(step, state)
        case _:
            assert_never(step.state)


def _no_ticket(step: TicketPage, state: State) -> ViewModel:
    failed, again = step.state is PrintState.FAILED, state.policy.print_tickets and state.world.printer.usable
    page = MemberPage.TICKET_FAILED if failed else MemberPage.TICKET_UNKNOWN
    return ViewModel(
        page=step.page,
        key=step.state.value,
        heading=t.TICKET_FAILED if failed else t.TICKET_MAYBE,
        picture=Picture.TICKET,
        rows=ticket_answers(page, state),
        footnote="" if step.fault is None else support_code(step.fault),
        main=Button(t.TICKET_BACK, Choice.BACK, Icon.BACK),
        second=Button(t.PRINT_AGAIN, Choice.PRINT, Icon.TICKET) if again else None,
    )


def wait(step: Wait) -> ViewModel:
    """A short wait."""
    return ViewModel(page=step.page, heading=t.WAIT, lead=t.WAITING[step.what], picture=Picture.WAIT)
