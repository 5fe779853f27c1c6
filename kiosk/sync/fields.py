"""Reading checked fields out of a strict-JSON object: the first missing, mistyped or out-of-range field is the error.

A builder reads with `Fields`; `read` runs it and turns the first trouble into a `FieldError`. Unknown fields are
ignored: a newer backend may say more. No error repeats a value.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NoReturn, TypeVar

LATEST_S: Final = 9_999_999_999
"""The last second since 1970 that a message may name."""
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class FieldError:
    """`field` is the dotted path (`updates[0].update_id`), `reason` what was expected of it."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class _BadFieldError(Exception):
    """Carries a `FieldError` from a reader to `read`; never leaves this module."""

    def __init__(self, error: FieldError) -> None:
        super().__init__(error.reason)
        self.error = error


class Fields:
    """One object of a message, at a known place in it. For use inside a builder given to `read`."""

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._values, self._path = values, path

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._values.get(name) is not None

    def optional(self, name: str, reader: Callable[[str], T]) -> T | None:
        """`reader(name)` unless the field is null. It must be there."""
        return None if self._get(name) is None else reader(name)

    def text(self, name: str, *, pattern: re.Pattern[str] | None = None, max_chars: int = 200) -> str:
        """A text that matches the whole pattern, or is at most `max_chars` long."""
        value = self._get(name)
        if not isinstance(value, str):
            self.refuse(name, "a text expected")
        if len(value) > max_chars:
            self.refuse(name, f"at most {max_chars} characters expected")
        if pattern is not None and not pattern.fullmatch(value):
            self.refuse(name, f"the form {pattern.pattern} expected")
        return value

    def octets(self, name: str, low: int, high: int) -> bytes:
        """`low` to `high` bytes written in lower-case hex."""
        value = self._get(name)
        raw = b""
        if isinstance(value, str) and 2 * low <= len(value) <= 2 * high:
            with contextlib.suppress(ValueError):
                raw = bytes.fromhex(value)
        if raw.hex() != value or not value:  # `fromhex` is laxer: capitals, spaces
            self.refuse(name, f"{low} to {high} bytes in lower-case hex expected")
        return raw

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(name, f"a whole number from {low} to {high} expected")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._get(name)
        if not isinstance(value, bool):
            self.refuse(name, "true or false expected")
        return value

    def one_of(self, name: str, kind: type[E]) -> E:
        """A member of a closed list, by value."""
        value = self._get(name)
        if not isinstance(value, str) or value not in [member.value for member in kind]:
            self.refuse(name, f"one of {', '.join(kind)} expected")
        return kind(value)

    def texts(self, name: str, *, pattern: re.Pattern[str], low: int = 0, high: int) -> tuple[str, ...]:
        """A list of `low` to `high` texts of one form."""
        values = self._list(name, low, high)
        for index, value in enumerate(values):
            if not isinstance(value, str) or not pattern.fullmatch(value):
                self.refuse(f"{name}[{index}]", f"the form {pattern.pattern} expected")
        return tuple(values)

    def object(self, name: str) -> Fields:
        """An object inside."""
        value = self._get(name)
        if not isinstance(value, dict):
            self.refuse(name, "an object expected")
        return Fields(value, f"{self._path}{name}.")

    def objects(self, name: str, *, low: int = 0, high: int) -> tuple[Fields, ...]:
        """A list of `low` to `high` objects."""
        values = self._list(name, low, high)
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                self.refuse(f"{name}[{index}]", "an object expected")
        return tuple(Fields(value, f"{self._path}{name}[{index}].") for index, value in enumerate(values))

    def raw(self) -> Mapping[str, Any]:
        """The object itself, for a reader with its own rules."""
        return self._values

    def refuse(self, name: str, reason: str) -> NoReturn:
        """Make `name` the error."""
        raise _BadFieldError(FieldError(f"{self._path}{name}", reason))

    def _get(self, name: str) -> Any:
        if name not in self._values:
            self.refuse(name, "missing")
        return self._values[name]

    def _list(self, name: str, low: int, high: int) -> list[Any]:
        value = self._get(name)
        if not isinstance(value, list) or not low <= len(value) <= high:
            self.refuse(name, f"a list of {low} to {high} expected")
        return list(value)


def read(values: Mapping[str, Any], builder: Callable[[Fields], T]) -> T | FieldError:
    """Run a builder over a message; its first trouble is the result."""
    try:
        return builder(Fields(values))
    except _BadFieldError as bad:
        return bad.error
