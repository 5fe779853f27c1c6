"""The machine's own settings: one TOML file, typed, units in the names, one clear error per bad value."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

MAX_FILE_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """Which reader is which slot: the PC/SC name without its enumeration number. Empty: the slot does not exist."""

    patient: str = ""
    professional: str = ""


@dataclass(frozen=True, slots=True)
class PrinterSettings:
    """Serial port of the ticket printer. Empty: the kiosk has none."""

    port: str = ""
    profile: str = "escpos-80mm"


@dataclass(frozen=True, slots=True)
class StaffSettings:
    """Whom technicians' badges are issued by: absolute path of the certificate, PEM. None: no badge opens anything."""

    authority_file: Path | None = None


@dataclass(frozen=True, slots=True)
class ScreenSettings:
    """The screen's real dimensions; every size on it is computed from them."""

    diagonal_in: float = 21.5
    width_px: int = 1080
    height_px: int = 1920
    viewing_mm: int = 500


@dataclass(frozen=True, slots=True)
class KioskSettings:
    """Where this kiosk keeps its state (keys, database), its serial number for enrolment, and where its keys live.

    key_store: `file:` (in the state directory), `file:<directory>`, `tpm2:`, or `tpm2:<TCTI>`.
    """

    state_dir: Path
    serial: str = "0000"
    key_store: str = "file:"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a kiosk needs to know about its own machine."""

    kiosk: KioskSettings
    readers: ReaderSettings = ReaderSettings()
    printer: PrinterSettings = PrinterSettings()
    screen: ScreenSettings = ScreenSettings()
    staff: StaffSettings = StaffSettings()


@dataclass(frozen=True, slots=True)
class SettingsError:
    """`field` is `section.name` (or the file), `reason` a sentence."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


_SECTIONS: Mapping[str, type[Any]] = {
    "kiosk": KioskSettings,
    "readers": ReaderSettings,
    "printer": PrinterSettings,
    "screen": ScreenSettings,
    "staff": StaffSettings,
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "screen.diagonal_in": (7, 60),
    "screen.width_px": (480, 8000),
    "screen.height_px": (480, 8000),
    "screen.viewing_mm": (300, 1000),
}


def default_settings() -> Settings:
    """Without a file: state where the service manager or the user's home wants it, no reader and no printer bound."""
    state_dir = os.environ.get("STATE_DIRECTORY") or Path.home() / ".local" / "state" / "kiosk"
    return Settings(KioskSettings(Path(state_dir)))


def load_settings(path: Path) -> Settings | SettingsError:
    """Read the settings file. Returns the first error found, naming field and cause; nothing is guessed."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return SettingsError(str(path), f"cannot be read: {error.strerror}")
    if len(raw) > MAX_FILE_BYTES:
        return SettingsError(str(path), f"is larger than {MAX_FILE_BYTES} bytes")
    try:
        tables = tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # beside its own errors: a number too long, brackets too deep
        return SettingsError(str(path), f"is not TOML: {error}")
    return parse_settings(tables)


def parse_settings(tables: Mapping[str, Any]) -> Settings | SettingsError:
    """Check every section and field; unknown names are refused, so that a misspelt one is seen."""
    for name in tables:
        if name not in _SECTIONS:
            return SettingsError(name, f"unknown section (known: {', '.join(_SECTIONS)})")
    sections: dict[str, Any] = {}
    for name, cls in _SECTIONS.items():
        section = _section(name, cls, tables.get(name, {}))
        if isinstance(section, SettingsError):
            return section
        sections[name] = section
    return Settings(**sections)


def _section(name: str, cls: type[Any], table: object) -> Any:
    if not isinstance(table, Mapping):
        return SettingsError(name, "a section [name] expected")
    known = {f.name: f for f in fields(cls)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{name}.{key}"
        if key not in known:
            return SettingsError(where, f"unknown field (known: {', '.join(known)})")
        checked = _value(where, str(known[key].type), value)
        if isinstance(checked, SettingsError):
            return checked
        values[key] = checked
    if "state_dir" in known and "state_dir" not in values:
        return SettingsError(f"{name}.state_dir", "is missing")
    return cls(**values)


def _value(where: str, kind: str, value: object) -> Any:
    match kind:
        case "str":
            if not isinstance(value, str) or len(value) > 200 or "\0" in value:
                return SettingsError(where, "a text of at most 200 characters, none of them NUL, expected")
        case "Path" | "Path | None":
            if not isinstance(value, str) or "\0" in value or not Path(value).is_absolute():
                return SettingsError(where, "an absolute path expected")
            return Path(value)
        case _:
            whole = kind == "int"
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                return SettingsError(where, "a whole number expected" if whole else "a number expected")
            low, high = _RANGES[where]
            if not low <= value <= high:
                return SettingsError(where, f"a number from {low:g} to {high:g} expected")
    return value
