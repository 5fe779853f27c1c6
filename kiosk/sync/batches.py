"""Batches of events: sealed bytes, stored before they are first sent and resent unchanged (channel reference §4.3).

    pending ── seal ──► inflight ── applied, already ──► acked ── purge ──► (gone)
       ▲                   ├── order, retry, dissolve ──► pending
       └───────────────────┘── invalid, unsupported ───► dead (blocks the later events of its aggregate)

At most one batch exists at a time. Times are monotonic milliseconds of this boot; `recover` forgets those of another.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kiosk.store.transaction import Transaction, read_meta_int, whole, write_meta_int
from kiosk.sync.aggregates import move_to_this_installation
from kiosk.sync.profile import MAX_REQUEST_BODY_BYTES
from kiosk.sync.strict_json import encode

MAX_BATCH_EVENTS: Final = 100
LEASE_MS: Final = 120_000  # longer than any one attempt
_CANDIDATES: Final = 4 * MAX_BATCH_EVENTS
_PURGED_AT_ONCE: Final = 1000
_LAST_SEALED, _FINISHED, _LIMIT = "last_batch_seq", "acked_through_seq", "batch_limit"


class EventStatus(StrEnum):
    """What the backend says of one event."""

    APPLIED = "applied"
    ALREADY = "already"
    ORDER = "order"
    RETRY = "retry"
    INVALID = "invalid"
    UNSUPPORTED = "unsupported"


_GOOD: Final = (EventStatus.APPLIED, EventStatus.ALREADY)
_AGAIN: Final = (EventStatus.ORDER, EventStatus.RETRY)


@dataclass(frozen=True, slots=True)
class Batch:
    """One sealed batch. attempts: sends whose outcome is unknown; refusals: signed `internal` answers in a row."""

    batch_seq: int
    idem_key: str
    body: bytes = field(repr=False)
    event_ids: tuple[str, ...] = field(repr=False)
    attempts: int
    refusals: int
    lease_until_ms: int
    next_at_ms: int


def recover(tx: Transaction) -> None:
    """At start: what was leased or put off by another run of the program is due now, with the same bytes."""
    tx.execute("UPDATE batch SET lease_until_ms = 0, next_at_ms = 0")
    tx.execute("UPDATE event SET next_at_ms = 0 WHERE state = 'pending' AND next_at_ms > 0")


def due_now(tx: Transaction) -> None:
    """The service is there again: a batch of unknown outcome waits no longer. One that was told to wait still does."""
    tx.execute("UPDATE batch SET next_at_ms = 0 WHERE attempts > 0")


def current(tx: Transaction) -> Batch | None:
    """The batch in flight, if there is one."""
    for row in tx.execute(
        "SELECT batch_seq, idem_key, body, attempts, refusals, lease_until_ms, next_at_ms FROM batch LIMIT 1"
    ):
        seq, idem_key, body, attempts, refusals, lease_until_ms, next_at_ms = row
        ids = tx.execute("SELECT event_id FROM event WHERE batch_seq = ? ORDER BY seq", (seq,))
        return Batch(
            batch_seq=whole(seq),
            idem_key=str(idem_key),
            body=body if isinstance(body, bytes) else b"",
            event_ids=tuple(str(event_id) for (event_id,) in ids),
            attempts=whole(attempts),
            refusals=whole(refusals),
            lease_until_ms=whole(lease_until_ms),
            next_at_ms=whole(next_at_ms),
        )
    return None


def seal(tx: Transaction, now_ms: int) -> Batch | None:
    """Make the next batch of what is due: first the head of each unblocked aggregate, then successors, within limits.

    None when nothing is due. A batch must not exist.
    """
    chosen = _due(tx, now_ms)
    if not chosen:
        return None
    batch_seq = last_sealed(tx) + 1
    head = b'{"batch_seq":%d,"acked_through_seq":%d,"events":[' % (batch_seq, read_meta_int(tx, _FINISHED))
    parts: list[bytes] = []
    size_bytes = len(head) + len(b"]}")
    for _, part in chosen:
        size_bytes += len(part) + 1
        if size_bytes > MAX_REQUEST_BODY_BYTES:
            break
        parts.append(part)
    body = head + b",".join(parts) + b"]}"
    tx.execute(
        "INSERT INTO batch(batch_seq, idem_key, body, body_sha256) VALUES (?, ?, ?, ?)",
        (batch_seq, secrets.token_hex(16), body, hashlib.sha256(body).digest()),
    )
    for seq, _ in chosen[: len(parts)]:
        tx.execute("UPDATE event SET state = 'inflight', batch_seq = ? WHERE seq = ?", (batch_seq, seq))
    write_meta_int(tx, _LAST_SEALED, batch_seq)
    return current(tx)


def lease(tx: Transaction, batch: Batch, now_ms: int) -> None:
    """Before a send: count the attempt as unknown until an answer says otherwise, and keep others off the batch."""
    tx.execute(
        "UPDATE batch SET attempts = attempts + 1, lease_until_ms = ? WHERE batch_seq = ?",
        (now_ms + LEASE_MS, batch.batch_seq),
    )


def put_off(tx: Transaction, batch: Batch, next_at_ms: int, *, attempts: int, refusals: int) -> None:
    """The same bytes again, not before `next_at_ms`."""
    tx.execute(
        "UPDATE batch SET lease_until_ms = 0, next_at_ms = ?, attempts = ?, refusals = ? WHERE batch_seq = ?",
        (next_at_ms, attempts, refusals, batch.batch_seq),
    )


def settle(
    tx: Transaction,
    batch: Batch,
    results: Mapping[str, EventStatus],
    next_at_ms: Callable[[int], int],
) -> int:
    """Apply the backend's word on every event of the batch and end it. Returns how many events died.

    `results` names exactly the events of the batch. `next_at_ms(attempts)`: when an event that must wait is due again.
    """
    died = 0
    for event_id in batch.event_ids:
        status = results[event_id]
        if status in _GOOD:
            _end_event(tx, event_id, "acked", status)
        elif status is EventStatus.ORDER and move_to_this_installation(tx, event_id):
            continue
        elif status in _AGAIN:
            ((attempts,),) = tx.execute("SELECT attempts + 1 FROM event WHERE event_id = ?", (event_id,))
            _end_event(tx, event_id, "pending", status)
            tx.execute(
                "UPDATE event SET attempts = ?, next_at_ms = ? WHERE event_id = ?",
                (attempts, next_at_ms(whole(attempts)), event_id),
            )
        else:
            _end_event(tx, event_id, "dead", status)
            died += 1
    _finish(tx, batch)
    if any(status in _GOOD for status in results.values()):
        write_meta_int(tx, _LIMIT, min(2 * batch_limit(tx), MAX_BATCH_EVENTS))
    return died


def dissolve(tx: Transaction, batch: Batch) -> None:
    """Its events are pending again, for another batch. A batch that had an effect must only be dissolved where the next
    one asks for each event anew, under its own identifier."""
    tx.execute("UPDATE event SET state = 'pending', batch_seq = NULL WHERE batch_seq = ?", (batch.batch_seq,))
    _finish(tx, batch)


def dissolve_and_halve(tx: Transaction, batch: Batch) -> None:
    """As `dissolve`; the next batches hold half as many events, until one is taken."""
    dissolve(tx, batch)
    write_meta_int(tx, _LIMIT, max(1, len(batch.event_ids) // 2))


def batch_limit(tx: Transaction) -> int:
    """Events in the next batch, at most."""
    return read_meta_int(tx, _LIMIT, MAX_BATCH_EVENTS)


def last_sealed(tx: Transaction) -> int:
    """The highest number ever given to a batch, here or by another disk of this kiosk."""
    return read_meta_int(tx, _LAST_SEALED)


def skip(tx: Transaction, last_seq: int) -> None:
    """The next batch gets a number above this one."""
    write_meta_int(tx, _LAST_SEALED, max(last_sealed(tx), last_seq))


def purge(tx: Transaction) -> int:
    """Delete acknowledged events, a bounded number at once; returns how many."""
    tx.execute(
        "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE state = 'acked' ORDER BY seq LIMIT ?)",
        (_PURGED_AT_ONCE,),
    )
    return tx.changes()


def next_due_ms(tx: Transaction, now_ms: int) -> int | None:
    """When the next event that was put off is due. Those past due that `seal` leaves stand behind a dead one."""
    ((due,),) = tx.execute(
        "SELECT min(next_at_ms) FROM event WHERE state = 'pending' AND next_at_ms > 0 AND next_at_ms > ?", (now_ms,)
    )
    return None if due is None else whole(due)


def _due(tx: Transaction, now_ms: int) -> list[tuple[int, bytes]]:
    """(seq, wire form) in sending order. Events behind a dead or delayed one of their aggregate wait with it."""
    rows = tx.execute(
        """
        SELECT seq, event_id, aggregate, aggregate_seq, type, schema_version, created_utc_ms, body FROM event AS e
        WHERE state = 'pending' AND next_at_ms <= ?1
          AND NOT EXISTS (SELECT 1 FROM event AS d WHERE d.state = 'dead'
                          AND d.aggregate = e.aggregate AND d.aggregate_seq < e.aggregate_seq)
          AND NOT EXISTS (SELECT 1 FROM event AS w WHERE w.state = 'pending' AND w.next_at_ms > 0
                          AND w.aggregate = e.aggregate AND w.aggregate_seq < e.aggregate_seq AND w.next_at_ms > ?1)
        ORDER BY seq LIMIT ?2
        """,
        (now_ms, _CANDIDATES),
    )
    ranks: dict[str, int] = {}
    ordered: list[tuple[int, int, bytes]] = []
    for seq, event_id, aggregate, aggregate_seq, type_, schema_version, created_utc_ms, body in rows:
        rank = ranks[str(aggregate)] = ranks.get(str(aggregate), -1) + 1
        outside = {
            "event_id": event_id,
            "aggregate": aggregate,
            "aggregate_seq": aggregate_seq,
            "type": type_,
            "schema_version": schema_version,
            "created_utc_ms": created_utc_ms,
        }
        inside = body if isinstance(body, bytes) else b""
        ordered.append((rank, whole(seq), encode(outside)[:-1] + b',"body":' + inside + b"}"))
    ordered.sort()
    return [(seq, part) for _, seq, part in ordered[: batch_limit(tx)]]


def _end_event(tx: Transaction, event_id: str, state: str, status: EventStatus) -> None:
    tx.execute(
        "UPDATE event SET state = ?, batch_seq = NULL, last_status = ? WHERE event_id = ?",
        (state, status.value, event_id),
    )


def _finish(tx: Transaction, batch: Batch) -> None:
    tx.execute("DELETE FROM batch WHERE batch_seq = ?", (batch.batch_seq,))
    write_meta_int(tx, _FINISHED, batch.batch_seq)
