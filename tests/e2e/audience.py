"""Who watches a kiosk in a test: every state it has published, the words on a page, and time that can be moved on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from kiosk.ui.present import present
from kiosk.ui.typography import plain
from kiosk.visit.model import State
from kiosk.visit.pages import Step

LIMIT_S = 60.0
"""For what does not come at all."""
T = TypeVar("T", bound=Step)


# --- time --------------------------------------------------------------------------------------------------------


class Time:
    """The kiosk's clock: real time, times `rate`, plus what a test has let pass."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since_s = time.monotonic()
        self._passed_s = time.monotonic()
        self._rate = 1.0

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        with self._lock:
            return self._now_s()

    def utc_s(self) -> float:
        """Wall time: nobody has moved it."""
        return time.time()

    def pass_s(self, seconds: float) -> None:
        """So much time has passed."""
        with self._lock:
            self._passed_s += seconds

    def run(self, rate: float) -> None:
        """From now on time runs this many times as fast."""
        with self._lock:
            self._passed_s, self._since_s = self._now_s(), time.monotonic()
            self._rate = rate

    def _now_s(self) -> float:
        return self._passed_s + (time.monotonic() - self._since_s) * self._rate


# --- the audience ------------------------------------------------------------------------------------------------


class Audience:
    """Every state the kiosk has published, in order; waits for one instead of sleeping."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._states: list[State] = []
        self._seen = 0

    def publish(self, state: State) -> None:
        """From the runner's thread."""
        with self._changed:
            self._states.append(state)
            self._changed.notify_all()

    def attend(self) -> None:
        """What was shown until now is over: wait only for what is shown now or later."""
        with self._changed:
            self._seen = len(self._states) - 1

    @property
    def state(self) -> State:
        """What is shown now."""
        with self._changed:
            return self._states[-1]

    def steps(self) -> list[Step]:
        """The steps since `attend` or the last state waited for, itself included."""
        with self._changed:
            return [state.step for state in self._states[self._seen :]]

    def wait(self, condition: Callable[[State], bool], what: str) -> State:
        """The first state that fits, from the last one waited for on; AssertionError naming what was shown instead."""
        with self._changed:
            found: list[int] = []

            def look() -> bool:
                fitting = (i for i in range(self._seen, len(self._states)) if condition(self._states[i]))
                found[:] = [next(fitting, -1)]
                return found[0] >= 0

            if not self._changed.wait_for(look, LIMIT_S):
                shown = [state.step.page for state in self._states[self._seen :]]
                raise AssertionError(f"{what}: not within {LIMIT_S} s; shown since: {shown}")
            self._seen = found[0]
            return self._states[self._seen]

    def step(self, kind: type[T], condition: Callable[[T], bool] = lambda _step: True) -> T:
        """Wait for a page."""
        state = self.wait(lambda s: isinstance(s.step, kind) and condition(s.step), f"page {kind.__name__}")
        assert isinstance(state.step, kind)
        return state.step


def words(state: State) -> str:
    """All the words of a page, as its picture is made from them."""
    return plain(" | ".join(_texts(present(state, datetime.now(ZoneInfo("Europe/Paris"))))))


def digits_shown(state: State) -> str:
    """The digits in the boxes of a page."""
    return "".join(box.glyph for box in present(state, datetime.now(ZoneInfo("Europe/Paris"))).boxes)


def _texts(shown: object) -> Iterator[str]:
    if isinstance(shown, str):
        yield shown
    elif isinstance(shown, tuple):
        for part in shown:
            yield from _texts(part)
    elif is_dataclass(shown):
        for entry in fields(shown):
            yield from _texts(getattr(shown, entry.name))
