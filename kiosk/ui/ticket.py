"""The ticket's picture: what the screen said, large enough to be read without glasses, on paper that fits a wallet.

Drawn once, then printed dot for dot. It carries no name and no NIR: whoever finds it learns nothing about anyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from PySide6.QtCore import QRectF

from kiosk.ui import ticket_texts as t
from kiosk.ui.ticket_sheet import Sheet, Style
from kiosk.ui.typography import day, hour
from kiosk.visit.ports import Bitmap
from kiosk.visit.values import TicketContent, TicketKind

_PRINTED_SERIAL_DIGITS: Final = 21
_PREFIX_DIGITS: Final = 10
_ASKED_DIGITS: Final = 11


@dataclass(frozen=True, slots=True)
class _Type:
    """Sizes of one paper width, in dots."""

    margin: int
    title: Style
    lead: Style
    strong: Style
    body: Style
    small: Style
    code: Style
    digit: Style


_WIDE: Final = _Type(
    margin=12,
    title=Style(51, 700, 1.1),
    lead=Style(38, 400),
    strong=Style(43, 700, 1.15),
    body=Style(36, 400),
    small=Style(31, 400),
    code=Style(176, 700),
    digit=Style(50, 700),
)
_NARROW: Final = _Type(
    margin=6,
    title=Style(42, 700, 1.1),
    lead=Style(31, 400),
    strong=Style(36, 700, 1.1),
    body=Style(31, 400),
    small=Style(28, 400),
    code=Style(120, 700),
    digit=Style(32, 700),
)
_NARROW_BELOW_DOTS: Final = 480


def draw_ticket(ticket: TicketContent, width_dots: int, zone: tzinfo | None = None) -> Bitmap:
    """Draw a ticket `width_dots` wide (384 to 576, at 203 dots per inch) and as long as it needs.

    zone: of the hour shown, the machine's own when None. Needs a QGuiApplication; any thread after `load_fonts`.
    """
    kind = _WIDE if width_dots >= _NARROW_BELOW_DOTS else _NARROW
    sheet = Sheet(width_dots, kind.margin)
    sheet.space(16)
    if ticket.duplicate:
        sheet.band([(t.DUPLICATE, kind.strong)], padding=8)
        sheet.space(18)
    match ticket.kind:
        case TicketKind.CODE:
            _code(sheet, kind, ticket, zone)
            steps = t.CODE_STEPS
        case TicketKind.SERIAL:
            _serial(sheet, kind, ticket.digits)
            steps = t.SERIAL_STEPS
    _next(sheet, kind, tuple(step.format(site=ticket.site) for step in steps))
    sheet.band([(t.SECRET, kind.strong), (t.SECRET_REASON, kind.small)], padding=16)
    _foot(sheet, kind, ticket)
    return sheet.finish()


def _code(sheet: Sheet, kind: _Type, ticket: TicketContent, zone: tzinfo | None) -> None:
    sheet.text(t.CODE_TITLE, kind.title, centred=True)
    sheet.text(t.CODE_PURPOSE, kind.lead, centred=True)
    sheet.space(18)
    box = QRectF(sheet.margin, sheet.y, sheet.inner, kind.code.size * 1.15)
    sheet.frame(box, line=6, radius=18)
    inside = box.adjusted(box.width() * 0.02, 0, -box.width() * 0.02, 0)
    cell = inside.width() / len(ticket.digits)
    for index, digit in enumerate(ticket.digits):
        sheet.glyphs(digit, QRectF(inside.left() + index * cell, box.top(), cell, box.height()), kind.code)
    sheet.space(box.height() + 14)
    if ticket.expires_utc_s is not None:
        until = datetime.fromtimestamp(ticket.expires_utc_s, UTC).astimezone(zone)
        sheet.text(t.CODE_UNTIL.format(hour=hour(until)), kind.strong, centred=True)
        sheet.text(t.CODE_UNTIL_DAY.format(day=day(until.date())), kind.body, centred=True)
        sheet.space(6)
        sheet.text(t.CODE_ONCE, kind.body, centred=True)


def _serial(sheet: Sheet, kind: _Type, digits: str) -> None:
    """21 digits as printed: 10, then the 11 that are asked for, boxed as 10 + 1. Other lengths are boxed whole.

    A chip may hold only 20: the last box then stays empty, to be filled from the card.
    """
    sheet.text(t.SERIAL_TITLE, kind.title, centred=True)
    sheet.text(t.SERIAL_PURPOSE, kind.lead, centred=True)
    sheet.space(18)
    printed_in_full = len(digits) >= _PRINTED_SERIAL_DIGITS - 1
    prefix, asked = (digits[:_PREFIX_DIGITS], digits[_PREFIX_DIGITS:]) if printed_in_full else ("", digits)
    boxes = _ASKED_DIGITS if printed_in_full else len(digits)
    if prefix:
        sheet.text(prefix, Style(kind.digit.size, 400, 1.15), centred=True)
        sheet.space(6)
    gap = 14.0 if printed_in_full else 0.0  # people miss the lone last digit: it stands apart, but in the same row
    cell = (sheet.inner - gap) / boxes
    for index in range(boxes):
        left = sheet.margin + index * cell + (gap if index == _ASKED_DIGITS - 1 else 0)
        box = QRectF(left, sheet.y, cell - 2, kind.digit.size * 1.3)
        sheet.frame(box, line=3, radius=7)
        if index < len(asked):
            sheet.glyphs(asked[index], box, kind.digit)
    sheet.space(kind.digit.size * 1.3 + 12)
    sheet.text(t.SERIAL_ASKED if printed_in_full else t.SERIAL_ASKED_8_TO_13, kind.strong, centred=True)
    if printed_in_full and len(asked) < _ASKED_DIGITS:
        sheet.text(t.SERIAL_LAST_ON_CARD, kind.body, centred=True)


def _next(sheet: Sheet, kind: _Type, steps: tuple[str, ...]) -> None:
    sheet.space(22)
    sheet.rule(3)
    sheet.space(16)
    sheet.text(t.NEXT, kind.strong)
    for number, step in enumerate(steps, start=1):
        sheet.space(14)
        sheet.step(number, step, kind.body)
    sheet.space(26)


def _foot(sheet: Sheet, kind: _Type, ticket: TicketContent) -> None:
    sheet.space(18)
    sheet.text(t.HELP, kind.lead, centred=True)
    sheet.text(ticket.phone, kind.strong, centred=True)
    if ticket.phone_hours:
        sheet.text(ticket.phone_hours, kind.body, centred=True)
    sheet.space(16)
    sheet.rule(3)
    sheet.space(10)
    sheet.text(f"{t.FREE} · {t.KIOSK.format(number=ticket.kiosk_number)}", kind.small, centred=True)
    sheet.space(8)
