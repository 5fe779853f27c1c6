"""The one loop: event → `step()` → effects to handlers, the picture to the screen. Owns the timer, does no I/O."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from kiosk.visit.effects import Effect
from kiosk.visit.events import Event, Tick
from kiosk.visit.machine import step
from kiosk.visit.model import State
from kiosk.visit.ports import Clock

Handlers = Mapping[type[Any], Callable[[Any], None]]
"""One handler an effect type. A handler starts work elsewhere and returns at once; it never blocks, never raises."""


class Runner:
    """Runs one kiosk's visit. `post` is safe from any thread; everything else happens on the runner's own thread.

    Args:
        state: the first state.
        handlers: one for each type of `Effect`.
        publish: receives each new state; must only hand it over (a queued signal, a list).
        clock: monotonic time.
    """

    def __init__(self, state: State, handlers: Handlers, publish: Callable[[State], None], clock: Clock) -> None:
        self.state = state
        self._handlers = handlers
        self._publish = publish
        self._clock = clock
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="runner", daemon=True)

    def post(self, event: Event) -> None:
        """Put an event on the queue."""
        self._queue.put(event)

    def start(self) -> None:
        """Publish the first state and begin."""
        self._publish(self.state)
        self._thread.start()

    def stop(self) -> None:
        """Handle what is queued, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def handle(self, event: Event) -> None:
        """One turn; called on the runner's thread, or by a test that owns the clock."""
        before = self.state
        self.state, effects = step(before, event, self._clock.monotonic_s())
        if self.state != before:
            self._publish(self.state)
        for effect in effects:
            self._perform(effect)

    def wait_s(self) -> float | None:
        """Seconds until the next `Tick`, or None when no page has a limit."""
        if self.state.wake_at_s is None:
            return None
        return max(self.state.wake_at_s - self._clock.monotonic_s(), 0.0)

    def _perform(self, effect: Effect) -> None:
        self._handlers[type(effect)](effect)

    def _run(self) -> None:
        while True:
            try:
                event = self._queue.get(timeout=self.wait_s())
            except queue.Empty:
                event = Tick()
            if event is None:
                return
            self.handle(event)
