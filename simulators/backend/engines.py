"""Opening the two engines: an embedded SQLite file held by one process, or a PostgreSQL server for several.

SQLite is held exclusively on purpose: one connection is outside the WAL-reset corruption of older versions, and a
second server on the same directory is refused at once.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import NullPool, StaticPool

from simulators.backend import migrations

POSTGRESQL: Final = "postgresql+psycopg"
CACHED_STATEMENTS: Final = 256
CACHE_KIB: Final = 64 * 1024
CHECKPOINT_PAGES: Final = 8000
"""Of 4 KiB: a page that is changed often goes back to the main file once in so many."""
CONNECT_LIMIT_S: Final = 5
LOCK_LIMIT_MS: Final = 2000
"""PostgreSQL: longer than any group takes. Who waits for a row longer waits for somebody outside: it is told to come
again, for behind it waits every other kiosk of the process."""


class DatabaseInUse(Exception):  # noqa: N818  # states a fact, not a defect
    """Another process holds the database: a server runs on this data directory."""


class DatabaseUrlError(Exception):
    """A database URL that cannot be used; the message names field and cause, never a password."""


class DatabaseUnusableError(Exception):
    """The database is not there, or not one; the message is the engine's own, on one line."""


def open_engine(where: Path | str) -> Engine:
    """The engine of a SQLite file (a path) or of a URL, its tables made or migrated.

    Raises DatabaseInUse, DatabaseUnusableError, DatabaseUrlError, DatabaseVersionError.
    """
    engine = _sqlite(where) if isinstance(where, Path) else _postgresql(where)
    try:
        with engine.begin() as connection:
            migrations.upgrade(connection)
    except (DatabaseError, sqlite3.DatabaseError) as error:
        engine.dispose()
        if isinstance(where, Path) and "locked" in str(error):
            raise DatabaseInUse(where.name) from None
        told = str(getattr(error, "orig", error)).partition("\n")[0]
        raise DatabaseUnusableError(f"database: {told}") from error
    return engine


def _sqlite(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
        connect_args={"timeout": 0.0, "check_same_thread": False, "cached_statements": CACHED_STATEMENTS},
        hide_parameters=True,  # an error names the statement, never a person
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by us, see _begin_immediate
    for pragma, expected in (
        ("locking_mode=EXCLUSIVE", "exclusive"),
        ("journal_mode=WAL", "wal"),
        ("synchronous=FULL", None),
        ("foreign_keys=ON", None),
        ("trusted_schema=OFF", None),
        ("secure_delete=ON", None),
        (f"cache_size=-{CACHE_KIB}", None),
        (f"wal_autocheckpoint={CHECKPOINT_PAGES}", None),
    ):
        row = connection.execute(f"PRAGMA {pragma}").fetchone()
        if expected is not None and row[0] != expected:
            raise sqlite3.OperationalError(f"{pragma} is not in force")


def _begin_immediate(connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN IMMEDIATE")


def _postgresql(text: str) -> Engine:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        raise DatabaseUrlError("database-url: not a URL") from None
    if url.drivername != POSTGRESQL:
        raise DatabaseUrlError(f"database-url: {POSTGRESQL}://… expected")
    try:
        engine = create_engine(
            url,
            poolclass=NullPool,  # one thread, one connection
            paramstyle="format",  # positional, as the other engine's
            connect_args={"connect_timeout": CONNECT_LIMIT_S, "application_name": "kiosk-backend"},
            hide_parameters=True,
        )
    except ArgumentError as error:  # of its query
        raise DatabaseUrlError(f"database-url: {error}") from None
    event.listen(engine, "connect", _set_up)
    return engine


def _set_up(connection: Any, _record: object) -> None:
    """No answer before its transaction is on disk, whatever the server's own default.

    Every statement of a request finds its rows by key. A planner without statistics takes a growing table for a small
    one and reads it whole, for each group again: measured, five times the CPU after 1,600 batches. The few statements
    that do read a (small) table whole would be compiled each time, at the price that forbids it to the others: 30 ms.
    """
    for setting in ("synchronous_commit = on", "default_transaction_isolation = 'read committed'",
                    "enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off",
                    "jit = off", f"lock_timeout = {LOCK_LIMIT_MS}"):  # fmt: skip
        connection.execute(f"SET SESSION {setting}")
    connection.commit()
