"""Event batches: each event once, in order per aggregate, forks and stale numbers told apart (channel §3.5, §4.4)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice
from typing import Any, Final

from sqlalchemy import BindParameter, bindparam, func, insert, select, update

from kiosk.visit.policy import Quarantine
from simulators.backend import refusals, schema
from simulators.backend.alarms import Alarm, raise_alarm
from simulators.backend.authority import Authority
from simulators.backend.bodies import EVENT, EVENT_ID
from simulators.backend.documents import set_quarantine
from simulators.backend.exchange import Answer, Call
from simulators.backend.prepared import Prepared
from simulators.backend.refusals import Refusal

SCHEMA_VERSION: Final = 1
AT_ONCE: Final = 64
"""Events or aggregates that one statement carries: far below each engine's limit of parameters."""
_EVENT_FIELDS: Final = ("event_id", "aggregate", "aggregate_seq", "type", "created_utc_ms", "body_json")

_kiosk, _event, _stored = schema.kiosk, schema.event.c, schema.response.c
_ADVANCE: Final = Prepared(
    update(_kiosk)
    .where(_kiosk.c.id == bindparam("kiosk"))
    .values(last_batch_seq=bindparam("number"), acked_through_seq=bindparam("acked"))
)
_PRUNE: Final = Prepared(
    update(schema.response)
    .where(
        _stored.kiosk == bindparam("of_kiosk"),
        _stored.batch_seq > bindparam("pruned"),
        _stored.batch_seq <= bindparam("acked"),
    )
    .values(body=None)
)
_KNOWN_BATCH: Final = Prepared(
    select(_stored.batch_seq).where(_stored.kiosk == bindparam("kiosk"), _stored.batch_seq == bindparam("number"))
)


@cache
def _known_ids(count: int) -> Prepared:
    """Which of `count` event ids this kiosk has told before."""
    ids: list[BindParameter[str]] = [bindparam(f"id_{n}") for n in range(count)]
    return Prepared(select(_event.event_id).where(_event.kiosk == bindparam("kiosk"), _event.event_id.in_(ids)))


@cache
def _last_numbers(count: int) -> Prepared:
    """One row: the last number of each of `count` aggregates, None for a new one."""
    return Prepared(
        select(
            *(
                select(func.max(_event.aggregate_seq))
                .where(_event.kiosk == bindparam("kiosk"), _event.aggregate == bindparam(f"aggregate_{n}"))
                .scalar_subquery()
                for n in range(count)
            )
        )
    )


@cache
def _add_events(count: int) -> Prepared:
    return Prepared(
        insert(schema.event).values(
            [
                {"kiosk": bindparam("kiosk"), **{name: bindparam(f"{name}_{n}") for name in _EVENT_FIELDS}}
                for n in range(count)
            ]
        )
    )


def events(call: Call, authority: Authority) -> Answer | Refusal:
    """`/v1/events`: number first, then event by event. A second content under a known number quarantines the kiosk."""
    number, last = call.body["batch_seq"], call.kiosk["last_batch_seq"]
    if number <= last:
        if not _is_known(call, number):
            raise_alarm(call.connection, call.kiosk_id, Alarm.STALE_BATCH, call.now_s)
            return refusals.STALE_SEQ
        raise_alarm(call.connection, call.kiosk_id, Alarm.FORK, call.now_s)
        set_quarantine(call.connection, authority, call.kiosk_id, Quarantine.STOP, call.now_s)
        return refusals.FORK
    entries: list[Any] = call.body["events"]
    judged = [_form(entry) for entry in entries]
    good = [entry for entry, status in zip(entries, judged, strict=True) if status is None]
    effects = iter(_take(call, good))
    results = [
        {"event_id": _name(entry), "status": next(effects) if status is None else status}
        for entry, status in zip(entries, judged, strict=True)
    ]
    acked, pruned = min(call.body["acked_through_seq"], last), call.kiosk["acked_through_seq"]
    if acked > pruned:
        _PRUNE.run(call.connection, {"of_kiosk": call.kiosk_id, "pruned": pruned, "acked": acked})
    _ADVANCE.run(call.connection, {"kiosk": call.kiosk_id, "number": number, "acked": max(acked, pruned)})
    return Answer({"results": results, "last_seq": number}, batch_seq=number)


def sync_state(call: Call) -> Answer | Refusal:
    """`/v1/sync/state`: whether the batch of this number has taken effect."""
    return Answer({"applied": _is_known(call, call.body["batch_seq"]), "last_seq": call.kiosk["last_batch_seq"]})


def _is_known(call: Call, number: int) -> bool:
    """Stored answers outlive their bodies: a number is known as long as the kiosk is."""
    return _KNOWN_BATCH.run(call.connection, {"kiosk": call.kiosk_id, "number": number}).fetchone() is not None


def _form(entry: Any) -> str | None:
    """`invalid`, `unsupported`, or None for an event that may be applied."""
    if EVENT(entry, "event") is not None:
        return "invalid"
    return None if entry["schema_version"] == SCHEMA_VERSION else "unsupported"


def _take(call: Call, entries: Sequence[dict[str, Any]]) -> list[str]:
    """`applied`, `already` or `order` for each, judged in turn; what is applied is stored with few statements."""
    known = {entry_id for part in _parts(entry["event_id"] for entry in entries) for entry_id in _known(call, part)}
    last = {
        aggregate: number or 0
        for part in _parts(dict.fromkeys(entry["aggregate"] for entry in entries))
        for aggregate, number in zip(part, _numbers(call, part), strict=True)
    }
    statuses: list[str] = []
    fresh: list[dict[str, Any]] = []
    for entry in entries:
        if entry["event_id"] in known:
            statuses.append("already")
        elif entry["aggregate_seq"] != last[entry["aggregate"]] + 1:
            statuses.append("order")
        else:
            statuses.append("applied")
            known.add(entry["event_id"])
            last[entry["aggregate"]] += 1
            fresh.append(entry)
    for part in _parts(fresh):
        values: dict[str, Any] = {"kiosk": call.kiosk_id}
        for n, entry in enumerate(part):
            stored = {**entry, "body_json": json.dumps(entry["body"], separators=(",", ":"))}
            values.update((f"{name}_{n}", stored[name]) for name in _EVENT_FIELDS)
        _add_events(len(part)).run(call.connection, values)
    return statuses


def _known(call: Call, ids: Sequence[str]) -> list[str]:
    values = {"kiosk": call.kiosk_id, **{f"id_{n}": entry_id for n, entry_id in enumerate(ids)}}
    return [row[0] for row in _known_ids(len(ids)).run(call.connection, values).fetchall()]


def _numbers(call: Call, aggregates: Sequence[str]) -> Sequence[int | None]:
    values = {"kiosk": call.kiosk_id, **{f"aggregate_{n}": name for n, name in enumerate(aggregates)}}
    row: Sequence[int | None] = _last_numbers(len(aggregates)).run(call.connection, values).fetchone()
    return row


def _parts(items: Iterable[Any]) -> Iterable[list[Any]]:
    """In lists of at most AT_ONCE."""
    rest = iter(items)
    while part := list(islice(rest, AT_ONCE)):
        yield part


def _name(entry: Any) -> str:
    """The event's own identifier if it has a well-formed one: a result must not echo arbitrary text."""
    identifier = entry.get("event_id") if isinstance(entry, dict) else None
    return str(identifier) if EVENT_ID(identifier, "event_id") is None else ""
