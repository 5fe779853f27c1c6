"""Fault plans in JSON: one file for the card and, in a second section, for the reader it is in.

    {"seed": 7,
     "faults": [{"kind": "removed_before", "at": 3}, {"kind": "wrong_sw", "at": 1, "ins": "d6", "sw": "6f00"},
                {"kind": "delay", "at": 2, "delay_ms": 500, "jitter_ms": 200, "times": 4},
                {"kind": "removed_in_write", "at": 3, "byte": 70, "rest": "old"}, {"kind": "mute"},
                {"kind": "flaky", "at": 5, "times": 3, "for_ms": 900}, {"kind": "swapped", "at": 4, "persona": "torn"}],
     "reader": [{"kind": "service_killed", "at": 6, "for_ms": 300}]}

Each section may be absent, not both; the seed is 0 unless given. What each kind takes is the table `FIELDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from kiosk.card.apdu import SHORT_LC_MAX
from kiosk.card.atr import ATR_MAX_BYTES
from kiosk.sync import strict_json
from simulators.card.faults import MEANING, READER_KINDS, FaultKind, PlannedFault, Rest
from simulators.personas import names

MAX_PLAN_BYTES: Final = 16_384
MAX_FAULTS: Final = 64
MAX_COUNT: Final = 1_000_000
MAX_TIMES: Final = 1_000
MAX_MS: Final = 600_000
MAX_SEED: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes wrong with one card, and with the reader it is in."""

    faults: tuple[PlannedFault, ...] = ()
    reader: tuple[PlannedFault, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class FaultPlanError:
    """Why a plan is refused: file, JSON path, cause."""

    file: str
    path: str
    cause: str

    def __str__(self) -> str:
        return f"{self.file}: {self.path}: {self.cause}"


class _RefusedError(Exception):
    """Carries path and cause out of the nested readers; never leaves this module."""

    def __init__(self, path: str, cause: str) -> None:
        super().__init__(cause)
        self.path = path
        self.cause = cause


def load_plan(path: Path) -> Plan | FaultPlanError:
    """The plan in a JSON file of at most 16 KiB."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_PLAN_BYTES + 1)
    except OSError as error:
        return FaultPlanError(path.name, "$", error.strerror or "not readable")
    return parse_plan(raw, path.name)


def parse_plan(raw: bytes, file: str) -> Plan | FaultPlanError:
    """The plan in JSON text; the first thing wrong with it otherwise."""
    document = strict_json.decode(raw, MAX_PLAN_BYTES)
    if isinstance(document, strict_json.JsonError):
        return FaultPlanError(file, "$", str(document))
    try:
        return _plan(document)
    except _RefusedError as refused:
        return FaultPlanError(file, refused.path, refused.cause)


def _plan(document: dict[str, Any]) -> Plan:
    for name in document:
        if name not in ("seed", "faults", "reader"):
            raise _RefusedError(f"$.{_shown(name)}", "not a section: seed, faults, reader are")
    if not document.keys() & {"faults", "reader"}:
        raise _RefusedError("$", "'faults' or 'reader' expected")
    seed = _whole(document.get("seed", 0), "$.seed", 0, MAX_SEED)
    card_kinds = frozenset(FaultKind) - READER_KINDS
    return Plan(_section(document, "faults", card_kinds), _section(document, "reader", READER_KINDS), seed)


def _section(document: dict[str, Any], name: str, kinds: frozenset[FaultKind]) -> tuple[PlannedFault, ...]:
    entries = document.get(name, [])
    if not isinstance(entries, list) or len(entries) > MAX_FAULTS:
        raise _RefusedError(f"$.{name}", f"a list of at most {MAX_FAULTS} entries expected")
    return tuple(_fault(entry, f"$.{name}[{index}]", kinds) for index, entry in enumerate(entries))


def _fault(entry: Any, path: str, kinds: frozenset[FaultKind]) -> PlannedFault:
    if not isinstance(entry, dict):
        raise _RefusedError(path, "an object expected")
    spelled = [kind.value for kind in FaultKind if kind in kinds]
    if entry.get("kind") not in spelled:
        raise _RefusedError(f"{path}.kind", f"one of {', '.join(spelled)} expected")
    kind = FaultKind(entry["kind"])
    fields = FIELDS[kind]
    for name in entry:
        if name != "kind" and name not in fields:
            known = ", ".join(fields) or "none"
            raise _RefusedError(f"{path}.{_shown(name)}", f"not a field of {kind} (its fields: {known})")
    for name, required in fields.items():
        if required and name not in entry:
            raise _RefusedError(f"{path}.{name}", "missing")
    values = {name: _value(name, entry[name], f"{path}.{name}") for name in fields if name in entry}
    return PlannedFault(kind, **values)


def _value(name: str, value: Any, path: str) -> Any:
    if name in _RANGES:
        return _whole(value, path, *_RANGES[name])
    if name in _HEX_BYTES:
        raw = _hex(value, path, *_HEX_BYTES[name])
        return raw if name == "atr" else int.from_bytes(raw, "big")
    if not isinstance(value, str) or value not in _WORDS[name]:
        raise _RefusedError(path, f"one of {', '.join(_WORDS[name])} expected")
    return Rest(value) if name == "rest" else value


def _whole(value: Any, path: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _RefusedError(path, f"a whole number from {least} to {most} expected")
    return value


def _hex(value: Any, path: str, least: int, most: int) -> bytes:
    fits = isinstance(value, str) and 2 * least <= len(value) <= 2 * most and len(value) % 2 == 0
    if not fits or not set(value) <= set("0123456789abcdefABCDEF"):
        raise _RefusedError(path, f"{_digits(least, most)} expected")
    return bytes.fromhex(value)


def _digits(least: int, most: int) -> str:
    return f"{2 * least} hexadecimal digits" if least == most else f"{2 * least} to {2 * most} hexadecimal digits"


def _shown(name: str) -> str:
    """A name of the file's own choice, short and printable."""
    return ascii(name)[1:-1][:40]


_RANGES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "at": (1, MAX_COUNT),
        "times": (1, MAX_TIMES),
        "byte": (0, SHORT_LC_MAX - 1),
        "keep_bytes": (1, 257),
        "delay_ms": (1, MAX_MS),
        "jitter_ms": (0, MAX_MS),
        "for_ms": (1, MAX_MS),
    }
)
_HEX_BYTES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {"ins": (1, 1), "sw": (2, 2), "atr": (2, ATR_MAX_BYTES)}
)
_WORDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"rest": tuple(Rest), "persona": names()})

