"""JSON without loopholes, both ways: UTF-8, an object on top, no duplicate key, no NaN, bounded in depth and size."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_DEPTH: Final = 16
_MAX_NUMBER_CHARS: Final = 40
# Possessive, and the closing quote optional: an unterminated string costs one pass, not one for each quote in it.
_MARKS: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def _no_deeper_than(levels: int) -> str:
    """A pattern of whatever has at most so many levels of brackets outside of strings, possessive throughout."""
    flat = r'[^"\[\]{}]*+(?:"(?:[^"\\]++|\\.)*+"[^"\[\]{}]*+)*+'
    pattern = flat
    for _ in range(levels):
        pattern = rf"{flat}(?:[\[{{]{pattern}[\]}}]{flat})*+"
    return pattern


_SHALLOW: Final = re.compile(_no_deeper_than(MAX_DEPTH), re.DOTALL)
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD]")
_NO_MARKS: Final = bytes(set(range(256)) - set(b'[]{}"\\'))
_DIGITS_ALIKE: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER: Final = b"0" * _MAX_NUMBER_CHARS  # its sign may be what is too much


@dataclass(frozen=True, slots=True)
class JsonError:
    """Why bytes are not acceptable JSON. `position`: character (byte if not UTF-8) of the trouble, -1 if unknown."""

    reason: str
    position: int = -1

    def __str__(self) -> str:
        return self.reason if self.position < 0 else f"{self.reason} at {self.position}"


class _LoopholeError(ValueError):
    """Something the standard decoder would take."""


def decode(raw: bytes, max_bytes: int) -> dict[str, Any] | JsonError:
    """Parse an object of at most `max_bytes`. No error repeats anything of the content but its position."""
    if len(raw) > max_bytes:
        return JsonError(f"longer than {max_bytes} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return JsonError("not UTF-8", error.start)
    # Each test is for what nearly every text is, and much cheaper than the next; of the rest the exact count judges.
    if not is_plainly_shallow(raw) and _SHALLOW.fullmatch(text) is None and (deep := _too_deep(text)) is not None:
        return deep
    decoder = _DECODER if _LONG_NUMBER in raw.translate(_DIGITS_ALIKE) else _SHORT_NUMBERS_DECODER
    try:
        value = decoder.decode(text)
        # An escaped lone surrogate is the one thing the decoder takes that UTF-8 cannot say.
        if _ESCAPED_SURROGATE.search(text) is not None:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        return JsonError("not JSON", error.pos)
    except _LoopholeError as error:
        return JsonError(str(error))
    except UnicodeEncodeError:
        return JsonError("a lone surrogate")
    return value if isinstance(value, dict) else JsonError("an object expected", 0)


def encode(value: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON. A value that JSON cannot say is a bug of ours and raises."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def is_plainly_shallow(raw: bytes) -> bool:
    """Brackets that pair up within MAX_DEPTH levels, no bracket in a string, nothing escaped: then it is."""
    marks = raw.translate(None, _NO_MARKS).replace(b'""', b"")
    for _ in range(MAX_DEPTH):
        if not marks:
            break
        marks = marks.replace(b"{}", b"").replace(b"[]", b"")  # the innermost level
    return not marks


def _too_deep(text: str) -> JsonError | None:
    depth = 0
    for mark in _MARKS.finditer(text):
        if mark[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return JsonError(f"deeper than {MAX_DEPTH} levels", mark.start())
        elif mark[0] in "]}":
            depth -= 1
    return None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _LoopholeError("a duplicate key")
    return value


def _no_constant(_: str) -> float:
    raise _LoopholeError("NaN or Infinity")


def _finite(text: str) -> float:
    if len(text) > _MAX_NUMBER_CHARS or not math.isfinite(number := float(text)):
        raise _LoopholeError("a number out of range")
    return number


def _bounded_int(text: str) -> int:
    if len(text) > _MAX_NUMBER_CHARS:
        raise _LoopholeError("a number out of range")
    return int(text)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_without_duplicates, parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded_int
)
_SHORT_NUMBERS_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_without_duplicates, parse_constant=_no_constant, parse_float=_finite
)
"""For a text without so many digits in a row that a whole number of it could be too long: a call less for each."""
