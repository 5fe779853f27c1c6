"""What is written down, why not, and the way back after a failure."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.facts import Facts, OutboxFullError, StoreWatch, fault_of
from kiosk.journal.catalogue import shipped_catalogue
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync.centre import MAX_TRIES
from kiosk.sync.documents import MAX_VERSION
from kiosk.sync.outbox import Outbox, Quota
from kiosk.visit.events import StoreReady
from kiosk.visit.failures import Cause
from tests.sync.intake import FakeClock

PATIENCE_S = 10.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "kiosk.db", bytes(32))
    assert isinstance(opened, Store)
    yield opened
    opened.close()


def facts(store: Store, quota: Quota | None = None) -> Facts:
    return Facts(store, Outbox(FakeClock(), quota=quota), lambda: 1_800_000_000_000)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (StoreFailedError(StoreError("disk_space", "no room left to write")), Cause.STORE_FULL),
        (StoreFailedError(StoreError("disk", "read or write error")), Cause.STORE_FAILED),
        (KeyError("a secret"), Cause.STORE_FAILED),
    ],
)
def test_why_a_fact_is_not_on_disk(error: Exception, cause: Cause) -> None:
    fault = fault_of(error)
    assert fault.cause is cause
    assert "secret" not in fault.detail


def test_the_probe_fails_as_a_fact_would_and_leaves_no_event(store: Store) -> None:
    assert facts(store).probe().exception() is None
    assert isinstance(facts(store, Quota(events=0)).probe().exception(), OutboxFullError)
    assert store.submit(lambda tx: tx.execute("SELECT count(*) FROM event")).result() == [(0,)]


def test_the_kiosks_own_health_has_room_when_visits_have_none(store: Store) -> None:
    written = facts(store, Quota(events=1, reserve_share=0.5))
    assert isinstance(written.commit("visit_started", {"mode": "card"}).exception(), OutboxFullError)
    assert written.commit("reader_ready", {"role": "patient"}).exception() is None


def test_the_watch_is_silent_until_something_failed_and_speaks_once_when_it_works_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted: queue.SimpleQueue[object] = queue.SimpleQueue()
    looks: queue.SimpleQueue[bool] = queue.SimpleQueue()
    broken = [True, True, False]
    probe = Facts._probe

    def failing(self: Facts, tx: Transaction) -> None:
        down = broken.pop(0)
        looks.put(down)
        if down:
            raise StoreFailedError(StoreError("disk", "read or write error"))
        probe(self, tx)

    monkeypatch.setattr(Facts, "_probe", failing)
    watch = StoreWatch(facts(store), posted.put, retry_s=0.01)
    watch.start()
    watch.failed()
    assert posted.get(timeout=PATIENCE_S) == StoreReady()
    watch.stop()
    assert [looks.get_nowait() for _ in range(looks.qsize())] == [True, True, False]
    assert posted.empty()


@pytest.mark.parametrize("failed", [False, True], ids=["nothing failed", "between a failure and the look"])
def test_a_watch_ends_at_once(store: Store, failed: bool) -> None:
    posted: queue.SimpleQueue[object] = queue.SimpleQueue()
    watch = StoreWatch(facts(store), posted.put, retry_s=3600.0)
    watch.start()
    if failed:
        watch.failed()
    watch.stop()
    assert posted.empty()


@pytest.mark.parametrize(
    ("event", "field", "highest"),
    [("identity_refused", "tries_left", MAX_TRIES), ("document_applied", "version", MAX_VERSION)],
)
def test_what_the_channel_takes_the_journal_takes(event: str, field: str, highest: int) -> None:
    assert shipped_catalogue().events[event].fields[field].highest == highest
