"""The journal: append-only entries, each bound to all entries before it by a SHA-256 chain.

hash(n) = SHA-256(hash(n-1) ‖ canonical JSON of [seq, utc_ms, type, pseudonym, fields]), hash(0) = SHA-256(a constant).
The head (last seq and hash) is kept in another table in the same transaction: a journal cut at its end is seen as well.
Whoever holds the database key and rewrites entries, hashes and head, or restores an older file whole, is not seen here.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from kiosk.journal.catalogue import Catalogue, EntryError, FieldValue
from kiosk.store.thread import Store
from kiosk.store.transaction import Row, SqlValue, Transaction, read_meta, write_meta

GENESIS = hashlib.sha256(b"kiosk-journal/1").digest()
_HEAD, _BASE = "journal_head", "journal_base"
_PAGE = 500  # rows held in memory at once while verifying


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry: its number and its 32-byte hash. An empty journal has seq 0."""

    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class JournalVerdict:
    """Whether the chain is whole. `entries`: up to which number all was good, `first_bad_seq` the first that is not.

    pruned: how many of them, the oldest, were given up in good order.
    """

    ok: bool
    entries: int
    first_bad_seq: int | None = None
    reason: str = ""
    pruned: int = 0


def append(
    tx: Transaction,
    catalogue: Catalogue,
    event: str,
    fields: Mapping[str, FieldValue],
    *,
    utc_ms: int,
    pseudonym: str | None = None,
) -> Head | EntryError:
    """Write one entry inside the caller's transaction, or write nothing and say which event and field is wrong."""
    refused = catalogue.check(event, pseudonym, fields)
    if refused is not None:
        return refused
    before = read_head(tx)
    seq = before.seq + 1
    text = json.dumps(dict(fields), sort_keys=True, separators=(",", ":"))
    content = (seq, utc_ms, event, pseudonym, text)
    head = Head(seq, chain_hash(before.hash, content))
    tx.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", (*content, head.hash))
    write_meta(tx, _HEAD, head.seq.to_bytes(8, "big") + head.hash)
    return head


def chain_hash(before: bytes, content: Row) -> bytes:
    """The 32-byte hash of one entry: `content` is (seq, utc_ms, type, pseudonym, fields), fields as stored text."""
    return hashlib.sha256(before + json.dumps(content, separators=(",", ":"), default=repr).encode("ascii")).digest()


def read_head(tx: Transaction) -> Head:
    """Where the journal ends, as its writer last noted it."""
    return _read_end(tx, _HEAD)


def _read_end(tx: Transaction, name: str) -> Head:
    stored = read_meta(tx, name)
    return Head(0, GENESIS) if stored is None else Head(int.from_bytes(stored[:8], "big"), stored[8:])


def read_base(tx: Transaction) -> Head:
    """The last entry that was given up (see `pruning`): the chain begins behind it."""
    return _read_end(tx, _BASE)


def write_base(tx: Transaction, base: Head) -> None:
    """The chain begins behind this entry from now on. For `pruning` only."""
    write_meta(tx, _BASE, base.seq.to_bytes(8, "big") + base.hash)


def verify(tx: Transaction) -> JournalVerdict:
    """Check the whole journal in one transaction: 7 µs an entry during which the store does nothing else."""
    base, head, confessed = _ends(tx)
    return _fits(verify_rows(_rows(lambda last: _page(tx, last)), head, base), base, confessed)


def verify_store(store: Store) -> JournalVerdict:
    """Check the journal of a running kiosk page by page, in transactions of a few ms. Not from the store's thread.

    Judges what was there when it began; entries that are added meanwhile are left out.
    """
    base, head, confessed = store.submit(_ends).result()
    rows = _rows(lambda last: store.submit(lambda tx: _page(tx, last)).result())
    verdict = verify_rows(itertools.takewhile(lambda row: row[0] != head.seq + 1, rows), head, base)
    if not verdict.ok and store.submit(read_base).result() != base:  # pruned meanwhile
        return verify_store(store)
    return _fits(verdict, base, confessed)


def verify_rows(rows: Iterable[Row], head: Head, base: Head | None = None) -> JournalVerdict:
    """Check rows (seq, utc_ms, type, pseudonym, fields, hash) in order against the chain and the noted head.

    base: the entry behind which the rows begin, by default the beginning of all.
    """
    good = base or Head(0, GENESIS)
    for *content, stored in rows:
        wanted = good.seq + 1
        if content[0] != wanted:
            return JournalVerdict(False, good.seq, wanted, f"entry {wanted} is missing or out of order")
        if wanted > head.seq:
            return JournalVerdict(False, good.seq, wanted, "entries after the noted end")
        expected = chain_hash(good.hash, tuple(content))
        if stored != expected:
            return JournalVerdict(False, good.seq, wanted, "content does not fit the chain")
        good = Head(wanted, expected)
    if good.seq < head.seq:
        return JournalVerdict(
            False, good.seq, good.seq + 1, f"cut at the end: {head.seq - good.seq} entries are missing"
        )
    if good.hash != head.hash:
        return JournalVerdict(False, good.seq, good.seq, "the noted end has another hash")
    return JournalVerdict(True, good.seq)


def _ends(tx: Transaction) -> tuple[Head, Head, int]:
    """Base, head, and the number of the entry that the newest `journal_pruned` says is the base."""
    base, head = read_base(tx), read_head(tx)
    if base.seq == 0:
        return base, head, 0
    newest = tx.execute("SELECT fields FROM journal WHERE type = 'journal_pruned' ORDER BY seq DESC LIMIT 1")
    said = json.dumps({"through": base.seq}, separators=(",", ":"))
    return base, head, base.seq if newest == [(said,)] else 0


def _fits(verdict: JournalVerdict, base: Head, confessed: int) -> JournalVerdict:
    """The chain's own word on where it begins must agree with the note of it."""
    if verdict.ok and confessed != base.seq:
        return JournalVerdict(False, base.seq, base.seq + 1, "it does not begin where its last pruning says")
    return replace(verdict, pruned=base.seq)


def _rows(page_after: Callable[[SqlValue], list[Row]]) -> Iterator[Row]:
    last: SqlValue = -(2**63)
    while page := page_after(last):
        yield from page
        last = page[-1][0]


def _page(tx: Transaction, last: SqlValue) -> list[Row]:
    return tx.execute("SELECT * FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", (last, _PAGE))
