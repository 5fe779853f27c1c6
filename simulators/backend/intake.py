"""Event batches: each event once, in order per aggregate, forks and stale numbers told apart (channel §3.5, §4.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import orjson
from sqlalchemy import literal_column, select, update

from kiosk.visit.policy import Quarantine
from simulators.backend import refusals, schema
from simulators.backend.alarms import Alarm, raise_alarm
from simulators.backend.authority import Authority
from simulators.backend.bodies import EVENT, EVENT_AGGREGATE, EVENT_BODY_NAME, EVENT_ID, EVENT_TYPE
from simulators.backend.bulk import Add, Ask, Change, Lookup, Row
from simulators.backend.documents import set_quarantine
from simulators.backend.exchange import REPEATABLE_S, Answer, Call, Foreseen
from simulators.backend.refusals import Refusal

SCHEMA_VERSION: Final = 1
_outside: Final = itemgetter("event_id", "aggregate", "aggregate_seq", "type", "created_utc_ms")
_ID, _AGGREGATE, _TYPE, _NAME = (
    re.sub(r"(\{[0-9,]+\})$", r"\1+", text.pattern)  # possessive: what does not match says so at once
    for text in (EVENT_ID, EVENT_AGGREGATE, EVENT_TYPE, EVENT_BODY_NAME)
)
_WHOLE: Final = "[1-9][0-9]{0,14}+"
_PAIR: Final = rf'"{_NAME}":(?:"[ !#-\[\]-~]{{0,64}}+"|-?(?:0|{_WHOLE})|true|false|null)'
_PLAIN_EVENT: Final = re.compile(
    rf'\{{"event_id":"({_ID})","aggregate":"({_AGGREGATE})","aggregate_seq":({_WHOLE}),"type":"({_TYPE})"'
    rf',"schema_version":{SCHEMA_VERSION},"created_utc_ms":({_WHOLE}),"body":(\{{(?:{_PAIR}(?:,{_PAIR}){{0,31}}+)?\}})\}}',
    re.ASCII,
)
"""What nearly all events are, in JSON as the encoder writes it: with it a batch is judged in half of the time."""
_STEP: Final = 1 + _PLAIN_EVENT.groups

_kiosk, _event, _aggregate, _stored = schema.kiosk, schema.event.c, schema.aggregate.c, schema.response.c
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
    {"event_id": _event.event_id, "kiosk": _event.kiosk},
    lambda asked: select(asked.c.event_id, asked.c.kiosk).join(
        schema.event, (_event.event_id == asked.c.event_id) & (_event.kiosk == asked.c.kiosk)
    ),
)
_LAST_NUMBERS: Final = Lookup(
    {"kiosk": _aggregate.kiosk, "name": _aggregate.name},
    lambda asked: select(asked.c.kiosk, asked.c.name, _aggregate.last_seq).join(
        schema.aggregate, (_aggregate.kiosk == asked.c.kiosk) & (_aggregate.name == asked.c.name)
    ),
)
_ADD_EVENTS: Final = Add(schema.event)
_SET_LAST_NUMBERS: Final = Add(
    schema.aggregate,
    lambda adding: adding.on_conflict_do_update(
        index_elements=["kiosk", "name"], set_={"last_seq": adding.excluded.last_seq}
    ),
)


def foresee(kiosk: str, body: Mapping[str, Any]) -> Foreseen:
    """Of `/v1/events`: the rows of a batch; which of its events are known is asked, and the last of its numbers."""
    rows, refused = _judge(body["events"])
    asks = (
        Ask(_KNOWN_IDS, [(row[0], kiosk) for row in rows]),
        Ask(_LAST_NUMBERS, [(kiosk, name) for name in dict.fromkeys([row[1] for row in rows])]),
    )
    return Foreseen(asks if rows else (), (rows, refused))


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
    rows, refused = call.made
    statuses, effects = _take(call.kiosk_id, rows, *call.answers) if rows else ([], [])
    results = [{"event_id": row[0], "status": status} for row, status in zip(rows, statuses, strict=True)]
    for index, status in refused.items():
        results.insert(index, {"event_id": _name(call.body["events"][index]), "status": status})
    acked, pruned = min(call.body["acked_through_seq"], last), call.kiosk["acked_through_seq"]
    if acked > pruned:
        effects.append(Ask(_PRUNE, [(call.kiosk_id, pruned, acked)]))
    effects.append(Ask(_ADVANCE, [(call.kiosk_id, number, max(acked, pruned))]))
    return Answer({"results": results, "last_seq": number}, batch_seq=number, effects=effects)


def sync_state(call: Call) -> Answer | Refusal:
    """`/v1/sync/state`: whether the batch of this number has taken effect."""
    number, last = call.body["batch_seq"], call.kiosk["last_batch_seq"]
    return Answer({"applied": _is_known(call, number), "last_seq": last}, live_s=REPEATABLE_S)


def _is_known(call: Call, number: int) -> bool:
    """Stored answers outlive their bodies: a number is known as long as the kiosk is."""
    known = select(_stored.batch_seq).where(_stored.kiosk == call.kiosk_id, _stored.batch_seq == number)
    return call.connection.execute(known).first() is not None


def _judge(entries: Sequence[Any]) -> tuple[Sequence[Row], Mapping[int, str]]:
    """Rows (event_id, aggregate, aggregate_seq, type, created_utc_ms, body_json) of the events that may be applied; of
    the others, by their index, `invalid` or `unsupported`.
    """
    plain = _plain_rows(entries)
    if plain is not None:
        return plain, {}
    rows: list[Row] = []
    refused: dict[int, str] = {}
    for index, entry in enumerate(entries):
        if EVENT(entry, "event") is not None:
            refused[index] = "invalid"
        elif entry["schema_version"] != SCHEMA_VERSION:
            refused[index] = "unsupported"
        else:
            rows.append((*_outside(entry), orjson.dumps(entry["body"]).decode()))
    return rows, refused


def _plain_rows(entries: Sequence[Any]) -> Sequence[Row] | None:
    """The rows of events that are all plain. Of a batch in which one is not, `EVENT` judges each."""
    try:
        parts = _PLAIN_EVENT.split(orjson.dumps(entries).decode())
    except orjson.JSONEncodeError:
        return None  # a number too long for the encoder
    if parts[::_STEP] != ["[", *[","] * (len(entries) - 1), "]"]:
        return None  # something else is between the plain events, or there are none
    ids, aggregates, numbers, types, times, bodies = (parts[at::_STEP] for at in range(1, _STEP))
    return [*zip(ids, aggregates, map(int, numbers), types, map(int, times), bodies, strict=True)]


def _take(
    kiosk: str, rows: Sequence[Row], found: Mapping[Row, Row], numbers: Mapping[Row, Row]
) -> tuple[list[str], list[Ask]]:
    """`applied`, `already` or `order` for each, judged in turn; and what is to be stored of it."""
    known = {row[0] for row in rows if (row[0], kiosk) in found} if found else set[str]()
    last = {name: numbers.get((kiosk, name), (0,))[0] for name in {row[1] for row in rows}}
    advanced: dict[str, int] = {}
    statuses: list[str] = []
    fresh: list[Row] = []
    for event_id, aggregate, number, kind, created_utc_ms, body_json in rows:
        if event_id in known:
            statuses.append("already")
        elif number != last[aggregate] + 1:
            statuses.append("order")
        else:
            statuses.append("applied")
            known.add(event_id)
            last[aggregate] = advanced[aggregate] = number
            fresh.append((event_id, kiosk, aggregate, number, kind, created_utc_ms, body_json))
    if not fresh:
        return statuses, []
    heads = [(kiosk, name, number) for name, number in advanced.items()]
    return statuses, [Ask(_ADD_EVENTS, fresh), Ask(_SET_LAST_NUMBERS, heads)]


def _name(entry: Any) -> str:
    """The event's own identifier if it has a well-formed one: a result must not echo arbitrary text."""
    identifier = entry.get("event_id") if isinstance(entry, dict) else None
    return str(identifier) if EVENT_ID(identifier, "event_id") is None else ""
