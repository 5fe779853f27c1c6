"""Trials with a card in hand: the same card read again and again, and a guided insertion, turning over and removal.

What was not done to the end is unknown, "not finished", and never well. Readers are reached through the ports given.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from kiosk.card.values import CardContent, CardKind
from kiosk.diagnostics.report import Check, CheckState
from kiosk.visit.events import CardInserted, CardRemoved, ReaderFailed
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardSession, Clock, ReaderRole

STEP_S: Final = 60.0
READ_S: Final = 120.0
"""Longer than the reader's own limits: its fault comes first."""
NOT_FINISHED: Final = "not finished"
_CARD_IS_GONE: Final = frozenset(
    {Cause.CARD_REMOVED, Cause.READER_LOST, Cause.READER_HUNG, Cause.SERVICE_LOST, Cause.ACCESS_DENIED}
)
Say = Callable[[str], None]
"""Tells the technician what to do."""


class Reads(Protocol):
    """Reads the card of a session from the start; `done` is called once, on any thread."""

    def read(self, card_session: CardSession, done: Callable[[CardContent | Fault], None]) -> None:
        """Power the card up and read it."""
        ...


@dataclass(frozen=True, slots=True)
class Slot:
    """The patient slot: who reads it, and the events of its reader."""

    reader: Reads
    events: SimpleQueue[object]
    clock: Clock

    def inserted(self, limit_s: float) -> CardInserted | Fault | None:
        """The next card; the reader's fault if there is no use in waiting; None after the time."""
        found = self._next(limit_s, CardInserted)
        return found if found is None or isinstance(found, (CardInserted, Fault)) else None

    def removed(self, limit_s: float) -> bool:
        """Whether the card was taken out in time."""
        return isinstance(self._next(limit_s, CardRemoved), CardRemoved)

    def _next(self, limit_s: float, kind: type[CardInserted] | type[CardRemoved]) -> object:
        until_s = self.clock.monotonic_s() + limit_s
        while (left_s := until_s - self.clock.monotonic_s()) > 0:
            try:
                event = self.events.get(timeout=left_s)
            except Empty:
                return None
            if isinstance(event, ReaderFailed) and event.role is ReaderRole.PATIENT:
                return event.fault
            if isinstance(event, kind) and event.role is ReaderRole.PATIENT:
                return event
        return None


def cycles(slot: Slot, count: int, say: Say, *, step_s: float = STEP_S, read_s: float = READ_S) -> Check:
    """Open and read one card `count` times. Milliseconds from the request to the content, of the good ones."""
    say("insert a card, and leave it in")
    card = slot.inserted(step_s)
    if not isinstance(card, CardInserted):
        return _unfinished("cycles", card, {"done": 0, "asked": count})
    took_ms: list[float] = []
    failures: Counter[str] = Counter()
    fault: Fault | None = None
    for _ in range(count):
        answers: SimpleQueue[CardContent | Fault] = SimpleQueue()
        began_s = slot.clock.monotonic_s()
        slot.reader.read(card.card_session, answers.put)
        try:
            outcome = answers.get(timeout=read_s)
        except Empty:
            break
        if isinstance(outcome, Fault):
            fault = fault or outcome
            failures[outcome.cause.value] += 1
            if outcome.cause in _CARD_IS_GONE:
                break
        else:
            took_ms.append((slot.clock.monotonic_s() - began_s) * 1000)
    done = len(took_ms) + failures.total()
    facts: dict[str, object] = {"asked": count, "done": done, "failed": failures.total()}
    if took_ms:
        times = {"min_ms": min(took_ms), "median_ms": statistics.median(took_ms), "max_ms": max(took_ms)}
        facts |= {name: round(value, 1) for name, value in times.items()}
    facts |= {f"failed {code}": times for code, times in sorted(failures.items())}
    if done < count:
        return _unfinished("cycles", fault, facts)
    return Check("cycles", CheckState.OK if fault is None else CheckState.FAULT, fault, facts)


def guided(slot: Slot, say: Say, *, step_s: float = STEP_S) -> tuple[Check, ...]:
    """Insert, remove, turn over, remove: each seen or not finished. After one that is not, the rest is not tried."""
    steps: tuple[tuple[str, str, Callable[[], Check]], ...] = (
        ("insert", "insert a card, chip first", lambda: _insert(slot, "insert", step_s, mute=False)),
        ("remove", "take the card out", lambda: _remove(slot, "remove", step_s)),
        ("turn over", "insert the card turned over", lambda: _insert(slot, "turn over", step_s, mute=True)),
        ("remove turned", "take the card out", lambda: _remove(slot, "remove turned", step_s)),
    )
    checks: list[Check] = []
    for part, what, step in steps:
        if checks and checks[-1].state is CheckState.UNKNOWN:
            checks.append(_unfinished(part, None, {}))
            continue
        say(what)
        checks.append(step())
    return tuple(checks)


def _insert(slot: Slot, part: str, step_s: float, *, mute: bool) -> Check:
    card = slot.inserted(step_s)
    if not isinstance(card, CardInserted):
        return _unfinished(part, card, {})
    right = (card.kind is CardKind.MUTE) is mute
    return Check(part, CheckState.OK if right else CheckState.FAULT, facts={"seen": card.kind.value})


def _remove(slot: Slot, part: str, step_s: float) -> Check:
    return Check(part, CheckState.OK, facts={"seen": "empty"}) if slot.removed(step_s) else _unfinished(part, None, {})


def _unfinished(part: str, fault: Fault | None, facts: dict[str, object]) -> Check:
    return Check(part, CheckState.UNKNOWN, fault, {"reason": NOT_FINISHED, **facts})
