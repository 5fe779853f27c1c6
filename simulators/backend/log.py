"""One JSON line on stderr per fact. Callers pass names, numbers and closed words only: no serial, no code, no body."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Final

import orjson


class _Waiting(threading.local):
    """Lines of a loop's present turn: they are written together at its end."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []


_WAITING: Final = _Waiting()


def log(event: str, **fields: str | int | float | None) -> None:
    """Tell the fact with the machine's time; empty fields are left out."""
    entry = {"time_s": round(time.time(), 3), "event": event}
    entry.update({name: value for name, value in fields.items() if value not in (None, "")})
    _WAITING.lines.append(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _write()
    else:
        if len(_WAITING.lines) == 1:
            loop.call_soon(_write)


def _write() -> None:
    text = b"".join(_WAITING.lines).decode()
    _WAITING.lines.clear()
    sys.stderr.write(text)
    sys.stderr.flush()
