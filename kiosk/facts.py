"""Facts on disk: an entry of the journal and, where the catalogue says so, an outbox event, in one transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final

from kiosk.journal.catalogue import EntryError, FieldValue, Kind, shipped_catalogue
from kiosk.journal.journal import append
from kiosk.store.errors import StoreFailedError
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction, write_meta
from kiosk.sync.aggregates import aggregate_of
from kiosk.sync.outbox import Outbox, OutboxFull, store_failed, store_full
from kiosk.visit.events import StoreReady
from kiosk.visit.failures import Fault
from kiosk.visit.ports import Post

_HEALTH: Final = frozenset({Kind.DEVICE, Kind.CHANNEL, Kind.MAINTENANCE})
"""What the backend must hear of a kiosk even when visits have filled its outbox."""
RETRY_S: Final = 5.0
PROBE_BYTES: Final = 32 * 1024
"""More than a fact writes, so that a disk with room for the probe has room for the fact."""


class OutboxFullError(Exception):
    """Rolls the transaction back: a fact that must be uploaded and cannot be queued is not recorded at all."""

    def __init__(self, full: OutboxFull) -> None:
        super().__init__(full.reason)
        self.full = full


class Facts:
    """Writes facts. `utc_ms` gives wall time as well as it is known."""

    def __init__(self, store: Store, outbox: Outbox, utc_ms: Callable[[], int]) -> None:
        self._store = store
        self._outbox = outbox
        self._utc_ms = utc_ms
        self._catalogue = shipped_catalogue()

    def commit(
        self,
        event: str,
        fields: Mapping[str, FieldValue],
        pseudonym: str | None = None,
        *,
        along: Callable[[Transaction], None] | None = None,
    ) -> Future[None]:
        """The future resolves when the fact is on disk; its exception is `StoreFailedError` or `OutboxFullError`.

        along: what becomes true with the fact, in the same transaction and before it; its exception undoes both.
        """

        def work(tx: Transaction) -> None:
            if along is not None:
                along(tx)
            self._write(tx, event, fields, pseudonym)

        return self._store.submit(work)

    def outbox_filled(self) -> Future[float]:
        """How much of the outbox' quota is used; 1.0 is full."""
        return self._store.submit(self._outbox.filled, essential=True)

    def probe(self) -> Future[None]:
        """Commit something of no meaning, if the outbox has room: resolves, or fails, as a fact would."""
        return self._store.submit(self._probe)

    def _probe(self, tx: Transaction) -> None:
        if (refused := self._outbox.refusal(tx)) is not None:
            raise OutboxFullError(refused)
        write_meta(tx, "probe", bytes(PROBE_BYTES))

    def _write(self, tx: Transaction, event: str, fields: Mapping[str, FieldValue], pseudonym: str | None) -> None:
        utc_ms = self._utc_ms()
        entry = append(tx, self._catalogue, event, fields, utc_ms=utc_ms, pseudonym=pseudonym)
        if isinstance(entry, EntryError):  # the machine's records are held to the catalogue by a test: a bug
            raise TypeError(f"{entry.event}.{entry.field}: {entry.reason}")
        rule = self._catalogue.events[event]
        if not rule.upload:
            return
        aggregate = aggregate_of(tx, "kiosk" if pseudonym is None else f"visit:{pseudonym}")
        body = dict(fields) if pseudonym is None else {**fields, "pseudonym": pseudonym}
        refused = self._outbox.enqueue(tx, aggregate, event, body, utc_ms=utc_ms, reserved=rule.kind in _HEALTH)
        if refused is not None:
            raise OutboxFullError(refused)


class StoreWatch:
    """Looks whether facts can be written again, once one was not, and posts `StoreReady` then. One thread, mostly idle.

    A database that could not be opened at start is not its concern: that takes a restart.
    """

    def __init__(self, facts: Facts, post: Post, *, retry_s: float = RETRY_S) -> None:
        self._facts, self._post, self._retry_s = facts, post, retry_s
        self._failed = threading.Event()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Before the store is closed."""
        self._ends.set()
        self._failed.set()
        self._thread.join()

    def failed(self) -> None:
        """A fact was not written, and the visit has been told. Safe from any thread."""
        self._failed.set()

    def _run(self) -> None:
        while True:
            self._failed.wait()
            if self._ends.wait(self._retry_s):
                return
            self._failed.clear()  # before the look: a failure behind it is looked at again
            if self._facts.probe().exception() is None:
                self._post(StoreReady())
            else:
                self._failed.set()


def fault_of(error: BaseException) -> Fault:
    """Why a fact is not on disk."""
    full = isinstance(error, StoreFailedError) and error.error.field == "disk_space"
    if full or isinstance(error, OutboxFullError):
        return store_full(str(error))
    return store_failed(str(error) if isinstance(error, StoreFailedError) else type(error).__name__)
