"""A database of every earlier version keeps every row; power may go at any step of the way."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import apsw
import pytest

from kiosk.store.database import close_database, open_database
from kiosk.store.schema import MIGRATIONS
from tests.store.power_loss import DISK, Disk, staged

KEY = bytes(range(32))
FROZEN = sorted(Path(__file__).with_name("frozen").glob("version_*.sql"))
TABLES = ("event", "aggregate", "batch", "outbox_size", "journal", "meta", "setting")
Content = Mapping[str, list[tuple[object, ...]]]


def raw(path: Path) -> apsw.Connection:
    """The file as it is, without the store's own opening."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA cipher='chacha20'")
    connection.execute(f"PRAGMA key='raw:{KEY.hex()}'")
    return connection


def thaw(script: Path, path: Path) -> Content:
    """An encrypted database of that version at `path`; returns its rows."""
    connection = raw(path)
    connection.execute(f"BEGIN; {script.read_text(encoding='ascii')}; COMMIT")
    found = content(connection, columns_of(connection))
    connection.close()
    return found


def columns_of(connection: apsw.Connection) -> Mapping[str, list[str]]:
    """The names of each table's columns."""
    return {
        table: [str(name) for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        for table in TABLES
    }


def content(connection: apsw.Connection, columns: Mapping[str, list[str]]) -> Content:
    """All rows, of these columns only."""
    return {
        table: connection.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY 1").fetchall()  # noqa: S608
        for table, names in columns.items()
    }


def test_every_earlier_version_is_frozen() -> None:
    assert [path.stem for path in FROZEN] == [f"version_{number}" for number in range(1, len(MIGRATIONS))]


@pytest.mark.parametrize("script", FROZEN, ids=lambda path: path.stem)
def test_every_row_is_kept(script: Path, tmp_path: Path) -> None:
    path = tmp_path / "kiosk.db"
    before = thaw(script, path)
    assert all(before.values()), "a table without rows proves nothing"
    with raw(path) as connection:
        columns = columns_of(connection)
    connection.close()
    for _ in range(2):  # the second opening finds nothing to do
        opened = open_database(path, KEY)
        assert isinstance(opened, apsw.Connection)
        assert content(opened, columns) == before
        assert opened.execute("PRAGMA user_version").get == len(MIGRATIONS)
        everything = content(opened, columns_of(opened))
        opened.close()
    again = open_database(path, KEY)
    assert isinstance(again, apsw.Connection)
    assert content(again, columns_of(again)) == everything
    again.close()


def test_what_is_there_counts_as_used_at_the_newest_time_known(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.db"
    thaw(FROZEN[0], path)
    opened = open_database(path, KEY)
    assert isinstance(opened, apsw.Connection)
    assert opened.execute("SELECT DISTINCT last_utc_ms FROM aggregate").fetchall() == [(1_790_000_000_009,)]
    opened.close()


@pytest.mark.parametrize("script", FROZEN, ids=lambda path: path.stem)
def test_power_may_go_at_any_step(script: Path, tmp_path: Path) -> None:
    """Old or new, whole, and the next opening finishes it."""
    frozen = tmp_path / "frozen.db"
    before = thaw(script, frozen)
    with raw(frozen) as connection:
        columns = columns_of(connection)
        old = connection.execute("PRAGMA user_version").get
    connection.close()
    tick, seen = 0, set()
    while True:
        tick += 1
        DISK.plug_in(seed=tick, power_goes_at=tick)
        path = tmp_path / str(tick) / "kiosk.db"
        path.parent.mkdir()
        shutil.copy(frozen, path)
        with staged():
            opened = open_database(path, KEY, vfs=Disk.ENCRYPTED)
            if isinstance(opened, apsw.Connection):
                close_database(opened)
        cut = DISK.off
        found = raw(path)
        found.execute("PRAGMA locking_mode=EXCLUSIVE")
        seen.add(found.execute("PRAGMA user_version").get)
        assert content(found, columns) == before, f"tick {tick}"
        found.close()
        finished = open_database(path, KEY)
        assert isinstance(finished, apsw.Connection), f"tick {tick}"
        assert finished.execute("PRAGMA user_version").get == len(MIGRATIONS)
        assert content(finished, columns) == before, f"tick {tick}"
        finished.close()
        if not cut:
            break
    assert seen == {old, len(MIGRATIONS)}
    assert tick > 8
