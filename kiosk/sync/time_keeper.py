"""What time it is on a kiosk whose clock nobody sets: a floor that only rises, an offset learnt from signed answers.

Now is the monotonic clock plus the offset once an offset was learnt in this process; before that the wall clock, but
never below the floor. The operating system's clock is never set from here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from kiosk.store.transaction import Transaction, read_meta_int, write_meta_int
from kiosk.visit.ports import Clock

BUILD_FLOOR_S: Final = 1_793_491_200  # 2026-11-01T00:00:00Z
MAX_ROUND_TRIP_S: Final = 10.0
TIME_FLOOR: Final = "time_floor_s"
"""The name of the floor among the values of the store."""


def keep_floor(tx: Transaction, floor_s: int) -> None:
    """Persist a floor. Two threads may learn of two in any order; what is kept only rises."""
    if floor_s > read_meta_int(tx, TIME_FLOOR):
        write_meta_int(tx, TIME_FLOOR, floor_s)


class TimeKeeper:
    """Thread-safe. `keep_floor` is called with each higher floor, to persist it; it must not block."""

    def __init__(self, clock: Clock, *, floor_s: int = BUILD_FLOOR_S, keep_floor: Callable[[int], None]) -> None:
        self._clock = clock
        self._floor_s = max(floor_s, BUILD_FLOOR_S)
        self._keep_floor = keep_floor
        self._offset_s: float | None = None
        self._lock = threading.Lock()

    @property
    def trusted(self) -> bool:
        """Whether an offset was learnt from a verified answer in this process."""
        return self._offset_s is not None

    @property
    def floor_s(self) -> int:
        """No verified answer may be older than this, but for the allowed skew."""
        return self._floor_s

    def now_s(self) -> int:
        """Whole seconds since 1970 (UTC), as well as they are known."""
        with self._lock:
            offset_s = self._offset_s
            now_s = self._clock.utc_s() if offset_s is None else self._clock.monotonic_s() + offset_s
            return max(int(now_s), self._floor_s)

    def learn(self, created_s: int, sent_monotonic_s: float) -> None:
        """Take over the `created` of a **verified** answer to a request sent at this monotonic time.

        The floor rises always; the offset is learnt only when the round trip was short enough to mean something.
        """
        with self._lock:
            received_s = self._clock.monotonic_s()
            if 0 <= received_s - sent_monotonic_s <= MAX_ROUND_TRIP_S:
                self._offset_s = created_s - received_s
            raised = created_s > self._floor_s
            if raised:
                self._floor_s = created_s
        if raised:
            self._keep_floor(created_s)
