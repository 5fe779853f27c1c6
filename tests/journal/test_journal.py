"""The chain sees every alteration; pseudonyms of two days cannot be linked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.journal import journal
from kiosk.journal.catalogue import EntryError, FieldValue, shipped_catalogue
from kiosk.journal.journal import (
    GENESIS,
    Head,
    JournalVerdict,
    append,
    chain_hash,
    read_head,
    verify,
    verify_rows,
    verify_store,
)
from kiosk.journal.pseudonym import daily_key, pseudonym
from kiosk.store.thread import Store
from kiosk.store.transaction import Row, SqlValue, Transaction

CARD = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "kiosk.db", bytes(32))
    assert isinstance(opened, Store)
    yield opened
    opened.close()


def write(tx: Transaction, number: int = 1) -> None:
    for index in range(number):
        entry = append(
            tx, shipped_catalogue(), "identified", {"level": 1 + index % 2}, utc_ms=1_790_000_000_000, pseudonym=CARD
        )
        assert isinstance(entry, Head)


def chain(length: int) -> tuple[list[Row], Head]:
    rows: list[Row] = []
    head = Head(0, GENESIS)
    for seq in range(1, length + 1):
        content = (seq, 1_790_000_000_000 + seq, "identified", None if seq % 3 else CARD, f'{{"level":{1 + seq % 2}}}')
        head = Head(seq, chain_hash(head.hash, content))
        rows.append((*content, head.hash))
    return rows, head


def test_the_hash_is_what_is_documented() -> None:
    line = b'[1,2,"kiosk_started",null,"{}"]'
    assert chain_hash(GENESIS, (1, 2, "kiosk_started", None, "{}")) == hashlib.sha256(GENESIS + line).digest()


def test_entries_are_chained_and_canonical(store: Store) -> None:
    store.submit(lambda tx: write(tx, 3)).result()
    rows = store.submit(lambda tx: tx.execute("SELECT * FROM journal ORDER BY seq")).result()
    assert [row[:5] for row in rows] == [
        (seq, 1_790_000_000_000, "identified", CARD, json.dumps({"level": level}, separators=(",", ":")))
        for seq, level in ((1, 1), (2, 2), (3, 1))
    ]
    assert store.submit(verify).result() == JournalVerdict(True, 3)
    assert store.submit(read_head).result() == Head(3, rows[2][5])  # type: ignore[arg-type]  # a BLOB column


def test_fields_are_kept_in_one_order(store: Store) -> None:
    def both(tx: Transaction) -> None:
        orders: list[dict[str, FieldValue]] = [{"kind": "code", "duplicate": True}, {"duplicate": True, "kind": "code"}]
        for fields in orders:
            append(tx, shipped_catalogue(), "ticket_queued", fields, utc_ms=0)

    store.submit(both).result()
    rows = store.submit(lambda tx: tx.execute("SELECT DISTINCT fields FROM journal")).result()
    assert rows == [('{"duplicate":true,"kind":"code"}',)]


def test_an_empty_journal_is_whole(store: Store) -> None:
    assert store.submit(verify).result() == JournalVerdict(True, 0)


def test_a_long_journal_is_read_in_pages(store: Store) -> None:
    store.submit(lambda tx: write(tx, 1001)).result()
    assert store.submit(verify).result() == JournalVerdict(True, 1001)


def test_a_refused_entry_writes_nothing(store: Store) -> None:
    refused = store.submit(lambda tx: append(tx, shipped_catalogue(), "identified", {"level": 9}, utc_ms=0)).result()
    assert refused == EntryError("identified", "level", "a whole number from 1 to 2 expected")
    assert store.submit(verify).result() == JournalVerdict(True, 0)


def test_a_rolled_back_entry_leaves_the_chain_whole(store: Store) -> None:
    def work(tx: Transaction) -> None:
        write(tx)
        raise KeyError

    store.submit(write).result()
    assert isinstance(store.submit(work).exception(), KeyError)
    store.submit(write).result()
    assert store.submit(verify).result() == JournalVerdict(True, 2)


@pytest.mark.parametrize(
    ("spoil", "first_bad", "reason"),
    [
        ("UPDATE journal SET fields = '{\"level\":2}' WHERE seq = 3", 3, "content does not fit the chain"),
        ("UPDATE journal SET pseudonym = NULL WHERE seq = 2", 2, "content does not fit the chain"),
        ("UPDATE journal SET hash = zeroblob(32) WHERE seq = 5", 5, "content does not fit the chain"),
        ("DELETE FROM journal WHERE seq = 1", 1, "entry 1 is missing or out of order"),
        ("DELETE FROM journal WHERE seq = 4", 4, "entry 4 is missing or out of order"),
        ("DELETE FROM journal WHERE seq = 5", 5, "cut at the end: 1 entries are missing"),
        ("DELETE FROM journal", 1, "cut at the end: 5 entries are missing"),
        ("DELETE FROM meta WHERE key = 'journal_head'", 1, "entries after the noted end"),
        ("UPDATE meta SET value = zeroblob(40) WHERE key = 'journal_head'", 1, "entries after the noted end"),
        (
            "UPDATE meta SET value = unhex(printf('%016x', 5) || printf('%064x', 0))",
            5,
            "the noted end has another hash",
        ),
        (
            "INSERT INTO journal SELECT 6, utc_ms, type, pseudonym, fields, hash FROM journal WHERE seq = 5",
            6,
            "entries after the noted end",
        ),
        (
            "INSERT INTO journal SELECT -6, utc_ms, type, pseudonym, fields, hash FROM journal WHERE seq = 5",
            1,
            "entry 1 is missing or out of order",
        ),
    ],
)
def test_alterations_in_the_database(spoil: str, first_bad: int, reason: str, store: Store) -> None:
    store.submit(lambda tx: write(tx, 5)).result()
    store.submit(lambda tx: tx.execute(spoil)).result()
    verdict = store.submit(verify).result()
    assert verdict == JournalVerdict(False, verdict.entries, first_bad, reason)
    if "after the noted end" not in reason:
        assert verify_store(store) == verdict


def test_a_running_kiosk_may_write_while_it_is_verified(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.submit(lambda tx: write(tx, 501)).result()
    pages: list[int] = []

    def page(tx: Transaction, last: SqlValue) -> list[Row]:
        write(tx)
        rows = journal_page(tx, last)
        pages.append(len(rows))
        return rows

    journal_page = journal._page
    monkeypatch.setattr(journal, "_page", page)
    assert verify_store(store) == JournalVerdict(True, 501)
    assert pages == [500, 3]


def _flip(value: SqlValue, at: int) -> SqlValue:
    if isinstance(value, bytes):
        at %= len(value)
        return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
    if isinstance(value, str):
        at %= len(value)
        return value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
    return value + 1 if isinstance(value, int) else "x"


@settings(max_examples=150, deadline=None)
@given(data=st.data(), length=st.integers(1, 12))
def test_any_single_alteration_is_seen(data: st.DataObject, length: int) -> None:
    rows, head = chain(length)
    assert verify_rows(rows, head) == JournalVerdict(True, length)
    kind = data.draw(st.sampled_from(["value", "drop", "swap", "repeat", "cut", "head"]))
    at = data.draw(st.integers(0, length - 1))
    altered: list[Row] = list(rows)
    if kind == "value":
        column = data.draw(st.integers(0, 5))
        row: list[SqlValue] = list(rows[at])
        row[column] = _flip(row[column], data.draw(st.integers(0, 100)))
        altered[at] = tuple(row)
    elif kind == "drop":
        del altered[at]
    elif kind == "swap":
        other = data.draw(st.integers(0, length - 1).filter(lambda index: index != at)) if length > 1 else None
        if other is None:
            return
        altered[at], altered[other] = altered[other], altered[at]
    elif kind == "repeat":
        altered.insert(at, rows[at])
    elif kind == "cut":
        altered = altered[:at]
    else:
        head = Head(head.seq, bytes(32))
    verdict = verify_rows(altered, head)
    assert not verdict.ok
    assert verdict.first_bad_seq is not None
    assert verdict.entries <= length
    assert verdict.reason


@settings(max_examples=30, deadline=None)
@given(length=st.integers(2, 10), at=st.integers(0, 8))
def test_a_rewritten_past_needs_a_rewritten_future(length: int, at: int) -> None:
    """Somebody who recomputes one entry's hash is betrayed by the next entry, or by the head."""
    rows, head = chain(length)
    at %= length
    before = rows[at - 1][5] if at else GENESIS
    assert isinstance(before, bytes)
    content = (*rows[at][:4], '{"level":9}')
    rows[at] = (*content, chain_hash(before, content))
    assert not verify_rows(rows, head).ok


def test_pseudonyms(store: Store) -> None:
    def keys(tx: Transaction) -> Sequence[bytes]:
        return [daily_key(tx, date(2026, 11, day)) for day in (22, 23, 22)]

    first, second, again = store.submit(keys).result()
    assert first == again != second
    assert len(first) == 32
    serial = "99900000000000000001"
    one, other = pseudonym(first, serial), pseudonym(second, serial)
    assert one == pseudonym(first, serial) != other
    assert pseudonym(first, serial[:-1] + "2") not in (one, other)
    assert shipped_catalogue().check("serial_shown", one, {}) is None
    assert store.submit(keys).result() == [first, second, again]


def test_two_kiosks_name_a_card_differently(tmp_path: Path) -> None:
    names = set()
    for number in range(2):
        opened = Store.open(tmp_path / f"{number}.db", bytes(32))
        assert isinstance(opened, Store)
        key = opened.submit(lambda tx: daily_key(tx, date(2026, 11, 22))).result()
        names.add(pseudonym(key, "99900000000000000001"))
        opened.close()
    assert len(names) == 2
