"""A full disk: new work is refused, what is owed is acknowledged in the ballast's room, and all is well again later."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.store.ballast import BALLAST_BYTES, Ballast
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction, read_meta, write_meta
from tests.store.power_loss import DISK, Disk, staged

KEY = bytes(range(32))
FULL = StoreError("disk_space", "no room left to write")
SMALL_BYTES = 256 * 1024


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    DISK.plug_in(seed=1)
    with staged():
        opened = Store.open(tmp_path / "kiosk.db", KEY, vfs=Disk.ENCRYPTED, ballast_bytes=SMALL_BYTES)
        assert isinstance(opened, Store)
        yield opened
        opened.close()


def write(key: str, size: int = 20_000) -> Callable[[Transaction], None]:
    return lambda tx: write_meta(tx, key, b"x" * size)


def fill(store: Store) -> None:
    """Somebody else takes all that is left of the disk."""
    store.submit(lambda _: None).result()
    DISK.room_bytes = DISK.used_bytes()


def refusal(store: Store, work: Callable[[Transaction], None]) -> StoreError | None:
    error = store.submit(work).exception()
    assert error is None or isinstance(error, StoreFailedError)
    return None if error is None else error.error


def test_what_is_owed_is_acknowledged_on_a_full_disk(store: Store, tmp_path: Path) -> None:
    ballast = tmp_path / "kiosk.db-ballast"
    assert ballast.stat().st_size == SMALL_BYTES
    store.submit(write("before")).result()
    fill(store)
    assert refusal(store, write("new")) == FULL
    assert ballast.stat().st_size == SMALL_BYTES  # not for new work
    store.submit(write("owed"), essential=True).result()
    assert ballast.stat().st_size == 0
    assert refusal(store, lambda tx: write_meta(tx, "small", b"1")) == FULL  # the room is not for new work
    store.submit(write("owed too"), essential=True).result()
    assert store.submit(lambda tx: read_meta(tx, "new"), essential=True).result() is None
    DISK.room_bytes = None  # somebody has tidied up
    store.submit(write("new")).result()
    assert ballast.stat().st_size == SMALL_BYTES
    for key in ("before", "owed", "owed too", "new"):
        assert store.submit(lambda tx, key=key: read_meta(tx, key)).result() is not None  # type: ignore[misc]  # default


def test_a_disk_full_beyond_the_ballast_says_so(store: Store) -> None:
    fill(store)
    store.submit(write("owed"), essential=True).result()
    fill_again = store.submit(write("too much", 4 * SMALL_BYTES), essential=True).exception()
    assert isinstance(fill_again, StoreFailedError)
    assert fill_again.error == FULL


def test_a_store_opens_on_a_full_disk_and_lets_what_is_owed_pass(tmp_path: Path) -> None:
    DISK.plug_in(seed=1)
    path = tmp_path / "kiosk.db"
    with staged():
        opened = Store.open(path, KEY, vfs=Disk.ENCRYPTED)
        assert isinstance(opened, Store)
        opened.submit(write("before")).result()
        opened.close()
        DISK.room_bytes = path.stat().st_size + SMALL_BYTES
        again = Store.open(path, KEY, vfs=Disk.ENCRYPTED, ballast_bytes=2 * SMALL_BYTES)
        assert isinstance(again, Store)
        assert refusal(again, write("new")) == FULL
        again.submit(write("owed"), essential=True).result()
        again.close()


def test_another_error_than_a_full_disk_leaves_the_ballast_alone(store: Store, tmp_path: Path) -> None:
    import apsw  # noqa: PLC0415  only here

    DISK.failing = apsw.IOError
    assert isinstance(store.submit(write("owed"), essential=True).exception(), StoreFailedError)
    DISK.failing = None
    assert (tmp_path / "kiosk.db-ballast").stat().st_size == SMALL_BYTES


def test_the_room_is_really_taken(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast", BALLAST_BYTES)
    assert ballast.lay() is None
    held = (tmp_path / "ballast").stat()
    assert held.st_size == BALLAST_BYTES
    assert held.st_blocks * 512 >= BALLAST_BYTES
    assert held.st_mode & 0o777 == 0o600
    ballast.free()
    assert (tmp_path / "ballast").stat().st_blocks == 0


def test_a_store_without_ballast_makes_no_file(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast", 0)
    assert ballast.lay() is None
    ballast.free()
    assert list(tmp_path.iterdir()) == []


def test_where_no_file_can_be_made_the_reason_is_told(tmp_path: Path) -> None:
    assert Ballast(tmp_path / "none" / "ballast", 1).lay() == StoreError("disk", os.strerror(2))
