"""The chore of forgetting what has grown old: journal segments, and the numbers of visits that can never come back."""

from __future__ import annotations

from typing import Final

from kiosk.facts import Facts
from kiosk.journal.pruning import prunable, prune
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction, read_meta_int
from kiosk.sync.outbox import forget_visits
from kiosk.sync.time_keeper import TIME_FLOOR
from kiosk.visit.ports import Clock

EVERY_S: Final = 3600.0
NEXT_S: Final = 1.0
"""Between two pieces of work: a member's facts go in between."""


class Pruning:
    """A little at a time, each hour, as long as there is something."""

    def __init__(self, store: Store, facts: Facts, clock: Clock) -> None:
        self._store, self._facts, self._clock = store, facts, clock
        self._due_s = clock.monotonic_s()

    def step(self) -> float:
        """See `Chore.step`."""
        if self._clock.monotonic_s() >= self._due_s:
            # Only what is on the disk counts as passed: a floor that a power cut may take back proves nothing.
            through, forgotten = self._store.submit(self._look).result()
            if through is not None:
                pruned = self._facts.commit("journal_pruned", {"through": through}, along=lambda tx: prune(tx, through))
                pruned.result()
            busy = through is not None or forgotten > 0
            self._due_s = self._clock.monotonic_s() + (NEXT_S if busy else EVERY_S)
        return max(self._due_s - self._clock.monotonic_s(), 0.0)

    @staticmethod
    def _look(tx: Transaction) -> tuple[int | None, int]:
        floor_s = read_meta_int(tx, TIME_FLOOR)
        return prunable(tx, floor_s), forget_visits(tx, floor_s)
