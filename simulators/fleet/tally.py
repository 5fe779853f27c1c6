"""What one process of the fleet has counted, and putting several such counts together."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

TIMED: Final = ("handshake", "events", "policy")


@dataclass(frozen=True, slots=True)
class Second:
    """One moment of the run: totals so far, and what waits. `at_s` since the start."""

    at_s: float
    waiting: int
    acked: int
    requests: int
    handshakes: int
    errors: int
    connections: int


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
    """Counters. `requests`: by route, answered and proven; `failures`: by kind, with the second of each."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, array[float]] = field(default_factory=lambda: {name: array("f") for name in TIMED})
    lost_answers: int = 0
    resent: int = 0
    connections: int = 0
    waiting: int = 0
    acked: int = 0
    drained_s: float = 0.0
    late_s: float = 0.0  # how far this process was behind its own clock

    def at(self, now_s: float) -> Second:
        """A moment for the curve."""
        return Second(
            at_s=now_s,
            waiting=self.waiting,
            acked=self.acked,
            requests=self.requests.total(),
            handshakes=len(self.seconds["handshake"]),
            errors=self.errors.total(),
            connections=self.connections,
        )

    def add(self, other: Tally) -> None:
        """Take over what another process has counted."""
        for mine, theirs in (
            (self.requests, other.requests),
            (self.statuses, other.statuses),
            (self.failures, other.failures),
            (self.errors, other.errors),
        ):
            mine.update(theirs)
        for name, values in other.seconds.items():
            self.seconds[name].extend(values)
        self.lost_answers += other.lost_answers
        self.resent += other.resent
        self.waiting += other.waiting
        self.acked += other.acked
        self.drained_s = max(self.drained_s, other.drained_s)
        self.late_s = max(self.late_s, other.late_s)


def together(moments: list[Second]) -> Second:
    """The same moment of several processes as one."""
    return Second(
        at_s=max(moment.at_s for moment in moments),
        waiting=sum(moment.waiting for moment in moments),
        acked=sum(moment.acked for moment in moments),
        requests=sum(moment.requests for moment in moments),
        handshakes=sum(moment.handshakes for moment in moments),
        errors=sum(moment.errors for moment in moments),
        connections=sum(moment.connections for moment in moments),
    )


def percentile_ms(values: array[float], percent: float) -> float:
    """Milliseconds of the value that `percent` of all reach at most (nearest rank); 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    rank = max(0, min(len(ordered) - 1, -(-len(ordered) * percent // 100) - 1))
    return ordered[int(rank)] * 1000
