"""The background thread outlives a chore that fails, waits while it must, and ends when told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import pytest

from kiosk import background as module
from kiosk.background import Background, Chore

PATIENCE_S = 10.0


class Duty:
    """A chore that does what it is told, and wants to be asked again after an hour."""

    def __init__(self, work: Callable[[], None] = lambda: None) -> None:
        self.work = work
        self.asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def step(self) -> float:
        self.asked.put(None)
        self.work()
        return 3600.0


def test_a_chore_that_fails_for_a_while_ends_neither_itself_nor_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    failing = [True, True]

    def fail() -> None:
        if failing:
            failing.pop()
            raise OSError

    chores = (Duty(fail), Duty())
    thread = Background()
    thread.start(chores, lambda: None)
    for chore in chores:
        for _ in range(3):
            chore.asked.get(timeout=PATIENCE_S)
    thread.stop()
    assert not failing


def test_waking_asks_every_chore_again_and_the_end_closes_the_channel() -> None:
    chore, closed = Duty(), threading.Event()
    thread = Background()
    thread.start((chore,), closed.set)
    chore.asked.get(timeout=PATIENCE_S)
    thread.wake()
    chore.asked.get(timeout=PATIENCE_S)
    assert not closed.is_set()
    thread.stop()
    assert closed.is_set()


def test_news_does_not_shorten_the_pause_between_two_attempts_and_the_end_does() -> None:
    thread = Background()
    thread.wake()
    noticed: list[bool] = []

    class Patient(threading.Event):
        """Waits as long as it is told to, and is not kept waiting by this test."""

        def wait(self, timeout: float | None = None) -> bool:
            assert timeout == 3600.0
            noticed.append(self.is_set())
            return noticed[-1]

    thread._ends = Patient()
    thread.pause(3600.0)
    thread.stop()
    thread.pause(3600.0)
    assert noticed == [False, True]


def test_an_end_that_comes_while_a_round_begins_is_not_forgotten() -> None:
    thread = Background()

    class Unlucky(threading.Event):
        def clear(self) -> None:
            thread._ends.set()
            self.set()
            super().clear()

    thread._wake = Unlucky()
    chore: Chore = Duty()
    thread.start((chore,), lambda: None)
    thread._thread.join(PATIENCE_S)
    assert not thread._thread.is_alive()
