"""Every byte has one meaning; splits, merges and noise change nothing; nothing missing counts as well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.hardware.printer.status import (
    Answer,
    AutoStatus,
    FlowControl,
    Noise,
    Processed,
    Readings,
    RealTime,
    StatusParser,
    Transmitted,
)
from kiosk.visit.ports import PrinterHealth

# Independent of the parser's masks: bits 7…0 as the manuals print them, x = any.
_PATTERNS = {RealTime: "0xx1xx10", Transmitted: "0xx0xxxx"}


def _matches(byte: int, pattern: str) -> bool:
    return all(want in ("x", have) for want, have in zip(pattern, f"{byte:08b}", strict=True))


@pytest.mark.parametrize("byte", range(256))
def test_truth_table_of_single_bytes(byte: int) -> None:
    answers = StatusParser().feed(bytes((byte,)))
    if byte in (0x11, 0x13):
        assert answers == [FlowControl(paused=byte == 0x13)]
    elif _matches(byte, _PATTERNS[RealTime]):
        assert answers == [RealTime(byte)]
    elif byte == 0x37 or _matches(byte, "0xx1xx00"):
        assert answers == []  # the first byte of a frame
    elif _matches(byte, _PATTERNS[Transmitted]):
        assert answers == [Transmitted(byte)]
    else:
        assert answers == [Noise(byte)]


_frames = st.one_of(
    st.sampled_from([b for b in range(256) if _matches(b, "0xx1xx10")]).map(lambda b: (bytes((b,)), RealTime(b))),
    st.sampled_from([b for b in range(256) if _matches(b, "0xx0xxxx")]).map(lambda b: (bytes((b,)), Transmitted(b))),
    st.sampled_from([0x80, 0x95, 0xFF]).map(lambda b: (bytes((b,)), Noise(b))),
    st.lists(st.integers(0x20, 0x7E), min_size=4, max_size=4).map(
        lambda token: (b"\x37\x22" + bytes(token) + b"\x00", Processed(bytes(token)))
    ),
    st.tuples(
        st.sampled_from([b for b in range(256) if _matches(b, "0xx1xx00")]),
        st.lists(st.sampled_from([b for b in range(256) if _matches(b, "0xx0xxxx")]), min_size=3, max_size=3),
    ).map(lambda frame: (bytes((frame[0], *frame[1])), AutoStatus(bytes((frame[0], *frame[1]))))),
)


@given(st.lists(_frames, max_size=8), st.lists(st.integers(1, 6), max_size=30))
def test_answers_do_not_depend_on_how_reads_are_split(frames: list[tuple[bytes, Answer]], sizes: list[int]) -> None:
    stream = b"".join(data for data, _ in frames)
    parser, heard, at = StatusParser(), [], 0
    for size in [*sizes, len(stream) + 1]:
        heard += parser.feed(stream[at : at + size])
        at += size
    assert heard == [answer for _, answer in frames]


@given(st.binary(max_size=60))
def test_no_byte_is_lost_or_invented(data: bytes) -> None:
    parser = StatusParser()
    sizes = {RealTime: 1, Transmitted: 1, Noise: 1, FlowControl: 1, AutoStatus: 4, Processed: 7}
    told = sum(sizes[type(answer)] for answer in parser.feed(data))
    assert 0 <= len(data) - told <= 6  # at most one unfinished frame is waiting


def test_flow_control_slips_into_frames() -> None:
    answers = StatusParser().feed(b"\x37\x22AB\x13CD\x11\x00")
    assert answers == [FlowControl(paused=True), FlowControl(paused=False), Processed(b"ABCD")]


def test_a_broken_frame_is_noise_and_the_next_answer_is_heard() -> None:
    assert StatusParser().feed(b"\x37\x12") == [Noise(0x37), RealTime(0x12)]
    assert StatusParser().feed(b"\x37\x22A\x12") == [Noise(0x37), Noise(0x22), Noise(0x41), RealTime(0x12)]
    assert StatusParser().feed(b"\x10\x00\x12") == [Noise(0x10), Noise(0x00), RealTime(0x12)]


_WELL = Readings(0x12, 0x12, 0x12, 0x12)


@pytest.mark.parametrize(
    ("readings", "health"),
    [
        (_WELL, PrinterHealth.OK),
        (Readings(), PrinterHealth.UNKNOWN),
        (Readings(None, 0x12, 0x12, 0x12), PrinterHealth.UNKNOWN),
        (Readings(0x12, None, 0x12, 0x12), PrinterHealth.UNKNOWN),
        (Readings(0x12, 0x12, None, 0x12), PrinterHealth.UNKNOWN),
        (Readings(0x12, 0x12, 0x12, None), PrinterHealth.UNKNOWN),
        (Readings(0x12, 0x12, 0x12, 0x1E), PrinterHealth.PAPER_LOW),
        (Readings(0x1A, 0x32, 0x12, 0x72), PrinterHealth.PAPER_OUT),
        (Readings(0x1A, 0x32, 0x12, 0x7E), PrinterHealth.PAPER_OUT),
        (Readings(cause=0x32), PrinterHealth.PAPER_OUT),
        (Readings(0x12, 0x12, 0x12, 0x72), PrinterHealth.PAPER_OUT),
        (Readings(cause=0x16), PrinterHealth.COVER_OPEN),
        (Readings(cause=0x36), PrinterHealth.COVER_OPEN),  # an open cover also lifts the paper sensor
        (Readings(cause=0x52), PrinterHealth.FAULT),
        (Readings(0x12, 0x12, 0x1A, 0x12), PrinterHealth.FAULT),
        (Readings(0x12, 0x12, 0x32, 0x12), PrinterHealth.FAULT),
        (Readings(0x12, 0x12, 0x52, 0x12), PrinterHealth.FAULT),
        (Readings(0x1A, 0x1A, 0x12, 0x12), PrinterHealth.OFFLINE),  # feed key held down
        (Readings(0x1A), PrinterHealth.OFFLINE),
    ],
)
def test_health_of_readings(readings: Readings, health: PrinterHealth) -> None:
    assert readings.health() is health


@given(st.tuples(*[st.none() | st.integers(0, 255)] * 4))
def test_all_well_needs_four_answers(values: tuple[int | None, int | None, int | None, int | None]) -> None:
    if Readings(*values).health().usable:
        assert None not in values
