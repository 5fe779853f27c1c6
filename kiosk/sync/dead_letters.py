"""Events that the backend refused for good, and what an operator may decide about one: send it again, or give it up.

A dead event holds back the later ones of its aggregate, because their numbers must follow one another. So an event that
is given up leaves a stub in its place: the same number, type `event_dropped`, a body that names what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kiosk.store.transaction import Transaction, whole
from kiosk.sync.outbox import SCHEMA_VERSION, uuid7
from kiosk.sync.strict_json import encode

STUB: Final = "event_dropped"


class Decision(StrEnum):
    """What becomes of a dead event."""

    RELEASE = "release"  # send it again, unchanged
    DROP = "drop"  # give it up; a stub takes its number


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One refused event. `number`: its row, which stays; `status`: the backend's word; `held_back`: how many wait."""

    number: int
    event_id: str
    type: str
    status: str
    created_utc_ms: int
    held_back: int


def dead_letters(tx: Transaction) -> tuple[DeadLetter, ...]:
    """All of them, oldest first."""
    rows = tx.execute(
        """
        SELECT seq, event_id, type, last_status, created_utc_ms,
          (SELECT count(*) FROM event AS later WHERE later.aggregate = dead.aggregate
             AND later.aggregate_seq > dead.aggregate_seq AND later.state = 'pending')
        FROM event AS dead WHERE state = 'dead' ORDER BY seq
        """
    )
    return tuple(
        DeadLetter(whole(number), str(event_id), str(type_), str(status), whole(created_ms), whole(held_back))
        for number, event_id, type_, status, created_ms, held_back in rows
    )


def decide(tx: Transaction, letter: DeadLetter, decision: Decision, *, utc_ms: int) -> None:
    """Carry it out; what was held back goes on. Raises LookupError when the event is not dead any more."""
    place = tx.execute(
        "SELECT aggregate, aggregate_seq, created_boot_ms, boot_id FROM event"
        " WHERE seq = ? AND event_id = ? AND state = 'dead'",
        (letter.number, letter.event_id),
    )
    if not place:
        raise LookupError("no such dead event")
    if decision is Decision.RELEASE:
        tx.execute("UPDATE event SET state = 'pending', next_at_ms = 0 WHERE seq = ?", (letter.number,))
        return
    body = encode({"event_id": letter.event_id, "type": letter.type, "status": letter.status})
    tx.execute("DELETE FROM event WHERE seq = ?", (letter.number,))
    tx.execute(  # its place in the queue too, or its successors would be sent before it
        "INSERT INTO event(seq, event_id, type, schema_version, body, created_utc_ms,"
        " aggregate, aggregate_seq, created_boot_ms, boot_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (letter.number, uuid7(utc_ms), STUB, SCHEMA_VERSION, body, utc_ms, *place[0]),
    )
