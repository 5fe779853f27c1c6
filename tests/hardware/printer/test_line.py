"""Answers do not name their query: what the line does about silence, lateness and half a proof, on a bare pty."""

import os
import pty
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from kiosk.hardware.printer.dialect import CUSTOM, ESCPOS, Readings
from kiosk.hardware.printer.escpos import RESET
from kiosk.hardware.printer.job import PrinterLimits, TicketJob
from kiosk.hardware.printer.line import PrinterLine
from kiosk.hardware.printer.profile import PROFILES, CompletionProof, PrinterProfile
from kiosk.hardware.printer.status import RealTime, Transmitted
from kiosk.visit.ports import Bitmap, PrinterHealth

PROFILE = replace(PROFILES["escpos-80mm-transmit-status"], baud=921_600)
CUSTOM_PROFILE = replace(PROFILES["custom-80mm"], baud=921_600)
assert CUSTOM_PROFILE.dialect is CUSTOM
LIMITS = PrinterLimits(answer_s=0.15, proof_s=0.3, write_s=0.5)
PICTURE = Bitmap(576, 2, bytes(144))


class RealClock:
    def monotonic_s(self) -> float:
        return time.monotonic()

    def utc_s(self) -> float:
        return time.time()


class ScriptedPrinter:
    """A printer that is one function: everything heard so far → what to say now."""

    def __init__(self, slave: int, master: int) -> None:
        self._slave = slave
        self.master = master
        self.heard = bytearray()
        self.answered = threading.Event()  # once it has said something

    def can_stop_the_line(self) -> bool:
        """Whether an XOFF from here would hold back what the kiosk writes."""
        return bool(termios.tcgetattr(self._slave)[0] & termios.IXON)


@contextmanager
def _line(
    answer: Callable[[bytes], bytes], profile: PrinterProfile = PROFILE
) -> Iterator[tuple[PrinterLine, ScriptedPrinter]]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    printer = ScriptedPrinter(slave, master)

    def serve() -> None:
        while True:
            data = os.read(master, 4096)
            printer.heard.extend(data)
            if data.endswith(b"end of test"):
                return
            if reply := answer(bytes(printer.heard)):
                os.write(master, reply)
                printer.answered.set()

    server = threading.Thread(target=serve)
    server.start()
    line = PrinterLine(os.ttyname(slave), profile, RealClock(), LIMITS.answer_s, LIMITS.write_s)
    try:
        yield line, printer
    finally:
        line.write(b"end of test")
        server.join()
        line.close()
        os.close(slave)
        os.close(master)


def test_after_a_silence_nothing_else_is_asked() -> None:
    with _line(lambda heard: b"") as (line, printer):
        assert line.readings() == Readings()
        assert bytes(printer.heard) == b"\x10\x04\x01"


def test_a_late_answer_is_not_taken_for_the_next_round() -> None:
    with _line(lambda heard: b"\x32" if heard.endswith(b"late?") else b"") as (line, printer):
        assert line.readings() == Readings()
        line.write(b"late?")
        assert printer.answered.wait(10)
        assert line.readings() == Readings()


def test_answers_that_come_one_query_late_are_put_back_in_step() -> None:
    """The printer pauses once, then answers everything in order: were each answer taken for the next query's, an open
    cover would read as "all well"."""
    says = {1: 0x1A, 2: 0x16, 3: 0x12, 4: 0x12}
    done = 0

    def answer(heard: bytes) -> bytes:
        nonlocal done
        queries = [heard[at + 2] for at in range(len(heard) - 2) if heard[at : at + 2] == b"\x10\x04"]
        if len(queries) == 3:
            return b""
        answers, done = queries[done:], len(queries)
        if len(answers) > 1:
            os.write(printer.master, bytes((says[answers.pop(0)],)))
            threading.Event().wait(LIMITS.answer_s / 5)  # the line's own pace
        return bytes(says[query] for query in answers)

    with _line(answer) as (line, printer):
        assert line.readings().health() is PrinterHealth.COVER_OPEN  # silent at the third query
        for _ in range(2):
            assert line.readings().health() is PrinterHealth.COVER_OPEN


def test_what_is_heard_beside_the_answer_is_kept() -> None:
    with _line(lambda heard: b"\x00\x12\x03") as (line, _):
        query = ESCPOS.stopped_by
        assert line.ask(query) == (((query.answer[0], 0x12),), [Transmitted(0), Transmitted(3)])


def test_a_printer_left_talking_by_itself_is_understood() -> None:
    """Somebody else has switched automatic status on: what it says counts, beside the answers."""
    paper_end = b"\x10\x00\x0c\x00"
    with _line(lambda heard: paper_end + b"\x12") as (line, _):
        assert line.readings().health() is PrinterHealth.PAPER_OUT


def test_half_a_full_status_is_silence_and_does_not_spoil_the_next_one() -> None:
    halves = iter([b"\x10\x0f\x00", b"\x10\x0f\x00\x00\x00\x00"])
    with _line(lambda heard: next(halves) if heard.endswith(b"\x10\x04\x14") else b"", CUSTOM_PROFILE) as (line, _):
        assert line.readings() == Readings()
        assert line.readings().health() is PrinterHealth.OK


@pytest.mark.parametrize(
    "answer", [b"", b"\x10\x0f", b"\x10\x0f\x00\x00\x00", b"\x12", b"\x10\x00\x00\x00", b"\xff" * 6]
)
def test_what_is_no_full_status_is_unknown(answer: bytes) -> None:
    with _line(lambda heard: answer, CUSTOM_PROFILE) as (line, _):
        assert line.readings().health() is PrinterHealth.UNKNOWN


