"""From persona file to persona value: limits, strict JSON, shape, values, meaning, in this order."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from kiosk.card.professional import StaffRole
from kiosk.card.values import Beneficiary, CardKind, Exemption, Organisation, RightsPeriod
from kiosk.sync import strict_json
from simulators.personas.errors import PersonaError
from simulators.personas.meaning import first_meaning_error
from simulators.personas.schema import first_shape_error
from simulators.personas.values import CardHalf, CentreHalf, ChipIdentity, Order, OrderContent, Persona, StaffIdentity

MAX_FILE_BYTES = 65_536
_FOLDER = Path(__file__).parent
_NOT_PERSONAS = frozenset({"schema"})


class _RefusedError(Exception):
    """Carries path and cause out of the nested readers; never leaves this module."""


@cache
def names() -> tuple[str, ...]:
    """The built-in personas, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json") if path.stem not in _NOT_PERSONAS))


@cache
def load(name: str) -> Persona:
    """A built-in persona. Raises `KeyError` for a name that `names()` does not list."""
    if name not in names():
        raise KeyError(name)
    persona = load_file(_FOLDER / f"{name}.json")
    if isinstance(persona, PersonaError):
        raise TypeError(str(persona))  # a broken built-in file is a bug
    return persona


def load_file(path: Path) -> Persona | PersonaError:
    """A persona from any file of at most 64 KiB."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return PersonaError(path.name, "$", error.strerror or "not readable")
    return load_text(raw, path.name)


def load_text(raw: bytes, file: str) -> Persona | PersonaError:
    """A persona from UTF-8 JSON text; `file` only names it in the error."""
    document = strict_json.decode(raw, MAX_FILE_BYTES)
    if isinstance(document, strict_json.JsonError):
        return PersonaError(file, "$", document.reason + _place(raw, document.position))
    shape = first_shape_error(document)
    if shape is not None:
        return PersonaError(file, *shape)
    try:
        persona = _persona(document)
    except _RefusedError as error:
        return PersonaError(file, *error.args)
    meaning = first_meaning_error(persona)
    return PersonaError(file, *meaning) if meaning is not None else persona


def _place(raw: bytes, position: int) -> str:
    """Where an editor finds it, counted from 1; nothing when it is not known or not in a text."""
    before = raw.decode("utf-8", "replace")[:position]
    if position <= 0:
        return ""
    return f" (line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))})"


def _persona(document: dict[str, Any]) -> Persona:
    card = document["card"]
    chip = None if card["chip"] is None else _chip(card["chip"])
    centre = None if document["centre"] is None else _centre(document["centre"])
    staff = None if card.get("staff") is None else _staff(card["staff"])
    half = CardHalf(CardKind(card["kind"]), bytes.fromhex(card["atr"]), chip, staff)
    return Persona(document["name"], document["title"], half, centre)


def _chip(chip: dict[str, Any]) -> ChipIdentity:
    path = "$.card.chip"
    last_update = chip["last_update"]
    return ChipIdentity(
        chip["serial"],
        _date(chip["start_date"], f"{path}.start_date"),
        tuple(Beneficiary(**entry) for entry in chip["beneficiaries"]),
        Organisation(**chip["organisation"]),
        _rights(chip["rights"], f"{path}.rights"),
        None if last_update is None else _date(last_update, f"{path}.last_update"),
        chip["interrupted_after_bytes"],
    )


def _staff(staff: dict[str, Any]) -> StaffIdentity:
    return StaffIdentity(**{**staff, "role": StaffRole(staff["role"])})


def _centre(centre: dict[str, Any]) -> CentreHalf:
    orders = tuple(
        Order(
            order["update_id"],
            order["service"],
            order["priority"],
            order["description"],
            OrderContent(
                Organisation(**order["after"]["organisation"]),
                _rights(order["after"]["rights"], f"$.centre.orders[{index}].after.rights"),
            ),
        )
        for index, order in enumerate(centre["orders"])
    )
    return CentreHalf(**{**centre, "orders": orders})


def _rights(entries: list[dict[str, Any]], path: str) -> tuple[RightsPeriod, ...]:
    return tuple(
        RightsPeriod(
            entry["beneficiary"],
            _date(entry["start"], f"{path}[{index}].start"),
            _date(entry["end"], f"{path}[{index}].end"),
            Exemption(entry["exemption"]),
        )
        for index, entry in enumerate(entries)
    )


def _date(text: str, path: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _RefusedError(path, "no such day in the calendar") from None
