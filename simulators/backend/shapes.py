"""What request bodies must look like, as data: exact fields and types, bounded sizes; errors name field and cause.

The same values say it to others: each has its JSON Schema (2020-12), from which the API document is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

MAX_INT: Final = 2**53 - 1


class Check(Protocol):
    """One kind of value. `schema` takes exactly what the check takes, but for 1.0: here it is no whole number."""

    def __call__(self, value: Any, path: str) -> str | None:
        """None, or a sentence that names the path and the cause and never the value."""
        ...

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of what is taken."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """An object with exactly these fields."""

    fields: Mapping[str, Check]

    def __call__(self, value: Any, path: str) -> str | None:
        """Check every field; unknown ones are refused."""
        if not isinstance(value, dict):
            return f"{path or 'body'}: an object expected"
        if value.keys() != self.fields.keys():
            missing = [name for name in self.fields if name not in value]
            return f"{_join(path, missing[0])}: missing" if missing else f"{path or 'body'}: unknown field"
        for name, check in self.fields.items():
            if check(value[name], name) is not None:  # the whole path is spelt out for an error only
                return check(value[name], _join(path, name))
        return None

    def schema(self) -> dict[str, Any]:
        """An object, closed."""
        return {
            "type": "object",
            "properties": {name: check.schema() for name, check in self.fields.items()},
            "required": list(self.fields),
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Text:
    """A string that matches the whole pattern (classes like `\\w` are ASCII)."""

    pattern: str
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", re.compile(self.pattern, re.ASCII))

    def __call__(self, value: Any, path: str) -> str | None:
        """Type, then form."""
        if not isinstance(value, str):
            return f"{path}: a text expected"
        return None if self._compiled.fullmatch(value) else f"{path}: wrong form"

    def schema(self) -> dict[str, Any]:
        """A string with an anchored pattern."""
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


class OneOf:
    """One of a closed list of words."""

    def __init__(self, *words: str) -> None:
        self.words: Final = words

    def __call__(self, value: Any, path: str) -> str | None:
        """Type, then membership."""
        if not isinstance(value, str):
            return f"{path}: a text expected"
        return None if value in self.words else f"{path}: wrong form"

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds; true and false are none."""

    lowest: int
    highest: int = MAX_INT

    def __call__(self, value: Any, path: str) -> str | None:
        """Type, then range."""
        if isinstance(value, bool) or not isinstance(value, int):
            return f"{path}: a whole number expected"
        return None if self.lowest <= value <= self.highest else f"{path}: out of range"

    def schema(self) -> dict[str, Any]:
        """A bounded integer."""
        return {"type": "integer", "minimum": self.lowest, "maximum": self.highest}


class Truth:
    """true or false."""

    def __call__(self, value: Any, path: str) -> str | None:
        """Type only."""
        return None if isinstance(value, bool) else f"{path}: true or false expected"

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Maybe:
    """null, or what `check` takes."""

    check: Check

    def __call__(self, value: Any, path: str) -> str | None:
        """null passes."""
        return None if value is None else self.check(value, path)

    def schema(self) -> dict[str, Any]:
        """Either of the two."""
        return {"anyOf": [self.check.schema(), {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class Either:
    """What one of the checks takes; the sentence of a refusal is the last one's."""

    checks: tuple[Check, ...]

    def __call__(self, value: Any, path: str) -> str | None:
        """In order."""
        problem: str | None = None
        for check in self.checks:
            problem = check(value, path)
            if problem is None:
                return None
        return problem

    def schema(self) -> dict[str, Any]:
        """Any of them."""
        return {"anyOf": [check.schema() for check in self.checks]}


@dataclass(frozen=True, slots=True)
class Items:
    """A list of at most `most` entries."""

    check: Check
    most: int

    def __call__(self, value: Any, path: str) -> str | None:
        """Length first."""
        if not isinstance(value, list):
            return f"{path}: a list expected"
        if len(value) > self.most:
            return f"{path}: too many entries"
        for index, entry in enumerate(value):
            if self.check(entry, path) is not None:
                return self.check(entry, f"{path}[{index}]")
        return None

    def schema(self) -> dict[str, Any]:
        """A bounded array."""
        return {"type": "array", "items": self.check.schema(), "maxItems": self.most}


@dataclass(frozen=True, slots=True)
class Named:
    """An object with free names of one form, at most `most` of them."""

    key: Check
    check: Check
    most: int

    def __call__(self, value: Any, path: str) -> str | None:
        """Number of names first; a name is not repeated in the sentence unless it has passed."""
        if not isinstance(value, dict):
            return f"{path}: an object expected"
        if len(value) > self.most:
            return f"{path}: too many entries"
        for name, entry in value.items():
            if self.key(name, path):
                return f"{path}: a name of wrong form"
            if self.check(entry, path) is not None:
                return self.check(entry, f"{path}.{name}")
        return None

    def schema(self) -> dict[str, Any]:
        """An open, bounded object."""
        return {
            "type": "object",
            "propertyNames": self.key.schema(),
            "additionalProperties": self.check.schema(),
            "maxProperties": self.most,
        }


@dataclass(frozen=True, slots=True)
class JudgedLater:
    """Anything; what should be there is judged one by one elsewhere, each with its own result."""

    check: Check

    def __call__(self, value: Any, path: str) -> str | None:
        """Always taken."""
        return None

    def schema(self) -> dict[str, Any]:
        """Takes anything, and tells what is meant."""
        return {"anyOf": [self.check.schema(), {}]}


class Null:
    """null."""

    def __call__(self, value: Any, path: str) -> str | None:
        """Only that."""
        return None if value is None else f"{path}: null expected"

    def schema(self) -> dict[str, Any]:
        """The type of one value."""
        return {"type": "null"}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
