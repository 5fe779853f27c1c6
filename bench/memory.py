"""Resident memory of the kiosk after one visit; the card and its reader, in the same process, make it a little more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.figures import Figure

BAR_MB: Final = 160.0
LIMIT_S: Final = 120.0
_MB_PER_KIB: Final = 1024 / 1_000_000


def figures(rounds: int) -> list[Figure]:
    """One whole visit, update and ticket included; `rounds` has no meaning here: a second visit is not the first."""
    from kiosk.settings import KioskSettings, Settings  # noqa: PLC0415  # none of this in the process that is measured
    from kiosk.visit.policy import SiteKind  # noqa: PLC0415
    from simulators.backend import running  # noqa: PLC0415
    from simulators.printer.pty import PtyPrinter  # noqa: PLC0415
    from simulators.stage import enrol  # noqa: PLC0415

    del rounds
    with TemporaryDirectory(prefix="kiosk-bench-") as name:
        folder = Path(name)
        tickets = folder / "tickets"
        tickets.mkdir()
        settings = Settings(kiosk=KioskSettings(folder / "kiosk", serial="K-0999"))
        with running(folder / "backend") as backend, PtyPrinter(folder=tickets) as printer:
            enrol(settings, backend, folder / "ticket", SiteKind.AGENCY)
            said = subprocess.run(
                [sys.executable, "-m", "bench.visit", str(settings.kiosk.state_dir), printer.port, str(tickets)],
                cwd=Path(__file__).parents[1],
                check=True,
                stdout=subprocess.PIPE,
                timeout=LIMIT_S,
            ).stdout
    measured = json.loads(said)
    return [
        Figure("resident memory after the first visit", measured["rss_mb"], "MB", bar=BAR_MB),
        Figure("of it, shared with no other process", measured["uss_mb"], "MB"),
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
