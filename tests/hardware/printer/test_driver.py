"""The worker against the simulated printer on a pty: it tells what the printer says, and never more."""

import gc
import queue
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.hardware.printer.dialect import CUSTOM
from kiosk.hardware.printer.driver import Printer, health_fault
from kiosk.hardware.printer.job import PrinterLimits, TicketJob
from kiosk.hardware.printer.profile import PROFILES
from kiosk.visit.events import PrinterChanged, TicketEnded, TicketInOutput
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import Bitmap, PrinterHealth, PrintState, VisitId
from simulators.printer import PrinterFault, PtyPrinter

VISIT = VisitId(7)
LIMITS = PrinterLimits(answer_s=0.4, poll_s=0.02, write_s=0.3, proof_s=0.4)
PATIENCE_S = 10.0
MODELS = {name: replace(p, baud=921_600) for name, p in PROFILES.items() if p.width_dots == 576}
PLAIN = "escpos-80mm"
FEED = MODELS[PLAIN].feed_dots
PICTURE = Bitmap(576, 300, b"\x55\xaa\x0f" * (24 * 300))


class RealClock:
    def monotonic_s(self) -> float:
        return time.monotonic()

    def utc_s(self) -> float:
        return time.time()


class Desk:
    """A printer, its driver, and what the driver has posted."""

    def __init__(self, model: str = PLAIN) -> None:
        self.profile = MODELS[model]
        self.printer = PtyPrinter(custom=self.profile.dialect is CUSTOM)
        self.posted: queue.Queue[object] = queue.Queue()
        self.driver = Printer(self.printer.port, self.profile, self.posted.put, RealClock(), LIMITS)

    def health(self) -> PrinterHealth:
        while True:
            event = self.posted.get(timeout=PATIENCE_S)
            if not isinstance(event, TicketInOutput):
                assert isinstance(event, PrinterChanged)
                return event.health

    def until_health(self, wanted: PrinterHealth) -> None:
        while self.health() is not wanted:
            pass

    def ended(self) -> TicketEnded:
        while True:
            event = self.posted.get(timeout=PATIENCE_S)
            if isinstance(event, TicketEnded):
                return event


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from _desk(PLAIN)


@pytest.fixture(params=list(MODELS))
def any_desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    yield from _desk(request.param)


def _desk(model: str) -> Iterator[Desk]:
    desk = Desk(model)
    with desk.printer:
        desk.driver.start()
        yield desk
        desk.driver.close()


def test_a_ticket_is_printed_once_and_proven(any_desk: Desk) -> None:
    assert any_desk.health() is PrinterHealth.OK
    any_desk.driver.print(VISIT, PICTURE)
    assert any_desk.ended() == TicketEnded(VISIT, PrintState.PRINTED)
    (ticket,) = any_desk.printer.tickets
    assert ticket.width == 576
    assert bytes(byte ^ 0xFF for byte in ticket.tobytes()).startswith(PICTURE.rows)
    assert any_desk.printer.unknown_commands == []
    assert any_desk.printer.spoiled_by_real_time == 0


def test_tickets_are_printed_in_order(desk: Desk) -> None:
    for number in range(3):
        desk.driver.print(VisitId(number), Bitmap(576, 10 + number, bytes(72 * (10 + number))))
    assert [desk.ended().visit for _ in range(3)] == [0, 1, 2]
    assert [ticket.height - FEED for ticket in desk.printer.tickets] == [10, 11, 12]


@pytest.mark.parametrize(
    ("fault", "health", "cause"),
    [
        (PrinterFault.PAPER_OUT, PrinterHealth.PAPER_OUT, Cause.PRINTER_PAPER),
        (PrinterFault.COVER_OPEN, PrinterHealth.COVER_OPEN, Cause.PRINTER_COVER),
        (PrinterFault.CUTTER, PrinterHealth.CUTTER, Cause.PRINTER_CUTTER),
        (PrinterFault.HEAD, PrinterHealth.HEAD, Cause.PRINTER_HEAD),
        (PrinterFault.UNRECOVERABLE, PrinterHealth.FAULT, Cause.PRINTER_FAULT),
        (PrinterFault.OFFLINE, PrinterHealth.OFFLINE, Cause.PRINTER_FAULT),
        (PrinterFault.SILENT, PrinterHealth.UNKNOWN, Cause.PRINTER_SILENT),
        (PrinterFault.MUTE, PrinterHealth.UNKNOWN, Cause.PRINTER_SILENT),
        (PrinterFault.STALLED, PrinterHealth.UNKNOWN, Cause.PRINTER_SILENT),
    ],
)
def test_a_fault_is_told_refuses_the_ticket_and_goes_away(
    desk: Desk, fault: PrinterFault, health: PrinterHealth, cause: Cause
) -> None:
    assert desk.health() is PrinterHealth.OK
    desk.printer.fault(fault)
    assert desk.health() is health
    desk.driver.print(VISIT, PICTURE)
    ended = desk.ended()
    assert ended.state is PrintState.FAILED
    assert ended.fault is not None
    assert ended.fault.cause is cause
    desk.printer.fault(fault, present=False)
    desk.until_health(PrinterHealth.OK)
    assert desk.printer.tickets == []


