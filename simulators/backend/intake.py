"""Event batches: each event once, in order per aggregate, forks and stale numbers told apart (channel §3.5, §4.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from kiosk.visit.policy import Quarantine
from simulators.backend import refusals, schema
from simulators.backend.authority import Authority
from simulators.backend.bodies import EVENT, EVENT_ID
from simulators.backend.documents import set_quarantine
from simulators.backend.exchange import Answer, Call
from simulators.backend.refusals import Refusal

SCHEMA_VERSION: Final = 1


def events(call: Call, authority: Authority) -> Answer | Refusal:
    """`/v1/events`: number first, then event by event. A second content under a known number quarantines the kiosk."""
    number, last = call.body["batch_seq"], call.kiosk["last_batch_seq"]
    if _is_known(call, number):
        set_quarantine(call.connection, authority, call.kiosk_id, Quarantine.STOP, call.now_s)
        return refusals.FORK
    if number <= last:
        return refusals.STALE_SEQ
    results = [{"event_id": _name(entry), "status": _take(call, entry)} for entry in call.body["events"]]
    call.connection.execute(insert(schema.batch).values(kiosk=call.kiosk_id, batch_seq=number, idem_key=call.idem_key))
    call.connection.execute(
        update(schema.kiosk).where(schema.kiosk.c.id == call.kiosk_id).values(last_batch_seq=number)
    )
    stored = schema.response
    call.connection.execute(
        update(stored)
        .where(stored.c.kiosk == call.kiosk_id, stored.c.batch_seq <= call.body["acked_through_seq"])
        .values(body=None)
    )
    return Answer({"results": results, "last_seq": number}, batch_seq=number)


def sync_state(call: Call) -> Answer | Refusal:
    """`/v1/sync/state`: whether the batch of this number has taken effect."""
    return Answer({"applied": _is_known(call, call.body["batch_seq"]), "last_seq": call.kiosk["last_batch_seq"]})


def _is_known(call: Call, number: int) -> bool:
    table = schema.batch
    return (
        call.connection.execute(
            select(table.c.batch_seq).where(table.c.kiosk == call.kiosk_id, table.c.batch_seq == number)
        ).first()
        is not None
    )


def _take(call: Call, entry: Any) -> str:
    """`applied`, `already`, `order`, `invalid` or `unsupported`."""
    if EVENT(entry, "event") is not None:
        return "invalid"
    if entry["schema_version"] != SCHEMA_VERSION:
        return "unsupported"
    table = schema.event
    mine = table.c.kiosk == call.kiosk_id
    if call.connection.execute(select(table.c.event_id).where(mine, table.c.event_id == entry["event_id"])).first():
        return "already"
    if entry["aggregate_seq"] != _last_of(call.connection, call.kiosk_id, entry) + 1:
        return "order"
    call.connection.execute(
        insert(table).values(
            kiosk=call.kiosk_id,
            event_id=entry["event_id"],
            aggregate=entry["aggregate"],
            aggregate_seq=entry["aggregate_seq"],
            type=entry["type"],
            created_utc_ms=entry["created_utc_ms"],
            body_json=json.dumps(entry["body"], separators=(",", ":")),
        )
    )
    return "applied"


def _last_of(connection: Connection, kiosk: str, entry: Mapping[str, Any]) -> int:
    table = schema.event
    return int(
        connection.execute(
            select(func.coalesce(func.max(table.c.aggregate_seq), 0)).where(
                table.c.kiosk == kiosk, table.c.aggregate == entry["aggregate"]
            )
        ).scalar_one()
    )


def _name(entry: Any) -> str:
    """The event's own identifier if it has a well-formed one: a result must not echo arbitrary text."""
    identifier = entry.get("event_id") if isinstance(entry, dict) else None
    return str(identifier) if EVENT_ID(identifier, "event_id") is None else ""
