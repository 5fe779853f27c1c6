"""Event batches: each event once, in order per aggregate, forks and stale numbers told apart (channel §3.5, §4.4)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import func, literal_column, select, update

from kiosk.visit.policy import Quarantine
from simulators.backend import refusals, schema
from simulators.backend.alarms import Alarm, raise_alarm
from simulators.backend.authority import Authority
from simulators.backend.bodies import EVENT, EVENT_ID
from simulators.backend.bulk import Add, Ask, Asking, Change, Lookup
from simulators.backend.documents import set_quarantine
from simulators.backend.exchange import REPEATABLE_S, Answer, Call
from simulators.backend.refusals import Refusal
from simulators.backend.shapes import MAX_INT

SCHEMA_VERSION: Final = 1
AT_ONCE: Final = 64
"""Events or aggregates that one statement carries: far below each engine's limit of parameters."""
_EVENT_FIELDS: Final = ("event_id", "aggregate", "aggregate_seq", "type", "created_utc_ms", "body_json")
_TEXTS: Final = ("event_id", "aggregate", "type")
_NUMBERS: Final = ("aggregate_seq", "schema_version", "created_utc_ms")
_TEXT_FORMS: Final = tuple(re.compile(EVENT.fields[name].schema()["pattern"], re.ASCII).fullmatch for name in _TEXTS)
_PLAIN_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_LONGEST_TEXT: Final = 64
_MOST_NAMES: Final[int] = EVENT.fields["body"].schema()["maxProperties"]
_JSON: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False)

_kiosk, _event, _stored = schema.kiosk, schema.event.c, schema.response.c
_ADVANCE: Final = Change(
    {"kiosk": _kiosk.c.id, "number": _kiosk.c.last_batch_seq, "acked": _kiosk.c.acked_through_seq},
    lambda asked: (
        update(_kiosk)
        .where(_kiosk.c.id == asked.c.kiosk)
        .values(last_batch_seq=asked.c.number, acked_through_seq=asked.c.acked)
    ),
)
_PRUNE: Final = Change(
    {"kiosk": _stored.kiosk, "pruned": _stored.batch_seq, "acked": _stored.batch_seq},
    lambda asked: (
        update(schema.response)
        .where(_stored.kiosk == asked.c.kiosk, _stored.batch_seq > asked.c.pruned, _stored.batch_seq <= asked.c.acked)
        .values(body=literal_column("NULL"))
    ),
)
_KNOWN_IDS: Final = Lookup(
    {"kiosk": _event.kiosk, "event_id": _event.event_id},
    lambda asked: select(asked.c.kiosk, asked.c.event_id).join(
        schema.event, (_event.kiosk == asked.c.kiosk) & (_event.event_id == asked.c.event_id)
    ),
)
_LAST_NUMBERS: Final = Lookup(
    {"kiosk": _event.kiosk, "aggregate": _event.aggregate},
    lambda asked: select(
        asked.c.kiosk,
        asked.c.aggregate,
        select(func.max(_event.aggregate_seq))
        .where(_event.kiosk == asked.c.kiosk, _event.aggregate == asked.c.aggregate)
        .scalar_subquery(),
    ),
)
_ADD_EVENTS: Final = Add(schema.event)


def events(call: Call, authority: Authority) -> Asking[Answer | Refusal]:
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
    judged = _forms(entries)
    good = [entry for entry, status in zip(entries, judged, strict=True) if status is None]
    effects = iter((yield from _take(call.kiosk_id, good)))
    results = [
        {"event_id": entry["event_id"], "status": next(effects)}
        if status is None
        else {"event_id": _name(entry), "status": status}
        for entry, status in zip(entries, judged, strict=True)
    ]
    acked, pruned = min(call.body["acked_through_seq"], last), call.kiosk["acked_through_seq"]
    if acked > pruned:
        yield Ask(_PRUNE, [(call.kiosk_id, pruned, acked)])
    yield Ask(_ADVANCE, [(call.kiosk_id, number, max(acked, pruned))])
    return Answer({"results": results, "last_seq": number}, batch_seq=number)


