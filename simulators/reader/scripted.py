"""A PC/SC service that answers from a script: one row per call, in order, for tables of results.

A call that the script does not expect, or one after its end, raises `ScriptError`: the code under test did something
else than the test says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kiosk.hardware.pcsc.api import CardProtocol, Disposition, ReaderSnapshot


class ScriptError(AssertionError):
    """The script and the calls differ."""


@dataclass(frozen=True, slots=True)
class Row:
    """One expected call. `result` is the result code, `output` what comes with it (also when the call fails)."""

    call: str
    result: int = 0
    output: Any = None
    before: Callable[[], None] | None = None  # what happens in the world just before the answer


class ScriptedScard:
    """`Scard` from rows. `calls` records name and arguments of every call made."""

    def __init__(self, script: Sequence[Row], *, denied: bool = False) -> None:
        self._rows = list(script)
        self._denied = denied
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    @property
    def ended(self) -> bool:
        """Whether every row was used."""
        return not self._rows

    def establish_context(self) -> tuple[int, int]:
        return self._next("establish_context")

    def release_context(self, context: int) -> tuple[int, None]:
        return self._next("release_context", context)

    def list_readers(self, context: int) -> tuple[int, tuple[str, ...]]:
        return self._next("list_readers", context)

    def get_status_change(
        self, context: int, timeout_ms: int, states: Sequence[tuple[str, int]]
    ) -> tuple[int, tuple[ReaderSnapshot, ...]]:
        return self._next("get_status_change", context, timeout_ms, tuple(states))

    def cancel(self, context: int) -> tuple[int, None]:
        return self._next("cancel", context)

    def connect_exclusive(self, context: int, reader: str, protocols: CardProtocol) -> tuple[int, tuple[int, int]]:
        return self._next("connect_exclusive", context, reader, protocols)

    def transmit(self, card: int, protocol: CardProtocol, command: bytes) -> tuple[int, bytes]:
        return self._next("transmit", card, protocol, command)

    def disconnect(self, card: int, disposition: Disposition) -> tuple[int, None]:
        return self._next("disconnect", card, disposition)

    def access_denied(self) -> bool:
        return self._denied

    def _next(self, call: str, *arguments: Any) -> tuple[int, Any]:
        self.calls.append((call, arguments))
        if not self._rows or self._rows[0].call != call:
            expected = self._rows[0].call if self._rows else "the end"
            raise ScriptError(f"{call} called, the script expects {expected}")
        row = self._rows.pop(0)
        if row.before is not None:
            row.before()
        return row.result, row.output
