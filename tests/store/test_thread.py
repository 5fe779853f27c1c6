"""The one writer: commit before the future resolves, all or nothing, order, end; and death by kill -9."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from kiosk.store import thread as thread_module
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.store.transaction import (
    Transaction,
    read_meta,
    read_meta_int,
    write_meta,
    write_meta_int,
)

KEY = bytes(range(32))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "kiosk.db", KEY)
    assert isinstance(opened, Store)
    yield opened
    opened.close()


def test_named_values(store: Store) -> None:
    def work(tx: Transaction) -> list[object]:
        before: list[object] = [read_meta(tx, "m"), read_meta_int(tx, "n", 7)]
        for _ in range(2):
            write_meta(tx, "m", b"\0")
            write_meta_int(tx, "n", -3)
        return [*before, read_meta(tx, "m"), read_meta_int(tx, "n")]

    assert store.submit(work).result() == [None, 7, b"\0", -3]


def test_a_bug_while_opening_is_raised_and_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> StoreError:
        raise KeyError("mine")

    monkeypatch.setattr(thread_module, "open_database", broken)
    with pytest.raises(KeyError, match="mine"):
        Store.open(tmp_path / "kiosk.db", KEY)


def test_an_exception_rolls_back_and_is_handed_over(store: Store) -> None:
    def work(tx: Transaction) -> None:
        write_meta(tx, "half", b"1")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        store.submit(work).result()
    assert store.submit(lambda tx: read_meta(tx, "half")).result() is None


def test_a_broken_rule_is_a_bug_not_a_failing_disk(store: Store) -> None:
    with pytest.raises(apsw.ConstraintError):
        store.submit(lambda tx: tx.execute("INSERT INTO meta VALUES ('text', 'not bytes')")).result()
    with pytest.raises(apsw.SQLError):
        store.submit(lambda tx: tx.execute("SELECT nothing")).result()


def test_a_transaction_is_over_when_its_work_returns(store: Store) -> None:
    kept = store.submit(lambda tx: tx).result()
    with pytest.raises(RuntimeError, match="over"):
        kept.execute("SELECT 1")
    with pytest.raises(RuntimeError, match="over"):
        kept.changes()


def test_work_may_not_end_its_transaction(store: Store) -> None:
    with pytest.raises(RuntimeError, match="ended its own"):
        store.submit(lambda tx: tx.execute("COMMIT")).result()
    assert store.submit(lambda tx: tx.execute("SELECT 1")).result() == [(1,)]


def test_many_threads_one_order(store: Store) -> None:
    def add(tx: Transaction) -> int:
        number = read_meta_int(tx, "n") + 1
        write_meta_int(tx, "n", number)
        return number

    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda: seen.extend(store.submit(add).result() for _ in range(20))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1, 101))


def test_closing_finishes_what_was_submitted(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "kiosk.db", KEY)
    assert isinstance(store, Store)
    gate = threading.Event()
    store.submit(lambda _: gate.wait(10))
    last = store.submit(lambda tx: write_meta(tx, "last", b"1"))
    closer = threading.Thread(target=store.close)
    closer.start()
    gate.set()
    closer.join()
    store.close()
    assert last.exception() is None
    assert sorted(file.name for file in tmp_path.iterdir()) == ["kiosk.db", "kiosk.db-made"]  # no log
    with pytest.raises(StoreFailedError) as failed:
        store.submit(lambda _: None).result()
    assert failed.value.error == StoreError("store", "closed")
    again = Store.open(tmp_path / "kiosk.db", KEY)
    assert isinstance(again, Store)
    assert again.submit(lambda tx: read_meta(tx, "last")).result() == b"1"
    again.close()


def test_a_cancelled_job_is_not_run(store: Store) -> None:
    gate = threading.Event()
    store.submit(lambda _: gate.wait(10))
    waiting = store.submit(lambda tx: write_meta(tx, "cancelled", b"1"))
    assert waiting.cancel()
    gate.set()
    assert store.submit(lambda tx: read_meta(tx, "cancelled")).result() is None


def test_opening_says_why_not(tmp_path: Path) -> None:
    Store.open(tmp_path / "kiosk.db", KEY).close()  # type: ignore[union-attr]  # a fresh directory
    assert Store.open(tmp_path / "kiosk.db", bytes(32)) == StoreError("key", "wrong key, or the file is damaged")


_CHILD = """
import sys
from pathlib import Path
from kiosk.store.thread import Store
store = Store.open(Path(sys.argv[1]), bytes(range(32)))
last = store.submit(lambda tx: tx.execute("SELECT count(*) FROM setting")[0][0]).result()
while True:
    last += 1
    store.submit(lambda tx: tx.execute("INSERT INTO setting VALUES (?, '')", (f"{last:08}",))).result()
    print(last, flush=True)
"""


def test_kill_9(tmp_path: Path) -> None:
    """A child commits, then prints each number; killed in the middle, again and again. No printed number is missing."""
    path = tmp_path / "kiosk.db"
    for cycle in range(5):
        child = subprocess.Popen([sys.executable, "-c", _CHILD, str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(20 + 7 * cycle)]
        child.kill()
        lines += child.stdout.readlines()
        printed = int(lines[-1])
        child.stdout.close()
        child.wait()
        store = Store.open(path, KEY)
        assert isinstance(store, Store)
        keys = store.submit(lambda tx: [key for (key,) in tx.execute("SELECT key FROM setting ORDER BY key")]).result()
        store.close()
        assert keys == [f"{number:08}" for number in range(1, len(keys) + 1)]
        assert len(keys) in (printed, printed + 1)