def sync_state(call: Call) -> Answer | Refusal:
    """`/v1/sync/state`: whether the batch of this number has taken effect."""
    number, last = call.body["batch_seq"], call.kiosk["last_batch_seq"]
    return Answer({"applied": _is_known(call, number), "last_seq": last}, live_s=REPEATABLE_S)


def _is_known(call: Call, number: int) -> bool:
    """Stored answers outlive their bodies: a number is known as long as the kiosk is."""
    known = select(_stored.batch_seq).where(_stored.kiosk == call.kiosk_id, _stored.batch_seq == number)
    return call.connection.execute(known).first() is not None


def _forms(entries: Sequence[Any]) -> list[str | None]:
    """Of each `invalid`, `unsupported`, or None for an event that may be applied."""
    are_plain = _are_plain(entries)
    return [
        "invalid"
        if not are_plain and EVENT(entry, "event") is not None
        else None
        if entry["schema_version"] == SCHEMA_VERSION
        else "unsupported"
        for entry in entries
    ]


def _are_plain(entries: Sequence[Any]) -> bool:
    """What nearly all events are, told of a batch in a tenth of the time; of one it does not take, `EVENT` judges."""
    if {*map(type, entries)} != {dict} or not all(entry.keys() == EVENT.fields.keys() for entry in entries):
        return False
    texts, numbers = ([entry[name] for entry in entries for name in names] for names in (_TEXTS, _NUMBERS))
    bodies = [entry["body"] for entry in entries]
    return (
        {*map(type, texts)} == {str}
        and {*map(type, numbers)} == {int}
        and {*map(type, bodies)} == {dict}
        and 0 < min(numbers) <= max(numbers) <= MAX_INT
        and all(all(map(form, {*texts[at :: len(_TEXTS)]})) for at, form in enumerate(_TEXT_FORMS))
        and max(map(len, bodies)) <= _MOST_NAMES
        and all(map(_PLAIN_NAME.fullmatch, set[str]().union(*bodies)))
        and _are_plain_values([value for body in bodies for value in body.values()])
    )


def _are_plain_values(values: Sequence[Any]) -> bool:
    texts = [value for value in values if type(value) is str]
    others = [value for value in values if type(value) is not str]
    together = "".join(texts)
    return (
        {*map(type, others)} <= {int, bool}
        and min(others, default=0) >= -MAX_INT
        and max(others, default=0) <= MAX_INT
        and together.isascii()
        and together.isprintable()
        and max(map(len, texts), default=0) <= _LONGEST_TEXT
    )


def _take(kiosk: str, entries: Sequence[dict[str, Any]]) -> Asking[list[str]]:
    """`applied`, `already` or `order` for each, judged in turn; what is applied is stored."""
    if not entries:
        return []
    found = yield Ask(_KNOWN_IDS, [(kiosk, entry["event_id"]) for entry in entries])
    numbers = yield Ask(_LAST_NUMBERS, [(kiosk, name) for name in {entry["aggregate"]: None for entry in entries}])
    known = {entry["event_id"] for entry in entries if (kiosk, entry["event_id"]) in found}
    last: dict[str, int] = {}
    statuses: list[str] = []
    fresh: list[tuple[Any, ...]] = []
    for entry in entries:
        event_id, aggregate, number = entry["event_id"], entry["aggregate"], entry["aggregate_seq"]
        if event_id in known:
            statuses.append("already")
            continue
        if number != (last.get(aggregate) or numbers[kiosk, aggregate][0] or 0) + 1:
            statuses.append("order")
            continue
        statuses.append("applied")
        known.add(event_id)
        last[aggregate] = number
        body = _JSON.encode(entry["body"])
        fresh.append((kiosk, event_id, aggregate, number, entry["type"], entry["created_utc_ms"], body))
    if fresh:
        yield Ask(_ADD_EVENTS, fresh)
    return statuses


def _name(entry: Any) -> str:
    """The event's own identifier if it has a well-formed one: a result must not echo arbitrary text."""
    identifier = entry.get("event_id") if isinstance(entry, dict) else None
    return str(identifier) if EVENT_ID(identifier, "event_id") is None else ""