def test_low_paper_is_told_and_prints(desk: Desk) -> None:
    desk.printer.fault(PrinterFault.PAPER_LOW)
    desk.until_health(PrinterHealth.PAPER_LOW)
    desk.driver.print(VISIT, PICTURE)
    assert desk.ended().state is PrintState.PRINTED


def test_noise_changes_nothing(desk: Desk) -> None:
    assert desk.health() is PrinterHealth.OK
    desk.printer.fault(PrinterFault.NOISE)
    desk.driver.print(VISIT, PICTURE)
    assert desk.ended() == TicketEnded(VISIT, PrintState.PRINTED)
    assert desk.posted.empty()


def test_health_is_posted_on_change_only(desk: Desk) -> None:
    assert desk.health() is PrinterHealth.OK
    for _ in range(5):
        desk.driver.print(VISIT, Bitmap(576, 1, bytes(72)))
        assert desk.posted.get(timeout=PATIENCE_S) == TicketEnded(VISIT, PrintState.PRINTED)


@pytest.mark.parametrize("rows", [0, 1, 127, 128, 299, 300, 323])
def test_paper_ends_in_the_middle_and_nothing_appears_with_the_new_roll(any_desk: Desk, rows: int) -> None:
    assert any_desk.health() is PrinterHealth.OK
    any_desk.printer.end_paper_after(rows)
    any_desk.driver.print(VISIT, PICTURE)
    ended = any_desk.ended()
    assert ended.state is PrintState.FAILED
    assert ended.fault is not None
    assert ended.fault.cause is Cause.PRINTER_PAPER
    any_desk.printer.fault(PrinterFault.PAPER_OUT, present=False)
    any_desk.until_health(PrinterHealth.OK)
    assert any_desk.printer.tickets == []
    any_desk.driver.print(VISIT, PICTURE)
    assert any_desk.ended().state is PrintState.PRINTED
    (ticket,) = any_desk.printer.tickets
    assert ticket.height == PICTURE.height + FEED


@pytest.mark.parametrize(
    ("fault", "rows"),
    [(PrinterFault.MUTE, 300), (PrinterFault.SILENT, 300), (PrinterFault.STALLED, 2000)],  # more than a pty holds
)
def test_silence_after_the_start_is_unknown_in_bounded_time(any_desk: Desk, fault: PrinterFault, rows: int) -> None:
    assert any_desk.health() is PrinterHealth.OK
    any_desk.printer.fault_at_first_row(fault)
    began = time.monotonic()
    any_desk.driver.print(VISIT, Bitmap(576, rows, PICTURE.rows[:72] * rows))
    ended = any_desk.ended()
    assert ended.state is PrintState.UNKNOWN
    assert ended.fault is not None
    assert ended.fault.cause is Cause.TICKET_UNPROVEN
    allowed_s = LIMITS.proof_s + LIMITS.write_s + any_desk.profile.transmission_s(72 * rows) + 10 * LIMITS.answer_s
    assert time.monotonic() - began < allowed_s + 5.0


def test_a_printer_that_went_mute_is_cleared_all_the_same(any_desk: Desk) -> None:
    assert any_desk.health() is PrinterHealth.OK
    any_desk.printer.fault_at_first_row(PrinterFault.MUTE)
    any_desk.printer.end_paper_after(200)
    any_desk.driver.print(VISIT, PICTURE)
    assert any_desk.ended().state is PrintState.UNKNOWN
    any_desk.printer.fault(PrinterFault.PAPER_OUT, present=False)
    any_desk.printer.fault(PrinterFault.MUTE, present=False)
    any_desk.until_health(PrinterHealth.OK)
    assert any_desk.printer.tickets == []


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (PrinterFault.COVER_OPEN, Cause.PRINTER_COVER),
        (PrinterFault.CUTTER, Cause.PRINTER_CUTTER),
        (PrinterFault.HEAD, Cause.PRINTER_HEAD),
    ],
)
def test_trouble_in_the_middle_is_failed_with_its_cause(desk: Desk, fault: PrinterFault, cause: Cause) -> None:
    assert desk.health() is PrinterHealth.OK
    desk.printer.fault_at_first_row(fault)
    desk.driver.print(VISIT, PICTURE)
    ended = desk.ended()
    assert (ended.state, ended.fault.cause if ended.fault else None) == (PrintState.FAILED, cause)
    desk.printer.fault(fault, present=False)
    desk.until_health(PrinterHealth.OK)
    prints_alone(desk)


