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
from tests.store.power_loss import DISK, SECTOR_BYTES, Disk, staged

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


def sweep(directory: Path, seed: int, sector_bytes: int = SECTOR_BYTES) -> tuple[int, list[str], list[str]]:
    """Cut the power at each tick in turn. Returns ticks, damages and losses, each naming tick and seed."""
    damaged: list[str] = []
    lost: list[str] = []
    tick = 0
    while True:
        tick += 1
        DISK.plug_in(seed=seed * 100_000 + tick, power_goes_at=tick, sector_bytes=sector_bytes)
        path = directory / f"{seed}-{tick}" / "kiosk.db"
        path.parent.mkdir()
        with staged():
            acknowledged = workload(path)
        found = rows_after(path)
        if isinstance(found, str):
            damaged.append(f"tick {tick} seed {seed}: {found}")
        elif found < acknowledged:
            lost.append(f"tick {tick} seed {seed}: {found} of {acknowledged}")
        if not DISK.off:
            assert acknowledged == HALVES * COMMITS
            return tick, damaged, lost


@pytest.mark.parametrize(("seed", "sector_bytes"), [(1, 512), (2, 512), (3, 4096)])
def test_nothing_acknowledged_is_lost(seed: int, sector_bytes: int, memory_dir: Path) -> None:
    ticks, damaged, lost = sweep(memory_dir, seed, sector_bytes)
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


@pytest.mark.parametrize("every", [3])
def test_a_disk_that_fails_once_loses_nothing_that_was_acknowledged(every: int, memory_dir: Path) -> None:
    """At each third step in turn: a write or a sync fails, and nobody knows what of it is on the disk."""
    tick, ticks = 0, 1
    told = 0
    while tick < ticks:
        tick += every
        DISK.plug_in(seed=tick, fails_at=tick)
        path = memory_dir / f"{tick}" / "kiosk.db"
        path.parent.mkdir()
        with staged():
            saved, refused = _stubborn(path)
        told += refused
        ticks = DISK.ticks
        found = rows_after(path)
        assert found == saved, f"tick {tick}"
    assert told > 20


def _stubborn(path: Path) -> tuple[int, int]:
    """Commit until everything is; returns how many rows, and how often the disk refused."""
    refused = 0
    store = Store.open(path, KEY, vfs=Disk.ENCRYPTED)
    if isinstance(store, StoreError):
        refused += 1
        store = Store.open(path, KEY, vfs=Disk.ENCRYPTED)
        assert isinstance(store, Store)
    for number in range(1, COMMITS + 1):
        if (error := store.submit(put(number)).exception()) is None:
            continue
        assert isinstance(error, StoreFailedError)
        refused += 1
        if store.submit(lambda tx: read_meta_int(tx, "count")).result() < number:  # else it was on the disk after all
            store.submit(put(number)).result()
    store.close()
    return COMMITS, refused


def test_a_file_layer_without_cipher_is_refused(memory_dir: Path) -> None:
    DISK.plug_in(seed=1)
    assert database.open_database(memory_dir / "kiosk.db", KEY, vfs=Disk.NAME) == StoreError("file", "not encrypted")
