"""The journal's old end, given up in whole segments: the chain then begins at a noted entry instead of at entry 1.

What is noted is the number and the hash of the last entry given up, so that everything kept is still proven, and an
entry `journal_pruned` of the same transaction says it inside the chain: a journal that somebody else has cut does not
verify. A segment is given up only if it verifies itself: a damaged one stays, as evidence.
"""

from __future__ import annotations

from typing import Final

from kiosk.journal.journal import Head, read_base, read_head, verify_rows, write_base
from kiosk.store.transaction import Transaction

SEGMENT_ENTRIES: Final = 1000
KEEP_S: Final = 90 * 86_400
MOST_ENTRIES: Final = 400_000
"""About 80 MB. More are given up however young they are."""


def prunable(tx: Transaction, floor_s: int) -> int | None:
    """The entry through which the oldest segment may be given up, or None. Costs 7 ms when there is one.

    floor_s: the time that has passed for certain, as the backend has proven it; a wrong clock makes nothing old.
    """
    base, head = read_base(tx), read_head(tx)
    through = base.seq + SEGMENT_ENTRIES
    if head.seq < through + SEGMENT_ENTRIES:
        return None
    if head.seq - base.seq <= MOST_ENTRIES:
        ((newest_ms,),) = tx.execute("SELECT max(utc_ms) FROM journal WHERE seq > ? AND seq <= ?", (base.seq, through))
        if not isinstance(newest_ms, int) or newest_ms >= (floor_s - KEEP_S) * 1000:
            return None
    rows = tx.execute("SELECT * FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq", (base.seq, through))
    end = rows[-1][5] if rows else None
    if not isinstance(end, bytes) or not verify_rows(rows, Head(through, end), base).ok:
        return None
    return through


def prune(tx: Transaction, through: int) -> None:
    """Give up every entry up to this one. The caller notes `journal_pruned` in the same transaction."""
    ((end,),) = tx.execute("SELECT hash FROM journal WHERE seq = ?", (through,))
    if not isinstance(end, bytes):
        raise TypeError("the table is STRICT")
    write_base(tx, Head(through, end))
    tx.execute("DELETE FROM journal WHERE seq <= ?", (through,))
