"""One proven request, one transaction: state, time, nonce, idempotency, effect, stored answer (channel reference §4.4).

A refusal keeps the nonce and a counter and nothing else, a fork also its quarantine; so a route refuses before it
writes. An exception rolls everything back, nonce included, and becomes `internal`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import Connection, literal_column, select, update

from kiosk.sync import profile
from kiosk.sync.messages import VerifiedRequest
from kiosk.visit.policy import Quarantine
from simulators.backend import key_life, refusals, schema
from simulators.backend.bulk import Add, AddNew, Ask, Judge, Lookup, Request, Row
from simulators.backend.refusals import Refusal

NONCE_MARGIN_S: Final = 60
REPEATABLE_S: Final = profile.MAX_LIFETIME_S + 2 * profile.SKEW_S + NONCE_MARGIN_S
"""How long the stored answer of a route that changes nothing is kept: no message taken now is still in its window then,
so what comes later under the same key was signed anew, and asking anew does no harm."""
_SEVERITY: Final = {level.value: rank for rank, level in enumerate(Quarantine)}


@dataclass(frozen=True, slots=True)
class Answer:
    """A 200 of a route. `live_s`: seconds after which the stored copy becomes a tombstone; None: kept.

    `effects` are stored together with the copy, in any order. No answer says a fraction: the encoder takes NaN.
    """

    body: Mapping[str, Any] = field(repr=False)
    live_s: int | None = None
    conversation_id: str | None = None
    batch_seq: int | None = None
    effects: Sequence[Ask] = ()


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a route asks at the beginning of its group's transaction, and what it has made of the body for that."""

    asks: tuple[Ask, ...] = ()
    made: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """What a route is given: the open transaction, the time, the proven kiosk's row, the checked body; of what it has
    foreseen, what it made of that body and the answers to what it asked.
    """

    connection: Connection
    now_s: int
    kiosk: Mapping[str, Any]
    idem_key: str
    body: Mapping[str, Any] = field(repr=False)
    made: Any = field(repr=False)
    answers: Sequence[Any] = field(repr=False)

    @property
    def kiosk_id(self) -> str:
        """Name of the proven kiosk."""
        return str(self.kiosk["id"])


Handler = Callable[[Call], Answer | Refusal]
Parse = Callable[[str, bytes], Mapping[str, Any] | Refusal]


def _nothing(_kiosk: str, _body: Mapping[str, Any]) -> Foreseen:
    return Foreseen()


@dataclass(frozen=True, slots=True)
class Route:
    """What a path does, and the mildest quarantine in which it is closed (None: never).

    foresee: told kiosk and checked body, what is asked together with the other requests of the group.
    """

    handler: Handler
    closed_from: Quarantine | None = None
    foresee: Callable[[str, Mapping[str, Any]], Foreseen] = _nothing


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to sign and send: bytes, and for the log the refusal if it is one."""

    status: int
    body: bytes = field(repr=False)
    refusal: Refusal | None = None


_kiosk, _key, _stored = schema.kiosk, schema.kiosk_key.c, schema.response.c
_KIOSK_FIELDS: Final = tuple(column.name for column in _kiosk.c)
# The lock is a statement of its own, and the first: the others see all that its last holder has committed.
_LOCKED_KIOSK: Final = Lookup(
    {"kiosk": _kiosk.c.id},
    lambda asked: (
        select(asked.c.kiosk, _kiosk)
        .join(_kiosk, _kiosk.c.id == asked.c.kiosk)
        .order_by(_kiosk.c.id)  # in one order everywhere: no two groups can wait for each other
        .with_for_update(of=_kiosk)
    ),
)
_NEW_NONCE: Final = AddNew(
    schema.nonce,
    lambda adding: adding.on_conflict_do_nothing().returning(schema.nonce.c.keyid, schema.nonce.c.nonce),
)
_forgotten: Final = schema.nonce.alias("forgotten").c
_KNOWN: Final = Lookup(
    {"keyid": _key.keyid, "kiosk": _stored.kiosk, "idem_key": _stored.idem_key},
    lambda asked: (
        select(
            *asked.c,
            _key.state,
            _key.until_s,
            # Asked after the nonce was stored: should a tidying have made room for it, this shows how far it has gone.
            select(_forgotten.keep_until_s)
            .where(_forgotten.keyid == literal_column("''"), _forgotten.nonce == literal_column("''"))
            .scalar_subquery(),
            _stored.path,
            _stored.request_sha256,
            _stored.body,
            _stored.gone_at_s,
        )
        .join(schema.kiosk_key, _key.keyid == asked.c.keyid)
        .outerjoin(schema.response, (_stored.kiosk == asked.c.kiosk) & (_stored.idem_key == asked.c.idem_key))
    ),
)
"""A key's state, how far nonces are forgotten, and what is stored under an idempotency key: no path if nothing is."""
_STORE: Final = Add(schema.response)


