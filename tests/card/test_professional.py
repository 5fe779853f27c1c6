"""Staff cards as bytes: serial file, EF_ACTUA, tries left; every malformed form, and bytes from anywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.card import professional
from kiosk.card.apdu import ResponseApdu
from kiosk.card.professional import (
    Actua,
    PinStatus,
    StaffSerial,
    parse_actua,
    parse_pin_object,
    parse_serial,
    parse_verify_status,
    read_pin_status,
)
from kiosk.card.read_error import CardReadError
from kiosk.card.tlv import build_tlv

SERIAL = "5A0A8025000001199990001F"
START, END = "81 07 20250302101500", "82 07 20250302101543"


def _file(text: str) -> bytes:
    return bytes.fromhex(text)


def test_serial() -> None:
    assert parse_serial(_file(SERIAL)) == StaffSerial("8025000001199990001")
    assert "1999" not in repr(parse_serial(_file(SERIAL)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "0 bytes instead of 12"),
        (SERIAL[:-2], "11 bytes instead of 12"),
        (SERIAL + "00", "13 bytes instead of 12"),
        ("5A0A8025000002199990001F", "not a card issued by ANS"),
        ("5A0A9025000001199990001F", "not a card issued by ANS"),
        ("5B0A8025000001199990001F", "not 5A with 19 digits and a filler"),
        ("5A0B8025000001199990001F", "not 5A with 19 digits and a filler"),
        ("5A0A802500000119999A001F", "not 5A with 19 digits and a filler"),
        ("5A0A80250000011999900010", "not 5A with 19 digits and a filler"),
    ],
)
def test_each_malformed_serial(content: str, reason: str) -> None:
    assert parse_serial(_file(content)) == CardReadError("D003", reason)


@given(st.from_regex("[0-9]{9}", fullmatch=True))
def test_any_digits_behind_the_issuer_come_back(digits: str) -> None:
    assert parse_serial(_file("5A0A8025000001" + digits + "F")) == StaffSerial("8025000001" + digits)


def test_actua() -> None:
    expected = Actua(datetime(2025, 3, 2, 10, 15, 0), datetime(2025, 3, 2, 10, 15, 43))  # noqa: DTZ001
    assert parse_actua(_file("EC 12" + START + END)) == expected
    assert parse_actua(_file("EC 12" + END + START) + bytes(12)) == expected
    assert parse_actua(_file("EC 12" + START + END) + b"\xff" * 12) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "empty: an update of this card was not finished"),
        ("00" * 20, "empty: an update of this card was not finished"),
        ("FF" * 20, "empty: an update of this card was not finished"),
        ("EC 00", "empty: an update of this card was not finished"),
        ("EC 09" + START, "incomplete: no 82"),
        ("EC 09" + END, "incomplete: no 81"),
        ("EC 0B" + START + "82 00", "incomplete: no 82"),
        ("EC 1B" + START + END + START, "incomplete: no 81"),
        ("EC 12" + START + "82 07 20250231101543", "82 is not a date and time"),
        ("EC 12" + START + "82 07 20250302241543", "82 is not a date and time"),
        ("EC 12" + START + "82 07 2025030210154A", "82 is not a date and time"),
        ("EC 11" + START + "82 06 202503021015", "82 is not a date and time"),
        ("EC 12" + START + "82 07 20250302101459", "the end is before the start"),
        ("ED 12" + START + END, "one object EC expected"),
        ("EC 12" + START + END + "5A 00", "one object EC expected"),
        ("EC 13" + START + END, "offset 1: length 19 of tag EC, 18 bytes left"),
        ("EC 12" + START + "82 08 20250302101543", "offset 12: length 8 of tag 82, 7 bytes left"),
    ],
)
def test_each_unusable_actua(content: str, reason: str) -> None:
    assert parse_actua(_file(content)) == CardReadError("EF_ACTUA", reason)


def _bcd(moment: datetime) -> bytes:
    return bytes.fromhex(f"{moment.year:04}{moment:%m%d%H%M%S}")


@given(st.datetimes(), st.datetimes())
def test_any_two_moments_in_order_come_back(one: datetime, other: datetime) -> None:
    start, end = sorted((one.replace(microsecond=0), other.replace(microsecond=0)))
    content = build_tlv(0xEC, build_tlv(0x81, _bcd(start)) + build_tlv(0x82, _bcd(end)))
    assert parse_actua(content) == Actua(start, end)


@pytest.mark.parametrize("sw", [*range(0x63C0, 0x63D0), 0x6983, 0x9000])
def test_verify_without_data(sw: int) -> None:
    expected = {0x6983: 0, 0x9000: None}.get(sw, sw & 0x0F)
    assert parse_verify_status(sw) == PinStatus(expected)


@pytest.mark.parametrize(
    ("sw", "reason"),
    [(0x6300, "6300 warning"), (0x6A88, "6A88 reference data not found"), (0x6D00, "6D00 ins not supported")],
)
def test_other_answers_to_verify_are_errors(sw: int, reason: str) -> None:
    assert parse_verify_status(sw) == CardReadError("PIN", reason)


def _pin_object(counters: str, ref: str = "BF8101") -> bytes:
    a0 = build_tlv(0xA0, bytes.fromhex(counters))
    return build_tlv(0x70, build_tlv(int(ref, 16), a0))


@pytest.mark.parametrize(
    ("counters", "left"),
    [
        ("9A0103 9B0103 9D02FFFF", 3),
        ("9A0103 9B0101 9D0101", 1),
        ("9A0103 9B0100 9D02FFFF", 0),
        ("9A0103 9B0103 9D0100", 0),
        ("9A0103 9B0103 9D020000", 0),
        ("9B0102 9D0101", 2),
    ],
)
def test_pin_object(counters: str, left: int) -> None:
    assert parse_pin_object(_pin_object(counters)) == PinStatus(left)


COUNTERS = "one counter 9B of one byte and one 9D expected"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "one object 70 expected"),
        (bytes.fromhex("7000"), "one object BF8101 expected"),
        (_pin_object("9B0103 9D0101", "BF8102"), "one object BF8101 expected"),
        (bytes.fromhex("7004BF810100"), "one object A0 expected"),
        (_pin_object("9B0103"), COUNTERS),
        (_pin_object("9D0101"), COUNTERS),
        (_pin_object("9B020003 9D0101"), COUNTERS),
        (_pin_object("9B0103 9D00"), COUNTERS),
        (_pin_object("9B0103 9B0103 9D0101"), COUNTERS),
        (bytes.fromhex("7005BF8101"), "offset 1: length 5 of tag 70, 3 bytes left"),
        (bytes.fromhex("7003BF8101"), "offset 5: length missing"),
        (_pin_object("9B02"), "offset 9: length 2 of tag 9B, 0 bytes left"),
    ],
)
def test_each_malformed_pin_object(data: bytes, reason: str) -> None:
    assert parse_pin_object(data) == CardReadError("PIN", reason)


PARSERS: list[Callable[[bytes], object]] = [parse_serial, parse_actua, parse_pin_object]
NEAR = st.one_of(
    st.binary(max_size=40),
    st.binary(max_size=20).map(lambda tail: _file("5A0A8025000001") + tail),
    st.binary(max_size=20).map(lambda tail: _file("EC 12" + START) + tail),
    st.binary(max_size=20).map(lambda tail: build_tlv(0x70, build_tlv(0xBF8101, build_tlv(0xA0, tail)))),
)


@pytest.mark.parametrize("parse", PARSERS)
@given(content=NEAR)
@settings(max_examples=120)
def test_any_bytes_are_a_value_or_one_error(parse: Callable[[bytes], object], content: bytes) -> None:
    assert isinstance(parse(content), StaffSerial | Actua | PinStatus | CardReadError)


class _Lost:
    """A failure of the caller's."""


