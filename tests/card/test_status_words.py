"""Status words: classes at their borders, and the numbers inside 61xx, 6Cxx and 63Cx."""

from __future__ import annotations

import pytest

from kiosk.card.status_words import (
    StatusClass,
    StatusWord,
    available_bytes,
    classify_sw,
    correct_ne,
    sw_text,
    tries_left,
)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0x0000, 0x60FF, StatusClass.INVALID),
        (0x6100, 0x61FF, StatusClass.NORMAL),
        (0x6200, 0x63FF, StatusClass.WARNING),
        (0x6400, 0x66FF, StatusClass.EXECUTION_ERROR),
        (0x6700, 0x6FFF, StatusClass.CHECKING_ERROR),
        (0x7000, 0x8FFF, StatusClass.INVALID),
        (0x9000, 0x9000, StatusClass.NORMAL),
        (0x9001, 0xFFFF, StatusClass.INVALID),
    ],
)
def test_classes(first: int, last: int, expected: StatusClass) -> None:
    assert {classify_sw(sw) for sw in range(first, last + 1)} == {expected}


@pytest.mark.parametrize(
    ("sw", "available", "ne", "tries"),
    [
        (0x6100, 256, None, None),
        (0x6101, 1, None, None),
        (0x61FF, 255, None, None),
        (0x6C00, None, 256, None),
        (0x6C10, None, 16, None),
        (0x63C0, None, None, 0),
        (0x63CF, None, None, 15),
        (0x63BF, None, None, None),
        (0x63D0, None, None, None),
        (0x9000, None, None, None),
    ],
)
def test_numbers_inside(sw: int, available: int | None, ne: int | None, tries: int | None) -> None:
    assert (available_bytes(sw), correct_ne(sw), tries_left(sw)) == (available, ne, tries)


def test_texts_for_the_technician() -> None:
    assert sw_text(StatusWord.SECURITY_NOT_SATISFIED) == "6982 security not satisfied"
    assert sw_text(0x6A8F) == "6A8F checking error"
