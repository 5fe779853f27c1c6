"""The residue scanner: after a visit, nothing personal may be left in files, rows, logs or reachable objects.

It looks for the values it is told to look for, in every form they take on a wire or a disk: text (UTF-8 and UTF-16),
hexadecimal text, packed BCD. A test plants a value in each place and sees it found: else silence would prove nothing.
"""

from __future__ import annotations

import gc
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kiosk.card.values import Beneficiary, CardContent
from kiosk.visit.model import Member
from kiosk.visit.ports import Bitmap

MIN_NEEDLE_CHARACTERS = 4
"""A value this short (a 4-digit code) is found everywhere by chance: up to twice this length, whole words only."""
MIN_BINARY_FORM_BYTES = 6

_PICTURES = frozenset({".png", ".bmp", ".jpg", ".ppm"})
_PERSONAL_TYPES = (Member, CardContent, Beneficiary, Bitmap)
_NOT_ENTERED = (types.ModuleType, types.BuiltinFunctionType, types.CodeType, types.FrameType)


@dataclass(frozen=True, slots=True)
class Needle:
    """A value nobody may find. `label` names it without showing it."""

    label: str
    value: str = field(repr=False)

    def found_in(self, data: bytes) -> bool:
        """Whether any form of the value is in these bytes; in binary data a short form would be found by chance."""
        shortest = 1 if _is_text(data) else MIN_BINARY_FORM_BYTES
        return any(_contains(data, form) for form in self._forms() if len(form) >= shortest)

    def _forms(self) -> Iterator[bytes]:
        for text in {self.value, self.value.lower(), self.value.upper(), self.value.title()}:
            raw = text.encode("utf-8")
            yield from (raw, text.encode("utf-16-le"), raw.hex().encode("ascii"), raw.hex().upper().encode("ascii"))
        if self.value.isdigit() and len(self.value) > MIN_NEEDLE_CHARACTERS:
            for digits in {self.value, self.value + "f"}:
                if len(digits) % 2 == 0:
                    yield bytes.fromhex(digits)
                    yield from (digits.encode("ascii"), digits.upper().encode("ascii"))


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _contains(data: bytes, form: bytes) -> bool:
    start = data.find(form)
    if len(form) > MIN_NEEDLE_CHARACTERS * 2:
        return start >= 0
    while start >= 0:
        before, after = data[start - 1 : start], data[start + len(form) : start + len(form) + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        start = data.find(form, start + 1)
    return False


def scan_text(place: str, data: bytes, needles: Iterable[Needle]) -> list[str]:
    """`place: label` for each needle found in the bytes."""
    return [f"{place}: {needle.label}" for needle in needles if needle.found_in(data)]


def scan_files(root: Path, needles: Iterable[Needle], *, only: tuple[str, ...] = ()) -> list[str]:
    """Every regular file under `root` (of these suffixes), its name included. A picture is residue by itself."""
    needles = tuple(needles)
    found: list[str] = []
    for path in sorted(root.rglob("*")):
        if not path.is_file() or (only and path.suffix not in only):
            continue
        if path.suffix in _PICTURES:
            found.append(f"{path.name}: picture")
        found += scan_text(path.name, path.name.encode() + b"\n" + path.read_bytes(), needles)
    return found


def scan_rows(tables: Mapping[str, Iterable[tuple[object, ...]]], needles: Iterable[Needle]) -> list[str]:
    """Rows of the decrypted database, cell by cell."""
    needles = tuple(needles)
    found: set[str] = set()
    for table, rows in tables.items():
        for cell in (cell for row in rows for cell in row):
            data = cell if isinstance(cell, bytes) else str(cell).encode()
            found.update(scan_text(f"table {table}", data, needles))
    return sorted(found)


def scan_objects(
    roots: Iterable[object], needles: Iterable[Needle], *, ignore: tuple[str, ...] = ("simulators", "tests")
) -> list[str]:
    """Every object reachable from `roots`; objects of the `ignore`d top packages (the simulated card) are not entered.

    A `Member`, `CardContent`, `Beneficiary` or ticket `Bitmap` that is still reachable is residue by itself.
    """
    needles = tuple(needles)
    found: set[str] = set()
    seen: set[int] = set()
    stack: list[object] = list(roots)
    gc.collect()
    while stack:
        thing = stack.pop()
        if id(thing) in seen or isinstance(thing, _NOT_ENTERED):
            continue
        seen.add(id(thing))
        if isinstance(thing, type) or type(thing).__module__.split(".")[0] in ignore:
            continue
        if isinstance(thing, _PERSONAL_TYPES):
            found.add(f"object: {type(thing).__name__}")
        if isinstance(thing, str | bytes | bytearray | memoryview):
            data = thing.encode("utf-8", "surrogatepass") if isinstance(thing, str) else bytes(thing)
            found.update(scan_text("object", data, needles))
            continue
        if isinstance(thing, types.FunctionType):  # what it closed over, not the module it was written in
            stack += [thing.__closure__, thing.__defaults__, thing.__kwdefaults__]
        else:
            stack.extend(gc.get_referents(thing))
    return sorted(found)
