"""The running kiosk's own word on its parts, kept in a file for `diagnose` (see `kiosk.diagnostics.status`)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from kiosk.diagnostics.report import Check, CheckState
from kiosk.diagnostics.status import STALE_S, write_status
from kiosk.hardware.pcsc.slot import ReaderCondition
from kiosk.hardware.printer.driver import health_fault
from kiosk.journal.journal import JournalVerdict, verify_store
from kiosk.store.errors import StoreFailedError
from kiosk.store.thread import Store
from kiosk.sync.faults import clock_wrong
from kiosk.visit.failures import Fault, quarantined
from kiosk.visit.model import State
from kiosk.visit.pages import Diagnostics, ForgottenCard, StaffPin
from kiosk.visit.policy import Quarantine
from kiosk.visit.ports import Clock, PrinterHealth, ReaderRole
from kiosk.visit.values import PartLine

LOOK_S: Final = 1.0
REFRESH_S: Final = STALE_S / 4
VERIFY_EVERY_S: Final = 3600.0
NO_PORT: Final = "no port in the settings"
"""Of the printer: such a kiosk has none, and is whole without."""


def condition(state: State, readers: Mapping[ReaderRole, ReaderCondition]) -> tuple[Check, ...]:
    """Each part as the running kiosk knows it; nothing personal."""
    world = state.world
    checks = [_known("store", world.store_fault is None, world.store_fault)]
    if ReaderRole.PATIENT not in readers:  # the settings name none
        checks.append(_known("reader patient", well=False, fault=world.reader_fault))
    for role, reader in readers.items():
        checks.append(_known(f"reader {role.value}", reader.ready, reader.fault))
        contact = CheckState.FAULT if reader.contacts.flaky else CheckState.OK
        checks.append(Check(f"contacts {role.value}", contact, facts=asdict(reader.contacts)))
    shown = state.step.over if isinstance(state.step, StaffPin | Diagnostics) else state.step
    forgotten = isinstance(shown, ForgottenCard)
    slot = CheckState.FAULT if forgotten else CheckState.OK
    checks.append(Check("card slot", slot, facts={"reason": "a card was left in the slot"} if forgotten else {}))
    no_printer = Check("printer", CheckState.OK, facts={"reason": NO_PORT})
    checks.append(_printer(world.printer) if world.has_printer else no_printer)
    if world.output_forgotten:
        checks.append(Check("ticket output", CheckState.FAULT, facts={"reason": "a ticket was left in the output"}))
    checks.append(_known("channel", world.service_up, None if world.service_up is None else world.service_fault))
    if state.policy.quarantine is not Quarantine.NONE:
        checks.append(Check("orders", CheckState.FAULT, quarantined(state.policy.quarantine.value)))
    return tuple(checks)


def _printer(health: PrinterHealth) -> Check:
    """One that says nothing is not known to be at fault, and is told with what to do about it all the same."""
    silent = health is PrinterHealth.UNKNOWN
    return (
        Check("printer", CheckState.UNKNOWN, health_fault(health))
        if silent
        else _known("printer", health.usable, health_fault(health))
    )


CLOCK_STEP_S: Final = 60
"""The machine's clock may be this wrong before anybody is told; it is told in such steps."""


def clock_check(state: State, error_s: float) -> Check:
    """The machine's clock. error_s: how far it is ahead of signed time (negative: behind), as far as that is known."""
    world, steps = state.world, round(error_s / CLOCK_STEP_S)
    if world.clock_trusted and steps:
        facts = {"clock_ahead_s": steps * CLOCK_STEP_S}
        return Check("clock", CheckState.FAULT, clock_wrong("the machine's clock is not the backend's"), facts)
    if not world.clock_trusted and world.clock_fault is None:
        return Check("clock", CheckState.UNKNOWN, facts={"reason": "no signed time yet"})
    return _known("clock", world.clock_trusted, world.clock_fault)


FILLING_SHARE: Final = 0.8
"""From here on somebody must look after an outbox: new work is refused when it is full."""


def outbox_check(waiting: int, refused: int, filled: float, upload: str, reason: str = "") -> Check:
    """The outbox: events that wait, of them refused for good, share of the quota that is used, state of the upload."""
    well = refused == 0 and filled < FILLING_SHARE and upload not in ("stopped", "store_failed")
    facts = {"pending": waiting, "refused": refused, "percent": int(filled * 100), "upload": upload}
    return Check(
        "outbox", CheckState.OK if well else CheckState.FAULT, facts=facts | ({"reason": reason} if reason else {})
    )


def journal_check(verdict: JournalVerdict) -> Check:
    """The journal: how many entries fit its hash chain."""
    facts = {"entries": verdict.entries, "pruned": verdict.pruned}
    state = CheckState.OK if verdict.ok else CheckState.FAULT
    return Check("journal", state, facts=facts | ({"reason": verdict.reason} if verdict.reason else {}))


class JournalLook:
    """A running kiosk verifies its own journal: when first asked, then every `VERIFY_EVERY_S`. One thread."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.last = Check("journal", CheckState.UNKNOWN)  # may be read by any thread
        self._due_s = clock.monotonic_s()

    def check(self) -> Check:
        """The last verdict, a new one if it is time; the store does a member's work in between (see `verify_store`)."""
        if self._clock.monotonic_s() >= self._due_s:
            try:
                self.last = journal_check(verify_store(self._store))
                self._due_s = self._clock.monotonic_s() + VERIFY_EVERY_S
            except StoreFailedError as error:
                self.last = Check("journal", CheckState.UNKNOWN, facts={"reason": str(error)})
        return self.last


def part_lines(checks: Iterable[Check]) -> tuple[PartLine, ...]:
    """The same, for the page that a technician sees."""
    well = {CheckState.OK: True, CheckState.FAULT: False, CheckState.UNKNOWN: None}
    return tuple(PartLine(check.part, well[check.state], check.fault, tuple(check.facts.items())) for check in checks)


def _known(part: str, well: bool | None, fault: Fault | None) -> Check:
    """Well, at fault, or neither known to be."""
    if well:
        return Check(part, CheckState.OK)
    return Check(part, CheckState.UNKNOWN if fault is None else CheckState.FAULT, fault)


class StatusKeeper:
    """Writes the file when something has changed, and every `REFRESH_S`. One thread, mostly asleep."""

    def __init__(
        self, path: Path, look: Callable[[], tuple[Check, ...]], clock: Clock, *, look_every_s: float = LOOK_S
    ) -> None:
        """`look`: the condition now; called on this thread."""
        self._path, self._look, self._clock, self._look_every_s = path, look, clock, look_every_s
        self._written: tuple[Check, ...] | None = None
        self._written_s = 0.0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a kiosk that does not run says nothing."""
        self._ends.set()
        if self._thread.ident is not None:
            self._thread.join()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def keep(self) -> None:
        """One look; called by the thread, or by a test. A file that cannot be written grows old: nobody believes it."""
        checks, now_s = self._look(), self._clock.monotonic_s()
        if checks == self._written and now_s < self._written_s + REFRESH_S:
            return
        with contextlib.suppress(OSError):
            write_status(self._path, checks, monotonic_s=now_s, utc_s=self._clock.utc_s())
            self._written, self._written_s = checks, now_s

    def _run(self) -> None:
        while True:
            self.keep()
            if self._ends.wait(self._look_every_s):
                return