@pytest.mark.parametrize("atr", [professional.CPS4, professional.TECHNICIAN])
def test_question_to_all_but_a_cps3_is_verify_without_data(atr: bytes) -> None:
    seen: list[bytes] = []

    def exchange(apdu: bytes) -> ResponseApdu | _Lost:
        seen.append(apdu)
        return ResponseApdu(b"", 0x63C2)

    assert read_pin_status(atr, exchange) == PinStatus(2)
    assert seen == [bytes.fromhex("00200001")]


def test_question_to_a_cps3() -> None:
    answers = iter([ResponseApdu(b"", 0x9000), ResponseApdu(_pin_object("9B0102 9D0101"), 0x9000)])
    seen: list[bytes] = []

    def exchange(apdu: bytes) -> ResponseApdu | _Lost:
        seen.append(apdu)
        return next(answers)

    assert read_pin_status(professional.CPS3_CONTACT, exchange) == PinStatus(2)
    assert seen == [bytes.fromhex("00A4000C023F00"), bytes.fromhex("00CB3FFF0A4D087006BF810102A08000")]


@pytest.mark.parametrize("atr", [professional.CPS3_CONTACT, professional.CPS4])
def test_a_failure_of_the_exchange_is_returned_as_it_is(atr: bytes) -> None:
    lost = _Lost()
    assert read_pin_status(atr, lambda _: lost) is lost


@pytest.mark.parametrize("good_answers", [0, 1])
def test_a_refusal_names_its_status_word(good_answers: int) -> None:
    answers = iter([ResponseApdu(b"", 0x9000)] * good_answers + [ResponseApdu(b"", 0x6982)])
    expected = CardReadError("PIN", "6982 security not satisfied")
    assert read_pin_status(professional.CPS3_CONTACT, lambda _: next(answers)) == expected
