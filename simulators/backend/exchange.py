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

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or  # both engines compile it; SQLite's own only SQLite

from kiosk.sync import profile
from kiosk.sync.messages import VerifiedRequest
from kiosk.visit.policy import Quarantine
from simulators.backend import key_life, refusals, schema
from simulators.backend.prepared import Prepared
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
    kiosk: Mapping[str, Any]
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


_kiosk, _key, _stored = schema.kiosk, schema.kiosk_key.c, schema.response.c
_KIOSK_FIELDS: Final = tuple(column.name for column in _kiosk.c)
_LOCK_KIOSK: Final = Prepared(select(_kiosk).where(_kiosk.c.id == bindparam("kiosk")).with_for_update())
_TAKE_NONCE: Final = Prepared(
    insert_or(schema.nonce)
    .values(keyid=bindparam("keyid"), nonce=bindparam("nonce"), keep_until_s=bindparam("keep_until_s"))
    .on_conflict_do_nothing()
)
_KEY_AND_KNOWN: Final = Prepared(
    select(_key.state, _key.until_s, _stored.path, _stored.request_sha256, _stored.body, _stored.gone_at_s)
    .select_from(
        schema.kiosk_key.outerjoin(
            schema.response, (_stored.kiosk == _key.kiosk) & (_stored.idem_key == bindparam("idem_key"))
        )
    )
    .where(_key.keyid == bindparam("keyid"))
)
_COUNT_REFUSAL: Final = Prepared(
    update(_kiosk).where(_kiosk.c.id == bindparam("kiosk")).values(refusals=_kiosk.c.refusals + 1)
)
_STORE: Final = Prepared(insert(schema.response).values({column.name: bindparam(column.name) for column in _stored}))


def perform(
    connection: Connection,
    request: VerifiedRequest,
    route: Route,
    parse: Callable[[str, bytes], Mapping[str, Any] | Refusal],
    now_s: int,
) -> Outcome:
    """Steps 7 and 8 of the server for one proven request; runs inside the caller's transaction."""
    result = _judge(connection, request, route, parse, now_s)
    if isinstance(result, Outcome):
        return result
    _COUNT_REFUSAL.run(connection, {"kiosk": request.kiosk})
    return Outcome(result.status, result.body(), result)


def _judge(
    connection: Connection,
    request: VerifiedRequest,
    route: Route,
    parse: Callable[[str, bytes], Mapping[str, Any] | Refusal],
    now_s: int,
) -> Outcome | Refusal:
    head = request.head
    # The lock in a statement of its own: what comes after sees all that an earlier holder of it has committed.
    row = _LOCK_KIOSK.run(connection, {"kiosk": request.kiosk}).fetchone()
    kiosk = dict(zip(_KIOSK_FIELDS, row, strict=True))
    keep_until_s = head.expires_s + profile.SKEW_S + NONCE_MARGIN_S  # past the last moment of the message's window
    taken = _TAKE_NONCE.run(connection, {"keyid": request.keyid, "nonce": request.nonce, "keep_until_s": keep_until_s})
    is_new = taken.rowcount == 1
    key_state, key_until_s, path, request_sha256, stored, gone_at_s = _KEY_AND_KNOWN.run(
        connection, {"keyid": request.keyid, "idem_key": head.idempotency_key}
    ).fetchone()
    if not key_life.accepted(key_state, key_until_s, now_s):
        return refusals.KEY_STATE
    if is_new and key_state == key_life.PENDING and request.in_window(now_s):
        key_life.activate(connection, request.kiosk, request.keyid, now_s)
    closed_from = route.closed_from
    if closed_from is not None and SEVERITY[Quarantine(kiosk["quarantine"])] >= SEVERITY[closed_from]:
        return refusals.QUARANTINED
    if not request.in_window(now_s):
        return refusals.TIME_SKEW
    if not is_new:
        return refusals.REPLAY
    digest = hashlib.sha256(request.body).digest()
    if path is not None:
        if path != head.path or request_sha256 != digest:
            return refusals.IDEM_CONFLICT
        is_gone = stored is None or (gone_at_s is not None and gone_at_s <= now_s)
        return refusals.GONE if is_gone else Outcome(200, stored)
    body = parse(head.path, request.body)
    if isinstance(body, Refusal):
        return body
    answer = route.handler(Call(connection, now_s, kiosk, head.idempotency_key, body))
    if isinstance(answer, Refusal):
        return answer
    content = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    _STORE.run(
        connection,
        {
            "kiosk": request.kiosk,
            "idem_key": head.idempotency_key,
            "path": head.path,
            "request_sha256": digest,
            "body": content,
            "gone_at_s": None if answer.live_s is None else now_s + answer.live_s,
            "conversation_id": answer.conversation_id,
            "batch_seq": answer.batch_seq,
        },
    )
    return Outcome(200, content)
