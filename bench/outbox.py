"""A million events that wait: what they take of memory, and how long a batch and a new fact take beside them.

The quota of a kiosk is a fifth of that; it is raised here, so that what grows with the number would show.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from bench.figures import Figure
from bench.memory import rss_mb
from bench.rounds import percentile
from bench.store import PSEUDONYM, opened
from kiosk.clock import SystemClock
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync import batches
from kiosk.sync.batches import EventStatus
from kiosk.sync.outbox import Outbox, Quota, pending

EVENTS: Final = 1_000_000
AT_ONCE: Final = 5000
VISIT_EVENTS: Final = 8
OWN: Final = EVENTS // 20
"""Events of the kiosk's own aggregate, the oldest of all; the others belong to visits of `VISIT_EVENTS` each."""
SEALS: Final = 9
QUOTA: Final = Quota(events=2 * EVENTS, body_bytes=2**40)
GROWTH_BAR_MB: Final = 8.0


def figures(rounds: int) -> list[Figure]:
    """`rounds`: facts that are timed at each depth."""
    with TemporaryDirectory(prefix="kiosk-bench-") as name, opened(Path(name), QUOTA) as (store, facts):

        def fact_p99_s() -> float:
            taken = []
            for _ in range(rounds):
                began_s = perf_counter()
                facts.commit("card_read", {"generation": "vitale2", "unfinished": False}, PSEUDONYM).result()
                taken.append(perf_counter() - began_s)
            return percentile(taken, 0.99)

        _fill(store, 0, AT_ONCE)
        shallow_s, shallow_fact_s = _step_s(store), fact_p99_s()
        before_mb = rss_mb()
        for first in range(AT_ONCE, EVENTS, AT_ONCE):
            _fill(store, first, AT_ONCE)
        deep_s, deep_fact_s = _step_s(store), fact_p99_s()
        after_mb = rss_mb()
        _block(store)
        blocked_s = _step_s(store)
    return [
        Figure(f"memory taken by {EVENTS} waiting events", max(after_mb - before_mb, 0.0), "MB", bar=GROWTH_BAR_MB),
        Figure(
            f"purge, seal and settle a batch of 100, {EVENTS} wait / {AT_ONCE}", deep_s * 1000, "ms", shallow_s * 1000
        ),
        Figure(f"the same, one refused event before {OWN} of its aggregate", blocked_s * 1000, "ms", shallow_s * 1000),
        Figure(f"enqueue → durable, p99, {EVENTS} wait / {AT_ONCE}", deep_fact_s * 1000, "ms", shallow_fact_s * 1000),
    ]


def _fill(store: Store, first: int, number: int) -> None:
    box = Outbox(SystemClock(), quota=QUOTA)

    def work(tx: Transaction) -> None:
        for index in range(first, first + number):
            aggregate = "kiosk" if index < OWN else f"visit:{index // VISIT_EVENTS:032x}"
            box.enqueue(tx, aggregate, "card_read", {"generation": "vitale2", "unfinished": False}, utc_ms=1)

    store.submit(work).result()


def _step_s(store: Store) -> float:
    """The median of all the store does for one batch that is taken whole, as the upload asks for it."""
    taken = []
    for _ in range(SEALS):
        began_s = perf_counter()
        store.submit(batches.purge).result()
        batch = store.submit(lambda tx: (pending(tx), batches.seal(tx, 0))[1]).result()
        if batch is None:
            raise RuntimeError("nothing to seal")
        applied = dict.fromkeys(batch.event_ids, EventStatus.APPLIED)
        store.submit(lambda tx, batch=batch, applied=applied: batches.settle(tx, batch, applied, lambda _: 0)).result()  # type: ignore[misc]  # defaults
        taken.append(perf_counter() - began_s)
    return sorted(taken)[len(taken) // 2]


def _block(store: Store) -> None:
    """The first event of the kiosk's own aggregate is refused: all its others wait behind it."""
    oldest = "(SELECT min(seq) FROM event WHERE aggregate = 'kiosk' AND state = 'pending')"
    store.submit(lambda tx: tx.execute(f"UPDATE event SET state = 'dead' WHERE seq = {oldest}")).result()  # noqa: S608  a constant
