"""The background thread: chores that nobody waits for, one after the other. Touches no card, delays no member."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

RETRY_S: Final = 5.0
_log = logging.getLogger(__name__)


class Chore(Protocol):
    """One duty. Called by the background thread only; whoever builds it may hand it orders from other threads."""

    def step(self) -> float:
        """Do what is due, one call of the channel at most; returns after how many seconds something may be due."""
        ...


class Background:
    """One thread. Every chore is asked at each turn: asking one that has nothing to do costs nothing."""

    def __init__(self) -> None:
        self._chores: Sequence[Chore] = ()
        self._close: Callable[[], None] = lambda: None
        self._wake = threading.Event()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)

    def start(self, chores: Sequence[Chore], close: Callable[[], None]) -> None:
        """Begin; `close` is called once the thread has ended."""
        self._chores, self._close = chores, close
        self._thread.start()

    def stop(self) -> None:
        """Finish the call under way and end the thread, if it was started."""
        self._ends.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()
            self._close()

    def wake(self) -> None:
        """There may be something to do: look now."""
        self._wake.set()

    def pause(self, seconds: float) -> None:
        """Between two attempts of one call. News does not shorten it, the end does."""
        self._ends.wait(seconds)

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self._ends.is_set():  # looked at only now: an end before the line above would have been forgotten
                return
            self._wake.wait(min((self._asked(chore) for chore in self._chores), default=None))

    @staticmethod
    def _asked(chore: Chore) -> float:
        try:
            return chore.step()
        except Exception as error:  # noqa: BLE001  a failing store, or a bug in one chore: the others go on
            _log.error("%s failed: %s", type(chore).__name__, type(error).__name__)
            return RETRY_S
