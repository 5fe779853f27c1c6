"""Stages a fault plan at a reader: the same plan on the embedded reader and through a real pcscd.

The card itself counts APDUs and says when a fault is due, in its own thread and in the middle of that APDU. What takes
something away is done at once; what brings it back (a flaky contact, another card, the reader's plug, the service) is
done later, by the one thread here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from simulators.card import SimulatedCard, open_persona
from simulators.card.faults import Due, FaultKind
from simulators.card.plan_file import FaultPlanError, Plan
from simulators.reader.hands import Hands

_Task = tuple[float, Callable[[], None]]


class Stagehand:
    """Follows plans on one slot. Context manager: leaving it ends the thread and leaves the slot as it is.

    What the thread could not do is raised when it ends.
    """

    def __init__(self, hands: Hands, slot: int) -> None:
        self._hands = hands
        self._slot = slot
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._ending = threading.Event()
        self._acting = threading.Lock()  # what was taken away is queued to come back before the end is
        self._away: set[FaultKind] = set()  # the reader or the service, until somebody begins to bring it back
        self._putting = threading.Lock()
        self._taken = False
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._work, name=f"stagehand-{slot}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Stagehand:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what was taken away (at once), end the thread. Raises what went wrong in it."""
        self._ending.set()
        with self._acting:
            self._tasks.put(None)
        self._thread.join()
        if self._problem is not None:
            raise self._problem

    def insert(self, card: SimulatedCard, plan: Plan) -> None:
        """Put a card in that follows this plan. Raises ValueError for one that this reader cannot stage."""
        error = unstageable(plan, self._hands.can)
        if error is not None:
            raise ValueError(str(error))
        card.plan((*plan.faults, *plan.reader), seed=plan.seed, act=lambda due: self._at_once(card, due))
        self._hands.insert(self._slot, card)

    def take(self) -> None:
        """Pull the card out for good: whatever is planned, none comes back by itself."""
        with self._acting:
            self._taken = True
        with self._putting:
            self._hands.remove(self._slot)

    def _at_once(self, card: SimulatedCard, due: Due) -> None:
        with self._acting:
            self._act(card, due)

    def _act(self, card: SimulatedCard, due: Due) -> None:
        """In the card's thread: take away at once, bring back later. What is away is out of reach until it is back."""
        hands, slot = self._hands, self._slot
        if due.fault.kind in self._away or (self._away and due.fault.kind is FaultKind.RESET_BY_OTHER):
            return
        if self._taken and due.fault.kind is FaultKind.SWAPPED:
            return
        match due.fault.kind:
            case FaultKind.FLAKY:
                self._later(due, lambda: self._put(card))
            case FaultKind.SWAPPED:
                other = open_persona(due.fault.persona)
                if not hands.swap(slot, other):
                    self._later(due, lambda: self._put(other))
            case FaultKind.UNPLUGGED:
                hands.unplug(slot)
                self._away_for(due, lambda: hands.replug(slot))
            case FaultKind.SERVICE_KILLED:
                hands.kill_service()
                self._away_for(due, hands.start_service)
            case FaultKind.RESET_BY_OTHER:
                hands.reset_by_other(slot)

    def _put(self, card: SimulatedCard) -> None:
        with self._putting:
            if not self._taken:
                self._hands.remove(self._slot)
                self._hands.insert(self._slot, card)

    def _away_for(self, due: Due, bring_back: Callable[[], None]) -> None:
        self._away.add(due.fault.kind)

        def back() -> None:
            with self._acting:
                self._away.discard(due.fault.kind)
            bring_back()

        self._later(due, back)

    def _later(self, due: Due, task: Callable[[], None]) -> None:
        self._tasks.put((due.seconds, task))

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            seconds, bring_back = task
            self._ending.wait(seconds)
            try:
                bring_back()
            except (RuntimeError, LookupError, ValueError, OSError) as problem:
                self._problem = self._problem or problem


def unstageable(plan: Plan, can: frozenset[FaultKind], file: str = "plan") -> FaultPlanError | None:
    """The first entry that a reader which can do this (`Hands.can`) cannot stage."""
    for index, fault in enumerate(plan.reader):
        if fault.kind not in can:
            return FaultPlanError(file, f"$.reader[{index}].kind", f"this reader cannot stage {fault.kind}")
    return None
