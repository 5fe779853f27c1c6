"""Limits, kept from outside: no thread that may block in a driver can keep its own.

A call over its limit is given up with its thread. A thread that the driver does not let go of either keeps the reader
until the PC/SC service is restarted, which the watchdog asks for when no other card can be hurt by it. A service that
hangs while no card is used holds the monitor: that is found in the same way, and every reader is said to hang.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Final

from kiosk.hardware.pcsc.api import PcscProblem, Scard
from kiosk.hardware.pcsc.bounded import within
from kiosk.hardware.pcsc.connection import Deadlines, LinkError, card_in_use
from kiosk.hardware.pcsc.monitor import Monitor
from kiosk.hardware.pcsc.restart import RestartRule, restart
from kiosk.hardware.pcsc.service import ServiceManager
from kiosk.hardware.pcsc.slot import RoleSlot
from kiosk.hardware.pcsc.worker import BusyCall
from kiosk.visit.ports import Clock

CLASSIFY_S: Final = 0.5
"""How long the watchdog asks the service who holds a card: it may be the service that hangs."""

FEWEST_LOOKS: Final = 20
"""So many looks at one call at least before it is said to hang: time may jump under a machine that was asleep."""

LATE_S: Final = 10.0
"""A look that comes later than this is no look."""


class Watchdog:
    """Looks at every slot's pending call, every `every_s`, on a thread of its own. Slots are used under `lock`."""

    def __init__(
        self,
        scard: Scard,
        slots: Callable[[], Collection[RoleSlot]],
        lock: AbstractContextManager[object],
        clock: Clock,
        *,
        monitor: Monitor,
        deadlines: Deadlines,
        service: ServiceManager | None,
    ) -> None:
        self._scard = scard
        self._slots = slots
        self._lock = lock
        self._clock = clock
        self._monitor = monitor
        self._every_s = deadlines.watch_every_s
        self._idle_looks = max(round(deadlines.idle_s / deadlines.watch_every_s), FEWEST_LOOKS)
        self._service = service
        self._rule = RestartRule(deadlines.stuck_s)
        self._held: tuple[int | None, int] = (None, 0)  # the monitor's call, and how many looks have met it
        self._held_since_s: float | None = None  # the monitor was given up
        self._looked_s = clock.monotonic_s()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="card-watchdog", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._looked_s = self._clock.monotonic_s()
        self._thread.start()

    def stop(self) -> None:
        """End the thread, if it was ever started."""
        self._ends.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread is there and has looked at the calls a short while ago."""
        return self._thread.is_alive() and self._clock.monotonic_s() < self._looked_s + self._every_s + LATE_S

    def check(self) -> None:
        """Give up every call over its limit, and have the service restarted where that is due."""
        self._looked_s = self._clock.monotonic_s()
        for slot in self._slots():
            busy = slot.worker.overdue()
            if busy is not None:
                self._expire(slot, busy)
        self._look_at_monitor()
        if self._service is not None and self._restart_due():
            threading.Thread(target=restart, args=(self._service,), name="pcsc-restart", daemon=True).start()

    def _expire(self, slot: RoleSlot, busy: BusyCall) -> None:
        """A foreign transaction blocks our connect; anything else that blocks is the reader's doing."""
        reader = slot.reader
        blocked = busy.call == "SCardConnect" and reader is not None and self._in_use(reader)
        with self._lock:
            slot.give_up(busy, PcscProblem.HELD_BY_OTHER if blocked else PcscProblem.READER_HUNG)

    def _look_at_monitor(self) -> None:
        """Its calls come and go; one that stays over its limit is inside a service that hangs.

        While a card is being commanded its own calls tell, and nothing here may end its session.
        """
        call, (seen, looks) = self._monitor.call, self._held
        if call is None or call != seen:
            self._held, self._held_since_s = (call, 0), None
            return
        self._held = (call, looks + 1)
        if self._held_since_s is not None or looks + 1 < self._idle_looks:
            return
        with self._lock:
            slots = self._slots()
            if any(slot.commanded for slot in slots):
                return
            self._held_since_s = self._clock.monotonic_s()
            self._monitor.give_up()
            for slot in slots:
                slot.lose_reader(LinkError(PcscProblem.READER_HUNG, "the service does not answer", command_sent=False))

    def _restart_due(self) -> bool:
        """A driver keeps a thread, and no card of another role is being commanded: that would tear its update."""
        now_s = self._clock.monotonic_s()
        if self._held_since_s is not None:
            return self._rule.due(self._held_since_s, now_s)
        with self._lock:
            slots = self._slots()
            return any(
                self._rule.due(slot.stuck_since_s, now_s)
                for slot in slots
                if slot.stuck_since_s is not None and not any(other.commanded for other in slots if other is not slot)
            )

    def _in_use(self, reader: str) -> bool:
        return within(CLASSIFY_S, lambda: card_in_use(self._scard, reader)) is True

    def _run(self) -> None:
        while not self._ends.wait(self._every_s):
            self.check()
