"""Resident memory of the kiosk's process after one visit; the simulators' reader and card, in it too, make it more."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.figures import Figure

BAR_MB: Final = 160.0
_MB_PER_KIB: Final = 1024 / 1_000_000


def figures(rounds: int) -> list[Figure]:
    """One whole visit, update and ticket included; `rounds` has no meaning here: a second visit is not the first."""
    from bench.visit import one_visit  # noqa: PLC0415  # Qt only in the process that measures

    del rounds
    with one_visit():
        return [
            Figure("resident memory after the first visit", rss_mb(), "MB", bar=BAR_MB),
            Figure("of it, not shared with any process", uss_mb(), "MB"),
        ]


def rss_mb() -> float:
    """Resident set of this process, MB."""
    return _field(Path("/proc/self/status"), "VmRSS")


def uss_mb() -> float:
    """What this process alone holds, MB."""
    rollup = Path("/proc/self/smaps_rollup")
    return _field(rollup, "Private_Clean") + _field(rollup, "Private_Dirty")


def _field(path: Path, name: str) -> float:
    for line in path.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * _MB_PER_KIB
    raise ValueError(f"{path} has no {name}")
