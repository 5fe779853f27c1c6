"""The store: the only thread with the only connection. Others hand it functions and get futures."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import apsw

from kiosk.store.ballast import Ballast
from kiosk.store.database import close_database, open_database
from kiosk.store.errors import StoreError, StoreFailedError, as_store_error
from kiosk.store.transaction import Transaction

T = TypeVar("T")
_Job = tuple[Callable[[Transaction], Any], "Future[Any]", bool]


class Store:
    """One encrypted file, one writer. Make it with `Store.open`.

    A future's callbacks run on the store's thread: they must be short, and never wait for another future of this store.
    """

    def __init__(self, path: Path, key: bytes, vfs: str | None, ballast_bytes: int) -> None:
        self._path, self._key, self._vfs = path, key, vfs
        self._ballast = Ballast(path.with_name(path.name + "-ballast"), ballast_bytes)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._connection: apsw.Connection | None = None
        self._opened: Future[StoreError | None] = Future()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    @staticmethod
    def open(path: Path, key: bytes, *, vfs: str | None = None, ballast_bytes: int = 0) -> Store | StoreError:
        """Open or create the file (see `open_database`); returns when the store is usable, or why it is not.

        ballast_bytes: room kept for essential work on a full disk. A bug on the store's thread is raised here.
        """
        store = Store(path, key, vfs, ballast_bytes)
        store._thread.start()
        refused = store._opened.result()
        if refused is not None:
            store._thread.join()
            return refused
        return store

    def submit(self, work: Callable[[Transaction], T], *, essential: bool = False) -> Future[T]:
        """Run `work` in one IMMEDIATE transaction. The future resolves after the commit is on disk.

        An exception of `work` rolls everything back and is the future's exception; a failure of the disk is a
        `StoreFailedError`. Safe from any thread. essential: work that ends what was begun (an upload, its
        acknowledgement), or only reads. On a full disk it takes the ballast's room, and may then run a second time;
        other work is refused until the ballast is back in place.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                future.set_exception(StoreFailedError(StoreError("store", "closed")))
            else:
                self._jobs.put((work, future, essential))
        return future

    def close(self) -> None:
        """Finish what was submitted, write the log back into the file, and end the thread. May be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            opened = open_database(self._path, self._key, vfs=self._vfs)
        except BaseException as error:  # noqa: BLE001  belongs to whoever waits in `open`
            self._opened.set_exception(error)
            return
        if isinstance(opened, StoreError):
            self._opened.set_result(opened)
            return
        self._connection = opened
        self._ballast.lay()  # where there is no room for it, new work will be told
        self._opened.set_result(None)
        while (job := self._jobs.get()) is not None:
            work, future, essential = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = self._essential(work) if essential else self._ordinary(work)
            except BaseException as error:  # noqa: BLE001  belongs to whoever waits for the future
                future.set_exception(error)
            else:
                future.set_result(result)
            del job, work, future  # hold nothing of a visit while waiting for the next one
        self._drop_connection()

    def _ordinary(self, work: Callable[[Transaction], T]) -> T:
        if (refused := self._ballast.lay()) is not None:
            raise StoreFailedError(refused)
        return self._transact(work)

    def _essential(self, work: Callable[[Transaction], T]) -> T:
        try:
            return self._transact(work)
        except StoreFailedError as failed:
            if failed.error.field != "disk_space":
                raise
        self._ballast.free()
        return self._transact(work)  # on a connection opened anew: closing the failed one has written the log back

    def _transact(self, work: Callable[[Transaction], T]) -> T:
        connection = self._usable_connection()
        tx = Transaction(connection)
        try:
            connection.execute("BEGIN IMMEDIATE")
            result = work(tx)
            if not connection.in_transaction:
                raise RuntimeError("the work ended its own transaction")
            connection.execute("COMMIT")
        except BaseException as error:
            failure = as_store_error(error)
            if failure is None:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            # After a failed write or sync nothing that this connection believes may be trusted: reopen, which checks.
            self._drop_connection()
            raise StoreFailedError(failure) from None
        finally:
            tx.end()
        return result

    def _usable_connection(self) -> apsw.Connection:
        if self._connection is None:
            opened = open_database(self._path, self._key, vfs=self._vfs)
            if isinstance(opened, StoreError):
                raise StoreFailedError(opened)
            self._connection = opened
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            close_database(self._connection)
            self._connection = None
