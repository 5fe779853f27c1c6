"""A PC/SC service that stops answering: the hub says so, restarts it, and never waits for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from queue import SimpleQueue

import pytest

from kiosk.hardware.pcsc import monitor as monitor_module
from kiosk.hardware.pcsc import watchdog as watchdog_module
from kiosk.hardware.pcsc.api import CardProtocol, ReaderSnapshot
from kiosk.hardware.pcsc.connection import Deadlines
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.events import CardInserted, CardRemoved, ReaderFailed, ReaderReady
from kiosk.visit.failures import Cause
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.hardware.pcsc.hub_kiosk import BINDINGS, SLOW_WATCH, Kiosk, cause
from tests.hardware.pcsc.support import LIMIT_S, RealClock, Recorder, ToyChip


class FrozenService(EmbeddedScard):
    """A service that stops answering some calls until it is thawed; nobody may wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen: set[str] = set()
        self.thawed = threading.Event()
        self.entered: SimpleQueue[str] = SimpleQueue()

    def _pass(self, call: str) -> None:
        if call in self.frozen:
            self.entered.put(call)
            self.thawed.wait(LIMIT_S)

    def establish_context(self) -> tuple[int, int]:
        self._pass("establish")
        return super().establish_context()

    def connect_exclusive(self, context: int, reader: str, protocols: CardProtocol) -> tuple[int, tuple[int, int]]:
        self._pass("connect")
        return super().connect_exclusive(context, reader, protocols)

    def cancel(self, context: int) -> tuple[int, None]:
        self._pass("cancel")
        return super().cancel(context)


@pytest.fixture
def frozen() -> Iterator[Kiosk]:
    made = Kiosk(FrozenService())
    made.hub.start()
    made.events.wait_event(ReaderReady, 2)
    yield made
    service(made).thawed.set()
    made.hub.stop()


def service(kiosk: Kiosk) -> FrozenService:
    assert isinstance(kiosk.scard, FrozenService)
    return kiosk.scard


@pytest.mark.parametrize(
    ("calls", "entered"), [({"establish"}, ["establish"]), ({"establish", "connect"}, ["connect", "establish"])]
)
def test_the_watchdog_does_not_hang_with_the_service_it_watches(
    frozen: Kiosk, calls: set[str], entered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog_module, "CLASSIFY_S", 0.01)
    session = frozen.insert(ToyChip())
    if "connect" in calls:  # the context was established before the service froze
        assert frozen.exchange(session) == b"\x90\x00"
        frozen.scard.remove(READERS[0])
        frozen.events.wait_event(CardRemoved)
        session = frozen.insert(ToyChip(), 2)
    service(frozen).frozen = calls
    waiting = frozen.exchange_in_background(session)
    assert service(frozen).entered.get(timeout=LIMIT_S) == entered[0]
    frozen.clock.now_s += SLOW_WATCH.connect_s
    frozen.hub.check_deadlines()
    assert cause(waiting.get(timeout=LIMIT_S)) is Cause.READER_HUNG
    assert frozen.events.wait_event(ReaderFailed).fault.cause is Cause.READER_HUNG
    assert [service(frozen).entered.get(timeout=LIMIT_S) for _ in entered[1:]] == entered[1:]


def test_a_service_that_hangs_while_no_card_is_in_is_said_to_hang_restarted_and_used_again() -> None:
    class Idle(FrozenService):
        def get_status_change(
            self, context: int, timeout_ms: int, states: Sequence[tuple[str, int]]
        ) -> tuple[int, tuple[ReaderSnapshot, ...]]:
            self._pass("wait")
            return super().get_status_change(context, min(timeout_ms, 10), states)

    class Manager:
        def __init__(self) -> None:
            self.asked = SimpleQueue[None]()

        def restart(self) -> None:
            self.asked.put(None)
            scard.frozen.clear()
            scard.thawed.set()

    scard, manager, events = Idle(), Manager(), Recorder()
    quick = Deadlines(watch_every_s=0.005, idle_s=0.2, stuck_s=0.05)
    hub = ReaderHub(scard, BINDINGS, events, RealClock(), deadlines=quick, service=manager)
    hub.start()
    try:
        events.wait_event(ReaderReady, 2)
        scard.frozen = {"wait"}
        assert events.wait_event(ReaderFailed, 2).fault.cause is Cause.READER_HUNG
        manager.asked.get(timeout=LIMIT_S)
        events.wait_event(ReaderReady, 4)
        scard.insert(READERS[0], ToyChip())
        assert isinstance(events.wait_event(CardInserted), CardInserted)
    finally:
        scard.thawed.set()
        hub.stop()


def test_stop_ends_although_the_service_does_not_even_take_a_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_module, "CANCEL_LIMIT_S", 0.01)
    monkeypatch.setattr(monitor_module, "STOP_LIMIT_S", 0.1)
    monkeypatch.setattr(monitor_module, "WAIT_MS", 60_000)
    kiosk = Kiosk(FrozenService())
    service(kiosk).frozen = {"cancel"}
    kiosk.hub.start()
    kiosk.events.wait_event(ReaderReady, 2)
    kiosk.hub.stop()
    service(kiosk).thawed.set()  # the cancel of the thread left behind now arrives
    kiosk.hub._monitor._thread.join(LIMIT_S)
    assert not kiosk.hub._monitor._thread.is_alive()
