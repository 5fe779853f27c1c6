"""Every byte has one meaning; splits, merges and noise change nothing; nothing missing counts as well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.hardware.printer.status import (
    Answer,
    AutoStatus,
    FlowControl,
    FullStatus,
    Noise,
    Processed,
    RealTime,
    StatusParser,
    Transmitted,
)

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


# --- Custom's full status ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("byte", range(256))
def test_truth_table_of_single_bytes_where_full_status_is_spoken(byte: int) -> None:
    answers = StatusParser(full_status=True).feed(bytes((byte,)))
    if byte in (0x11, 0x13):
        assert answers == [FlowControl(paused=byte == 0x13)]
    elif byte in (0x10, 0x37):
        assert answers == []  # the first byte of a frame
    elif _matches(byte, _PATTERNS[RealTime]):
        assert answers == [RealTime(byte)]
    elif _matches(byte, _PATTERNS[Transmitted]):
        assert answers == [Transmitted(byte)]
    else:
        assert answers == [Noise(byte)]


@given(st.lists(st.binary(min_size=4, max_size=4), max_size=6), st.lists(st.integers(1, 7), max_size=30))
def test_full_status_may_hold_any_bytes_and_come_in_any_pieces(values: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(b"\x10\x0f" + value + b"\x37\x22ABCD\x00" for value in values)
    parser, heard, at = StatusParser(full_status=True), [], 0
    for size in [*sizes, len(stream) + 1]:
        heard += parser.feed(stream[at : at + size])
        at += size
    assert heard == [answer for value in values for answer in (FullStatus(value), Processed(b"ABCD"))]


@given(st.binary(max_size=60))
def test_no_byte_is_lost_or_invented_beside_full_status(data: bytes) -> None:
    parser = StatusParser(full_status=True)
    sizes = {RealTime: 1, Transmitted: 1, Noise: 1, FlowControl: 1, FullStatus: 6, Processed: 7}
    told = sum(sizes[type(answer)] for answer in parser.feed(data))
    assert 0 <= len(data) - told <= 6


@pytest.mark.parametrize("full_status", [False, True])
def test_one_grammar_excludes_the_other(full_status: bool) -> None:
    parser = StatusParser(full_status=full_status)
    automatic, full = b"\x10\x00\x00\x00", b"\x10\x0f\x00\x00\x00\x00"
    kinds = {type(answer) for answer in parser.feed(automatic + full)}
    assert (AutoStatus in kinds) is not full_status
    assert (FullStatus in kinds) is full_status


def test_a_forgotten_half_frame_is_not_completed_by_the_next_answer() -> None:
    parser = StatusParser(full_status=True)
    assert parser.feed(b"\x10\x0f\x00") == []
    parser.forget()
    assert parser.feed(b"\x10\x0f\x01\x00\x00\x00") == [FullStatus(b"\x01\x00\x00\x00")]