def request_of(proven: VerifiedRequest, route: Route, parse: Parse, now_s: int) -> Request[Outcome]:
    """Steps 7 and 8 of the server for one proven request, in the transaction of its group."""
    return Request(proven.kiosk, lambda: _Exchange(proven, route, parse, now_s).begin())


class _Exchange:
    """One proven request, read ahead: what is found wrong with its body counts only in its turn."""

    def __init__(self, proven: VerifiedRequest, route: Route, parse: Parse, now_s: int) -> None:
        head = proven.head
        self._proven, self._head, self._name, self._route, self._now_s = proven, head, proven.kiosk, route, now_s
        self._body = parse(head.path, proven.body)
        self._foreseen = Foreseen() if isinstance(self._body, Refusal) else route.foresee(self._name, self._body)
        self._digest = proven.body_sha256
        # Past the last moment of its window, of a message that is taken. One of far ahead is refused now, not then too.
        self._keep_until_s = min(head.expires_s + profile.SKEW_S + NONCE_MARGIN_S, now_s + REPEATABLE_S)
        self._asked = proven.keyid, self._name, head.idempotency_key

    def begin(self) -> tuple[Sequence[Ask], Judge[Outcome]]:
        """What it asks, the lock first; and what it makes of the answers."""
        asks = (
            Ask(_LOCKED_KIOSK, [(self._name,)]),
            Ask(_NEW_NONCE, [(self._proven.keyid, self._proven.nonce, self._keep_until_s)]),
            Ask(_KNOWN, [self._asked]),
        )
        return (*asks, *self._foreseen.asks), self._end

    def _end(self, connection: Connection, answers: Sequence[Any]) -> tuple[Outcome, Sequence[Ask]]:
        head, name = self._head, self._name
        result = self._judge(connection, *answers)
        if isinstance(result, Outcome):
            return result, ()
        if isinstance(result, Refusal):
            connection.execute(update(_kiosk).where(_kiosk.c.id == name).values(refusals=_kiosk.c.refusals + 1))
            return Outcome(result.status, result.body(), result), ()
        content = orjson.dumps(result.body)
        gone_at_s = None if result.live_s is None else self._now_s + result.live_s
        of_what = result.conversation_id, result.batch_seq
        row = (name, head.idempotency_key, head.path, self._digest, content, gone_at_s, *of_what)
        return Outcome(200, content), (*result.effects, Ask(_STORE, [row]))

    def _judge(
        self,
        connection: Connection,
        locked: Mapping[Row, Row],
        new_nonces: Collection[Row],
        known: Mapping[Row, Row],
        *answers: Any,
    ) -> Outcome | Refusal | Answer:
        proven, head, body, now_s = self._proven, self._head, self._body, self._now_s
        kiosk = dict(zip(_KIOSK_FIELDS, locked[self._name,], strict=True))
        is_new = (proven.keyid, proven.nonce) in new_nonces
        key_state, key_until_s, forgotten_s, path, request_sha256, stored, gone_at_s = known[self._asked]
        is_of_now = proven.in_window(now_s) and self._keep_until_s > (forgotten_s or 0)  # our clock may have gone back
        if not key_life.accepted(key_state, key_until_s, now_s):
            return refusals.KEY_STATE
        if is_new and key_state == key_life.PENDING and is_of_now:
            key_life.activate(connection, self._name, proven.keyid, now_s)
        closed_from = self._route.closed_from
        if closed_from is not None and _SEVERITY[kiosk["quarantine"]] >= _SEVERITY[closed_from.value]:
            return refusals.QUARANTINED
        if not is_of_now:
            return refusals.TIME_SKEW
        if not is_new:
            return refusals.REPLAY
        if path is not None:
            if path != head.path or request_sha256 != self._digest:
                return refusals.IDEM_CONFLICT
            is_gone = stored is None or (gone_at_s is not None and gone_at_s <= now_s)
            return refusals.GONE if is_gone else Outcome(200, stored)
        if isinstance(body, Refusal):
            return body
        made = self._foreseen.made
        return self._route.handler(Call(connection, now_s, kiosk, head.idempotency_key, body, made, answers))
