"""The ticket printer's worker: one thread that owns the serial port, watches the printer and prints.

A ticket counts as printed only when the printer has confirmed it. Silence is UNKNOWN. Whatever is not proven is cleared
from the printer's buffers, so that no one's ticket appears after the next paper change.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from dataclasses import dataclass
from typing import Final

from kiosk.hardware.printer import escpos
from kiosk.hardware.printer.dialect import Readings
from kiosk.hardware.printer.job import PrinterLimits, TicketJob
from kiosk.hardware.printer.line import LINE_LOST, PrinterLine
from kiosk.hardware.printer.profile import PrinterProfile
from kiosk.visit.events import PrinterChanged, TicketEnded, TicketInOutput
from kiosk.visit.failures import Cause, Fault, internal_fault
from kiosk.visit.ports import Bitmap, Clock, Post, PrinterHealth, PrintState, VisitId

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Order:
    visit: VisitId
    picture: Bitmap


_CLOSE: Final = None
"""What wakes the thread when it must end."""


def health_fault(health: PrinterHealth) -> Fault | None:
    """Why a printer in this health cannot print, None if it can."""
    match health:
        case PrinterHealth.OK | PrinterHealth.PAPER_LOW:
            return None
        case PrinterHealth.UNKNOWN:
            return Fault(Cause.PRINTER_SILENT)
        case PrinterHealth.PAPER_OUT:
            return Fault(Cause.PRINTER_PAPER)
        case PrinterHealth.COVER_OPEN:
            return Fault(Cause.PRINTER_COVER)
        case PrinterHealth.CUTTER:
            return Fault(Cause.PRINTER_CUTTER)
        case PrinterHealth.HEAD:
            return Fault(Cause.PRINTER_HEAD)
        case PrinterHealth.FAULT | PrinterHealth.OFFLINE:
            return Fault(Cause.PRINTER_FAULT, detail=health.value)


class Printer:
    """The printer on `port_path`. Posts `PrinterChanged` on change only and exactly one `TicketEnded` per `print`.

    Where the printer tells, `TicketInOutput` follows each change of that, and says nothing while the printer is silent.

    A picture that has been printed, refused or given up is not kept.
    """

    def __init__(
        self, port_path: str, profile: PrinterProfile, post: Post, clock: Clock, limits: PrinterLimits | None = None
    ) -> None:
        self._port_path = port_path
        self._profile = profile
        self._post = post
        self._clock = clock
        self._limits = limits or PrinterLimits()
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._line: PrinterLine | None = None
        self._health: PrinterHealth | None = None
        self._in_output = False
        self._may_hold_a_ticket = True  # in its buffers, from an earlier life of the kiosk, too
        self._uncut = False
        self._thread = threading.Thread(target=self._run, name="printer", daemon=True)

    def start(self) -> None:
        """Begin to watch the printer; the first `PrinterChanged` follows within one round of queries."""
        self._thread.start()

    def print(self, visit: VisitId, picture: Bitmap) -> None:
        """Print once; `TicketEnded(visit, PRINTED | FAILED | UNKNOWN, fault)` follows in bounded time."""
        self._orders.put(_Order(visit, picture))

    def cut_off_remains(self) -> None:
        """A ticket was begun before the program died: cut off what hangs there, lest it comes out with the next one."""
        self._uncut = True

    def close(self) -> None:
        """Stop and give the port back. A ticket in progress ends as UNKNOWN, one not begun as FAILED."""
        self._closing.set()
        self._orders.put(_CLOSE)
        if self._thread.is_alive():
            self._thread.join()

    # --- the printer thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            self._watch()
            try:
                order = self._orders.get(timeout=self._limits.poll_s)
            except queue.Empty:
                continue
            if order is not _CLOSE:
                self._post(TicketEnded(order.visit, *self._end_of(order.picture)))
            del order  # else this frame would hold the member's picture until the next one
        while not self._orders.empty():
            if (late := self._orders.get()) is not _CLOSE:
                self._post(TicketEnded(late.visit, PrintState.FAILED, health_fault(PrinterHealth.UNKNOWN)))
        self._drop_line()

    def _end_of(self, picture: Bitmap) -> tuple[PrintState, Fault | None]:
        """Print; a bug in here leaves nobody waiting, and the thread alive. What is on paper then is not known."""
        try:
            return self._serve(picture)
        except Exception as error:  # noqa: BLE001  the type is told, the text might hold anything
            self._after_bug(error)
            return PrintState.UNKNOWN, internal_fault(type(error).__name__)

    def _watch(self) -> None:
        try:
            self._look()
        except Exception as error:  # noqa: BLE001  as above
            self._after_bug(error)

    def _after_bug(self, error: Exception) -> None:
        """Begin again with a fresh line at the next look."""
        line, self._line = self._line, None
        with contextlib.suppress(Exception):
            if line is not None:
                line.close()
        if self._health is not PrinterHealth.UNKNOWN:
            _log.error("the printer's worker failed: %s", type(error).__name__)
            self._health = PrinterHealth.UNKNOWN
            self._post(PrinterChanged(PrinterHealth.UNKNOWN))

    def _look(self) -> PrinterHealth:
        """One round of queries, after reopening an absent port. Tells of a change."""
        readings = Readings()
        try:
            if self._line is None:
                self._line = PrinterLine(
                    self._port_path, self._profile, self._clock, self._limits.answer_s, self._limits.write_s
                )
            readings = self._line.readings()
            if self._may_hold_a_ticket and readings != Readings():  # it listens
                self._line.clear_printer()
                self._may_hold_a_ticket = False
            if self._uncut and readings.health().usable:
                self._line.write(escpos.feed_and_cut(0))
                self._uncut = False
        except LINE_LOST:
            self._drop_line()
            readings = Readings()
        health = readings.health()
        if health is not self._health:
            self._health = health
            self._post(PrinterChanged(health))
        if readings.in_output is not None and readings.in_output is not self._in_output:
            self._in_output = readings.in_output
            self._post(TicketInOutput(self._in_output))
        return health

    def _serve(self, picture: Bitmap) -> tuple[PrintState, Fault | None]:
        fault = health_fault(self._look())
        if fault is not None or self._line is None:
            return PrintState.FAILED, fault
        self._may_hold_a_ticket = self._uncut = True
        outcome: PrinterHealth | None = PrinterHealth.UNKNOWN
        try:
            outcome = TicketJob(self._line, self._profile, self._limits, self._clock, self._closing.is_set).run(picture)
            if outcome is None:
                self._line.end_sending()
                self._may_hold_a_ticket = self._uncut = False
            else:
                self._line.clear_printer()  # it may hear although it does not answer
        except LINE_LOST:
            self._drop_line()
        if outcome is None:
            return PrintState.PRINTED, None
        now = self._look()  # so that the printer's state is known when the ticket's end is
        if outcome is PrinterHealth.UNKNOWN:
            return PrintState.UNKNOWN, Fault(Cause.TICKET_UNPROVEN)
        return PrintState.FAILED, health_fault(outcome if now.usable or now is PrinterHealth.UNKNOWN else now)

    def _drop_line(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
