"""Power goes at every step of the disk: what was acknowledged is there, whole, in both tables, after reopening."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from kiosk.store import database, thread
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction, read_meta_int, write_meta_int
from tests.store.power_loss import DISK, Disk

KEY = bytes(range(32))
HALVES, COMMITS = 2, 6


@pytest.fixture
def memory_dir() -> Iterator[Path]:
    """A directory that costs no real disk: the staged disk is the one under test."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    path = Path(tempfile.mkdtemp(dir=base))
    yield path
    shutil.rmtree(path)


def put(number: int) -> Callable[[Transaction], None]:
    """Row `number` and the count of rows, in one transaction."""

    def work(tx: Transaction) -> None:
        tx.execute("INSERT INTO setting VALUES (?, ?)", (f"{number:04}", "x" * 200))
        write_meta_int(tx, "count", number)

    return work


def workload(path: Path) -> int:
    """Commit, close (which checkpoints), commit more. Returns how many commits were acknowledged."""
    acknowledged = 0
    for _ in range(HALVES):
        store = Store.open(path, KEY, vfs=Disk.ENCRYPTED)
        if isinstance(store, StoreError):
            return acknowledged
        try:
            for _ in range(COMMITS):
                store.submit(put(acknowledged + 1)).result()
                acknowledged += 1
        except StoreFailedError:
            return acknowledged
        finally:
            store.close()
    return acknowledged


def rows_after(path: Path) -> int | str:
    """Rows found by an ordinary opening, or what is wrong with them."""
    store = Store.open(path, KEY)
    if isinstance(store, StoreError):
        return f"{store.field}: {store.reason}"
    keys = store.submit(lambda tx: [key for (key,) in tx.execute("SELECT key FROM setting ORDER BY key")]).result()
    count = store.submit(lambda tx: read_meta_int(tx, "count")).result()
    store.close()
    whole = keys == [f"{number:04}" for number in range(1, count + 1)]
    return count if whole else f"torn: {len(keys)} rows, count {count}"


def sweep(directory: Path, seed: int) -> tuple[int, list[str], list[str]]:
    """Cut the power at each tick in turn. Returns ticks, damages and losses, each naming tick and seed."""
    damaged: list[str] = []
    lost: list[str] = []
    tick = 0
    while True:
        tick += 1
        DISK.plug_in(seed=seed * 100_000 + tick, power_goes_at=tick)
        path = directory / f"{seed}-{tick}.db"
        acknowledged = workload(path)
        found = rows_after(path)
        if isinstance(found, str):
            damaged.append(f"tick {tick} seed {seed}: {found}")
        elif found < acknowledged:
            lost.append(f"tick {tick} seed {seed}: {found} of {acknowledged}")
        if not DISK.off:
            assert acknowledged == HALVES * COMMITS
            return tick, damaged, lost


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_acknowledged_is_lost(seed: int, memory_dir: Path) -> None:
    ticks, damaged, lost = sweep(memory_dir, seed)
    assert ticks > 100
    assert (damaged, lost) == ([], [])


@pytest.mark.parametrize(("mode", "read_back", "damages"), [("NORMAL", 1, False), ("OFF", 0, True)])
def test_the_staged_disk_catches_weaker_modes(
    mode: str, read_back: int, damages: bool, memory_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database._MODES, "synchronous", (mode, read_back))
    _, damaged, lost = sweep(memory_dir, 1)
    assert lost
    assert bool(damaged) is damages


@pytest.mark.parametrize(
    ("error", "field"), [(apsw.FullError, "disk_space"), (apsw.IOError, "disk")], ids=["full", "broken"]
)
def test_a_failing_disk_is_told_and_survived(
    error: type[apsw.Error], field: str, memory_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DISK.plug_in(seed=1)
    openings: list[Path] = []

    def counted(path: Path, key: bytes, *, vfs: str | None) -> apsw.Connection | StoreError:
        openings.append(path)
        return database.open_database(path, key, vfs=vfs)

    monkeypatch.setattr(thread, "open_database", counted)
    store = Store.open(memory_dir / "kiosk.db", KEY, vfs=Disk.ENCRYPTED)
    assert isinstance(store, Store)
    store.submit(put(1)).result()
    DISK.failing = error
    for _ in range(2):  # the second finds no connection and cannot open one
        with pytest.raises(StoreFailedError) as failed:
            store.submit(put(2)).result()
        assert failed.value.error.field == field
    DISK.failing = None
    store.submit(put(2)).result()
    assert len(openings) == 3  # at the start, in vain, and for good: a failed connection is never used again
    store.close()
    assert rows_after(memory_dir / "kiosk.db") == 2


def test_a_file_layer_without_cipher_is_refused(memory_dir: Path) -> None:
    DISK.plug_in(seed=1)
    assert database.open_database(memory_dir / "kiosk.db", KEY, vfs=Disk.NAME) == StoreError("file", "not encrypted")
