"""One proven request, one transaction: state, time, nonce, idempotency, effect, stored answer (channel reference §4.4).

A refusal keeps the nonce and a counter and nothing else, a fork also its quarantine; so a route refuses before it
writes. An exception rolls everything back, nonce included, and becomes `internal`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from kiosk.sync import profile
from kiosk.sync.messages import VerifiedRequest
from kiosk.visit.policy import Quarantine
from simulators.backend import key_life, refusals, schema
from simulators.backend.refusals import Refusal

NONCE_MARGIN_S: Final = 60
SEVERITY: Final = {level: rank for rank, level in enumerate(Quarantine)}


@dataclass(frozen=True, slots=True)
class Answer:
    """A 200 of a route. `live_s`: seconds after which the stored copy becomes a tombstone; None: kept."""

    body: Mapping[str, Any] = field(repr=False)
    live_s: int | None = None
    conversation_id: str | None = None
    batch_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What a route is given: the open transaction, the time, the proven kiosk's row, the checked body."""

    connection: Connection
    now_s: int
    kiosk: RowMapping
    idem_key: str
    body: Mapping[str, Any] = field(repr=False)

    @property
    def kiosk_id(self) -> str:
        """Name of the proven kiosk."""
        return str(self.kiosk["id"])


Handler = Callable[[Call], Answer | Refusal]


@dataclass(frozen=True, slots=True)
class Route:
    """What a path does, and the mildest quarantine in which it is closed (None: never)."""

    handler: Handler
    closed_from: Quarantine | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to sign and send: bytes, and for the log the refusal if it is one."""

    status: int
    body: bytes = field(repr=False)
    refusal: Refusal | None = None


def perform(
    connection: Connection,
    request: VerifiedRequest,
    route: Route,
    parse: Callable[[str, bytes], Mapping[str, Any] | Refusal],
    now_s: int,
) -> Outcome:
    """Steps 7 and 8 of the server for one proven request; runs inside the caller's transaction."""
    _forget_old(connection, now_s)
    result = _judge(connection, request, route, parse, now_s)
    if isinstance(result, Outcome):
        return result
    connection.execute(
        update(schema.kiosk).where(schema.kiosk.c.id == request.kiosk).values(refusals=schema.kiosk.c.refusals + 1)
    )
    return Outcome(result.status, result.body(), result)


def _judge(
    connection: Connection,
    request: VerifiedRequest,
    route: Route,
    parse: Callable[[str, bytes], Mapping[str, Any] | Refusal],
    now_s: int,
) -> Outcome | Refusal:
    is_new = _take_nonce(connection, request)
    row = (
        connection.execute(
            select(
                schema.kiosk,
                schema.kiosk_key.c.state.label("key_state"),
                schema.kiosk_key.c.until_s.label("key_until_s"),
            )
            .join(schema.kiosk_key, schema.kiosk_key.c.kiosk == schema.kiosk.c.id)
            .where(schema.kiosk_key.c.keyid == request.keyid)
        )
        .mappings()
        .one()
    )
    if not key_life.accepted(row["key_state"], row["key_until_s"], now_s):
        return refusals.KEY_STATE
    if is_new and row["key_state"] == key_life.PENDING and request.in_window(now_s):
        key_life.activate(connection, request.kiosk, request.keyid, now_s)
    closed_from = route.closed_from
    if closed_from is not None and SEVERITY[Quarantine(row["quarantine"])] >= SEVERITY[closed_from]:
        return refusals.QUARANTINED
    if not request.in_window(now_s):
        return refusals.TIME_SKEW
    if not is_new:
        return refusals.REPLAY
    head = request.head
    digest = hashlib.sha256(request.body).digest()
    known = (
        connection.execute(
            select(schema.response).where(
                schema.response.c.kiosk == request.kiosk, schema.response.c.idem_key == head.idempotency_key
            )
        )
        .mappings()
        .one_or_none()
    )
    if known is not None:
        if known["path"] != head.path or known["request_sha256"] != digest:
            return refusals.IDEM_CONFLICT
        return refusals.GONE if known["body"] is None else Outcome(200, known["body"])
    body = parse(head.path, request.body)
    if isinstance(body, Refusal):
        return body
    answer = route.handler(Call(connection, now_s, row, head.idempotency_key, body))
    if isinstance(answer, Refusal):
        return answer
    content = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    connection.execute(
        insert(schema.response).values(
            kiosk=request.kiosk,
            idem_key=head.idempotency_key,
            path=head.path,
            request_sha256=digest,
            body=content,
            gone_at_s=None if answer.live_s is None else now_s + answer.live_s,
            conversation_id=answer.conversation_id,
            batch_seq=answer.batch_seq,
        )
    )
    return Outcome(200, content)


def _take_nonce(connection: Connection, request: VerifiedRequest) -> bool:
    """Remember (keyid, nonce) past the last moment at which the message could be accepted; False if it is known."""
    taken = connection.execute(
        insert_or(schema.nonce)
        .values(
            keyid=request.keyid,
            nonce=request.nonce,
            keep_until_s=request.head.expires_s + profile.SKEW_S + NONCE_MARGIN_S,
        )
        .on_conflict_do_nothing()
    )
    return taken.rowcount == 1


def _forget_old(connection: Connection, now_s: int) -> None:
    connection.execute(delete(schema.nonce).where(schema.nonce.c.keep_until_s < now_s))
    connection.execute(
        update(schema.response)
        .where(schema.response.c.gone_at_s <= now_s, schema.response.c.body.is_not(None))
        .values(body=None)
    )
