"""A ticket printer on a pseudo-terminal: what the kiosk opens is a real serial port as far as it can tell."""

from __future__ import annotations

import os
import pty
import select
import tempfile
import threading
import tty
from pathlib import Path
from types import TracebackType
from typing import Self

from PIL import Image

from simulators.printer.engine import PrinterEngine, PrinterFault


class PtyPrinter:
    """A printer that lives in its own thread until `close` (or the end of `with`).

    port: the path to open, the same after `unplug` and `plug`. folder: where each ticket is also saved as
    `ticket-N.png`, N from 1, before the printer says that it is done; nothing is written without it.
    buffer_bytes, custom: see the engine.
    """

    def __init__(
        self,
        width_dots: int = 576,
        folder: Path | None = None,
        buffer_bytes: int | None = None,
        *,
        custom: bool = False,
    ) -> None:
        self._engine = PrinterEngine(width_dots, buffer_bytes=buffer_bytes, custom=custom)
        self._folder = folder
        self._saved = 0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._home = tempfile.TemporaryDirectory(prefix="printer-")
        self.port = str(Path(self._home.name) / "port")
        self._master: int | None = None
        self._slave: int | None = None
        self._wake_read, self._wake_write = os.pipe()
        self._unplug_at_row: int | None = None
        self._pulled = False  # the printer's thread closes the port: no one may while it waits on it
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="pty-printer", daemon=True)
        self.plug()
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and remove the port."""
        if self._closing:
            return
        self.unplug()
        self._closing = True
        self._wake()
        self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._home.cleanup()

    # --- the world's hand --------------------------------------------------------------------------------------------

    def plug(self) -> None:
        """Connect the cable (it is, at first)."""
        with self._lock:
            if self._master is not None:
                return
            self._master, self._slave = pty.openpty()  # our own slave end keeps the port alive between two openings
            tty.setraw(self._slave)  # both ends share one setting; a cooked one echoes and rewrites LF
            Path(self.port).symlink_to(os.ttyname(self._slave))
        self._wake()

    def unplug(self) -> None:
        """Pull the cable: the port is gone, whoever has it open gets an error."""
        with self._changed:
            if self._master is None:
                return
            self._pulled = True
            self._wake()
            self._changed.wait_for(lambda: self._master is None)

    def fault(self, fault: PrinterFault, present: bool = True) -> None:
        """Stage a fault, or mend it; mended, the printer carries on with what it still holds."""
        with self._lock:
            if present:
                self._engine.faults.add(fault)
            else:
                answer = self._engine.mend(fault)
                self._settle()
                self._answer(answer)
        self._wake()

    def take_ticket(self) -> None:
        """Take what waits in the output."""
        with self._lock:
            self._engine.in_output = False

    def fault_at_first_row(self, fault: PrinterFault) -> None:
        """Stage a fault for the moment when the next ticket has begun to appear."""
        with self._lock:
            self._engine.fault_at_first_row = fault

    def unplug_at_first_row(self) -> None:
        """Have the cable pulled when the next ticket has begun to appear."""
        with self._lock:
            self._unplug_at_row = self._engine.rows_printed + 1

    def end_paper_after(self, rows: int) -> None:
        """Leave so many rows (dots of paper) on the roll."""
        with self._lock:
            self._engine.paper_rows_left = rows

    # --- what came out -----------------------------------------------------------------------------------------------

    @property
    def tickets(self) -> list[Image.Image]:
        """Every ticket cut so far, oldest first, as a black-and-white picture."""
        with self._lock:
            return list(self._engine.tickets)

    @property
    def spoiled_by_real_time(self) -> int:
        """How many real-time sequences arrived inside a picture: 0 with a careful encoder."""
        with self._lock:
            return self._engine.real_time_in_data

    @property
    def unknown_commands(self) -> list[bytes]:
        """Commands this printer does not know."""
        with self._lock:
            return list(self._engine.unknown)

    def wait_for_tickets(self, count: int, timeout_s: float) -> bool:
        """Wait until at least `count` tickets have been cut."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._engine.tickets) >= count, timeout_s)

    # --- the printer's own thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            with self._lock:
                listening = (
                    [] if self._master is None or PrinterFault.STALLED in self._engine.faults else [self._master]
                )
            ready, _, _ = select.select([self._wake_read, *listening], [], [])
            if self._wake_read in ready:
                os.read(self._wake_read, 64)
            with self._lock:
                if self._pulled:
                    self._close_port()
                elif self._master in ready:
                    answer = self._engine.feed(os.read(self._master, 65536))
                    if self._unplug_at_row is not None and self._engine.rows_printed >= self._unplug_at_row:
                        self._unplug_at_row = None
                        self._close_port()
                    self._settle()
                    self._answer(answer)

    def _close_port(self) -> None:
        if self._master is not None and self._slave is not None:
            Path(self.port).unlink()
            os.close(self._slave)
            os.close(self._master)
        self._master = self._slave = None
        self._pulled = False
        self._changed.notify_all()

    def _answer(self, answer: bytes) -> None:
        if answer and self._master is not None:
            os.write(self._master, answer)

    def _settle(self) -> None:
        """Save the tickets that are new and tell who waits."""
        if self._folder is not None:
            for ticket in self._engine.tickets[self._saved :]:
                self._saved += 1
                ticket.save(self._folder / f"ticket-{self._saved}.png")
        self._changed.notify_all()

    def _wake(self) -> None:
        os.write(self._wake_write, b".")
