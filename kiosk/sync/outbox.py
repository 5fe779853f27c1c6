"""The outbox: facts the backend must be told, queued in the transaction that makes them true (channel reference §4).

`enqueue` refuses new work visibly when a quota is reached and never drops anything. Sealing and results: `batches`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from kiosk.store.transaction import Transaction, whole
from kiosk.sync.aggregates import take_number
from kiosk.sync.strict_json import encode
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import Clock

SCHEMA_VERSION: Final = 1
MAX_EVENT_BODY_BYTES: Final = 4096
VISIT_MEMORY_S: Final = 2 * 86_400
_FORGOTTEN_AT_ONCE: Final = 1000
_AGGREGATE: Final = re.compile(r"[a-z][a-z0-9_.:-]{0,95}", re.ASCII)

BodyValue = str | int | bool


@dataclass(frozen=True, slots=True)
class Quota:
    """How much may wait. The reserve is for `reserved` events only (the kiosk's own health)."""

    events: int = 200_000
    body_bytes: int = 64 * 1024 * 1024
    reserve_share: float = 0.02


@dataclass(frozen=True, slots=True)
class OutboxFull:
    """New work is refused: which quota is reached."""

    reason: str


class Outbox:
    """Queues events. Has no state of its own: everything is in the caller's transaction."""

    def __init__(self, clock: Clock, *, quota: Quota | None = None, boot_id: str | None = None) -> None:
        self._clock = clock
        self._quota = quota or Quota()
        self._boot_id = boot_id or read_boot_id()

    def enqueue(
        self,
        tx: Transaction,
        aggregate: str,
        event: str,
        body: Mapping[str, BodyValue],
        *,
        utc_ms: int,
        reserved: bool = False,
    ) -> OutboxFull | None:
        """Queue one event as the next of its aggregate (see `aggregates`).

        When full nothing is written; the caller must roll back, or record nothing else. Raises ValueError on a body
        above 4 KiB or an aggregate of another form: both are bugs, event bodies have closed fields.
        """
        raw = encode(body)
        if len(raw) > MAX_EVENT_BODY_BYTES or not _AGGREGATE.fullmatch(aggregate):
            raise ValueError(f"event {event}: body above {MAX_EVENT_BODY_BYTES} bytes, or a wrong aggregate")
        if (full := self.refusal(tx, len(raw), reserved=reserved)) is not None:
            return full
        tx.execute(
            "INSERT INTO event(event_id, aggregate, aggregate_seq, type, schema_version, body, created_utc_ms,"
            " created_boot_ms, boot_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                uuid7(utc_ms),
                aggregate,
                take_number(tx, aggregate, utc_ms),
                event,
                SCHEMA_VERSION,
                raw,
                utc_ms,
                round(self._clock.monotonic_s() * 1000),
                self._boot_id,
            ),
        )
        return None

    def refusal(
        self, tx: Transaction, more_bytes: int = MAX_EVENT_BODY_BYTES, *, reserved: bool = False
    ) -> OutboxFull | None:
        """Why one more event with a body of this size would be refused, None if there is room."""
        events, body_bytes = _size(tx)
        open_share = 1.0 if reserved else 1.0 - self._quota.reserve_share
        if events + 1 > self._quota.events * open_share:
            return OutboxFull(f"{events} events wait")
        if body_bytes + more_bytes > self._quota.body_bytes * open_share:
            return OutboxFull(f"{body_bytes} bytes wait")
        return None

    def filled(self, tx: Transaction) -> float:
        """How much of the quota that is nearer is used: 1.0 is full."""
        events, body_bytes = _size(tx)
        return max(events / max(self._quota.events, 1), body_bytes / max(self._quota.body_bytes, 1))


def pending(tx: Transaction) -> int:
    """Events the backend has not yet acknowledged, dead ones included. Its cost does not grow with their number."""
    return _size(tx)[0] - _count(tx, "state = 'acked'")


def dead(tx: Transaction) -> int:
    """Events the backend refused for good; each blocks its aggregate until an operator decides."""
    return _count(tx, "state = 'dead'")


def forget_visits(tx: Transaction, floor_s: int) -> int:
    """Forget the last numbers of visits long over, a bounded number at once; returns how many.

    A visit is named after a card and a day, and no day before the time floor comes back: what got its last number two
    days before it never gets another. floor_s must be on the disk, as proven by the backend. Numbers of events that are
    still here are kept.
    """
    tx.execute(
        """
        DELETE FROM aggregate WHERE name IN (
          SELECT name FROM aggregate AS old WHERE name GLOB 'visit:*' AND last_utc_ms < ?
            AND NOT EXISTS (SELECT 1 FROM event WHERE event.aggregate = old.name) LIMIT ?)
        """,
        ((floor_s - VISIT_MEMORY_S) * 1000, _FORGOTTEN_AT_ONCE),
    )
    return tx.changes()


def uuid7(utc_ms: int) -> str:
    """A UUID version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, 74 random bits. Lower-case, with hyphens."""
    number = (utc_ms & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62
    digits = f"{number | secrets.randbits(62):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


@cache
def read_boot_id() -> str:
    """Which boot of the machine this is: monotonic times of two boots must not be compared."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def store_failed(detail: str) -> Fault:
    """The database cannot be opened, read or written."""
    return Fault(Cause.STORE_FAILED, detail)


def store_full(detail: str) -> Fault:
    """A quota is reached, or the disk is full: new work is refused."""
    return Fault(Cause.STORE_FULL, detail)


def _size(tx: Transaction) -> tuple[int, int]:
    """Events in the table, and the bytes of their bodies."""
    ((events, body_bytes),) = tx.execute("SELECT events, body_bytes FROM outbox_size")
    return whole(events), whole(body_bytes)


def _count(tx: Transaction, condition: str) -> int:
    ((number,),) = tx.execute(f"SELECT count(*) FROM event WHERE {condition}")  # noqa: S608  constants of this module
    return whole(number)
