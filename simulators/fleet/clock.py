"""The kiosks' clock: `pace` times faster than the run's, and faster again while the backend is away.

An outage that leaves a hundred events with each kiosk lasts for hours. Nobody is there to be loaded meanwhile, so that
part of it may pass in fast motion; what counts is that kiosks look for the service as they do when it is away for long.
"""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(slots=True)
class RunClock:
    """Between `away_s` and `back_s` of the run everything of a kiosk's goes `hurry` times faster still.

    start_s: of the machine's monotonic clock, when the run began.
    """

    pace: float
    away_s: float = 0.0
    back_s: float = 0.0
    hurry: float = 1.0
    start_s: float = 0.0

    def run_s(self) -> float:
        """Seconds of the run."""
        return time.monotonic() - self.start_s

    def monotonic_s(self) -> float:
        """Seconds of the kiosk."""
        return self.kiosk_s(self.run_s())

    def utc_s(self) -> float:
        """As the machine has it: certificates and signatures are of the real time."""
        return time.time()

    def kiosk_s(self, run_s: float) -> float:
        """What a kiosk's clock shows at this second of the run."""
        fast_s = min(max(run_s, self.away_s), self.back_s) - self.away_s
        return (run_s + fast_s * (self.hurry - 1)) * self.pace

    def run_at_s(self, kiosk_s: float) -> float:
        """The second of the run at which a kiosk's clock shows this."""
        at_s = kiosk_s / self.pace
        fast_s = (self.back_s - self.away_s) * self.hurry
        return at_s - min(max(at_s - self.away_s, 0.0), fast_s) * (1 - 1 / self.hurry)
