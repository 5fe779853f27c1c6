"""Start of the process → first frame presented: the kiosk's own `run`, against an empty QML window."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.figures import Figure
from bench.rounds import alternate

BAR: Final = 3.0
LIMIT_S: Final = 60.0


def figures(rounds: int) -> list[Figure]:
    """Both drawn in software, offscreen, from warm disk caches; the kiosk's first frame is one that shows a page."""
    with TemporaryDirectory(prefix="kiosk-bench-") as folder:
        kiosk_s, empty_s = alternate(rounds, (partial(_start, "kiosk", folder), partial(_start, "empty")))
    return [Figure("cold start → first frame / empty window", kiosk_s * 1000, "ms", empty_s * 1000, BAR)]


def _start(*what: str) -> float:
    began_s = time.clock_gettime(time.CLOCK_MONOTONIC)
    done = subprocess.run(
        [sys.executable, "-m", "bench.first_frame", *what],
        cwd=Path(__file__).parents[1],
        check=True,
        stdout=subprocess.PIPE,
        timeout=LIMIT_S,
    )
    return float(json.loads(done.stdout)["presented_s"]) - began_s
