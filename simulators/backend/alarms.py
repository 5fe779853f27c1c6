"""What somebody must look at, counted by kiosk and kind: signs that two hold the same keys, or that a ticket leaked."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as insert_or  # both engines compile it; SQLite's own only SQLite

from simulators.backend import schema
from simulators.backend.log import log


class Alarm(StrEnum):
    """The closed list."""

    FORK = "fork"
    """One batch number with two contents: a cloned disk. The kiosk is in quarantine."""
    STALE_BATCH = "stale_batch"
    """A batch number below the last, never seen: an older copy of the disk is at work."""
    OLD_KEY = "old_key"
    """A renewal authorised by a key that another one has followed."""
    SECOND_RENEWAL = "second_renewal"
    """Other new keys, while those asked for before wait to be used."""
    TICKET_REUSED = "ticket_reused"
    """A spent ticket, with other keys."""


def raise_alarm(connection: Connection, kiosk: str, alarm: Alarm, now_s: int) -> None:
    """Count it, within the caller's transaction, and tell the log."""
    table = schema.alarm
    connection.execute(
        insert_or(table)
        .values(kiosk=kiosk, kind=alarm.value, times=1, last_s=now_s)
        .on_conflict_do_update(
            index_elements=[table.c.kiosk, table.c.kind], set_={"times": table.c.times + 1, "last_s": now_s}
        )
    )
    log("alarm", kiosk=kiosk, kind=alarm.value)


def alarms_of(connection: Connection, kiosk: str) -> list[dict[str, Any]]:
    """`{"kind", "times", "last_s"}`, in the order of their names."""
    table = schema.alarm.c
    rows = connection.execute(
        select(table.kind, table.times, table.last_s).where(table.kiosk == kiosk).order_by(table.kind)
    )
    return [dict(row) for row in rows.mappings()]
