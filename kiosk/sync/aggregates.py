"""Aggregates: whose events follow one another, and which number each event has among them (channel reference §4.2).

A disk that is new, or comes out of a backup, cannot know which numbers were given under this kiosk's name by the disk
before it. So the names of aggregates end with the *installation*: random, made with the database, and made anew by
every enrolment with a ticket. What waits in an aggregate of an earlier installation keeps its number; where the backend
says that it is out of order there, the event moves to this installation's aggregate.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

from kiosk.store.transaction import Transaction, read_meta, whole, write_meta

_INSTALLATION: Final = "installation"
_INSTALLATION_BYTES: Final = 4
_OF_AN_INSTALLATION: Final = re.compile(r":[0-9a-f]{8}\Z", re.ASCII)


def aggregate_of(tx: Transaction, subject: str) -> str:
    """The aggregate of `kiosk`, or of `visit:<pseudonym>`, in this installation: `<subject>:<8 hex>`."""
    installation = read_meta(tx, _INSTALLATION)
    return f"{subject}:{(installation or new_installation(tx)).decode('ascii')}"


def new_installation(tx: Transaction) -> bytes:
    """From now on every aggregate has another name, and begins with 1."""
    installation = secrets.token_hex(_INSTALLATION_BYTES).encode("ascii")
    write_meta(tx, _INSTALLATION, installation)
    return installation


def take_number(tx: Transaction, aggregate: str, utc_ms: int) -> int:
    """The next number of an aggregate; the first is 1."""
    ((number,),) = tx.execute(
        "INSERT INTO aggregate VALUES (?, 1, ?) ON CONFLICT(name) DO UPDATE"
        " SET last_seq = last_seq + 1, last_utc_ms = max(last_utc_ms, excluded.last_utc_ms) RETURNING last_seq",
        (aggregate, utc_ms),
    )
    return whole(number)


def move_to_this_installation(tx: Transaction, event_id: str) -> bool:
    """An event that is out of order for the backend, though all before it are told: it gets a number that is free.

    False where it may come into order yet: its aggregate is of this installation, or an earlier event of it waits. To
    be called only on the backend's signed word, which says as well that it does not know the event: it cannot count
    twice.
    """
    rows = tx.execute(
        "SELECT aggregate, aggregate_seq, created_utc_ms, type, schema_version, body, created_boot_ms, boot_id,"
        " attempts FROM event WHERE event_id = ?",
        (event_id,),
    )
    ((old, number, created_utc_ms, *content),) = rows
    aggregate = aggregate_of(tx, _OF_AN_INSTALLATION.sub("", str(old)))
    waits = "SELECT 1 FROM event WHERE aggregate = ? AND aggregate_seq < ? AND state <> 'acked' LIMIT 1"
    if aggregate == old or tx.execute(waits, (old, number)):
        return False
    tx.execute("DELETE FROM event WHERE event_id = ?", (event_id,))
    tx.execute(
        "INSERT INTO event(event_id, aggregate, aggregate_seq, created_utc_ms, type, schema_version, body,"
        " created_boot_ms, boot_id, attempts, last_status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'order')",
        (event_id, aggregate, take_number(tx, aggregate, whole(created_utc_ms)), created_utc_ms, *content),
    )
    return True
