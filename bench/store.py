"""From a fact to its being on disk (journal entry and outbox event in one transaction), against a synced append."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.figures import Figure
from bench.rounds import alternate, timed
from kiosk.clock import SystemClock
from kiosk.facts import Facts
from kiosk.journal.catalogue import FieldValue
from kiosk.state import open_store
from kiosk.store.errors import StoreError
from kiosk.sync.outbox import Outbox

PSEUDONYM: Final = "0" * 32
PAGE: Final = bytes(4096)


def figures(rounds: int) -> list[Figure]:
    """One `card_read`; the baseline writes one page to the same disk and waits for it."""
    with TemporaryDirectory(prefix="kiosk-bench-") as name:
        folder = Path(name)
        clock = SystemClock()
        store = open_store(folder / "kiosk")
        if isinstance(store, StoreError):
            raise TypeError(f"{store.field}: {store.reason}")
        facts = Facts(store, Outbox(clock), lambda: int(clock.utc_s() * 1000))
        fields: dict[str, FieldValue] = {"generation": "vitale2", "unfinished": False}
        plain = os.open(folder / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

        def append() -> None:
            os.write(plain, PAGE)
            os.fdatasync(plain)

        try:
            fact_s, append_s = alternate(
                rounds, (timed(lambda: facts.commit("card_read", fields, PSEUDONYM).result()), timed(append))
            )
        finally:
            os.close(plain)
            store.close()
    return [Figure("enqueue → durable / synced append", fact_s * 1000, "ms", append_s * 1000)]
