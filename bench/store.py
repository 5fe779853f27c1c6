"""From a fact to its being on disk (journal entry and outbox event in one transaction), against a synced append."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.figures import Figure
from bench.rounds import alternate, percentile, timed
from kiosk.clock import SystemClock
from kiosk.facts import Facts
from kiosk.journal.catalogue import FieldValue
from kiosk.state import open_store
from kiosk.store.errors import StoreError
from kiosk.store.thread import Store
from kiosk.sync.outbox import Outbox, Quota

PSEUDONYM: Final = "0" * 32
PAGE: Final = bytes(4096)
BAR_MS: Final = 5.0
SAMPLES_A_ROUND: Final = 20


def figures(rounds: int) -> list[Figure]:
    """One `card_read`; the baseline writes one page to the same disk and waits for it."""
    with TemporaryDirectory(prefix="kiosk-bench-") as name, opened(Path(name)) as (store, facts):
        del store
        fields: dict[str, FieldValue] = {"generation": "vitale2", "unfinished": False}
        with synced_append(Path(name)) as append:

            def commit() -> None:
                facts.commit("card_read", fields, PSEUDONYM).result()

            fact_s, append_s = alternate(rounds, (timed(commit), timed(append)))
            measures = (timed(commit), timed(append))
            samples = [[measure() for measure in measures] for _ in range(rounds * SAMPLES_A_ROUND)]
    fact_p99_s, append_p99_s = (percentile([row[which] for row in samples], 0.99) for which in (0, 1))
    return [
        Figure("enqueue → durable / synced append", fact_s * 1000, "ms", append_s * 1000),
        Figure("enqueue → durable, p99", fact_p99_s * 1000, "ms", append_p99_s * 1000),
        Figure("of it beyond the synced append's p99", max(fact_p99_s - append_p99_s, 0.0) * 1000, "ms", bar=BAR_MS),
    ]


@contextmanager
def opened(folder: Path, quota: Quota | None = None) -> Iterator[tuple[Store, Facts]]:
    """A kiosk's store, and its facts."""
    clock = SystemClock()
    store = open_store(folder / "kiosk")
    if isinstance(store, StoreError):
        raise TypeError(f"{store.field}: {store.reason}")
    try:
        yield store, Facts(store, Outbox(clock, quota=quota), lambda: int(clock.utc_s() * 1000))
    finally:
        store.close()


@contextmanager
def synced_append(folder: Path) -> Iterator[Callable[[], None]]:
    """One page written to a file, and on the disk when the call returns."""
    plain = os.open(folder / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def append() -> None:
        os.write(plain, PAGE)
        os.fdatasync(plain)

    try:
        yield append
    finally:
        os.close(plain)
