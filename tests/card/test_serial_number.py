"""Serial number: printed and on-chip forms, groups for display."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.card.serial_number import (
    PREFIX,
    SerialError,
    SerialNumber,
    decode_iccsn,
    parse_serial,
)

FIXTURES = ["802500000200000000013", "802500000201234567892", "802500000204671322631", "802500000299999999904"]
NOT_LUHN = "802500000204671322630"


@pytest.mark.parametrize("digits", [*FIXTURES, NOT_LUHN])
def test_twenty_one_digits_printed_and_on_chip(digits: str) -> None:
    serial = parse_serial(digits)
    assert isinstance(serial, SerialNumber)
    assert decode_iccsn(bytes.fromhex(digits + "F")) == serial
    assert serial.complete
    assert serial.groups == ("8025000002", digits[10:20], digits[20])


def test_twenty_digits_leave_the_last_place_unknown() -> None:
    serial = decode_iccsn(bytes.fromhex(FIXTURES[2][:20]))
    assert serial == parse_serial(FIXTURES[2][:20])
    assert isinstance(serial, SerialNumber)
    assert not serial.complete
    assert serial.groups == ("8025000002", "0467132263", "")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("", SerialError.CHIP_LENGTH),
        ("8025000002046713220F"[:18], SerialError.CHIP_LENGTH),
        ("802500000204671322631F00", SerialError.CHIP_LENGTH),
        ("8025000002046713226F", SerialError.DIGIT_COUNT),  # 19 digits
        ("8025000002046713226310", SerialError.DIGIT_COUNT),  # 22 digits
        ("80250000020467132263FF", SerialError.CHARACTERS),
        ("8025000002F467132263", SerialError.CHARACTERS),
        ("80250000020467132263A F".replace(" ", ""), SerialError.CHARACTERS),
        ("802500000304671322631F", SerialError.ISSUER),
    ],
)
def test_malformed_on_chip_forms(value: str, error: SerialError) -> None:
    assert decode_iccsn(bytes.fromhex(value)) is error


@pytest.mark.parametrize(
    ("digits", "error"),
    [
        ("", SerialError.CHARACTERS),
        ("80250000020467132263٣", SerialError.CHARACTERS),
        (PREFIX + "046713226", SerialError.DIGIT_COUNT),
        (PREFIX + "046713226312", SerialError.DIGIT_COUNT),
        ("902500000204671322631", SerialError.ISSUER),
    ],
)
def test_malformed_digits(digits: str, error: SerialError) -> None:
    assert parse_serial(digits) is error


@given(st.text("0123456789", min_size=10, max_size=11))
def test_any_last_digits_are_accepted_whatever_luhn_says(tail: str) -> None:
    serial = parse_serial(PREFIX + tail)
    assert isinstance(serial, SerialNumber)
    assert "".join(serial.groups) == PREFIX + tail


@given(st.binary(max_size=12))
def test_any_bytes_give_a_serial_or_an_error(value: bytes) -> None:
    assert isinstance(decode_iccsn(value), SerialNumber | SerialError)


def test_repr_hides_the_number() -> None:
    assert repr(parse_serial(FIXTURES[0])) == "SerialNumber()"
