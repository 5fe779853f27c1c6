"""What one process of the fleet has counted, and putting several such counts together."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from kiosk.chores.documents import POLICY_ROUTE
from kiosk.sync.uploader import EVENTS_ROUTE

TIMED: Final = ("handshake", "events", "policy")
AWAY: Final = "while the backend was away"


@dataclass(frozen=True, slots=True)
class Second:
    """One moment of the run: totals so far, and what waits. `at_s` since the start.

    waiting: events not told yet. calls: kiosks that connect, shake hands or wait for an answer at this moment: the work
    that waits for the backend, wherever it waits. database_cpu_s: None where the engine is not ours.
    """

    at_s: float
    waiting: int
    polls: int
    batches: int
    handshakes: int
    connections: int
    calls: int
    fleet_cpu_s: float
    backend_cpu_s: float = 0.0
    database_cpu_s: float | None = None

    @property
    def requests(self) -> int:
        """All that were answered."""
        return self.polls + self.batches


@dataclass(frozen=True, slots=True)
class KioskEnd:
    """What one kiosk says at the end; `in_flight`: identifiers whose fate it does not know."""

    kiosk: str
    made: int
    acked: int
    acked_id_sum: int
    last_acked_seq: int
    in_flight: tuple[str, ...] = field(repr=False)


@dataclass(slots=True)
class Tally:
    """Counters. `requests`: by route, answered and proven. `failures` and `errors`: by kind, while the backend was away
    and while it was there; `failed_at`: both, by kind (or `AWAY`) and second of the run.

    seconds, at_s: how long each call took and when it ended, in the same order.
    """

    requests: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    failed_at: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: dict[str, array[float]] = field(default_factory=lambda: {name: array("f") for name in TIMED})
    at_s: dict[str, array[float]] = field(default_factory=lambda: {name: array("f") for name in TIMED})
    lost_answers: int = 0
    resent: int = 0
    connections: int = 0
    calls: int = 0
    waiting: int = 0
    drained_s: float = 0.0
    late_s: float = 0.0  # how far this process was behind its own clock

    def took(self, name: str, seconds: float, at_s: float) -> None:
        """A call, or a handshake (`TIMED`), came to its end."""
        self.seconds[name].append(seconds)
        self.at_s[name].append(at_s)

    def failed(self, kind: str, at_s: float, *, while_away: bool = False, count: int = 1) -> None:
        """So many of them came to nothing."""
        (self.failures if while_away else self.errors)[kind] += count
        self.failed_at[AWAY if while_away else kind, int(at_s)] += count

    def moment(self, now_s: float, cpu_s: float) -> Second:
        """A moment for the curve."""
        return Second(
            at_s=now_s,
            waiting=self.waiting,
            polls=self.requests[POLICY_ROUTE],
            batches=self.requests[EVENTS_ROUTE],
            handshakes=len(self.seconds["handshake"]),
            connections=self.connections,
            calls=self.calls,
            fleet_cpu_s=cpu_s,
        )

    def add(self, other: Tally) -> None:
        """Take over what another process has counted."""
        self.requests.update(other.requests)
        self.failures.update(other.failures)
        self.errors.update(other.errors)
        self.failed_at.update(other.failed_at)
        for name in TIMED:
            self.seconds[name].extend(other.seconds[name])
            self.at_s[name].extend(other.at_s[name])
        self.lost_answers += other.lost_answers
        self.resent += other.resent
        self.waiting += other.waiting
        self.drained_s = max(self.drained_s, other.drained_s)
        self.late_s = max(self.late_s, other.late_s)


def together(moments: list[Second]) -> Second:
    """The same moment of several processes as one."""
    return Second(
        at_s=max(moment.at_s for moment in moments),
        waiting=sum(moment.waiting for moment in moments),
        polls=sum(moment.polls for moment in moments),
        batches=sum(moment.batches for moment in moments),
        handshakes=sum(moment.handshakes for moment in moments),
        connections=sum(moment.connections for moment in moments),
        calls=sum(moment.calls for moment in moments),
        fleet_cpu_s=sum(moment.fleet_cpu_s for moment in moments),
    )


def percentile_ms(values: array[float], percent: float) -> float:
    """Milliseconds of the value that `percent` of all reach at most (nearest rank); 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    rank = max(0, min(len(ordered) - 1, -(-len(ordered) * percent // 100) - 1))
    return ordered[int(rank)] * 1000
