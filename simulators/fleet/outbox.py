"""What a simulated kiosk has not told yet. As the real outbox: sealed batches of at most 100, resent unchanged.

Events waiting are counted, not kept: their bytes are made when a batch is sealed, so that a million of them weigh
nothing. Numbers within an aggregate have no gap, which is what the check at the end looks for.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kiosk.sync.batches import MAX_BATCH_EVENTS
from kiosk.sync.outbox import SCHEMA_VERSION, uuid7
from kiosk.sync.strict_json import encode

_MEMBER: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("visit_started", {"mode": "card"}),
    ("card_read", {"generation": "vitale2", "unfinished": False}),
    ("update_started", {"updates": 1}),
    ("update_ended", {"outcome": "updated", "detail": 1, "packages": 4, "apdus": 37, "wrote": True}),
    ("identified", {"level": 1}),
    ("serial_shown", {}),
    ("identified", {"level": 2}),
    ("code_issued", {}),
    ("ticket_queued", {}),
)
"""What a visit leaves, in order; a shorter visit leaves the first of them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Sealed bytes and what is needed to send them again."""

    batch_seq: int
    idem_key: str
    event_ids: tuple[str, ...] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(slots=True)
class _Visit:
    pseudonym: str
    utc_ms: int
    events: int
    told: int = 0


class FleetOutbox:
    """One kiosk's queue. `in_flight`: the batch that was sealed and is not acknowledged."""

    def __init__(self) -> None:
        self._visits: deque[_Visit] = deque()
        self.in_flight: Batch | None = None
        self.last_acked_seq = 0
        self.made = 0
        self.acked = 0
        self.acked_id_sum = 0

    @property
    def waiting(self) -> int:
        """Events made and not yet acknowledged."""
        return self.made - self.acked

    def add_visit(self, events: int, utc_ms: int) -> None:
        """A visit ended and left so many events, under a pseudonym of its own."""
        if events > 0:
            self._visits.append(_Visit(secrets.token_hex(16), utc_ms, events))
            self.made += events

    def batch(self) -> Batch | None:
        """The batch to send now: the one in flight, or the next one; None when nothing waits."""
        if self.in_flight is None and self._visits:
            self.in_flight = self._seal()
        return self.in_flight

    def acknowledge(self) -> None:
        """Every event of the batch in flight was `applied` or `already`."""
        batch, self.in_flight = self.in_flight, None
        if batch is None:
            raise ValueError("nothing is in flight")
        self.last_acked_seq = batch.batch_seq
        self.acked += len(batch.event_ids)
        self.acked_id_sum = (self.acked_id_sum + id_sum(batch.event_ids)) % ID_MODULUS

    def _seal(self) -> Batch:
        events: list[dict[str, Any]] = []
        while self._visits and len(events) < MAX_BATCH_EVENTS:
            visit = self._visits[0]
            visit.told += 1
            events.append(_event(visit))
            if visit.told == visit.events:
                self._visits.popleft()
        number = self.last_acked_seq + 1
        body = {"batch_seq": number, "acked_through_seq": self.last_acked_seq, "events": events}
        return Batch(number, secrets.token_hex(16), tuple(str(event["event_id"]) for event in events), encode(body))


ID_MODULUS: Final = 1 << 128


def id_sum(event_ids: tuple[str, ...]) -> int:
    """A fingerprint of a set of events whatever their order: two sets of one size and sum are the same set."""
    return sum(int(event_id.replace("-", ""), 16) for event_id in event_ids) % ID_MODULUS


def _event(visit: _Visit) -> dict[str, Any]:
    event, fields = _MEMBER[(visit.told - 1) % len(_MEMBER)]
    return {
        "event_id": uuid7(visit.utc_ms),
        "aggregate": f"visit:{visit.pseudonym}",
        "aggregate_seq": visit.told,
        "type": event,
        "schema_version": SCHEMA_VERSION,
        "created_utc_ms": visit.utc_ms,
        "body": {**fields, "pseudonym": visit.pseudonym},
    }
