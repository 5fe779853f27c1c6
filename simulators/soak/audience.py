"""Who watches a kiosk without a screen: waits on a condition for the next state, keeps no more than the last one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from kiosk.visit.model import State

LIMIT_S = 30.0


class StuckError(Exception):
    """The kiosk showed nothing that somebody could act on within `LIMIT_S`."""


class Audience:
    """`publish` is handed to the kiosk. `look` sees every state, in order, on the runner's thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._state: State | None = None
        self.look: Callable[[State], None] = lambda _state: None

    def publish(self, state: State) -> None:
        """From the runner's thread."""
        self.look(state)
        with self._changed:
            self._state = state
            self._changed.notify_all()

    @property
    def state(self) -> State:
        """What is shown now; a kiosk publishes its first state when it starts."""
        with self._changed:
            if self._state is None:
                raise StuckError("the kiosk has not started")
            return self._state

    def wait(self, fits: Callable[[State], bool], what: str) -> State:
        """The first state from now on that fits, the present one included; raises `StuckError` naming the page."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._state is not None and fits(self._state), LIMIT_S):
                page = "nothing" if self._state is None else self._state.step.page
                raise StuckError(f"{what}: still on {page} after {LIMIT_S} s")
            return self.state
