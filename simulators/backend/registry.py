"""Public keys of kiosks in memory: step 3 of a request must not touch the database, which holds key and kiosk state."""

from __future__ import annotations

from sqlalchemy import Connection, select

from kiosk.sync.profile import KeyRecord, KeyRefusal, register_key
from simulators.backend import schema


class KeyRegistry:
    """keyid → record. Loaded at the start, added to after an enrolment has committed."""

    def __init__(self) -> None:
        self._records: dict[str, KeyRecord] = {}

    def load(self, connection: Connection) -> None:
        """Every key ever registered: a revoked one must still be recognised, to be told so."""
        table = schema.kiosk_key.c
        for row in connection.execute(select(table.keyid, table.alg, table.spki)):
            record = register_key(row.keyid, row.alg, row.spki)
            if isinstance(record, KeyRefusal):
                raise ValueError(f"stored key: {record}")  # an error value
            self.add(record)

    def add(self, record: KeyRecord) -> None:
        """Known from now on."""
        self._records[record.keyid] = record

    def find(self, keyid: str) -> KeyRecord | None:
        """The record, or None."""
        return self._records.get(keyid)
