"""One thread with the only connection to the backend's SQLite file; every piece of work is one IMMEDIATE transaction.

Exclusive on purpose: one connection is outside the WAL-reset corruption of older SQLite versions, and a second server
on the same directory is refused at once. A later group commit replaces only `_run`.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from simulators.backend import schema

T = TypeVar("T")


class DatabaseInUse(Exception):  # noqa: N818  # states a fact, not a defect
    """Another process holds the database: a server runs on this data directory."""


class Database:
    """The writer thread. `submit` from any thread; the future resolves after the commit, or with the exception."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; raises DatabaseInUse if it is held elsewhere."""
        self._jobs: queue.SimpleQueue[tuple[Callable[[Connection], Any], Future[Any]] | None] = queue.SimpleQueue()
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._loop, args=(path, opened), name="backend-database", daemon=True)
        self._thread.start()
        opened.result()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Run `work` in a transaction of its own; an exception rolls all of it back."""
        done: Future[T] = Future()
        self._jobs.put((work, done))
        return done

    def run(self, work: Callable[[Connection], T]) -> T:
        """`submit` and wait."""
        return self.submit(work).result()

    def close(self) -> None:
        """Finish what is queued, then close the file."""
        self._jobs.put(None)
        self._thread.join()

    def _loop(self, path: Path, opened: Future[None]) -> None:
        try:
            engine = _open(path)
        except Exception as error:  # noqa: BLE001  # handed to the caller's thread
            opened.set_exception(error)
            return
        opened.set_result(None)
        with engine.connect() as connection:
            while (job := self._jobs.get()) is not None:
                self._run(connection, *job)
        engine.dispose()

    @staticmethod
    def _run(connection: Connection, work: Callable[[Connection], Any], done: Future[Any]) -> None:
        try:
            with connection.begin():
                result = work(connection)
        except BaseException as error:  # noqa: BLE001  # belongs to whoever asked
            done.set_exception(error)
        else:
            done.set_result(result)


def _open(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
        connect_args={"timeout": 0.0, "check_same_thread": False},
        hide_parameters=True,  # an error names the statement, never a person
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin_immediate)
    try:
        with engine.begin() as connection:
            schema.metadata.create_all(connection)
    except (OperationalError, sqlite3.OperationalError) as error:
        engine.dispose()
        if "locked" in str(error):
            raise DatabaseInUse(path.name) from None
        raise
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
    ):
        row = connection.execute(f"PRAGMA {pragma}").fetchone()
        if expected is not None and row[0] != expected:
            raise sqlite3.OperationalError(f"{pragma} is not in force")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
