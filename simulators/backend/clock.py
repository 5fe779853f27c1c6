"""Wall time as the backend sees it; tests put their own in its place."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Final

UtcSeconds = Callable[[], int]
"""Whole seconds since 1970 (UTC)."""

SECONDS_PER_DAY: Final = 86_400


def system_utc_s() -> int:
    """The machine's wall clock."""
    return int(time.time())


def utc(now_s: int) -> dt.datetime:
    """The same moment as an aware datetime."""
    return dt.datetime.fromtimestamp(now_s, dt.UTC)
