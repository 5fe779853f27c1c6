"""Batch numbers after an enrolment with a ticket: those of this disk are not trusted until the backend was asked.

Another disk may have sealed batches under this kiosk's name. `begin_anew` goes with the enrolment; until `go_on_after`
nothing is sent. All of it is in the caller's transaction.
"""

from __future__ import annotations

from typing import Final

from kiosk.store.transaction import Transaction, drop_meta, read_meta, write_meta
from kiosk.sync import batches
from kiosk.sync.aggregates import new_installation

_UNASKED: Final = "numbering_unasked"


def begin_anew(tx: Transaction) -> None:
    """This kiosk was enrolled with a ticket: other aggregates, and no batch before the backend has told its number."""
    new_installation(tx)
    write_meta(tx, _UNASKED, b"")


def is_unasked(tx: Transaction) -> bool:
    """Whether the backend must be asked first."""
    return read_meta(tx, _UNASKED) is not None


def go_on_after(tx: Transaction, last_seq: int) -> None:
    """The backend's last number is known: what is packed goes back to the queue, and the next batch comes behind both.

    The packed batch may have been applied: its events, under the same identifiers, are then `already` there.
    """
    if (batch := batches.current(tx)) is not None:
        batches.dissolve(tx, batch)
    batches.skip(tx, last_seq)
    drop_meta(tx, _UNASKED)
