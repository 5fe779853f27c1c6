"""On what it was measured: versions, cores, load."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Final

PACKAGES: Final = ("PySide6-Essentials", "pyscard", "cryptography", "apsw-sqlite3mc", "httpx2")


def describe() -> str:
    """Three lines."""
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}, {platform.machine()}\n"
        f"{packages}\n"
        f"{len(os.sched_getaffinity(0))} cores, load {load}"
    )
