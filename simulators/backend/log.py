"""One JSON line on stderr per fact. Callers pass names, numbers and closed words only: no serial, no code, no body."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from contextlib import suppress
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


class _Libraries(logging.Handler):
    """What a library says, without what it fills its words with: that may be anybody's."""

    def emit(self, record: logging.LogRecord) -> None:
        """One fact; of an exception its kind."""
        error = record.exc_info[0] if record.exc_info else None
        detail = str(record.msg).partition("\n")[0]
        log("library", name=record.name, detail=detail, error=error.__name__ if error else None)


def tell_of_libraries() -> None:
    """From now on in this process: warnings and errors of libraries are facts too, where they were lines of text."""
    logging.getLogger().addHandler(_Libraries(logging.WARNING))


def _write() -> None:
    text = b"".join(_WAITING.lines).decode()
    _WAITING.lines.clear()
    with suppress(OSError):  # nobody reads any more, or the disk is full: to tell of that would fail again
        sys.stderr.write(text)
        sys.stderr.flush()
