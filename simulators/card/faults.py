"""Planned faults of a simulated card, as data: "at the n-th APDU", or "at the n-th APDU with this INS".

Plan file: `{"faults": [{"kind": "removed_before", "at": 3}, {"kind": "wrong_sw", "at": 1, "ins": "d6", "sw": "6f00"},
{"kind": "delay", "at": 2, "delay_ms": 500}, {"kind": "torn_write", "at": 4}, {"kind": "mute"}]}`. Counts start at 1 and
go on over re-insertions of the same card object; each fault happens once, `mute` always.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

MAX_PLAN_BYTES: Final = 16_384
MAX_FAULTS: Final = 64
MAX_COUNT: Final = 1_000_000
MAX_DELAY_MS: Final = 600_000


class FaultKind(StrEnum):
    """What goes wrong."""

    REMOVED_BEFORE = "removed_before"  # the card is gone before the APDU reaches it
    REMOVED_AFTER = "removed_after"  # the APDU is executed, the answer never leaves
    WRONG_SW = "wrong_sw"  # this status word instead of executing
    HANG = "hang"  # no answer until the power goes
    DELAY = "delay"  # executed and answered late
    TORN_WRITE = "torn_write"  # gone before the n-th write of an EEPROM page
    MUTE = "mute"  # no ATR at any power-up


class CardGoneError(Exception):
    """The card left the reader during an exchange. A transport turns this into "card removed"."""


class CardHangsError(Exception):
    """The card does not answer. A transport stays silent until the card is removed or its power goes."""


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One fault. `at`: which APDU (or page write) from 1; `ins`: count only APDUs with this INS."""

    kind: FaultKind
    at: int = 1
    ins: int | None = None
    sw: int = 0x6F00
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class FaultPlanError:
    """Why a plan is refused: file, JSON path, cause."""

    file: str
    path: str
    cause: str

    def __str__(self) -> str:
        return f"{self.file}: {self.path}: {self.cause}"


@dataclass(slots=True)
class FaultPlan:
    """Counts what happens to the card and says which fault is due."""

    faults: list[PlannedFault]
    _apdus: int = 0
    _writes: int = 0
    _by_ins: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, faults: Iterable[PlannedFault]) -> FaultPlan:
        """A plan at its beginning."""
        return cls(list(faults))

    @property
    def mute(self) -> bool:
        """No ATR."""
        return any(fault.kind is FaultKind.MUTE for fault in self.faults)

    def at_apdu(self, apdu: bytes) -> PlannedFault | None:
        """Count one APDU; the fault due at it."""
        self._apdus += 1
        ins = apdu[1] if len(apdu) > 1 else -1
        self._by_ins[ins] = self._by_ins.get(ins, 0) + 1
        for fault in self.faults:
            if fault.kind in (FaultKind.MUTE, FaultKind.TORN_WRITE):
                continue
            count = self._apdus if fault.ins is None else self._by_ins[ins] if fault.ins == ins else 0
            if count == fault.at:
                return fault
        return None

    def at_write(self) -> None:
        """Count one page write; raises `CardGoneError` at a planned tear."""
        self._writes += 1
        if any(fault.kind is FaultKind.TORN_WRITE and fault.at == self._writes for fault in self.faults):
            raise CardGoneError


def load_plan(path: Path) -> tuple[PlannedFault, ...] | FaultPlanError:
    """The plan in a JSON file of at most 16 KiB."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_PLAN_BYTES + 1)
    except OSError as error:
        return FaultPlanError(path.name, "$", error.strerror or "not readable")
    return parse_plan(raw, path.name)


def parse_plan(raw: bytes, file: str) -> tuple[PlannedFault, ...] | FaultPlanError:
    """The plan in JSON text; the first thing wrong with it otherwise."""
    if len(raw) > MAX_PLAN_BYTES:
        return FaultPlanError(file, "$", f"more than {MAX_PLAN_BYTES} bytes")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return FaultPlanError(file, "$", "not JSON")
    if not isinstance(document, dict) or list(document) != ["faults"] or not isinstance(document["faults"], list):
        return FaultPlanError(file, "$", "an object with one list 'faults' expected")
    if len(document["faults"]) > MAX_FAULTS:
        return FaultPlanError(file, "$.faults", f"at most {MAX_FAULTS} entries expected")
    faults: list[PlannedFault] = []
    for index, entry in enumerate(document["faults"]):
        fault = _fault(entry)
        if not isinstance(fault, PlannedFault):
            name, cause = fault
            return FaultPlanError(file, f"$.faults[{index}]{name}", cause)
        faults.append(fault)
    return tuple(faults)


def _fault(entry: Any) -> PlannedFault | tuple[str, str]:
    """The fault, or where in it (`.at`) and why it is wrong."""
    if not isinstance(entry, dict):
        return "", "an object expected"
    kinds = [kind.value for kind in FaultKind]
    if entry.get("kind") not in kinds:
        return ".kind", f"one of {', '.join(kinds)} expected"
    kind = FaultKind(entry["kind"])
    for name in entry:
        if name not in _FIELDS[kind]:
            return f".{name}", f"not a field of {kind}"
    for name, required in _FIELDS[kind].items():
        if required and name not in entry:
            return f".{name}", "missing"
    numbers = {"at": MAX_COUNT, "delay_ms": MAX_DELAY_MS}
    for name, maximum in numbers.items():
        value = entry.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= maximum:
            return f".{name}", f"a whole number from 1 to {maximum} expected"
    values: dict[str, int] = {name: entry[name] for name in numbers if name in entry}
    for name, digits in (("ins", 2), ("sw", 4)):
        if name in entry:
            number = _hex(entry[name], digits)
            if number is None:
                return f".{name}", f"{digits} hexadecimal digits expected"
            values[name] = number
    return PlannedFault(kind, **values)


def _hex(value: Any, digits: int) -> int | None:
    if not isinstance(value, str) or len(value) != digits or not set(value) <= set("0123456789abcdefABCDEF"):
        return None
    return int(value, 16)


_AT_APDU: Final = {"kind": True, "at": True, "ins": False}
_FIELDS: Final[dict[FaultKind, dict[str, bool]]] = {
    FaultKind.REMOVED_BEFORE: _AT_APDU,
    FaultKind.REMOVED_AFTER: _AT_APDU,
    FaultKind.WRONG_SW: {**_AT_APDU, "sw": True},
    FaultKind.HANG: _AT_APDU,
    FaultKind.DELAY: {**_AT_APDU, "delay_ms": True},
    FaultKind.TORN_WRITE: {"kind": True, "at": True},
    FaultKind.MUTE: {"kind": True},
}
