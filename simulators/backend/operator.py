"""What an operator can do, inside a transaction: tickets, keys, documents, quarantine. For command and server alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select, update

from kiosk.sync.documents import FLEET
from kiosk.sync.documents_bodies import TYPES
from kiosk.sync.fields import FieldError
from kiosk.visit.policy import Quarantine, SiteKind
from simulators.backend import certificates, key_life, schema
from simulators.backend.alarms import alarms_of
from simulators.backend.authority import Authority
from simulators.backend.documents import latest_body, set_document, set_policy, set_quarantine
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
                _good(set_policy(connection, authority, kiosk, command["set"], now_s))
            return {"policy": _shown(connection, "policy", kiosk)}
        case "document":
            _must_exist(connection, kiosk)
            name = str(command["type"])
            if name not in TYPES:
                raise OperatorError(f"type: one of {', '.join(TYPES)} expected")
            if command["body"] is not None:
                if not isinstance(command["body"], dict):
                    raise OperatorError("body: an object expected")
                _good(set_document(connection, authority, name, kiosk, body=command["body"], now_s=now_s))
            return {name: _shown(connection, name, kiosk)}
        case "quarantine":
            _must_exist(connection, kiosk)
            set_quarantine(connection, authority, kiosk, Quarantine(command["level"]), now_s)
            return {"quarantine": command["level"]}
        case "keys":
            _must_be_one(connection, kiosk)
            return _keys(connection, kiosk)
        case "revoke":
            _must_be_one(connection, kiosk)
            tickets = schema.ticket  # before the kiosk's row: in the order of an enrolment
            connection.execute(
                update(tickets).where(tickets.c.kiosk == kiosk, tickets.c.expires_s > now_s).values(expires_s=now_s)
            )
            set_quarantine(connection, authority, kiosk, Quarantine.STOP, now_s)
            return {
                "keys": key_life.revoke(connection, kiosk),
                "certificates": certificates.revoke_all(connection, kiosk, now_s),
            }
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


def _must_be_one(connection: Connection, kiosk: str) -> None:
    if kiosk == FLEET:
        raise OperatorError("kiosk: one kiosk expected")
    _must_exist(connection, kiosk)


def _must_exist(connection: Connection, kiosk: str) -> None:
    table = schema.kiosk.c
    if kiosk == FLEET:
        return
    if connection.execute(select(table.id).where(table.id == kiosk)).first() is None:
        raise OperatorError("kiosk: unknown; create a ticket for it first")


def _keys(connection: Connection, kiosk: str) -> dict[str, Any]:
    """Everything that decides whether this kiosk is let in, and what somebody should look at."""
    table, key, issued = schema.kiosk, schema.kiosk_key.c, schema.certificate.c
    quarantine = connection.execute(select(table.c.quarantine).where(table.c.id == kiosk)).scalar_one()
    keys = connection.execute(select(key.keyid, key.state, key.until_s).where(key.kiosk == kiosk))
    held = connection.execute(
        select(issued.serial_hex, issued.keyid, issued.not_after_s, issued.revoked_s)
        .where(issued.kiosk == kiosk)
        .order_by(issued.not_after_s)
    )
    return {
        "kiosk": kiosk,
        "quarantine": quarantine,
        "keys": sorted((dict(row) for row in keys.mappings()), key=lambda row: int(row["keyid"].partition("/")[2])),
        "certificates": [dict(row) for row in held.mappings()],
        "alarms": alarms_of(connection, kiosk),
    }


def _good(version: int | FieldError) -> None:
    if isinstance(version, FieldError):
        raise OperatorError(str(version))


def _shown(connection: Connection, name: str, scope: str) -> dict[str, Any]:
    last = latest_body(connection, name, scope)
    return {} if last is None else {"version": last[0], **last[1]}
