"""What an earlier run of the program began and never ended: the journal does not stay silent about a power cut."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from kiosk.journal.catalogue import FieldValue
from kiosk.store.transaction import Transaction
from kiosk.visit.values import EarlierTicket, TicketKind


@dataclass(frozen=True, slots=True)
class Unended:
    """The entry that says how something ended of which nobody knows the end."""

    event: str
    fields: Mapping[str, FieldValue]
    pseudonym: str | None


_ENDS: Mapping[str, tuple[str, Mapping[str, FieldValue]]] = {
    "update_started": ("update_ended", {"outcome": "uncertain", "packages": 0, "apdus": 0, "wrote": True}),
    "ticket_queued": ("ticket_ended", {"state": "unknown"}),
}
"""Beginning → its end, and what is true of an end that nobody saw: perhaps written, perhaps printed."""


def unended(tx: Transaction) -> list[Unended]:
    """Ends still to be written for the last run of the program. To be asked before `kiosk_started` is noted again.

    An end closes the oldest open beginning of its kind; an end without a beginning (a declined update) is none.
    """
    ((began_seq,),) = tx.execute("SELECT coalesce(max(seq), 0) FROM journal WHERE type = 'kiosk_started'")
    found = []
    for begin, (end, fields) in _ENDS.items():
        rows = tx.execute(
            "SELECT type, pseudonym FROM journal WHERE type IN (?, ?) AND seq > ? ORDER BY seq", (begin, end, began_seq)
        )
        still_open: list[str | None] = []
        for kind, name in rows:
            if kind == begin:
                still_open.append(None if name is None else str(name))
            elif still_open:
                still_open.pop(0)
        found += [Unended(end, fields, name) for name in still_open]
    return found


def earlier_tickets(tx: Transaction, now_ms: int, memory_s: float) -> list[EarlierTicket]:
    """Tickets queued in the last `memory_s`, by any run of the program, ended or not.

    What the clock places in the future is as young as can be: rather a DUPLICATA too many than a second original.
    """
    rows = tx.execute(
        "SELECT pseudonym, fields, utc_ms FROM journal WHERE type = 'ticket_queued' AND utc_ms > ? ORDER BY seq",
        (now_ms - int(memory_s * 1000),),
    )
    return [
        EarlierTicket(str(name), TicketKind(json.loads(str(fields))["kind"]), max(now_ms - int(str(utc_ms)), 0) / 1000)
        for name, fields, utc_ms in rows
        if name is not None
    ]
