"""Opening the kiosk's one database file: encrypted, exclusive, durable; or a clear refusal (channel reference §4.1)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import apsw

from kiosk.store.errors import StoreError, as_store_error
from kiosk.store.files import sync_directory, write_private
from kiosk.store.schema import MIGRATIONS

KEY_BYTES = 32
CIPHER = "chacha20"  # detects a flipped byte; aes256cbc does not
PLAIN_HEADER = b"SQLite format 3\x00"

# pragma → (value to set, value read back), in the order in which they are set
_MODES: dict[str, tuple[str, object]] = {
    "locking_mode": ("EXCLUSIVE", "exclusive"),
    "journal_mode": ("WAL", "wal"),
    "synchronous": ("FULL", 2),
    "foreign_keys": ("ON", 1),
    "secure_delete": ("ON", 1),
    "trusted_schema": ("OFF", 0),
    "cell_size_check": ("ON", 1),
    "temp_store": ("MEMORY", 2),
    "busy_timeout": ("2000", 2000),
    "cache_size": ("-256", -256),  # KiB: a visit touches the ends of a few tables; the default 2 MiB fills for days
}


def sqlite_version_problem(version: str) -> str | None:
    """Why this SQLite must not be used, or None: below 3.51.3 (WAL-reset corruption) and 3.52.x (withdrawn)."""
    numbers = tuple(int(part) for part in version.split(".")[:3])
    if numbers < (3, 51, 3):
        return f"SQLite {version} may corrupt a write-ahead log; 3.51.3 or later is needed"
    if numbers[:2] == (3, 52):
        return f"SQLite {version} was withdrawn"
    return None


def open_database(path: Path, key: bytes, *, vfs: str | None = None) -> apsw.Connection | StoreError:
    """Open or create the file at `path` with a 32-byte raw key, and bring its schema up to date.

    The connection belongs to the calling thread from then on. `vfs` names another SQLite file layer (crash tests).
    """
    if len(key) != KEY_BYTES:
        return StoreError("key", f"{KEY_BYTES} bytes expected, {len(key)} given")
    if (problem := sqlite_version_problem(apsw.sqlite_lib_version())) is not None:
        return StoreError("sqlite_version", problem)
    try:
        if (refused := _look_at_file(path)) is not None:
            return refused
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            sync_directory(path.parent)  # before there can be a log: a log alone would look like a lost database
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
        with contextlib.ExitStack() as undo:
            undo.callback(close_database, connection)
            refused = _configure(connection, key) or _check(connection) or _migrate(connection)
            if refused is not None:
                return refused
            if had_database(path):
                undo.pop_all()
                return connection
        # Only with the connection closed may the file be looked at: whatever closes it ends this process' locks on it.
        if (refused := _look_at_header(path)) is not None:
            return refused
        write_private(_marker(path), b"")
        return open_database(path, key, vfs=vfs)
    except apsw.Error as error:
        if (known := as_store_error(error)) is None:
            raise
        return known
    except OSError as error:
        return StoreError("path", os.strerror(error.errno or 0))


def had_database(path: Path) -> bool:
    """Whether a database was ever complete at `path`: a kiosk must not begin anew because somebody took it away."""
    return _marker(path).exists()


def close_database(connection: apsw.Connection) -> None:
    """Close it. A disk that fails now takes nothing: the log stays beside the file and is read at the next opening."""
    with contextlib.suppress(apsw.Error):
        connection.close(True)


def _look_at_file(path: Path) -> StoreError | None:
    if path.exists() and not path.is_file():
        return StoreError("path", "not a regular file")
    log = path.with_name(path.name + "-wal")
    empty = not path.exists() or path.stat().st_size == 0
    if empty and log.exists() and log.stat().st_size > 0:
        return StoreError("file", "missing or empty, beside a write-ahead log that has content")
    if empty and had_database(path):
        return StoreError("file", "missing or empty, where there was a database: restore it, or set the kiosk up anew")
    return _look_at_header(path)


def _look_at_header(path: Path) -> StoreError | None:
    if not path.exists():
        return None
    with path.open("rb") as file:
        if file.read(len(PLAIN_HEADER)) == PLAIN_HEADER:
            return StoreError("file", "not encrypted")
    return None


def _configure(connection: apsw.Connection, key: bytes) -> StoreError | None:
    for pragma in (f"cipher='{CIPHER}'", f"key='raw:{key.hex()}'"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    for name, (value, _) in _MODES.items():
        connection.execute(f"PRAGMA {name}={value}").fetchall()
    expected = {"cipher": CIPHER} | {name: read_back for name, (_, read_back) in _MODES.items()}
    for name, wanted in expected.items():
        found = connection.execute(f"PRAGMA {name}").get
        if found != wanted:
            return StoreError(name, f"{wanted} expected, {found} in force")
    return None


def _check(connection: apsw.Connection) -> StoreError | None:
    if connection.execute("PRAGMA quick_check(1)").get != "ok":
        return StoreError("file", "damaged structure")
    return None


def _migrate(connection: apsw.Connection) -> StoreError | None:
    version = connection.execute("PRAGMA user_version").get
    if not isinstance(version, int) or not 0 <= version <= len(MIGRATIONS):
        return StoreError("user_version", f"{version}: this file belongs to a newer version of the kiosk")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version={number}; COMMIT").fetchall()
    return None


def _marker(path: Path) -> Path:
    return path.with_name(path.name + "-made")