_CLEARED = b"\x1b\x40\x1d\x61\x00"


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (PROFILE, b"\x10\x05\x02" + _CLEARED),
        (CUSTOM_PROFILE, bytes(128 * 72) + _CLEARED),  # what is left of a band, as white
    ],
)
def test_buffers_are_cleared_as_the_model_allows(profile: PrinterProfile, expected: bytes) -> None:
    with _line(lambda heard: b"", profile) as (line, printer):
        line.clear_printer()
        line.read(LIMITS.answer_s)  # gives the bytes time to arrive
        assert bytes(printer.heard) == expected


def _job(line: PrinterLine) -> TicketJob:
    assert PROFILE.proof is CompletionProof.TRANSMIT_STATUS
    return TicketJob(line, PROFILE, LIMITS, RealClock(), lambda: False)


def test_processed_and_then_silent_is_not_printed() -> None:
    with _line(lambda heard: b"\x00" if heard.endswith(b"\x1d\x72\x01") else b"") as (line, _):
        assert _job(line).run(PICTURE) is PrinterHealth.UNKNOWN


def test_processed_and_then_out_of_paper_is_not_printed() -> None:
    def answer(heard: bytes) -> bytes:
        return {b"\x1d\x72\x01": b"\x00", b"\x10\x04\x02": b"\x32"}.get(heard[-3:], b"")

    with _line(answer) as (line, _):
        assert _job(line).run(PICTURE) is PrinterHealth.PAPER_OUT


def test_what_came_before_the_request_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte of noise during the picture looks like an answer to GS r."""

    def answer(heard: bytes) -> bytes:
        return b"\x12" if heard.endswith(b"\x10\x04\x02") else b"\x00" if heard.endswith(RESET) else b""

    with _line(answer) as (line, printer):
        write = line.write

        def write_and_hear(data: bytes) -> None:
            write(data)
            if data == RESET:
                assert printer.answered.wait(5.0)

        monkeypatch.setattr(line, "write", write_and_hear)
        assert _job(line).run(PICTURE) is PrinterHealth.UNKNOWN


def test_processed_and_no_trouble_is_printed() -> None:
    def answer(heard: bytes) -> bytes:
        return {b"\x1d\x72\x01": b"\x00", b"\x10\x04\x02": b"\x12"}.get(heard[-3:], b"")

    with _line(answer) as (line, _):
        assert _job(line).run(PICTURE) is None


@pytest.mark.parametrize("noisy", [b"\x1d\x72\x01", b"\x10\x04\x02"], ids=["the proof", "what follows"])
def test_a_proof_of_one_byte_among_senseless_ones_is_none(noisy: bytes) -> None:
    """Every fourth byte of a printer that babbles looks like that proof."""

    def answer(heard: bytes) -> bytes:
        said = {b"\x1d\x72\x01": b"\x00", b"\x10\x04\x02": b"\x12"}.get(heard[-3:], b"")
        return b"\xff" + said if heard.endswith(noisy) else said

    with _line(answer) as (line, _):
        assert _job(line).run(PICTURE) is PrinterHealth.UNKNOWN


def test_a_trouble_among_senseless_bytes_does_not_make_a_ticket_fail() -> None:
    with _line(lambda heard: b"\xff\x32" if heard.endswith(b"\x10\x04\x02") else b"") as (line, _):
        assert _job(line).run(PICTURE) is PrinterHealth.UNKNOWN


def test_the_printer_may_stop_a_picture_but_no_query() -> None:
    assert PROFILE.xonxoff
    with _line(lambda heard: b"") as (line, printer):
        assert not printer.can_stop_the_line()
        line.begin_sending()
        assert printer.can_stop_the_line()
        line.end_sending()
        assert not printer.can_stop_the_line()


def test_the_last_question_is_asked_past_the_printers_xoff() -> None:
    stoppable: list[Callable[[], bool]] = []

    def answer(heard: bytes) -> bytes:
        return b"\x16" if heard.endswith(b"\x10\x04\x02") and not stoppable[0]() else b""

    with _line(answer) as (line, printer):
        stoppable.append(printer.can_stop_the_line)
        assert _job(line).run(PICTURE) is PrinterHealth.COVER_OPEN


def test_half_an_answer_to_one_question_is_not_completed_by_the_next() -> None:
    halves = iter([b"\x10\x0f\x01", b"\x10\x0f\x00\x00\x00\x00"])
    query = CUSTOM.stopped_by
    with _line(lambda heard: next(halves) if heard.endswith(query.command) else b"", CUSTOM_PROFILE) as (line, _):
        assert line.ask(query)[0] is None
        said, _ = line.ask(query)
        assert said is not None
        assert [value for _, value in said] == [0, 0, 0, 0]


def test_half_a_frame_heard_before_is_not_completed_by_a_round() -> None:
    replies = {b"babble?": b"\x12\x10\x0f\x01", b"\x10\x04\x14": b"\x10\x0f\x00\x00\x00\x00"}

    def answer(heard: bytes) -> bytes:
        return next((reply for end, reply in replies.items() if heard.endswith(end)), b"")

    with _line(answer, CUSTOM_PROFILE) as (line, printer):
        line.write(b"babble?")
        assert printer.answered.wait(10)
        assert line.read(10) == [RealTime(0x12)]
        assert line.readings().health() is PrinterHealth.OK
