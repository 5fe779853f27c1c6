"""The picture a member takes home: right digits, right width, nothing cut off, nothing of anyone on it."""

import unicodedata
from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops
from PySide6.QtGui import QFont, QFontInfo, QRawFont

from kiosk.ui import ticket_texts
from kiosk.ui.fonts import FAMILY, load_fonts
from kiosk.ui.ticket import draw_ticket
from kiosk.visit.ports import Bitmap
from kiosk.visit.values import TicketContent, TicketKind

CODE = TicketContent(TicketKind.CODE, "0427", 1_790_000_000, "0999", "09 72 72 40 60", phone_hours="8 h 30 – 17 h 30")
SERIAL = TicketContent(TicketKind.SERIAL, "802500000201234567892", None, "0999", "09 72 72 40 60")
WIDTHS = (384, 512, 576)

pytestmark = pytest.mark.usefixtures("qapp")


def _image(bitmap: Bitmap) -> Image.Image:
    return Image.frombytes("1", (bitmap.width, bitmap.height), bitmap.rows)


def _changed(one: Bitmap, other: Bitmap) -> tuple[int, int, int, int] | None:
    """Bounding box (left, top, right, bottom) in dots of what differs between two pictures of one size."""
    assert (one.width, one.height) == (other.width, other.height)
    return ImageChops.logical_xor(_image(one), _image(other)).getbbox()


@pytest.mark.parametrize("weight", [400, 600, 700])
def test_the_bundled_face_is_used_in_three_weights(weight: int) -> None:
    font = QFont(load_fonts())
    font.setWeight(QFont.Weight(weight))
    info = QFontInfo(font)
    assert (info.family(), info.weight()) == (FAMILY, weight)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("ticket", [CODE, SERIAL], ids=["code", "serial"])
@pytest.mark.parametrize("duplicate", [False, True])
def test_nothing_touches_the_edges(width: int, ticket: TicketContent, duplicate: bool) -> None:
    bitmap = draw_ticket(replace(ticket, duplicate=duplicate), width, UTC)
    assert bitmap.width == width
    assert len(bitmap.rows) == (width + 7) // 8 * bitmap.height
    box = _image(bitmap).getbbox()
    assert box is not None
    left, top, right, bottom = box
    assert left >= 4
    assert right <= width - 4
    assert top >= 8
    assert bottom <= bitmap.height - 4
    assert bitmap.height < 2000  # 25 cm


def test_the_same_ticket_is_the_same_picture() -> None:
    assert draw_ticket(CODE, 576, UTC) == draw_ticket(CODE, 576, UTC)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3), st.sampled_from("0123456789"))
def test_each_digit_of_the_code_is_drawn_in_its_own_place(position: int, digit: str) -> None:
    digits = "5555"[:position] + digit + "5555"[position + 1 :]
    changed = _changed(
        draw_ticket(replace(CODE, digits="5555"), 576, UTC), draw_ticket(replace(CODE, digits=digits), 576, UTC)
    )
    if digit == "5":
        assert changed is None
        return
    assert changed is not None
    left, top, right, bottom = changed
    assert position * 138 + 12 <= left < right <= (position + 1) * 138 + 12
    assert bottom - top <= 176 * 0.7


@pytest.mark.parametrize("width", WIDTHS)
def test_the_code_is_at_least_ten_millimetres_tall(width: int) -> None:
    changed = _changed(
        draw_ticket(replace(CODE, digits="8888"), width, UTC), draw_ticket(replace(CODE, digits="1888"), width, UTC)
    )
    assert changed is not None
    assert changed[3] - changed[1] >= 75  # the digit's full height changes: 203 dots per inch are 8 a millimetre


@pytest.mark.parametrize("width", WIDTHS)
def test_the_lone_last_digit_stands_in_the_same_row_apart(width: int) -> None:
    whole = draw_ticket(SERIAL, width, UTC)
    ninth = _changed(
        whole, draw_ticket(replace(SERIAL, digits=SERIAL.digits[:19] + "0" + SERIAL.digits[20:]), width, UTC)
    )
    last = _changed(whole, draw_ticket(replace(SERIAL, digits=SERIAL.digits[:20] + "0"), width, UTC))
    eighth = _changed(
        whole, draw_ticket(replace(SERIAL, digits=SERIAL.digits[:18] + "0" + SERIAL.digits[19:]), width, UTC)
    )
    assert ninth is not None
    assert last is not None
    assert eighth is not None
    middles = [(box[0] + box[2]) / 2 for box in (eighth, ninth, last)]
    assert abs((last[1] + last[3]) - (ninth[1] + ninth[3])) <= 8
    assert (middles[2] - middles[1]) - (middles[1] - middles[0]) >= 8


def test_twenty_digits_leave_the_last_box_to_the_card() -> None:
    with_last = draw_ticket(SERIAL, 576, UTC)
    without = draw_ticket(replace(SERIAL, digits=SERIAL.digits[:20]), 576, UTC)
    assert without.height > with_last.height  # says where to read it


@pytest.mark.parametrize("length", [8, 13])
def test_the_number_of_a_card_without_photo_is_boxed_whole(length: int) -> None:
    assert _image(draw_ticket(replace(SERIAL, digits="123456789012345"[:length]), 384, UTC)).getbbox() is not None


def test_a_duplicate_says_so() -> None:
    assert draw_ticket(replace(CODE, duplicate=True), 576, UTC).height > draw_ticket(CODE, 576, UTC).height


def test_the_hour_is_that_of_the_place() -> None:
    in_paris = draw_ticket(CODE, 576, ZoneInfo("Europe/Paris"))
    in_saint_denis = draw_ticket(CODE, 576, ZoneInfo("Indian/Reunion"))
    assert _changed(in_paris, in_saint_denis) is not None


@pytest.mark.parametrize(
    "other",
    [
        replace(CODE, kiosk_number="0888"),
        replace(CODE, phone="09 72 72 40 69"),
        replace(CODE, phone_hours="9 h 30 – 17 h 30"),
        replace(CODE, expires_utc_s=1_790_000_060),
    ],
)
def test_every_field_is_on_the_ticket(other: TicketContent) -> None:
    assert _changed(draw_ticket(CODE, 576, UTC), draw_ticket(other, 576, UTC)) is not None


def test_markup_in_a_field_is_printed_not_obeyed() -> None:
    marked, plain = (draw_ticket(replace(CODE, kiosk_number=number), 576, UTC) for number in ("1<!-- -->2", "12"))
    assert marked != plain


def test_every_character_is_in_the_bundled_face() -> None:
    face = QRawFont.fromFont(QFont(load_fonts()))
    texts: list[str] = []
    for name, value in vars(ticket_texts).items():
        if name.isupper():
            texts += [value] if isinstance(value, str) else list(value)
    assert len(texts) > 15
    printed = {c for text in texts for c in text if unicodedata.category(c) != "Cf"}  # Cf: word joiners are not drawn
    assert {c for c in printed if not face.supportsCharacter(ord(c))} == set()
