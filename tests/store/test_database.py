"""Opening: what is refused and in which words, and that the modes in force are the ones asked for."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.store import database, schema
from kiosk.store.database import PLAIN_HEADER, open_database, sqlite_version_problem
from kiosk.store.errors import StoreError
from kiosk.store.key import load_or_create_key

KEY = bytes(range(32))


def make(path: Path) -> bytes:
    """A closed database with a few rows; returns its bytes."""
    connection = open_database(path, KEY)
    assert isinstance(connection, apsw.Connection)
    connection.execute("BEGIN; INSERT INTO setting VALUES ('volume', '7'); COMMIT")
    connection.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make(tmp_path_factory.mktemp("good") / "kiosk.db")


@pytest.mark.parametrize(
    ("version", "usable"),
    [
        ("3.40.1", False),
        ("3.51.2", False),
        ("3.51.3", True),
        ("3.52.0", False),
        ("3.52.9", False),
        ("3.53.0", True),
        ("4.0.0", True),
    ],
)
def test_versions(version: str, usable: bool) -> None:
    assert (sqlite_version_problem(version) is None) is usable


def test_a_file_nobody_may_look_at_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", denied)
    assert open_database(tmp_path / "kiosk.db", KEY) == StoreError("path", "Permission denied")


def test_an_unusable_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "sqlite_version_problem", lambda _: "too old")
    assert open_database(tmp_path / "kiosk.db", KEY) == StoreError("sqlite_version", "too old")


def test_modes_in_force(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "kiosk.db", KEY)
    assert isinstance(connection, apsw.Connection)
    found = {
        name: connection.execute(f"PRAGMA {name}").get
        for name in ("cipher", "locking_mode", "journal_mode", "synchronous", "foreign_keys", "secure_delete")
    }
    assert found == {
        "cipher": "chacha20",
        "locking_mode": "exclusive",
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
    }
    assert connection.execute("PRAGMA user_version").get == len(schema.MIGRATIONS)
    connection.close()


def test_a_mode_that_does_not_hold_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(database._MODES, "synchronous", ("NORMAL", 2))
    assert open_database(tmp_path / "kiosk.db", KEY) == StoreError("synchronous", "2 expected, 1 in force")


def test_a_new_file_is_entered_in_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[list[str]] = []

    def note(directory: Path) -> None:
        synced.append(sorted(path.name for path in directory.iterdir()))

    monkeypatch.setattr(database, "sync_directory", note)
    make(tmp_path / "kiosk.db")
    make_again = open_database(tmp_path / "kiosk.db", KEY)
    assert isinstance(make_again, apsw.Connection)
    make_again.close()
    assert synced == [["kiosk.db"]]  # before there is a log


def test_nothing_is_readable_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.db"
    connection = open_database(path, KEY)
    assert isinstance(connection, apsw.Connection)
    connection.execute("BEGIN; INSERT INTO setting VALUES ('planted', 'mirabelle-mirabelle'); COMMIT")
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["kiosk.db", "kiosk.db-made", "kiosk.db-wal"]
    for file in files:
        assert b"mirabelle" not in file.read_bytes()
        assert b"CREATE TABLE" not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
    connection.close()
    assert not path.read_bytes().startswith(PLAIN_HEADER)


def test_a_second_opener_is_refused(tmp_path: Path) -> None:
    first = open_database(tmp_path / "kiosk.db", KEY)
    assert isinstance(first, apsw.Connection)
    assert open_database(tmp_path / "kiosk.db", KEY) == StoreError("lock", "another process holds the file")
    first.close()


@pytest.mark.parametrize("first_life", [True, False])
def test_another_process_is_refused(tmp_path: Path, first_life: bool) -> None:
    """Its locks are not those that SQLite itself keeps apart within one process."""
    if not first_life:
        made = open_database(tmp_path / "kiosk.db", KEY)
        assert isinstance(made, apsw.Connection)
        made.close()
    first = open_database(tmp_path / "kiosk.db", KEY)
    assert isinstance(first, apsw.Connection)
    look = "import sys, pathlib; from kiosk.store.database import open_database; "
    look += "print(open_database(pathlib.Path(sys.argv[1]), bytes.fromhex(sys.argv[2])))"
    command = [sys.executable, "-c", look, str(tmp_path / "kiosk.db"), KEY.hex()]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    first.close()
    assert said == f"{StoreError('lock', 'another process holds the file')}\n"


def _plain(path: Path, _: bytes) -> None:
    plain = sqlite3.connect(path)
    plain.execute("CREATE TABLE event(x)")
    plain.commit()
    plain.close()


def _newer(path: Path, good: bytes) -> None:
    path.write_bytes(good)
    connection = open_database(path, KEY)
    assert isinstance(connection, apsw.Connection)
    connection.execute(f"PRAGMA user_version={len(schema.MIGRATIONS) + 1}")
    connection.close()


def _emptied(path: Path, _: bytes) -> None:
    path.touch()
    path.with_name(path.name + "-wal").write_bytes(b"something")


def _lost(path: Path, _: bytes) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"something")


def _taken_away(path: Path, _: bytes) -> None:
    make(path)
    path.unlink()


def _emptied_by_somebody(path: Path, _: bytes) -> None:
    make(path)
    path.write_bytes(b"")


REFUSED: list[tuple[str, Callable[[Path, bytes], object], str]] = [
    ("not encrypted", _plain, "file"),
    ("a directory", lambda path, _: path.mkdir(), "path"),
    ("random bytes", lambda path, _: path.write_bytes(bytes(range(256)) * 64), "key"),
    ("shorter than a page", lambda path, good: path.write_bytes(good[:3000]), "key"),
    ("cut after a page", lambda path, good: path.write_bytes(good[:8192]), "file"),
    ("of a newer kiosk", _newer, "user_version"),
    ("emptied beside its log", _emptied, "file"),
    ("gone beside its log", _lost, "file"),
    ("taken away", _taken_away, "file"),
    ("emptied", _emptied_by_somebody, "file"),
]


@pytest.mark.parametrize(("name", "spoil", "field"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_refused_files(
    name: str, spoil: Callable[[Path, bytes], object], field: str, tmp_path: Path, good: bytes
) -> None:
    path = tmp_path / "kiosk.db"
    spoil(path, good)
    before = path.read_bytes() if path.is_file() else None
    refused = open_database(path, KEY)
    assert isinstance(refused, StoreError), name
    assert refused.field == field
    assert (path.read_bytes() if path.is_file() else None) == before  # nothing is lost by trying


def test_no_directory(tmp_path: Path) -> None:
    refused = open_database(tmp_path / "none" / "kiosk.db", KEY)
    assert refused == StoreError("path", "No such file or directory")


@pytest.mark.parametrize("key", [b"", KEY[:31], KEY + b"0"])
def test_key_length(key: bytes, tmp_path: Path) -> None:
    refused = open_database(tmp_path / "kiosk.db", key)
    assert refused == StoreError("key", f"32 bytes expected, {len(key)} given")
    assert not (tmp_path / "kiosk.db").exists()


def test_wrong_key(tmp_path: Path, good: bytes) -> None:
    (tmp_path / "kiosk.db").write_bytes(good)
    refused = open_database(tmp_path / "kiosk.db", bytes(32))
    assert refused == StoreError("key", "wrong key, or the file is damaged")
    assert (tmp_path / "kiosk.db").read_bytes() == good


@settings(max_examples=60, deadline=None)
@given(where=st.integers(min_value=0), bit=st.integers(0, 7))
def test_any_flipped_bit_is_seen(where: int, bit: int, good: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("flip") / "kiosk.db"
    spoilt = bytearray(good)
    spoilt[where % len(good)] ^= 1 << bit
    path.write_bytes(spoilt)
    opened = open_database(path, KEY)
    if isinstance(opened, apsw.Connection):
        opened.close()
    assert isinstance(opened, StoreError)
    assert opened.field in ("file", "key")


def test_reopening_keeps_everything(tmp_path: Path, good: bytes) -> None:
    (tmp_path / "kiosk.db").write_bytes(good)
    connection = open_database(tmp_path / "kiosk.db", KEY)
    assert isinstance(connection, apsw.Connection)
    assert connection.execute("SELECT * FROM setting").fetchall() == [("volume", "7")]
    connection.close()


def test_a_migration_is_all_or_nothing(tmp_path: Path, good: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kiosk.db"
    path.write_bytes(good)
    broken = (*schema.MIGRATIONS, "CREATE TABLE half(x INT) STRICT; INSERT INTO nowhere VALUES (1)")
    monkeypatch.setattr(database, "MIGRATIONS", broken)
    with pytest.raises(apsw.SQLError):
        open_database(path, KEY)
    monkeypatch.setattr(database, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE added(x INT) STRICT"))
    connection = open_database(path, KEY)
    assert isinstance(connection, apsw.Connection)
    assert connection.table_exists(None, "added")
    assert not connection.table_exists(None, "half")
    connection.close()


def test_the_content_of_an_event_never_changes(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "kiosk.db", KEY)
    assert isinstance(connection, apsw.Connection)
    connection.execute(
        "INSERT INTO event(event_id, aggregate, aggregate_seq, type, schema_version, body, created_utc_ms,"
        " created_boot_ms, boot_id) VALUES (?, 'kiosk', 1, 'kiosk_started', 1, x'7b7d', 0, 0, '')",
        ("e" * 36,),
    )
    with pytest.raises(apsw.ConstraintError, match="never changes"):
        connection.execute("UPDATE event SET body = x'00'")
    connection.close()


def test_a_first_start_that_was_cut_short_may_be_repeated(tmp_path: Path) -> None:
    """A key, and perhaps an empty file, but never a complete database: nothing was ever acknowledged."""
    path = tmp_path / "kiosk.db"
    assert isinstance(load_or_create_key(tmp_path / "store.key", path), bytes)
    path.touch()
    make(path)


def test_a_key_is_not_made_anew_where_there_was_a_database(tmp_path: Path) -> None:
    make(tmp_path / "kiosk.db")
    (tmp_path / "kiosk.db").unlink()
    refused = load_or_create_key(tmp_path / "store.key", tmp_path / "kiosk.db")
    assert refused == StoreError("key", "missing, and there is a database that needs it")


def test_a_flipped_byte_in_any_page_is_seen(tmp_path: Path) -> None:
    """Every page of a file with rows in every kind of place, at its beginning, middle and end."""
    path = tmp_path / "kiosk.db"
    connection = open_database(path, KEY)
    assert isinstance(connection, apsw.Connection)
    for number in range(60):
        connection.execute("INSERT INTO setting VALUES (?, ?)", (f"{number:04}", "x" * 1500))
        connection.execute("INSERT INTO meta VALUES (?, ?)", (f"{number:04}", bytes(9000 if number == 7 else 100)))
    connection.close()
    good = path.read_bytes()
    page_bytes = 4096
    assert len(good) > 30 * page_bytes
    for page in range(len(good) // page_bytes):
        for where in (0, 17, page_bytes // 2, page_bytes - 1):
            spoilt = bytearray(good)
            spoilt[page * page_bytes + where] ^= 0x10
            path.write_bytes(spoilt)
            refused = open_database(path, KEY)
            assert isinstance(refused, StoreError), f"page {page} byte {where}"
            assert refused.field in ("file", "key")


def test_a_flipped_byte_in_the_log_gives_an_earlier_moment_never_another_content(tmp_path: Path) -> None:
    """Only whole commits, in their order: a log that ends too early is for the batch numbers to betray."""
    path = tmp_path / "kiosk.db"
    connection = open_database(path, KEY)
    assert isinstance(connection, apsw.Connection)
    for number in range(8):
        connection.execute("INSERT INTO setting VALUES (?, ?)", (f"{number:04}", "x" * 900))
    content, log = path.read_bytes(), path.with_name("kiosk.db-wal").read_bytes()
    connection.close()
    seen = set()
    for where in range(0, len(log), 997):
        spoilt = bytearray(log)
        spoilt[where] ^= 0x10
        path.write_bytes(content)
        path.with_name("kiosk.db-wal").write_bytes(spoilt)
        opened = open_database(path, KEY)
        assert isinstance(opened, apsw.Connection)
        keys = [key for (key,) in opened.execute("SELECT key FROM setting ORDER BY key")]
        opened.close()
        assert keys == [f"{number:04}" for number in range(len(keys))]
        seen.add(len(keys))
    assert len(seen) > 3


def test_key_file_is_made_once(tmp_path: Path) -> None:
    key_path, database_path = tmp_path / "kiosk.key", tmp_path / "kiosk.db"
    key = load_or_create_key(key_path, database_path)
    assert isinstance(key, bytes)
    assert key_path.stat().st_mode & 0o777 == 0o600
    database_path.touch()
    assert load_or_create_key(key_path, database_path) == key


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (None, 0, "missing, and there is a database that needs it"),
        (b"short", 0o600, "32 bytes expected, the file has 5"),
        (KEY, 0o640, "readable by others; mode 0600 expected"),
    ],
)
def test_key_file_refused(content: bytes | None, mode: int, reason: str, tmp_path: Path) -> None:
    key_path, database_path = tmp_path / "kiosk.key", tmp_path / "kiosk.db"
    database_path.touch()
    if content is not None:
        key_path.write_bytes(content)
        key_path.chmod(mode)
    assert load_or_create_key(key_path, database_path) == StoreError("key", reason)
