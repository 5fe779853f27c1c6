"""A journal that gives up its oldest entries still proves what it keeps, and that nobody else has cut it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.chores.pruning import EVERY_S, NEXT_S, Pruning
from kiosk.facts import Facts
from kiosk.journal import pruning
from kiosk.journal.catalogue import shipped_catalogue
from kiosk.journal.journal import (
    GENESIS,
    Head,
    JournalVerdict,
    append,
    read_base,
    read_head,
    verify,
    verify_store,
    write_base,
)
from kiosk.journal.pruning import KEEP_S, SEGMENT_ENTRIES, prunable, prune
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction, write_meta_int
from kiosk.sync.outbox import VISIT_MEMORY_S, Outbox, forget_visits, pending
from kiosk.sync.time_keeper import TIME_FLOOR
from tests.sync.intake import FakeClock

BEGAN_MS = 1_790_000_000_000
STEP_MS = 1000
OLD_S = BEGAN_MS // 1000 + KEEP_S
"""The floor at which the first entry is just old enough to be given up."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "kiosk.db", bytes(32))
    assert isinstance(opened, Store)
    yield opened
    opened.close()


def write(store: Store, number: int) -> None:
    """Entries a second apart."""

    def work(tx: Transaction) -> None:
        first = read_head(tx).seq
        for index in range(number):
            utc_ms = BEGAN_MS + (first + index) * STEP_MS
            assert isinstance(append(tx, shipped_catalogue(), "kiosk_started", {}, utc_ms=utc_ms), Head)

    store.submit(work).result()


def pruned(store: Store, floor_s: int) -> int | None:
    """One segment, as the chore does it."""

    def work(tx: Transaction) -> int | None:
        through = prunable(tx, floor_s)
        if through is not None:
            prune(tx, through)
            append(tx, shipped_catalogue(), "journal_pruned", {"through": through}, utc_ms=BEGAN_MS)
        return through

    return store.submit(work).result()


def test_whole_segments_are_given_up_and_the_rest_still_verifies(store: Store) -> None:
    write(store, 3 * SEGMENT_ENTRIES)
    late_s = OLD_S + 3 * SEGMENT_ENTRIES
    assert pruned(store, late_s) == SEGMENT_ENTRIES
    assert store.submit(verify).result() == JournalVerdict(True, 3001, pruned=1000)
    assert pruned(store, late_s) == 2 * SEGMENT_ENTRIES
    write(store, 10)
    assert store.submit(verify).result() == JournalVerdict(True, 3012, pruned=2000)
    assert verify_store(store) == JournalVerdict(True, 3012, pruned=2000)
    assert store.submit(lambda tx: tx.execute("SELECT min(seq), count(*) FROM journal")).result() == [(2001, 1012)]
    assert pruned(store, late_s) is None  # the newest segment stays, however old


@pytest.mark.parametrize(("floor_s", "through"), [(OLD_S + 999, None), (OLD_S + 1000, SEGMENT_ENTRIES)])
def test_only_what_is_old_as_the_backend_has_proven_it(floor_s: int, through: int | None, store: Store) -> None:
    write(store, 2 * SEGMENT_ENTRIES)
    assert pruned(store, floor_s) == through


def test_too_many_are_given_up_however_young(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "MOST_ENTRIES", 2500)
    write(store, 2500)
    assert pruned(store, 0) is None
    write(store, 1)
    assert pruned(store, 0) == SEGMENT_ENTRIES
    assert pruned(store, 0) is None


def test_a_damaged_segment_stays_as_evidence(store: Store) -> None:
    write(store, 2 * SEGMENT_ENTRIES)
    store.submit(lambda tx: tx.execute("UPDATE journal SET utc_ms = 1 WHERE seq = 500")).result()
    assert pruned(store, OLD_S + 9999) is None
    assert store.submit(verify).result().first_bad_seq == 500


def _forged_base(tx: Transaction) -> None:
    """Somebody else cuts the journal and notes a fitting beginning; the chain itself does not say so."""
    ((end,),) = tx.execute("SELECT hash FROM journal WHERE seq = 1500")
    assert isinstance(end, bytes)
    tx.execute("DELETE FROM journal WHERE seq <= 1500")
    write_base(tx, Head(1500, end))