def prints_alone(desk: Desk) -> None:
    """The next ticket comes out whole and by itself; what hung from the one before is cut off first."""
    desk.driver.print(VISIT, PICTURE)
    assert desk.ended().state is PrintState.PRINTED
    *remains, ticket = desk.printer.tickets
    assert ticket.height == PICTURE.height + FEED
    assert len(remains) <= 1
    assert all(piece.height < PICTURE.height for piece in remains)


@pytest.mark.parametrize("fault", [PrinterFault.COVER_OPEN, PrinterFault.HEAD])
def test_trouble_in_the_middle_is_failed_in_every_dialect(any_desk: Desk, fault: PrinterFault) -> None:
    assert any_desk.health() is PrinterHealth.OK
    any_desk.printer.fault_at_first_row(fault)
    any_desk.driver.print(VISIT, PICTURE)
    assert any_desk.ended().state is PrintState.FAILED
    any_desk.printer.fault(fault, present=False)
    any_desk.until_health(PrinterHealth.OK)
    prints_alone(any_desk)


def test_unplugged_in_the_middle_is_unknown_and_it_comes_back(any_desk: Desk) -> None:
    assert any_desk.health() is PrinterHealth.OK
    any_desk.printer.unplug_at_first_row()
    any_desk.driver.print(VISIT, PICTURE)
    ended = any_desk.ended()
    assert (ended.state, ended.fault.cause if ended.fault else None) == (PrintState.UNKNOWN, Cause.TICKET_UNPROVEN)
    any_desk.printer.plug()
    any_desk.until_health(PrinterHealth.OK)
    prints_alone(any_desk)


def test_a_waiting_ticket_is_told_until_it_is_taken() -> None:
    for desk in _desk("custom-80mm"):
        assert desk.health() is PrinterHealth.OK
        for _ in range(2):
            desk.driver.print(VISIT, PICTURE)
            assert desk.ended().state is PrintState.PRINTED
            assert desk.posted.get(timeout=PATIENCE_S) == TicketInOutput(present=True)
            desk.printer.take_ticket()
            assert desk.posted.get(timeout=PATIENCE_S) == TicketInOutput(present=False)


def test_a_silent_printer_says_nothing_of_its_output() -> None:
    for desk in _desk("custom-80mm"):
        assert desk.health() is PrinterHealth.OK
        desk.driver.print(VISIT, PICTURE)
        assert desk.ended().state is PrintState.PRINTED
        assert desk.posted.get(timeout=PATIENCE_S) == TicketInOutput(present=True)
        desk.printer.fault(PrinterFault.SILENT)
        assert desk.posted.get(timeout=PATIENCE_S) == PrinterChanged(PrinterHealth.UNKNOWN)
        desk.printer.fault(PrinterFault.SILENT, present=False)
        assert desk.posted.get(timeout=PATIENCE_S) == PrinterChanged(PrinterHealth.OK)
        desk.printer.take_ticket()
        assert desk.posted.get(timeout=PATIENCE_S) == TicketInOutput(present=False)


@pytest.mark.parametrize("rows", [30, 2000])  # all of it in the line's buffers, or more than they hold
@pytest.mark.parametrize("model", [name for name, profile in MODELS.items() if profile.recovers])
def test_a_printer_that_stops_the_line_still_says_why(model: str, rows: int) -> None:
    posted: queue.Queue[object] = queue.Queue()
    with PtyPrinter(buffer_bytes=1000) as printer:
        printer.end_paper_after(10)
        driver = Printer(printer.port, replace(MODELS[model], xonxoff=True), posted.put, RealClock(), LIMITS)
        driver.start()
        assert posted.get(timeout=PATIENCE_S) == PrinterChanged(PrinterHealth.OK)
        driver.print(VISIT, Bitmap(576, rows, PICTURE.rows[:72] * rows))
        assert posted.get(timeout=PATIENCE_S) == PrinterChanged(PrinterHealth.PAPER_OUT)
        assert posted.get(timeout=PATIENCE_S) == TicketEnded(
            VISIT, PrintState.FAILED, health_fault(PrinterHealth.PAPER_OUT)
        )
        printer.fault(PrinterFault.PAPER_OUT, present=False)
        while posted.get(timeout=PATIENCE_S) != PrinterChanged(PrinterHealth.OK):
            pass  # a round of queries may fall across the mending
        driver.print(VISIT, PICTURE)
        assert posted.get(timeout=PATIENCE_S) == TicketEnded(VISIT, PrintState.PRINTED)
        driver.close()
        assert len(printer.tickets) == 1


