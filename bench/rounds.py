"""Medians of alternating rounds, so that a busy moment of the machine meets value and baseline alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

Measure = Callable[[], float]
"""Does something once and returns what it took."""


def alternate(rounds: int, measures: Sequence[Measure]) -> list[float]:
    """The median of each measure. Every round does all, in turning order; a round before the first is not counted."""
    taken: list[list[float]] = [[] for _ in measures]
    for number in range(rounds + 1):
        for position in range(len(measures)):
            which = (position + number) % len(measures)
            value = measures[which]()
            if number:
                taken[which].append(value)
    return [median(values) for values in taken]


def timed(work: Callable[[], object], repeat: int = 1) -> Measure:
    """Seconds of one call of `work`, the mean of `repeat` calls."""

    def measure() -> float:
        began_s = perf_counter()
        for _ in range(repeat):
            work()
        return (perf_counter() - began_s) / repeat

    return measure


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that more than `share` of all do not exceed."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]