_AT_APDU: Final = {"at": True, "ins": False}
_IN_WRITE: Final = {"at": True, "byte": False, "rest": False}
FIELDS: Final[Mapping[FaultKind, Mapping[str, bool]]] = MappingProxyType(
    {
        FaultKind.REMOVED_BEFORE: _AT_APDU,
        FaultKind.REMOVED_AFTER: _AT_APDU,
        FaultKind.REMOVED_IN_WRITE: _IN_WRITE,
        FaultKind.TORN_WRITE: _IN_WRITE,
        FaultKind.WRONG_SW: {**_AT_APDU, "sw": True},
        FaultKind.TRUNCATED: {**_AT_APDU, "keep_bytes": True},
        FaultKind.HANG: _AT_APDU,
        FaultKind.DELAY: {**_AT_APDU, "delay_ms": True, "jitter_ms": False, "times": False},
        FaultKind.MUTE: {},
        FaultKind.WARM_ATR: {"atr": True},
        FaultKind.FLAKY: {"at": True, "times": True, "for_ms": True},
        FaultKind.SWAPPED: {**_AT_APDU, "persona": True},
        FaultKind.UNPLUGGED: {**_AT_APDU, "for_ms": True},
        FaultKind.SERVICE_KILLED: {**_AT_APDU, "for_ms": True},
        FaultKind.RESET_BY_OTHER: _AT_APDU,
    }
)
"""What a fault of each kind is made of beside its kind; True where it must be given."""


def help_text() -> str:
    """Everything a plan can say, for `--help`: kinds and fields as they are read here."""
    lines = [
        "A fault plan, for example:",
        '  {"seed": 7, "faults": [{"kind": "removed_before", "at": 3}, {"kind": "hang", "at": 1, "ins": "d6"}]}',
        "`at` counts APDUs from 1, over re-insertions too; with `ins`, only those with this INS.",
    ]
    for title, in_reader in (("faults", False), ("reader (for `make demo PLAN=file`; refused by `serve`)", True)):
        lines += ["", f"{title}: kind, fields ([may be left out]), what happens"]
        for kind, fields in FIELDS.items():
            if (kind in READER_KINDS) is in_reader:
                spelled = " ".join(name if required else f"[{name}]" for name, required in fields.items())
                lines.append(f"  {kind:17}{spelled:39}{MEANING[kind]}")
    lines += ["", "fields:"]
    lines += [f"  {name:17}a whole number from {least} to {most}" for name, (least, most) in _RANGES.items()]
    lines += [f"  {name:17}{_digits(least, most)}" for name, (least, most) in _HEX_BYTES.items()]
    lines += [f"  rest             one of {', '.join(Rest)}", "  persona          one of `list`"]
    return "\n".join(lines)