@pytest.mark.parametrize(
    ("spoil", "first_bad", "reason"),
    [
        (_forged_base, 1501, "it does not begin where its last pruning says"),
        (lambda tx: tx.execute("DELETE FROM meta WHERE key = 'journal_base'"), 1, "entry 1 is missing or out of order"),
        (lambda tx: write_base(tx, Head(1000, bytes(32))), 1001, "content does not fit the chain"),
        (lambda tx: write_base(tx, Head(0, GENESIS)), 1, "entry 1 is missing or out of order"),
        (lambda tx: tx.execute("DELETE FROM journal WHERE seq = 1001"), 1001, "entry 1001 is missing or out of order"),
        (
            lambda tx: tx.execute("UPDATE journal SET fields = '{\"through\":900}' WHERE type = 'journal_pruned'"),
            3001,
            "content does not fit the chain",
        ),
    ],
    ids=["cut", "note lost", "note changed", "note reset", "first entry", "confession"],
)
def test_what_is_kept_is_proven_as_before(spoil: object, first_bad: int, reason: str, store: Store) -> None:
    write(store, 3 * SEGMENT_ENTRIES)
    assert pruned(store, OLD_S + 1000) == 1000
    store.submit(spoil).result()  # type: ignore[arg-type]  # one of the functions above
    verdict = store.submit(verify).result()
    assert (verdict.ok, verdict.first_bad_seq, verdict.reason) == (False, first_bad, reason)
    assert verify_store(store) == verdict


def test_a_journal_that_is_pruned_while_it_is_verified_is_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store, 3 * SEGMENT_ENTRIES)
    from kiosk.journal import journal  # noqa: PLC0415  patched below

    page, seen = journal._page, 0

    def paged(tx: Transaction, last: object) -> list[object]:
        nonlocal seen
        seen += 1
        if seen == 2:
            prune(tx, 1000)
            append(tx, shipped_catalogue(), "journal_pruned", {"through": 1000}, utc_ms=BEGAN_MS)
        return page(tx, last)  # type: ignore[arg-type,return-value]  # the original's own types

    monkeypatch.setattr(journal, "_page", paged)
    assert verify_store(store) == JournalVerdict(True, 3001, pruned=1000)


# --- numbers of visits ------------------------------------------------------------------------------------------------


def test_visits_that_cannot_come_back_are_forgotten(store: Store) -> None:
    box, day_s = Outbox(FakeClock(), boot_id="boot"), 1_790_000_000
    names = ["kiosk", "visit:old", "visit:waiting", "visit:young", "visit:back"]

    def work(tx: Transaction) -> None:
        for name in names:
            utc_ms = (day_s + (1 if name == "visit:young" else 0)) * 1000
            assert box.enqueue(tx, name, "fact", {}, utc_ms=utc_ms) is None
        box.enqueue(tx, "visit:back", "fact", {}, utc_ms=(day_s + 99) * 1000)
        box.enqueue(tx, "visit:back", "fact", {}, utc_ms=0)  # a clock that jumps back makes nobody older
        tx.execute("DELETE FROM event WHERE aggregate <> 'visit:waiting'")  # told and deleted

    store.submit(work).result()
    assert store.submit(lambda tx: forget_visits(tx, day_s + VISIT_MEMORY_S)).result() == 0
    assert store.submit(lambda tx: forget_visits(tx, day_s + VISIT_MEMORY_S + 1)).result() == 1
    left = store.submit(lambda tx: tx.execute("SELECT name, last_seq FROM aggregate ORDER BY name")).result()
    assert left == [("kiosk", 1), ("visit:back", 3), ("visit:waiting", 1), ("visit:young", 1)]
    store.submit(lambda tx: box.enqueue(tx, "visit:back", "fact", {}, utc_ms=0)).result()
    numbers = store.submit(lambda tx: tx.execute("SELECT aggregate_seq FROM event WHERE aggregate = 'visit:back'"))
    assert numbers.result() == [(4,)]


# --- the chore --------------------------------------------------------------------------------------------------------


def test_the_chore_prunes_what_the_kept_floor_allows_a_piece_at_a_time(store: Store) -> None:
    clock = FakeClock()
    facts = Facts(store, Outbox(clock, boot_id="boot"), lambda: BEGAN_MS)
    write(store, 3 * SEGMENT_ENTRIES)
    chore = Pruning(store, facts, clock)
    assert chore.step() == EVERY_S  # no floor was ever kept
    clock.now_s += EVERY_S
    store.submit(lambda tx: write_meta_int(tx, TIME_FLOOR, OLD_S + 9999)).result()
    assert chore.step() == NEXT_S
    assert chore.step() == NEXT_S
    assert store.submit(read_base).result().seq == 1000  # asked too early
    clock.now_s += NEXT_S
    assert chore.step() == NEXT_S
    clock.now_s += NEXT_S
    assert chore.step() == EVERY_S
    assert store.submit(verify).result() == JournalVerdict(True, 3002, pruned=2000)
    assert store.submit(pending).result() == 2  # the backend is told as well
