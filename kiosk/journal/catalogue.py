"""The catalogue of facts, as data: what an entry may be called and which closed values it may carry.

There is no type for text, so an entry cannot hold a personal datum, whoever writes it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from kiosk.visit.failures import Cause

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_PSEUDONYM = re.compile(r"[0-9a-f]{32}", re.ASCII)
_CAUSES = tuple(cause.value for cause in Cause)
INT_LIMIT = 2**53 - 1  # what every JSON reader takes exactly

FieldValue = str | int | bool


class Kind(StrEnum):
    """What part of the kiosk a fact is about."""

    VISIT = "visit"
    DEVICE = "device"
    CHANNEL = "channel"
    SECURITY = "security"
    MAINTENANCE = "maintenance"


class FieldType(StrEnum):
    """The closed types."""

    INT = "int"
    BOOL = "bool"
    ENUM = "enum"
    CAUSE = "cause"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One field: for INT `lowest`..`highest`, for ENUM and CAUSE the listed `values`."""

    type: FieldType
    optional: bool = False
    lowest: int = 0
    highest: int = 0
    values: tuple[str, ...] = ()

    def problem(self, value: object) -> str | None:
        """What is wrong with a value, without repeating it; None when it fits."""
        match self.type:
            case FieldType.BOOL:
                return None if isinstance(value, bool) else "true or false expected"
            case FieldType.INT:
                fits = isinstance(value, int) and not isinstance(value, bool) and self.lowest <= value <= self.highest
                return None if fits else f"a whole number from {self.lowest} to {self.highest} expected"
            case FieldType.ENUM:
                fits = isinstance(value, str) and value in self.values
                return None if fits else f"one of {', '.join(self.values)} expected"
            case FieldType.CAUSE:
                fits = isinstance(value, str) and value in self.values
                return None if fits else "a code of the failure catalogue expected"


@dataclass(frozen=True, slots=True)
class EventRule:
    """One kind of entry."""

    name: str
    kind: Kind
    upload: bool
    pseudonym: bool  # whether one may be given
    description: str
    fields: Mapping[str, FieldRule]


@dataclass(frozen=True, slots=True)
class CatalogueError:
    """Why a catalogue cannot be used. `field` is empty when the event itself is wrong."""

    event: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class EntryError:
    """Why an entry was refused. Never repeats the refused value."""

    event: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All event rules by name."""

    events: Mapping[str, EventRule]

    def check(self, event: str, pseudonym: str | None, fields: Mapping[str, FieldValue]) -> EntryError | None:
        """Whether this entry may be written. Error fields: the field's name, `pseudonym`, or empty for the event."""
        rule = self.events.get(event)
        if rule is None:
            return EntryError(event if _NAME.fullmatch(event) else "?", "", "not in the catalogue")
        if pseudonym is not None and not rule.pseudonym:
            return EntryError(event, "pseudonym", "not allowed here")
        if pseudonym is not None and not _PSEUDONYM.fullmatch(pseudonym):
            return EntryError(event, "pseudonym", "32 lower-case hexadecimal digits expected")
        for name in fields:
            if name not in rule.fields:
                return EntryError(event, name if _NAME.fullmatch(name) else "?", "unknown field")
        for name, field_rule in rule.fields.items():
            if name not in fields:
                if not field_rule.optional:
                    return EntryError(event, name, "missing")
            elif (problem := field_rule.problem(fields[name])) is not None:
                return EntryError(event, name, problem)
        return None


@cache
def shipped_catalogue() -> Catalogue:
    """The catalogue of this version. A wrong one is a bug of the build: it raises."""
    loaded = parse_catalogue(resources.files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8"))
    if isinstance(loaded, CatalogueError):
        raise ValueError(f"catalogue.toml: {loaded.event}.{loaded.field}: {loaded.reason}")
    return loaded


def parse_catalogue(text: str) -> Catalogue | CatalogueError:
    """Read a catalogue (TOML, one table per event), or say which event and field is wrong and why."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return CatalogueError("", "", f"not TOML: {error}")
    events: dict[str, EventRule] = {}
    for name, table in document.items():
        rule = _event_rule(name, table)
        if isinstance(rule, CatalogueError):
            return rule
        events[name] = rule
    return Catalogue(events)


def _event_rule(name: str, table: object) -> EventRule | CatalogueError:
    if not _NAME.fullmatch(name):
        return CatalogueError(name, "", "a name of small letters, digits and _ expected")
    if not isinstance(table, dict):
        return CatalogueError(name, "", "a table expected")
    for key in table:
        if key not in ("kind", "upload", "pseudonym", "description", "fields"):
            return CatalogueError(name, key, "unknown key")
    if table.get("kind") not in list(Kind):
        return CatalogueError(name, "kind", f"one of {', '.join(Kind)} expected")
    if not isinstance(table.get("upload"), bool):
        return CatalogueError(name, "upload", "true or false expected")
    if table.get("pseudonym") not in ("never", "optional"):
        return CatalogueError(name, "pseudonym", "never or optional expected")
    description = table.get("description")
    if not isinstance(description, str) or not description.endswith(".") or "\n" in description or "|" in description:
        return CatalogueError(name, "description", "one line that ends with a full stop expected")
    declared = table.get("fields", {})
    if not isinstance(declared, dict):
        return CatalogueError(name, "fields", "a table expected")
    fields: dict[str, FieldRule] = {}
    for field_name, declaration in declared.items():
        rule = _field_rule(name, field_name, declaration)
        if isinstance(rule, CatalogueError):
            return rule
        fields[field_name] = rule
    return EventRule(name, Kind(table["kind"]), table["upload"], table["pseudonym"] == "optional", description, fields)


def _field_rule(event: str, name: str, declaration: Any) -> FieldRule | CatalogueError:
    if not _NAME.fullmatch(name):
        return CatalogueError(event, name, "a name of small letters, digits and _ expected")
    if not isinstance(declaration, dict):
        return CatalogueError(event, name, "a table with a type expected")
    rest = dict(declaration)
    type_, optional = rest.pop("type", None), rest.pop("optional", False)
    if not isinstance(optional, bool):
        return CatalogueError(event, name, "optional: true or false expected")
    if type_ == "int" and set(rest) == {"lowest", "highest"}:
        lowest, highest = rest["lowest"], rest["highest"]
        whole = all(isinstance(bound, int) and not isinstance(bound, bool) for bound in (lowest, highest))
        if not whole or not -INT_LIMIT <= lowest <= highest <= INT_LIMIT:
            return CatalogueError(event, name, "lowest and highest: whole numbers, in order, expected")
        return FieldRule(FieldType.INT, optional, lowest, highest)
    if type_ == "enum" and set(rest) == {"values"}:
        values = rest["values"]
        listed = isinstance(values, list) and len(values) > 0 and all(isinstance(value, str) for value in values)
        if not listed or not all(_NAME.fullmatch(value) for value in values) or len(set(values)) != len(values):
            return CatalogueError(event, name, "values: different names expected")
        return FieldRule(FieldType.ENUM, optional, values=tuple(values))
    if type_ == "bool" and not rest:
        return FieldRule(FieldType.BOOL, optional)
    if type_ == "cause" and not rest:
        return FieldRule(FieldType.CAUSE, optional, values=_CAUSES)
    if type_ not in list(FieldType):
        return CatalogueError(event, name, f"type: one of {', '.join(FieldType)} expected")
    return CatalogueError(event, name, f"keys that do not belong to, or are missing from, type {type_}")
