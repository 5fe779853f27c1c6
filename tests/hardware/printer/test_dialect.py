"""Every bit of every status byte means what the table of the reference says; whatever is missing means unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.hardware.printer.dialect import CUSTOM, ESCPOS, Readings, Said, StatusDialect
from kiosk.hardware.printer.profile import PROFILES
from kiosk.hardware.printer.status import AutoStatus, FullStatus, RealTime, StatusParser, Transmitted
from kiosk.visit.ports import PrinterHealth

# Written anew from the reference, on purpose not from the tables: (position in the round, byte) → what it says alone.
_COVER, _OUT, _LOW = PrinterHealth.COVER_OPEN, PrinterHealth.PAPER_OUT, PrinterHealth.PAPER_LOW
_CUTTER, _HEAD, _FAULT, _OFFLINE = (
    PrinterHealth.CUTTER,
    PrinterHealth.HEAD,
    PrinterHealth.FAULT,
    PrinterHealth.OFFLINE,
)
OK = PrinterHealth.OK


def _first(*cases: tuple[int, PrinterHealth]) -> PrinterHealth:
    return next((health for said, health in cases if said), OK)


def _escpos(place: int, byte: int) -> PrinterHealth:
    match place:
        case 0:
            return _first((byte & 0x08, _OFFLINE))
        case 1:
            return _first((byte & 0x04, _COVER), (byte & 0x20, _OUT), (byte & 0x40, _FAULT))
        case 2:
            return _first((byte & 0x08, _CUTTER), (byte & 0x40, _HEAD), (byte & 0x20, _FAULT))
        case _:
            return _first((byte & 0x60, _OUT), (byte & 0x0C, _LOW))


def _automatic(place: int, byte: int) -> PrinterHealth:
    match place:
        case 0:
            return _first((byte & 0x20, _COVER), (byte & 0x08, _OFFLINE))
        case 1:
            return _first((byte & 0x08, _CUTTER), (byte & 0x40, _HEAD), (byte & 0x20, _FAULT))
        case 2:
            return _first((byte & 0x0C, _OUT), (byte & 0x03, _LOW))
        case _:
            return OK


def _custom(place: int, byte: int) -> PrinterHealth:
    match place:
        case 0 if byte & ~0x65:
            return PrinterHealth.UNKNOWN
        case 0:
            return _first((byte & 0x41, _OUT), (byte & 0x04, _LOW))
        case 1:
            return _first((byte & 0x02, _COVER), (byte & 0x01, _HEAD))
        case 2:
            return _first((byte & 0x01, _HEAD), (byte, _FAULT))
        case _:
            return _first((byte, _FAULT))


def _round(dialect: StatusDialect, data: bytes) -> Readings:
    """What a round gives whose answers are these bytes, asked one after the other as the line does."""
    parser, everything = StatusParser(full_status=dialect.full_status), Said(())
    answers = iter(parser.feed(data))
    for query in dialect.round:
        said = next((query.said(answer) for answer in answers if query.fits(answer)), None)
        if said is None:
            return Readings(everything)
        everything += said
    return Readings(everything, whole=True)


_REAL_TIME = [byte for byte in range(256) if byte & 0x93 == 0x12]


@pytest.mark.parametrize("place", range(4))
def test_every_byte_in_every_place_of_the_four_queries(place: int) -> None:
    for byte in range(256):
        answers = bytearray(b"\x12\x12\x12\x12")
        answers[place] = byte
        health = _round(ESCPOS, bytes(answers)).health()
        assert health is (_escpos(place, byte) if byte in _REAL_TIME else PrinterHealth.UNKNOWN), f"{byte:02x}"


@pytest.mark.parametrize("place", range(4))
def test_every_byte_in_every_place_of_the_full_status(place: int) -> None:
    for byte in range(256):
        frame = bytearray(b"\x10\x0f\x00\x00\x00\x00")
        frame[2 + place] = byte
        readings = _round(CUSTOM, bytes(frame))
        assert readings.health() is _custom(place, byte), f"{byte:02x}"
        output = place == 0 and byte & 0x20 != 0
        assert readings.in_output is (output if readings.whole else None), f"{byte:02x}"


@pytest.mark.parametrize("place", range(4))
def test_every_byte_in_every_place_of_automatic_status(place: int) -> None:
    mask, fixed = (0x93, 0x10) if place == 0 else (0x90, 0x00)
    for byte in range(256):
        frame = bytearray(b"\x10\x00\x00\x00")
        frame[place] = byte
        told = [answer for answer in StatusParser().feed(bytes(frame)) if isinstance(answer, AutoStatus)]
        assert told == ([AutoStatus(bytes(frame))] if byte & mask == fixed else [])
        if told:
            assert Readings(ESCPOS.unasked(told), whole=True).health() is _automatic(place, byte), f"{byte:02x}"
            assert CUSTOM.unasked(told) == ()


@pytest.mark.parametrize("dialect", [ESCPOS, CUSTOM])
def test_every_answer_to_transmit_status(dialect: StatusDialect) -> None:
    for byte in (byte for byte in range(256) if byte & 0x90 == 0):
        health = Readings(dialect.unasked([Transmitted(byte)]), whole=True).health()
        assert health is _first((byte & 0x0C, _OUT), (byte & 0x03, _LOW)), f"{byte:02x}"


@pytest.mark.parametrize(
    ("answers", "health"),
    [
        (b"\x1a\x32\x12\x72", _OUT),
        (b"\x1a\x32\x12\x7e", _OUT),
        (b"\x12\x12\x12\x1e", _LOW),
        (b"\x1a\x36\x12\x72", _COVER),  # an open cover also lifts the paper sensor
        (b"\x1a\x52\x1a\x12", _CUTTER),
        (b"\x1a\x52\x52\x12", _HEAD),
        (b"\x1a\x52\x32\x12", _FAULT),
        (b"\x1a\x1a\x12\x12", _OFFLINE),  # feed key held down
        (b"\x1a", _OFFLINE),  # said before the silence
        (b"", PrinterHealth.UNKNOWN),
        (b"\x12\x12\x12", PrinterHealth.UNKNOWN),
    ],
)
def test_whole_rounds(answers: bytes, health: PrinterHealth) -> None:
    assert _round(ESCPOS, answers).health() is health


def test_where_the_output_is_not_reported_nothing_is_claimed() -> None:
    assert _round(ESCPOS, b"\x12\x12\x12\x12").in_output is None
    assert [ESCPOS.reports_output, CUSTOM.reports_output] == [False, True]


@given(st.binary(max_size=40))
def test_noise_is_well_only_if_it_holds_four_answers(data: bytes) -> None:
    if _round(ESCPOS, data).health().usable:
        assert sum(isinstance(answer, RealTime) for answer in StatusParser().feed(data)) >= 4


@given(st.lists(st.one_of(st.binary(max_size=5), st.just(b"\x10\x0f")), max_size=8).map(b"".join))
def test_noise_is_well_only_if_it_holds_a_whole_frame_that_says_so(data: bytes) -> None:
    if _round(CUSTOM, data).health().usable:
        frames = [a.value for a in StatusParser(full_status=True).feed(data) if isinstance(a, FullStatus)]
        assert frames[0][0] & ~0x24 == 0
        assert frames[0][1] & 0x03 == 0
        assert frames[0][2:] == b"\x00\x00"


@pytest.mark.parametrize("length", range(6))
def test_no_half_frame_is_well(length: int) -> None:
    assert _round(CUSTOM, b"\x10\x0f\x00\x00\x00\x00"[:length]).health() is PrinterHealth.UNKNOWN


def test_full_status_goes_with_no_flow_control_by_bytes() -> None:
    for profile in PROFILES.values():
        assert not (profile.dialect.full_status and profile.xonxoff)
        assert not (profile.dialect.full_status and profile.dialect.automatic)
