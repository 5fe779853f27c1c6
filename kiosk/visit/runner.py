"""The one loop: event → `step()` → effects to handlers, the picture to the screen. Owns the timer, does no I/O."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from kiosk.visit.effects import Effect, Record, Wipe
from kiosk.visit.events import Event, PolicyChanged, Tick
from kiosk.visit.failures import CardSafety, internal_fault
from kiosk.visit.machine import step
from kiosk.visit.model import State
from kiosk.visit.pages import OutOfService
from kiosk.visit.ports import Clock, VisitId
from kiosk.visit.safety import card_safety

RECOVER_S: Final = 5.0
"""How long after a failure of the program the kiosk looks whether it may serve again."""
_log = logging.getLogger(__name__)

Handlers = Mapping[type[Any], Callable[[Any], None]]
"""One handler an effect type. A handler starts work elsewhere and returns at once; it never blocks, never raises."""


@dataclass(frozen=True, slots=True)
class _Ping:
    """Not an event: the visit hears nothing of it."""

    answer: Callable[[], None]


class Runner:
    """Runs one kiosk's visit. `post` is safe from any thread; everything else happens on the runner's own thread.

    A bug, wherever it raises, ends the visit and not the thread: the member is dropped, the page says that the kiosk is
    out of service and what is known of the card, and `RECOVER_S` later, once the card is out, the kiosk serves again.

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
        self._recover_at_s: float | None = None
        self._queue: queue.SimpleQueue[Event | _Ping | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="runner", daemon=True)

    def post(self, event: Event) -> None:
        """Put an event on the queue."""
        self._queue.put(event)

    def ping(self, answer: Callable[[], None]) -> None:
        """Have the runner's thread call `answer` when it comes round; `answer` never raises. Safe from any thread."""
        self._queue.put(_Ping(answer))

    def start(self) -> None:
        """Publish the first state and begin."""
        self._publish(self.state)
        self._thread.start()

    def stop(self) -> None:
        """Handle what is queued, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def handle(self, event: Event) -> None:
        """One turn; called on the runner's thread, or by a test that owns the clock. Never raises."""
        before, todo = self.state, deque[Effect]()
        try:
            self.state, effects = step(before, event, self._clock.monotonic_s())
            todo.extend(effects)
            if self.state != before:
                self._publish(self.state)
            while todo:
                self._perform(todo.popleft())
        except Exception as error:  # noqa: BLE001  no bug may leave a member's page on the screen for ever
            self._break_off(error, [effect for effect in todo if isinstance(effect, Record)])

    def wait_s(self) -> float | None:
        """Seconds until something is due by itself, or None when no page has a limit."""
        due_s = min((at_s for at_s in (self.state.wake_at_s, self._recover_at_s) if at_s is not None), default=None)
        return None if due_s is None else max(due_s - self._clock.monotonic_s(), 0.0)

    def on_time(self) -> None:
        """The wait is over: recover from a failure if that is due, else tell the page. See `handle` for the caller."""
        now_s = self._clock.monotonic_s()
        if self._recover_at_s is None or now_s < self._recover_at_s:
            self.handle(Tick())
            return
        self._recover_at_s = None if self.state.card_session is None else now_s + RECOVER_S
        self.handle(PolicyChanged(self.state.policy))  # nothing new: the machine looks at the kiosk's condition again

    def _perform(self, effect: Effect) -> None:
        self._handlers[type(effect)](effect)

    def _break_off(self, error: Exception, facts: Iterable[Record]) -> None:
        """Out of service, with nobody's data; facts already decided are still written down. The type alone is told."""
        _log.error("a turn failed: %s", type(error).__name__)
        state, now_s = self.state, self._clock.monotonic_s()
        safety = card_safety(state)
        if state.running and safety is CardSafety.UNCHANGED:  # what failed may have been the news of the first write
            safety = CardSafety.UNKNOWN
        inside = state.card_session is not None
        self.state = replace(
            state,
            step=OutOfService(internal_fault(type(error).__name__), card_in_slot=inside, safety=safety),
            visit=VisitId(state.visit + 1),
            member=None,
            entered_s=now_s,
            active_s=now_s,
            wake_at_s=None,
        )
        self._recover_at_s = now_s + RECOVER_S
        steps = [partial(self._publish, self.state), *(partial(self._perform, fact) for fact in facts)]
        for do in (*steps, partial(self._perform, Wipe(state.visit))):
            try:
                do()
            except Exception as again:  # noqa: BLE001  the next one must still be done
                _log.error("the safe end failed: %s", type(again).__name__)

    def _run(self) -> None:
        while True:
            try:
                event = self._queue.get(timeout=self.wait_s())
            except queue.Empty:
                self.on_time()
                continue
            if event is None:
                return
            if isinstance(event, _Ping):
                event.answer()
                continue
            self.handle(event)
            del event  # it may name a member
