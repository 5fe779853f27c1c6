"""Calls to a service that may no longer answer, for threads that must not wait with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(limit_s: float, call: Callable[[], T]) -> T | None:
    """What `call` returns, or None after this long; its thread is then left behind until the service lets go."""
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(call()), name="pcsc-call", daemon=True)
    thread.start()
    thread.join(limit_s)
    return results[0] if results else None
