"""One thread with the process's only connection; requests share transactions, everything else has one of its own.

Group commit (channel reference §4.4): whatever waits when the thread is free is done in one transaction, and nobody
hears of it before the commit. Should one piece of work fail, the transaction is rolled back and each is done again in
a transaction of its own, so that the bad one alone fails: work must leave no trace but through its connection.
On PostgreSQL several processes write: a group takes its kiosks in the order of their names, and each locks its kiosk's
row first.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import Connection, Engine

from simulators.backend.bulk import Request, together
from simulators.backend.engines import DatabaseInUse, DatabaseUnusableError, DatabaseUrlError, open_engine
from simulators.backend.migrations import DatabaseVersionError

__all__ = [
    "Database",
    "DatabaseBusy",
    "DatabaseInUse",
    "DatabaseUnusableError",
    "DatabaseUrlError",
    "DatabaseVersionError",
]

T = TypeVar("T")
Work = Callable[[Connection], T]

MAX_GROUP: Final = 64
CLOSE_LIMIT_S: Final = 5.0
"""Longer than a full queue takes."""


class DatabaseBusy(Exception):  # noqa: N818  # states a fact, not a defect
    """The engine could not do it now: locked, full, gone, or a deadlock. Nothing of it was promised to anybody."""


@dataclass(frozen=True, slots=True)
class _Job:
    perform: Work[Any]  # by itself
    request: Request[Any] | None = None  # to be done together with others
    done: Future[Any] = field(default_factory=Future)


_Shared = tuple[_Job, Request[Any]]


class Database:
    """The writer thread. `submit` from any thread; a future resolves after the commit, or with the exception.

    Work whose future is cancelled while it waits is not done; once it has begun its future cannot be cancelled.
    """

    def __init__(self, where: Path | str) -> None:
        """Open a SQLite file or the database of a URL, and bring its tables up to date.

        Raises what `engines.open_engine` raises.
        """
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._engine = open_engine(where)
        self.on_group: Callable[[int], None] = lambda _size: None  # told how many shared a transaction
        self._thread = threading.Thread(target=self._loop, name="backend-database", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Pieces of work in the queue, about."""
        return self._jobs.qsize()

    def submit(self, work: Work[T]) -> Future[T]:
        """Run `work` in a transaction of its own; an exception rolls all of it back."""
        return self._put(_Job(work))

    def submit_request(self, request: Request[T]) -> Future[T]:
        """Do a kiosk's request in a transaction with those of other kiosks that wait."""
        return self._put(_Job(lambda connection: together(connection, [request])[0], request))

    def run(self, work: Work[T]) -> T:
        """`submit` and wait."""
        return self.submit(work).result()

    def close(self) -> None:
        """Finish what is queued, then close the connection; a thread that a frozen server holds is left behind."""
        self._jobs.put(None)
        self._thread.join(CLOSE_LIMIT_S)

    def _put(self, job: _Job) -> Future[Any]:
        self._jobs.put(job)
        return job.done

    def _loop(self) -> None:
        connection = _Reconnecting(self._engine)
        is_open = True
        while is_open:
            jobs, is_open = self._waiting()
            shared = [(job, job.request) for job in jobs if job.request is not None]
            if shared:
                self.on_group(len(shared))
                _together(connection, shared)
            for job in jobs:
                if job.request is None:
                    _alone(connection, job)
        connection.close()
        self._engine.dispose()

    def _waiting(self) -> tuple[list[_Job], bool]:
        """All that waits and has not been given up; and whether to go on afterwards."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            if job.done.set_running_or_notify_cancel():  # from now on nobody can: the thread owes it a result
                jobs.append(job)
            if len(jobs) == MAX_GROUP:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False


class _Reconnecting:
    """The one connection, opened again after it was lost."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        driver: Any = engine.dialect.dbapi
        self._not_now: tuple[type[Exception], ...] = (
            driver.OperationalError,
            driver.InterfaceError,
            ReadOnlySqlTransaction,  # a standby, or a server that somebody is moving
        )

    def perform(self, work: Work[T]) -> T:
        """One transaction; raises what the work raised, or DatabaseBusy."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                return work(self._connection)
        except Exception as error:
            if not isinstance(getattr(error, "orig", error), self._not_now):  # the driver's own, or within SQLAlchemy's
                raise
            # A lock, a full disk, a deadlock, a lost server: the next transaction begins on a connection that is known
            # to work. The embedded engine keeps its one connection, for closing it would give up the file; it may still
            # be in the transaction whose COMMIT failed.
            if self._engine.dialect.name != "sqlite":
                self.close()
            elif self._connection is not None:
                self._connection.connection.rollback()
            raise DatabaseBusy(type(error).__name__) from error

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _alone(connection: _Reconnecting, job: _Job) -> None:
    try:
        result = connection.perform(job.perform)
    except Exception as error:  # noqa: BLE001  # belongs to whoever asked
        job.done.set_exception(error)
    else:
        job.done.set_result(result)


def _together(connection: _Reconnecting, jobs: Sequence[_Shared]) -> None:
    rounds = _rounds(jobs)

    def work(of: Connection) -> list[Any]:
        return [
            outcome
            for number, group in enumerate(rounds, 1)
            for outcome in together(of, [request for _, request in group], commits=number == len(rounds))
        ]

    try:
        results = connection.perform(work)
    except Exception:  # noqa: BLE001  # told to whom it belongs when each is done alone
        for job, _ in jobs:
            _alone(connection, job)
        return
    for (job, _), result in zip((shared for group in rounds for shared in group), results, strict=True):
        job.done.set_result(result)


def _rounds(jobs: Sequence[_Shared]) -> list[list[_Shared]]:
    """A kiosk's second request sees what its first one has done."""
    rounds: list[list[_Shared]] = []
    seen: Counter[str] = Counter()
    for job, request in jobs:
        kiosk = request.kiosk
        if seen[kiosk] == len(rounds):
            rounds.append([])
        rounds[seen[kiosk]].append((job, request))
        seen[kiosk] += 1
    return rounds
