"""The background thread outlives a failing store, waits while it must, and ends when told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kiosk import background as module
from kiosk.background import Background
from kiosk.facts import Facts
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync import faults
from kiosk.sync.identity import Identity
from kiosk.sync.outbox import Outbox
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.visit import events as ev
from tests.sync.intake import FakeClock

PATIENCE_S = 10.0


class Network:
    """Stands in for the channel: every call fails, and is counted."""

    def __init__(self, *_: object, pause: Callable[[float], None]) -> None:
        self.pause = pause
        self.called = threading.Event()

    def call(self, _route: str, _body: Mapping[str, Any], **_: object) -> Any:
        self.called.set()
        return faults.network("nobody there")

    call_raw = call

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = Store.open(tmp_path / "kiosk.db", bytes(32))
    assert isinstance(opened, Store)
    yield opened
    opened.close()


def background(store: Store, monkeypatch: pytest.MonkeyPatch, post: Callable[[object], None]) -> Background:
    monkeypatch.setattr(module, "Channel", Network)
    identity = cast(Identity, SimpleNamespace(trust=SimpleNamespace(roles={"policy": None}), kiosk="k"))
    clock = FakeClock()
    facts = Facts(store, Outbox(clock), lambda: 1_800_000_000_000)
    time = TimeKeeper(clock, keep_floor=lambda _floor_s: None)
    return Background(identity, store, facts, time=time, clock=clock, post=post)


def test_a_store_that_fails_for_a_while_ends_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    failing = [True, True]
    transact = Store._transact

    def transact_or_fail(self: Store, work: Callable[[Transaction], Any]) -> Any:
        if failing:
            failing.pop()
            raise StoreFailedError(StoreError("disk", "read or write error"))
        return transact(self, work)

    monkeypatch.setattr(Store, "_transact", transact_or_fail)
    posted: queue.SimpleQueue[object] = queue.SimpleQueue()
    thread = background(store, monkeypatch, posted.put)
    thread.start()
    assert isinstance(posted.get(timeout=PATIENCE_S), ev.ClockTrusted)  # it has come as far as the poll
    thread.stop()
    assert not failing


def test_news_to_upload_does_not_shorten_the_pause_between_two_attempts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = background(store, monkeypatch, lambda _event: None)
    thread.wake()
    ended = threading.Event()

    def pause() -> None:
        cast(Network, thread._channel).pause(3600.0)
        ended.set()

    waiting = threading.Thread(target=pause)
    waiting.start()
    assert not ended.wait(0.05)
    thread._ends.set()
    waiting.join(PATIENCE_S)
    assert ended.is_set()


def test_an_end_that_comes_while_a_round_begins_is_not_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = background(store, monkeypatch, lambda _event: None)

    class Unlucky(threading.Event):
        def clear(self) -> None:
            thread._ends.set()
            self.set()
            super().clear()

    thread._wake = Unlucky()
    monkeypatch.setattr(thread, "_round", lambda: 3600.0)
    thread.start()
    thread._thread.join(PATIENCE_S)
    assert not thread._thread.is_alive()
