"""Public keys of kiosks in memory: step 3 of a request must not write, and reads the database for a new key only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, select

from kiosk.sync.profile import KeyRecord, KeyRefusal, register_key
from simulators.backend import patience, schema
from simulators.backend.database import Database, DatabaseBusy

UNKNOWN_FOR_S: Final = 2.0
"""How long an unknown key stays unknown: at most so much later is a key of another process's enrolment recognised."""
MAX_UNKNOWN: Final = 1024


class KeyRegistry:
    """keyid → record. Loaded at the start, added to after an enrolment has committed, here or in another process."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._records: dict[str, KeyRecord] = {}
        self._unknown_until_s: dict[str, float] = {}
        self._readings: dict[str, asyncio.Future[KeyRecord | None]] = {}
        self._monotonic_s = monotonic_s

    def load(self, connection: Connection) -> None:
        """Every key ever registered: a revoked one must still be recognised, to be told so."""
        table = schema.kiosk_key.c
        for row in connection.execute(select(table.keyid, table.alg, table.spki)):
            self.add(stored_key(*row))

    def add(self, record: KeyRecord) -> None:
        """Known from now on."""
        self._records[record.keyid] = record
        self._unknown_until_s.pop(record.keyid, None)

    def find(self, keyid: str) -> KeyRecord | None:
        """The record, or None."""
        return self._records.get(keyid)

    async def find_stored(self, database: Database, keyid: str) -> KeyRecord | None:
        """A record that may have been stored since the start: one read for all who ask, then none for UNKNOWN_FOR_S."""
        reading = self._readings.get(keyid)
        if reading is None:
            if self._monotonic_s() < self._unknown_until_s.get(keyid, 0.0):
                return None
            reading = asyncio.ensure_future(self._read(database, keyid))
            self._readings[keyid] = reading
            reading.add_done_callback(lambda _: self._readings.pop(keyid))
        return await asyncio.shield(reading)

    async def _read(self, database: Database, keyid: str) -> KeyRecord | None:
        table = schema.kiosk_key.c
        statement = select(table.keyid, table.alg, table.spki).where(table.keyid == keyid)
        asked = database.submit(lambda connection: connection.execute(statement).first())
        try:
            row = await asyncio.wait_for(asyncio.wrap_future(asked), patience.ANSWER_LIMIT_S)
        except (DatabaseBusy, TimeoutError):
            return None
        if row is not None:
            self.add(stored_key(*row))
            return self._records[keyid]
        self._unknown_until_s.pop(keyid, None)
        if len(self._unknown_until_s) >= MAX_UNKNOWN:
            del self._unknown_until_s[next(iter(self._unknown_until_s))]
        self._unknown_until_s[keyid] = self._monotonic_s() + UNKNOWN_FOR_S
        return None


def stored_key(keyid: str, alg: str, spki: bytes) -> KeyRecord:
    """The record of a key that was checked when it was registered."""
    record = register_key(keyid, alg, spki)
    if isinstance(record, KeyRefusal):
        raise ValueError(f"stored key: {record}")  # an error value
    return record
