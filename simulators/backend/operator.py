"""What an operator can do, inside a transaction: tickets, policy, quarantine. Used by command and server alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from kiosk.visit.policy import PolicyError, Quarantine, SiteKind
from simulators.backend import schema
from simulators.backend.authority import Authority
from simulators.backend.documents import policy_of, set_policy, set_quarantine
from simulators.backend.enrolment import create_ticket

_TEXTS: Final = frozenset({"kiosk_number", "phone", "phone_hours", "help_place"})
"""Policy fields whose value is text even where it looks like a number."""


class OperatorError(Exception):
    """A command that cannot be done; the message names field and cause."""


def perform(connection: Connection, authority: Authority, command: Mapping[str, Any], now_s: int) -> dict[str, Any]:
    """Run one command `{"do": …}`; raises OperatorError, which rolls it back."""
    kiosk = str(command["kiosk"])
    match command["do"]:
        case "ticket":
            try:
                kind = SiteKind(command["site_kind"])
                return {"ticket": create_ticket(connection, authority, kiosk, kind, now_s)}
            except ValueError as error:
                raise OperatorError(str(error)) from None
        case "policy":
            _must_exist(connection, kiosk)
            if command["set"]:
                version = set_policy(connection, authority, kiosk, command["set"], now_s)
                if isinstance(version, PolicyError):
                    raise OperatorError(f"{version.field}: {version.reason}")
            return {"policy": _shown(connection, kiosk)}
        case "quarantine":
            _must_exist(connection, kiosk)
            set_quarantine(connection, authority, kiosk, Quarantine(command["level"]), now_s)
            return {"quarantine": str(policy_of(connection, kiosk).quarantine)}
        case other:
            raise OperatorError(f"do: unknown command {other!r}")


def policy_change(text: str) -> tuple[str, Any]:
    """`name=value` of the command line; the value is JSON where it is a number, true or false, else plain text."""
    name, separator, value = text.partition("=")
    if not separator:
        raise OperatorError("set: name=value expected")
    try:
        parsed = json.loads(value)
    except ValueError:
        return name, value
    is_plain = isinstance(parsed, bool | int | float) and name not in _TEXTS
    return name, parsed if is_plain else value


def _must_exist(connection: Connection, kiosk: str) -> None:
    table = schema.kiosk.c
    if connection.execute(select(table.id).where(table.id == kiosk)).first() is None:
        raise OperatorError("kiosk: unknown; create a ticket for it first")


def _shown(connection: Connection, kiosk: str) -> dict[str, Any]:
    table = schema.document
    row = connection.execute(
        select(table.c.version, table.c.body_json)
        .where(table.c.type == "policy", table.c.scope == kiosk)
        .order_by(table.c.version.desc())
    ).first()
    return {} if row is None else {"version": row.version, **json.loads(row.body_json)}
