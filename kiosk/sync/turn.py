"""Whose turn it is after an outage of the service, so that twenty thousand kiosks do not come back at once.

A service that was away for a minute or more was away for everybody: each kiosk then waits its own part of four minutes.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Final

from kiosk.visit.ports import Clock

OUTAGE_S: Final = 60.0
WINDOW_S: Final = 240.0


class Turn:
    """What everybody who calls the backend tells, and what the upload asks. Safe from any thread."""

    def __init__(self, kiosk: str, clock: Clock) -> None:
        """kiosk: its name, which decides its part of the window."""
        self._clock = clock
        self._offset_s = offset_s(kiosk)
        self._lock = threading.Lock()
        self._away_since_s: float | None = None
        self._begins_s = 0.0
        self._returned = False

    def service_away(self) -> None:
        """A call got no proven answer."""
        with self._lock:
            if self._away_since_s is None:
                self._away_since_s = self._clock.monotonic_s()

    def service_back(self) -> None:
        """A call got a proven answer. A single lost call is no outage."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            if self._away_since_s is not None and now_s - self._away_since_s >= OUTAGE_S:
                self._begins_s = now_s + self._offset_s
                self._returned = True
            self._away_since_s = None

    def wait_s(self) -> float:
        """Seconds until this kiosk may upload; 0 when it may."""
        with self._lock:
            return max(0.0, self._begins_s - self._clock.monotonic_s())

    def take_return(self) -> bool:
        """Whether an outage has ended since this was last asked."""
        with self._lock:
            returned, self._returned = self._returned, False
            return returned


def offset_s(kiosk: str) -> float:
    """This kiosk's part of the window, in seconds: the same every time, even over the fleet."""
    digest = hashlib.sha256(b"kiosk-turn/1 " + kiosk.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") % round(WINDOW_S * 1000) / 1000
