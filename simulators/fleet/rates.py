"""What a run's moments and times say of each second: rates, processor time, percentiles."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

from simulators.fleet.tally import Second, Tally, percentile_ms

TOO_CLOSE_S: Final = 0.5
"""Between two moments: a rate over less is chance."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Per second, between two moments; `until_s` of the run. Cores: processor seconds per second."""

    until_s: float
    polls: float
    batches: float
    handshakes: float
    backend_cores: float
    database_cores: float
    fleet_cores: float

    @property
    def requests(self) -> float:
        """All that were answered."""
        return self.polls + self.batches


def rates(moments: Sequence[Second]) -> list[Rate]:
    """Between each two moments that are not too close."""
    return [_rate(before, after) for before, after in pairwise(moments) if after.at_s - before.at_s > TOO_CLOSE_S]


def _rate(before: Second, after: Second) -> Rate:
    span_s = after.at_s - before.at_s
    return Rate(
        until_s=after.at_s,
        polls=(after.polls - before.polls) / span_s,
        batches=(after.batches - before.batches) / span_s,
        handshakes=(after.handshakes - before.handshakes) / span_s,
        backend_cores=max(0.0, after.backend_cpu_s - before.backend_cpu_s) / span_s,
        database_cores=max(0.0, (after.database_cpu_s or 0.0) - (before.database_cpu_s or 0.0)) / span_s,
        fleet_cores=(after.fleet_cpu_s - before.fleet_cpu_s) / span_s,
    )


def percentiles_ms(tally: Tally, names: Sequence[str], percent: float, bin_s: float) -> list[tuple[float, float]]:
    """(middle of a bin of so many seconds of the run, milliseconds) for what ended in it; empty bins are left out."""
    ended = sorted(
        (int(at_s / bin_s), took_s)
        for name in names
        for at_s, took_s in zip(tally.at_s[name], tally.seconds[name], strict=True)
    )
    return [
        ((number + 0.5) * bin_s, percentile_ms(array("f", (took_s for _, took_s in part)), percent))
        for number, part in groupby(ended, key=lambda one: one[0])
    ]
