"""What a run has shown: its figures, what is asked of them, and whether that was met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from simulators.fleet.check import Check
from simulators.fleet.plan import GRACE_S, Plan
from simulators.fleet.tally import Second, Tally, percentile_ms

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds of the run, and the most memory seen. `database_cpu_s`: None where the engine is not ours."""

    backend_cpu_s: float
    database_cpu_s: float | None
    fleet_cpu_s: float
    backend_rss_bytes: int
    fleet_rss_bytes: int


@dataclass(frozen=True, slots=True)
class Result:
    """All that a report needs."""

    plan: Plan
    engine: str
    cores: int
    backend_processes: int
    fleet_processes: int
    provision_s: float
    load_before: float
    load_after: float
    back_s: float
    tally: Tally = field(repr=False)
    moments: tuple[Second, ...] = field(repr=False)
    cost: Cost
    check: Check
    made: int

    @property
    def drained_after_s(self) -> float:
        """Seconds from the return of the backend, or from the last visit, to the last acknowledgement."""
        return max(0.0, self.tally.drained_s - max(self.back_s, self.plan.last_visit_s))

    @property
    def p99_ms(self) -> float:
        """Of the answers to batches and polls, whichever is slower."""
        return max(percentile_ms(self.tally.seconds[name], 99) for name in ("events", "policy"))

    @property
    def bars(self) -> tuple[tuple[str, bool], ...]:
        """What is asked of a run (channel reference §8.2), in words with its figure, and whether it was met."""
        plan, check, errors = self.plan, self.check, self.tally.errors.total()
        drained = (
            f"all told {self.drained_after_s:.1f} s after the {plan.from_what} (at most {plan.drain_limit_s:.0f} s)"
        )
        if self.tally.waiting:
            drained = (
                f"{self.tally.waiting} events not told {plan.drain_limit_s + GRACE_S:.0f} s after the {plan.from_what}"
            )
        wrong = f"{check.wrong_kiosks} kiosks with an event lost or doubled, {check.gaps} gaps"
        bars = [
            (drained, self.tally.waiting == 0 and self.drained_after_s <= plan.drain_limit_s),
            ("nothing lost, nothing twice" if check.is_good else wrong, check.is_good),
            (f"{errors} errors" if errors else "no error", not errors),
        ]
        if plan.p99_limit_ms is not None:
            slow = f"99 % of the answers within {self.p99_ms:.0f} ms (at most {plan.p99_limit_ms:.0f} ms)"
            bars.append((slow, self.p99_ms <= plan.p99_limit_ms))
        return tuple(bars)

    @property
    def is_good(self) -> bool:
        """Every bar was met."""
        return all(is_met for _, is_met in self.bars)
