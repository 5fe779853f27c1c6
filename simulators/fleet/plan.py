"""What every kiosk of a run will live through, from a seed: pure, so that each process makes its own part of it.

Two speeds. `visits_factor`: how many seconds of a kiosk's day pass in one second of the run. `pace`: how many times
faster than a real one a kiosk polls, gives up idle connections and waits for its turn. In `day` the visits of sixteen
hours are compressed and polls are not. In `outage` a kiosk lives `pace` times faster in everything, so that N kiosks
load the backend as N · pace would; while it is away, and nothing can be loaded, faster still (`clock`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

from kiosk.sync.turn import OUTAGE_S
from kiosk.sync.wire import IDLE_LIMIT_S
from simulators.fleet.clock import RunClock
from simulators.fleet.curves import EVENTS_PER_VISIT, site_kind, visit_hours
from simulators.fleet.identity import kiosk_id

DAY: Final = date(2027, 1, 14)
"""A working day at the height of the January peak."""
OPENS_H: Final = 6.0
CLOSES_H: Final = 22.0
WEEKS_OFFLINE_EVERY: Final = 50
WEEKS_OFFLINE_EVENTS: Final = (2000, 6000)
LEAD_S: Final = 10.0
"""Seconds of a kiosk from the start to the outage. Every so-many-th kiosk has something to tell in them, so that
batches and answers are under way when the backend dies."""
LEAD_EVERY: Final = 20
AWAY_S: Final = 10 * OUTAGE_S
"""Seconds of a kiosk: all must see that it was no hiccup (`kiosk.sync.turn`), and look for the service as they do when
it is away for hours (`kiosk.chores.documents`)."""
AWAY_HURRY: Final = 8.0
"""So many times faster that time passes."""
RETURN_EVENTS: Final = 100
WINDOW_S: Final = 300.0
SETTLE_S: Final = 60.0
"""Within what time of a return everything must be told, and what is granted beyond it (channel reference §8.2)."""
P99_LIMIT_MS: Final = 1000.0
"""Of the answers during a return (channel reference §8.2)."""
GRACE_S: Final = 120.0
"""So that the report can say how late it was."""
_VISIT_EVENTS: Final = 5


class Scenario(StrEnum):
    """A January working day in `minutes`; or an outage of the service, whose return has a window of `minutes`."""

    DAY = "day"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True)
class Visit:
    """So many events, made at `at_s` of the run; `utc_ms` is when they say they were made."""

    at_s: float
    events: int
    utc_ms: int


@dataclass(frozen=True, slots=True)
class Life:
    """One kiosk's run. Before `online_from_s` it makes events and reaches nobody; it then polls after `first_poll_in_s`
    seconds of its own."""

    kiosk: str
    online_from_s: float
    first_poll_in_s: float
    visits: tuple[Visit, ...]

    @property
    def events(self) -> int:
        """How many events it will make."""
        return sum(visit.events for visit in self.visits)


@dataclass(frozen=True, slots=True)
class Plan:
    """A run. `minutes`: length of the day, or of the window of the return."""

    scenario: Scenario
    kiosks: int
    minutes: float
    seed: int

    @property
    def pace(self) -> float:
        """How many times faster than a real kiosk one polls and waits."""
        return 1.0 if self.scenario is Scenario.DAY else WINDOW_S / (self.minutes * 60)

    @property
    def visits_factor(self) -> float:
        """Seconds of the kiosk's day in one second of the run."""
        return (CLOSES_H - OPENS_H) * 60 / self.minutes if self.scenario is Scenario.DAY else self.pace

    @property
    def idle_limit_s(self) -> float:
        """Seconds of the run after which a kiosk gives up an idle connection."""
        return IDLE_LIMIT_S / self.pace

    @property
    def killed_s(self) -> float | None:
        """When the backend is killed, or None."""
        return LEAD_S / self.pace if self.scenario is Scenario.OUTAGE else None

    @property
    def return_s(self) -> float:
        """When the backend is back; 0 where it never goes."""
        return (LEAD_S + AWAY_S / AWAY_HURRY) / self.pace if self.scenario is Scenario.OUTAGE else 0.0

    @property
    def clock(self) -> RunClock:
        """A kiosk's, not started."""
        return RunClock(self.pace, self.killed_s or 0.0, self.return_s, AWAY_HURRY)

    @property
    def from_what(self) -> str:
        """What the time of draining counts from."""
        return "last visit" if self.scenario is Scenario.DAY else "return"

    @property
    def last_visit_s(self) -> float:
        """No event is made after this."""
        return self.minutes * 60 if self.scenario is Scenario.DAY else self.return_s

    @property
    def drain_limit_s(self) -> float:
        """Seconds after the return, or after the last visit, within which everything must be told."""
        window_s = 0.0 if self.scenario is Scenario.DAY else self.minutes * 60
        return window_s + SETTLE_S / self.pace

    @property
    def p99_limit_ms(self) -> float | None:
        """What is asked of the slowest hundredth of the answers, where anything is."""
        return None if self.scenario is Scenario.DAY else P99_LIMIT_MS

    @property
    def end_s(self) -> float:
        """When the run is given up, whatever is not told yet."""
        return self.last_visit_s + self.drain_limit_s + GRACE_S

    def life(self, number: int, poll_s: float) -> Life:
        """Kiosk `number`; `poll_s`: the real kiosk's period of polls."""
        rng = random.Random(f"{self.seed}/{number}")  # noqa: S311  # a plan, not a secret
        first_poll_in_s = rng.uniform(0, poll_s)
        if self.scenario is Scenario.OUTAGE:
            return Life(kiosk_id(self.seed, number), 0.0, first_poll_in_s, self._outage_visits(number, rng))
        visits = [self._visit(hour, rng) for hour in visit_hours(site_kind(number), DAY.timetuple().tm_yday, rng)]
        online_from_s = 0.0
        if number % WEEKS_OFFLINE_EVERY == WEEKS_OFFLINE_EVERY - 1:
            online_from_s = rng.uniform(0.2, 0.8) * self.last_visit_s
            weeks = rng.randint(*WEEKS_OFFLINE_EVENTS) // _VISIT_EVENTS
            visits = [self._old_visit(rng.uniform(1, 28 * 24)) for _ in range(weeks)] + visits
        return Life(kiosk_id(self.seed, number), online_from_s, first_poll_in_s, tuple(visits))

    def _visit(self, hour: float, rng: random.Random) -> Visit:
        at_s = (hour - OPENS_H) * 3600 / self.visits_factor
        return Visit(at_s, rng.choice(EVENTS_PER_VISIT), _utc_ms(hour))

    def _old_visit(self, hours_ago: float) -> Visit:
        return Visit(0.0, _VISIT_EVENTS, _utc_ms(OPENS_H - hours_ago))

    def _outage_visits(self, number: int, rng: random.Random) -> tuple[Visit, ...]:
        """All while the backend is away, but for the first visit of a few."""
        times_s = sorted(rng.uniform(LEAD_S / self.pace, self.return_s) for _ in range(RETURN_EVENTS // _VISIT_EVENTS))
        if number % LEAD_EVERY == 0:
            times_s[0] = rng.uniform(0.0, LEAD_S / self.pace)
        return tuple(Visit(at_s, _VISIT_EVENTS, _utc_ms(12.0 + at_s * self.pace / 3600)) for at_s in times_s)


def _utc_ms(hour: float) -> int:
    midnight = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    return round((midnight.timestamp() + hour * 3600) * 1000)
