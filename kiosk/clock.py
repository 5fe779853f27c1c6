"""The real clock, behind the port that tests replace."""

from __future__ import annotations

import time


class SystemClock:
    """See `kiosk.visit.ports.Clock`."""

    def monotonic_s(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def utc_s(self) -> float:
        """Wall time, seconds since 1970."""
        return time.time()
