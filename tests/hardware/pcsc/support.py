"""Shared by the reader tests: a clock they own, a recorder that waits for conditions, a chip told what to say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kiosk.visit.failures import Fault
from kiosk.visit.ports import CardLink, CardSession, CardStep

E = TypeVar("E")

VITALE_2_ATR = bytes.fromhex("3B751300004309EA9000")
BANK_ATR = bytes.fromhex("3F65250000046C9000")
STAFF_ATR = bytes.fromhex("3BAC00402A001225006480000310009000")
OTHER_ATR = bytes.fromhex("3B021234")
T1_ATR = bytes.fromhex("3B800181")
LIMIT_S = 10.0


class RealClock:
    """`Clock` of the machine."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def utc_s(self) -> float:
        return time.time()


@dataclass
class FakeClock:
    """`Clock` that stands still until told."""

    now_s: float = 1000.0
    wall_s: float = 1_800_000_000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def utc_s(self) -> float:
        return self.wall_s


class Recorder:
    """A `Post` that keeps what it gets and lets a test wait for it."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, event: object) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[list[Any]], bool]) -> None:
        """Fails when the condition on all events so far does not come true within `LIMIT_S`."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.events), LIMIT_S), self.events

    def wait_event(self, kind: type[E], count: int = 1) -> E:
        """The count-th event of that type."""

        def found() -> list[E]:
            return [event for event in self.events if isinstance(event, kind)]

        self.wait_for(lambda _: len(found()) >= count)
        return found()[count - 1]

    def kinds(self) -> list[str]:
        """Names of the events so far, in order."""
        with self._changed:
            return [type(event).__name__ for event in self.events]


@dataclass
class ToyChip:
    """A card that answers from a table, 9000 otherwise. `before` runs inside `transmit`, like a hand at the slot."""

    atr: bytes = VITALE_2_ATR
    answers: dict[bytes, bytes] = field(default_factory=dict)
    before: Callable[[bytes], None] | None = None
    received: list[bytes] = field(default_factory=list)
    power: list[str] = field(default_factory=list)

    def power_on(self, cold: bool = True) -> bytes:
        self.power.append("cold" if cold else "warm")
        return self.atr

    def power_off(self) -> None:
        self.power.append("off")

    def cut_power(self) -> None:
        """Its commands take no time."""

    def transmit(self, command: bytes) -> bytes:
        self.received.append(command)
        if self.before is not None:
            self.before(command)
        return self.answers.get(command, b"\x90\x00")


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that posts no event; fails after `LIMIT_S`."""
    give_up_s = time.monotonic() + LIMIT_S
    tick = threading.Event()
    while not condition():
        assert time.monotonic() < give_up_s, "the condition did not come true"
        tick.wait(0.005)


def exchange(link: CardLink, session: CardSession, command: bytes) -> bytes | Fault:
    """One command, whatever the card says to it."""
    answers = link.execute(session, [CardStep(command, frozenset())])
    if answers.fault is not None:
        assert answers.responses == ()
        return answers.fault
    (response,) = answers.responses
    return response
