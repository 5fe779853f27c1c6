"""Facts on disk: an entry of the journal and, where the catalogue says so, an outbox event, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future

from kiosk.journal.catalogue import EntryError, FieldValue, shipped_catalogue
from kiosk.journal.journal import append
from kiosk.store.errors import StoreFailedError
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync.outbox import Outbox, OutboxFull, store_failed, store_full
from kiosk.visit.failures import Fault

KIOSK_AGGREGATE = "kiosk"


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

    def commit(self, event: str, fields: Mapping[str, FieldValue], pseudonym: str | None = None) -> Future[None]:
        """The future resolves when the fact is on disk; its exception is `StoreFailedError` or `OutboxFullError`."""
        return self._store.submit(lambda tx: self._write(tx, event, fields, pseudonym))

    def _write(self, tx: Transaction, event: str, fields: Mapping[str, FieldValue], pseudonym: str | None) -> None:
        utc_ms = self._utc_ms()
        entry = append(tx, self._catalogue, event, fields, utc_ms=utc_ms, pseudonym=pseudonym)
        if isinstance(entry, EntryError):  # the machine's records are held to the catalogue by a test: a bug
            raise TypeError(f"{entry.event}.{entry.field}: {entry.reason}")
        if not self._catalogue.events[event].upload:
            return
        aggregate = KIOSK_AGGREGATE if pseudonym is None else f"visit:{pseudonym}"
        body = dict(fields) if pseudonym is None else {**fields, "pseudonym": pseudonym}
        refused = self._outbox.enqueue(tx, aggregate, event, body, utc_ms=utc_ms)
        if refused is not None:
            raise OutboxFullError(refused)


def fault_of(error: BaseException) -> Fault:
    """Why a fact is not on disk."""
    full = isinstance(error, StoreFailedError) and error.error.field == "disk_space"
    if full or isinstance(error, OutboxFullError):
        return store_full(str(error))
    return store_failed(str(error) if isinstance(error, StoreFailedError) else type(error).__name__)
