"""The simulated printer, held to the published descriptions byte by byte: as unforgiving as the real ones."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulators.printer import PrinterEngine, PrinterFault

ROW = b"\xf0"
PICTURE = b"\x1d\x76\x30\x00\x01\x00\x03\x00" + ROW * 3
CUT = b"\x1d\x56\x42\x00"
PROCESS_ID = b"\x1d\x28\x48\x06\x00\x30\x30ABCD"
PROVEN = b"\x37\x22ABCD\x00"


def test_a_ticket_is_what_was_sent_black_on_white() -> None:
    engine = PrinterEngine(8)
    assert engine.feed(b"\x1b\x40" + PICTURE + CUT) == b""
    (ticket,) = engine.tickets
    assert ticket.size == (8, 3)
    assert [ticket.getpixel((x, 0)) for x in range(8)] == [0] * 4 + [255] * 4


def test_a_cut_without_a_picture_is_no_ticket() -> None:
    engine = PrinterEngine(8)
    engine.feed(CUT)
    assert engine.tickets == []


@given(st.lists(st.integers(1, 5), max_size=40))
def test_how_bytes_arrive_changes_nothing(sizes: list[int]) -> None:
    stream = b"\x10\x04\x01" + PICTURE + CUT + PROCESS_ID + b"\x10\x04\x04\x1d\x72\x01"
    engine, answers, at = PrinterEngine(8), b"", 0
    for size in [*sizes, len(stream)]:
        answers += engine.feed(stream[at : at + size])
        at += size
    assert answers == b"\x12" + PROVEN + b"\x12\x00"
    assert len(engine.tickets) == 1


@pytest.mark.parametrize(
    ("fault", "answers"),
    [
        (None, b"\x12\x12\x12\x12"),
        (PrinterFault.PAPER_LOW, b"\x12\x12\x12\x1e"),
        (PrinterFault.PAPER_OUT, b"\x1a\x32\x12\x72"),
        (PrinterFault.COVER_OPEN, b"\x1a\x16\x12\x12"),
        (PrinterFault.CUTTER, b"\x1a\x52\x1a\x12"),
        (PrinterFault.HEAD, b"\x1a\x52\x52\x12"),
        (PrinterFault.UNRECOVERABLE, b"\x1a\x52\x32\x12"),
        (PrinterFault.OFFLINE, b"\x1a\x12\x12\x12"),
        (PrinterFault.MUTE, b""),
        (PrinterFault.SILENT, b""),
    ],
)
def test_the_four_status_bytes(fault: PrinterFault | None, answers: bytes) -> None:
    engine = PrinterEngine(faults=set() if fault is None else {fault})
    assert b"".join(engine.feed(bytes((0x10, 0x04, which))) for which in (1, 2, 3, 4)) == answers


def test_paper_end_holds_back_the_rest_until_there_is_paper() -> None:
    engine = PrinterEngine(8, paper_rows_left=2)
    assert engine.feed(PICTURE + CUT + PROCESS_ID) == b""
    assert engine.tickets == []
    assert engine.feed(b"\x10\x04\x02") == b"\x32"
    assert engine.mend(PrinterFault.PAPER_OUT) == PROVEN
    assert [ticket.height for ticket in engine.tickets] == [1]  # two rows went with the old roll


def test_paper_end_while_feeding_to_the_cutter_does_not_cut() -> None:
    engine = PrinterEngine(8, paper_rows_left=4)
    assert engine.feed(PICTURE + b"\x1d\x56\x42\x05" + PROCESS_ID) == b""
    assert engine.tickets == []
    assert engine.mend(PrinterFault.PAPER_OUT) == PROVEN
    assert [ticket.height for ticket in engine.tickets] == [4]


def test_a_full_buffer_stops_the_line_and_an_empty_one_starts_it() -> None:
    engine = PrinterEngine(8, buffer_bytes=12, paper_rows_left=0)
    assert engine.feed(PICTURE) == b""
    assert engine.feed(CUT) == b"\x13"
    assert engine.feed(PROCESS_ID) == b""
    assert engine.mend(PrinterFault.PAPER_OUT) == PROVEN + b"\x11"


def test_one_that_says_nothing_does_not_stop_the_line_either() -> None:
    mute = PrinterEngine(8, buffer_bytes=1, faults={PrinterFault.MUTE, PrinterFault.PAPER_OUT})
    assert mute.feed(PICTURE) == b""
    switched_off = PrinterEngine(8, buffer_bytes=1, fault_at_first_row=PrinterFault.SILENT)
    assert switched_off.feed(PICTURE * 2) == b""


def test_clearing_the_buffers_forgets_the_ticket() -> None:
    engine = PrinterEngine(8, paper_rows_left=2)
    engine.feed(PICTURE + CUT + b"\x10\x05\x02")
    assert engine.mend(PrinterFault.PAPER_OUT) == b""
    engine.feed(CUT)
    assert engine.tickets == []


def test_switched_off_forgets_the_rest_of_the_ticket_but_what_is_on_paper_hangs_there() -> None:
    engine = PrinterEngine(8, fault_at_first_row=PrinterFault.SILENT)
    assert engine.feed(PICTURE + PICTURE + CUT + PROCESS_ID) == b""
    assert engine.mend(PrinterFault.SILENT) == b""
    assert engine.tickets == []
    assert engine.feed(CUT) == b""
    assert [ticket.height for ticket in engine.tickets] == [3]


@pytest.mark.parametrize(
    ("fault", "frame"),
    [
        (None, "100f00000000"),
        (PrinterFault.PAPER_LOW, "100f04000000"),
        (PrinterFault.PAPER_OUT, "100f01000000"),
        (PrinterFault.COVER_OPEN, "100f00020000"),
        (PrinterFault.HEAD, "100f00000100"),
        (PrinterFault.OFFLINE, "100f00000800"),
        (PrinterFault.CUTTER, "100f00000001"),
        (PrinterFault.UNRECOVERABLE, "100f00000001"),
        (PrinterFault.SILENT, ""),
    ],
)
def test_the_full_status_of_the_other_family(fault: PrinterFault | None, frame: str) -> None:
    engine = PrinterEngine(custom=True, faults=set() if fault is None else {fault})
    assert engine.feed(b"\x10\x04\x14").hex() == frame
    assert engine.feed(b"\x10\x04\x01") == b""


def test_a_ticket_waits_in_the_output_of_the_other_family() -> None:
    engine = PrinterEngine(8, custom=True)
    engine.feed(PICTURE + CUT)
    assert engine.feed(b"\x10\x04\x14") == b"\x10\x0f\x20\x00\x00\x00"
    engine.in_output = False
    assert engine.feed(b"\x10\x04\x14") == b"\x10\x0f\x00\x00\x00\x00"


@pytest.mark.parametrize("sequence", [b"\x10\x04\x01", b"\x10\x05\x01", b"\x10\x14\x01"])
def test_a_real_time_sequence_inside_a_picture_is_obeyed_and_counted(sequence: bytes) -> None:
    engine = PrinterEngine(8)
    engine.feed(b"\x1d\x76\x30\x00\x01\x00\x08\x00" + sequence + b"\x00")
    assert engine.real_time_in_data == 1


@pytest.mark.parametrize("data", [b"\x10\x04\x05", b"\x10\x05\x07", b"\x10\x10\x04", b"\x10\x00\x10"])
def test_what_only_looks_like_a_sequence_is_picture(data: bytes) -> None:
    engine = PrinterEngine(8)
    engine.feed(b"\x1d\x76\x30\x00\x01\x00\x03\x00" + data + CUT)
    (ticket,) = engine.tickets
    assert bytes(byte ^ 0xFF for byte in ticket.tobytes()) == data
    assert engine.real_time_in_data == 0


def test_unknown_commands_are_reported() -> None:
    engine = PrinterEngine(8)
    engine.feed(b"\x07" + PICTURE + CUT)
    assert engine.unknown == [b"\x07"]
    assert len(engine.tickets) == 1


PIECES = (
    PICTURE[:4],
    PICTURE,
    CUT,
    CUT[:2],
    PROCESS_ID[:3],
    PROCESS_ID,
    b"\x1b\x4a",
    b"\x10\x04",
    b"\x10\x05",
    bytes(4),
)


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=9), max_size=20), st.booleans(), st.integers(0, 9))
@example([PICTURE[:4], bytes(4)], False, 0)  # a picture without width or height
@example([PICTURE[:4], b"\0\0\x03\0"], False, 0)  # … without width
def test_no_bytes_break_it(data: list[bytes], custom: bool, paper_rows: int) -> None:
    engine = PrinterEngine(8, custom=custom, paper_rows_left=paper_rows, buffer_bytes=40)
    for piece in data:
        engine.feed(piece)
    engine.mend(PrinterFault.PAPER_OUT)