def test_unplugged_and_plugged_again(desk: Desk) -> None:
    assert desk.health() is PrinterHealth.OK
    desk.printer.unplug()
    assert desk.health() is PrinterHealth.UNKNOWN
    desk.driver.print(VISIT, PICTURE)
    ended = desk.ended()
    assert (ended.state, ended.fault.cause if ended.fault else None) == (PrintState.FAILED, Cause.PRINTER_SILENT)
    desk.printer.plug()
    assert desk.health() is PrinterHealth.OK


def test_no_printer_at_all(tmp_path: Path) -> None:
    posted: queue.Queue[object] = queue.Queue()
    driver = Printer(str(tmp_path / "absent"), MODELS[PLAIN], posted.put, RealClock(), LIMITS)
    driver.start()
    assert posted.get(timeout=PATIENCE_S) == PrinterChanged(PrinterHealth.UNKNOWN)
    driver.print(VISIT, PICTURE)
    assert posted.get(timeout=PATIENCE_S) == TicketEnded(VISIT, PrintState.FAILED, health_fault(PrinterHealth.UNKNOWN))
    driver.close()


def test_the_port_is_taken_for_itself_and_given_back(desk: Desk) -> None:
    assert desk.health() is PrinterHealth.OK
    posted: queue.Queue[object] = queue.Queue()
    second = Printer(desk.printer.port, MODELS[PLAIN], posted.put, RealClock(), LIMITS)
    second.start()
    assert posted.get(timeout=PATIENCE_S) == PrinterChanged(PrinterHealth.UNKNOWN)
    desk.driver.close()
    assert posted.get(timeout=PATIENCE_S) == PrinterChanged(PrinterHealth.OK)
    second.close()


def test_closing_ends_a_waiting_ticket_as_unknown_and_a_later_one_as_failed(desk: Desk) -> None:
    assert desk.health() is PrinterHealth.OK
    desk.printer.fault_at_first_row(PrinterFault.MUTE)
    desk.driver.print(VisitId(1), PICTURE)
    desk.driver.print(VisitId(2), PICTURE)
    assert desk.printer.wait_for_tickets(1, PATIENCE_S)
    desk.driver.close()
    assert [(end.visit, end.state) for end in (desk.ended(), desk.ended())] == [
        (1, PrintState.UNKNOWN),
        (2, PrintState.FAILED),
    ]


class TracedBitmap(Bitmap):
    """A picture whose end of life can be seen."""

    __slots__ = ("__weakref__",)


def test_nothing_of_a_ticket_stays_in_the_driver(desk: Desk) -> None:
    assert desk.health() is PrinterHealth.OK
    picture = TracedBitmap(576, 50, bytes(72 * 50))
    trace = weakref.ref(picture)
    desk.driver.print(VISIT, picture)
    del picture
    assert desk.ended().state is PrintState.PRINTED
    desk.printer.fault(PrinterFault.PAPER_LOW)  # by the time this is told, the driver is back in its loop
    desk.until_health(PrinterHealth.PAPER_LOW)
    gc.collect()
    assert trace() is None


def test_a_bug_while_printing_ends_the_ticket_as_unknown_and_not_the_thread(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert desk.health() is PrinterHealth.OK
    with monkeypatch.context() as broken:
        broken.setattr(TicketJob, "run", _broken)
        desk.driver.print(VISIT, PICTURE)
        ended = desk.ended()
    assert (ended.state, ended.fault) == (PrintState.UNKNOWN, Fault(Cause.INTERNAL, "LookupError"))
    assert "0000000" not in caplog.text
    desk.until_health(PrinterHealth.OK)
    desk.driver.print(VISIT, PICTURE)
    assert desk.ended().state is PrintState.PRINTED


def test_a_bug_while_looking_makes_the_printer_unknown_and_is_said_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert desk.health() is PrinterHealth.OK
    looks: queue.SimpleQueue[None] = queue.SimpleQueue()

    def broken_look(_driver: Printer) -> PrinterHealth:
        looks.put(None)
        return _broken()

    with monkeypatch.context() as broken:
        broken.setattr(Printer, "_look", broken_look)
        assert desk.health() is PrinterHealth.UNKNOWN
        for _ in range(3):
            looks.get(timeout=PATIENCE_S)
    desk.until_health(PrinterHealth.OK)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def _broken(*_: object) -> PrinterHealth:
    raise LookupError("0000000")
