"""The composition root when parts of it fail: what a kiosk without backend and printer must still do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kiosk import app as module
from kiosk.app import Kiosk, Surroundings
from kiosk.clock import SystemClock
from kiosk.facts import StoreWatch
from kiosk.settings import KioskSettings, PrinterSettings, ReaderSettings, Settings
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.sync.outbox import Quota
from kiosk.visit import effects as fx
from kiosk.visit import events as ev
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.model import State
from kiosk.visit.pages import Attract, OutOfService
from kiosk.visit.ports import Bitmap, PrintState, VisitId
from kiosk.visit.values import TicketContent, TicketKind
from simulators import samples
from simulators.printer import PtyPrinter
from simulators.reader.embedded import READERS, EmbeddedScard

PATIENCE_S = 60.0
TICKET = TicketContent(TicketKind.SERIAL, "1" * 21, None, "K-0999", "3646")


class Watcher:
    """Keeps every state and waits for one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.states: list[State] = []

    def publish(self, state: State) -> None:
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()

    def wait(self, fits: Callable[[State], bool]) -> State:
        with self._changed:
            assert self._changed.wait_for(lambda: fits(self.states[-1]), PATIENCE_S), self.states[-1].step
            return self.states[-1]


def settings_at(tmp_path: Path, port: str = "") -> Settings:
    return Settings(KioskSettings(tmp_path / "kiosk"), ReaderSettings(READERS[0]), PrinterSettings(port))


def broken_drawing(_ticket: TicketContent, _width_dots: int) -> Bitmap:
    raise LookupError("269054958815780")


def kiosk_at(tmp_path: Path, watcher: Watcher, port: str = "") -> Kiosk:
    around = Surroundings(EmbeddedScard(), watcher.publish, broken_drawing, SystemClock())
    return Kiosk(settings_at(tmp_path, port), around)


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def kiosk(tmp_path: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kiosk]:
    monkeypatch.setattr(module, "StoreWatch", partial(StoreWatch, retry_s=0.01))
    opened = kiosk_at(tmp_path, watcher)
    opened.start()
    watcher.wait(lambda state: isinstance(state.step, Attract))
    yield opened
    opened.stop()


def closed(watcher: Watcher) -> list[OutOfService]:
    """Every page that said that the kiosk was out of service."""
    return [state.step for state in watcher.states if isinstance(state.step, OutOfService)]


def facts_named(kiosk: Kiosk, kind: str) -> list[Any]:
    assert isinstance(kiosk.store, Store)
    statement = "SELECT fields FROM journal WHERE type = ? ORDER BY seq"
    return [row[0] for row in kiosk.store.submit(lambda tx: tx.execute(statement, (kind,))).result()]


def test_a_full_outbox_closes_the_kiosk_and_room_opens_it_again(kiosk: Kiosk, watcher: Watcher) -> None:
    assert kiosk.facts is not None
    outbox = kiosk.facts._outbox
    outbox._quota = Quota(events=0)
    kiosk.post(ev.Chosen(ev.Choice.START_WITHOUT_CARD))
    watcher.wait(lambda state: state.world.store_fault is not None)
    kiosk.post(ev.Chosen(ev.Choice.STOP))
    state = watcher.wait(lambda state: isinstance(state.step, OutOfService))
    assert state.world.store_fault is not None
    assert state.world.store_fault.cause is Cause.STORE_FULL
    outbox._quota = Quota()
    assert watcher.wait(lambda state: isinstance(state.step, Attract)).world.store_fault is None


def test_the_service_is_noted_when_it_changes_and_only_then(kiosk: Kiosk) -> None:
    down = ev.ServiceDown(Fault(Cause.NETWORK), 0)
    before = len(facts_named(kiosk, "service_down"))  # not enrolled
    for event in (ev.ServiceUp(), ev.ServiceUp(), down, down, ev.ServiceUp()):
        kiosk.post(event)
    assert len(facts_named(kiosk, "service_up")) == 2
    assert facts_named(kiosk, "service_down")[before:] == ['{"cause":"N-01"}']


def test_a_ticket_that_cannot_be_drawn_ends(tmp_path: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    with PtyPrinter() as printer:
        kiosk = kiosk_at(tmp_path, watcher, str(printer.port))
        posted: list[object] = []
        done = threading.Event()

        def post(event: object) -> None:
            posted.append(event)
            done.set()

        monkeypatch.setattr(kiosk.performer, "_with", replace(kiosk.performer._with, post=post))
        kiosk.performer.print_ticket(fx.PrintTicket(VisitId(1), TICKET))
        assert done.wait(PATIENCE_S)
        kiosk.performer.stop()
        kiosk.office.stop()
        assert isinstance(kiosk.store, Store)
        kiosk.store.close()
    (ended,) = posted
    assert isinstance(ended, ev.TicketEnded)
    assert ended.state is PrintState.FAILED  # nothing has left for the printer
    assert ended.fault == Fault(Cause.INTERNAL, "LookupError")


def test_effects_asked_while_the_kiosk_stops_do_no_harm(
    tmp_path: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kiosk = kiosk_at(tmp_path, watcher)
    kiosk.start()
    stop_runner = kiosk.runner.stop

    def late() -> None:
        kiosk.performer.print_ticket(fx.PrintTicket(VisitId(1), TICKET))
        kiosk.office.ask_standing(fx.AskStanding(VisitId(1), samples.CARD))
        stop_runner()

    monkeypatch.setattr(kiosk.runner, "stop", late)
    kiosk.stop()
    assert caplog.text == ""
    assert not any(page.fault and page.fault.cause is Cause.INTERNAL for page in closed(watcher))


def test_a_store_that_stops_writing_never_keeps_the_kiosk_from_stopping(
    tmp_path: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> Any:
        raise StoreFailedError(StoreError("disk", "read or write error"))

    monkeypatch.setattr(Store, "_transact", failing)
    kiosk = kiosk_at(tmp_path, watcher)  # its floor of time cannot be read
    kiosk.start()
    kiosk.stop()
    assert isinstance(kiosk.store, Store)
    assert not kiosk.store._thread.is_alive()


def test_what_a_killed_run_began_gets_its_honest_end_at_the_next_start(tmp_path: Path, watcher: Watcher) -> None:
    name = "a" * 32
    killed = kiosk_at(tmp_path, watcher)
    assert killed.facts is not None
    assert isinstance(killed.store, Store)
    killed.facts.commit("update_started", {"updates": 1}, name).result()
    killed.facts.commit("ticket_queued", {"kind": "code", "duplicate": False}, name).result()
    killed.store.close()  # nothing else is said: the process died
    again = kiosk_at(tmp_path, watcher)
    again.start()
    watcher.wait(lambda state: isinstance(state.step, Attract))
    again.stop()
    last = kiosk_at(tmp_path, watcher)
    assert isinstance(last.store, Store)
    rows = last.store.submit(lambda tx: tx.execute("SELECT type, pseudonym, fields FROM journal ORDER BY seq")).result()
    last.store.close()
    ends = [(kind, pseudonym) for kind, pseudonym, _ in rows if str(kind).endswith("_ended")]
    assert ends == [("update_ended", name), ("ticket_ended", name)]
    assert [kind for kind, *_ in rows].count("kiosk_started") == 1
