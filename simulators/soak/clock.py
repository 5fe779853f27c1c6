"""The kiosk's clock in a soak: real time, plus what is let pass. Nothing waits for a limit."""

from __future__ import annotations

import threading
import time


class JumpingClock:
    """See `kiosk.visit.ports.Clock`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._passed_s = 0.0

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        with self._lock:
            return time.monotonic() + self._passed_s

    def utc_s(self) -> float:
        """Wall time, which nobody moves."""
        return time.time()

    def pass_s(self, seconds: float) -> None:
        """So much time has passed."""
        with self._lock:
            self._passed_s += seconds
