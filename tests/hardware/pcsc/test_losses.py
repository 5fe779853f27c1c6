"""What comes later, and what goes: service, readers and cards in every order, whatever was going on."""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

import kiosk
from kiosk.card.values import CardContent, CardKind
from kiosk.hardware.pcsc.api import Disposition, PyscardScard
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit import events as ev
from kiosk.visit.events import CardInserted, CardRemoved, ReaderFailed, ReaderReady
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.machine import step
from kiosk.visit.model import State
from kiosk.visit.pages import Attract, Diagnostics, OutOfService, Reading, StaffPin, StaffSlot, Step
from kiosk.visit.ports import CardSession, ReaderRole
from simulators import samples
from simulators.card import open_persona
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.hardware.pcsc.conftest import StartHub
from tests.hardware.pcsc.hands import Hands
from tests.hardware.pcsc.support import LIMIT_S, VITALE_2_ATR, FakeClock, Recorder, ToyChip, exchange, wait_until

PATIENT, STAFF = ReaderRole.PATIENT, ReaderRole.PROFESSIONAL
COMMAND = bytes.fromhex("0084000008")


def read(hub: ReaderHub, session: CardSession) -> CardContent | Fault:
    answers: SimpleQueue[CardContent | Fault] = SimpleQueue()
    hub.read(session, answers.put)
    return answers.get(timeout=LIMIT_S)


# --- what comes later --------------------------------------------------------------------------------------------


def test_a_kiosk_started_without_service_and_card_takes_each_as_it_comes(
    hands: Hands, start_hub: StartHub, events: Recorder
) -> None:
    hands.kill_service()
    hub = start_hub()
    assert {events.wait_event(ReaderFailed, count).fault.cause for count in (1, 2)} == {Cause.SERVICE_LOST}
    hands.start_service()
    events.wait_event(ReaderReady, 2)
    hands.insert(0, open_persona("outdated"))
    assert isinstance(read(hub, events.wait_event(CardInserted).card_session), CardContent)


def test_a_kiosk_started_without_readers_takes_each_as_it_comes() -> None:
    scard, events = EmbeddedScard(), Recorder()
    for name in READERS:
        scard.unplug(name)
    hub = ReaderHub(scard, {PATIENT: READERS[0], STAFF: READERS[1]}, events, FakeClock())
    hub.start()
    assert {events.wait_event(ReaderFailed, count).fault.cause for count in (1, 2)} == {Cause.NO_READER}
    for number, name in enumerate(reversed(READERS), 1):
        scard.replug(name)
        assert events.wait_event(ReaderReady, number).role is (STAFF, PATIENT)[number - 1]
    scard.insert(READERS[0], open_persona("outdated"))
    assert isinstance(read(hub, events.wait_event(CardInserted).card_session), CardContent)
    hub.stop()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["patient's first", "professional's first"])
@pytest.mark.parametrize("swapped", [False, True], ids=["each in its slot", "roles swapped"])
def test_two_cards_in_either_order_in_either_slot(
    hands: Hands, start_hub: StartHub, events: Recorder, order: tuple[int, int], swapped: bool
) -> None:
    personas = ("pharmacist", "outdated") if swapped else ("outdated", "pharmacist")
    kinds = (CardKind.PROFESSIONAL, CardKind.VITALE_2) if swapped else (CardKind.VITALE_2, CardKind.PROFESSIONAL)
    hub = start_hub()
    found = {}
    for number, slot in enumerate(order, 1):
        hands.insert(slot, open_persona(personas[slot]))
        found[slot] = events.wait_event(CardInserted, number)
    assert [(found[slot].role, found[slot].kind) for slot in (0, 1)] == [(PATIENT, kinds[0]), (STAFF, kinds[1])]
    for slot, kind in enumerate(kinds):
        outcome = read(hub, found[slot].card_session)
        if kind is CardKind.VITALE_2:
            assert isinstance(outcome, CardContent)
        else:
            assert isinstance(outcome, Fault)
            assert outcome.cause is Cause.CARD_STAFF


# --- what goes ---------------------------------------------------------------------------------------------------


def _nothing(_hub: ReaderHub, _session: CardSession) -> None:
    """The card is in; nobody has spoken to it."""


def _talked(hub: ReaderHub, session: CardSession) -> None:
    assert exchange(hub, session, COMMAND) == b"\x90\x00"


def _released(hub: ReaderHub, session: CardSession) -> None:
    _talked(hub, session)
    hub.release(session)


@pytest.mark.parametrize(
    ("atr", "before"),
    [(VITALE_2_ATR, _nothing), (VITALE_2_ATR, _talked), (VITALE_2_ATR, _released), (bytes(34), _nothing)],
    ids=["untouched", "in a dialogue", "released", "mute"],
)
def test_a_reader_unplugged_whatever_its_card_was_doing(
    atr: bytes, before: Callable[[ReaderHub, CardSession], None]
) -> None:
    scard, events = EmbeddedScard(), Recorder()
    hub = ReaderHub(scard, {PATIENT: READERS[0]}, events, FakeClock())
    hub.start()
    scard.insert(READERS[0], ToyChip(atr))
    first = events.wait_event(CardInserted).card_session
    before(hub, first)
    scard.unplug(READERS[0])
    events.wait_event(ReaderFailed)
    late = exchange(hub, first, COMMAND)
    assert isinstance(late, Fault)
    assert not late.command_sent
    scard.replug(READERS[0])
    assert events.wait_event(CardInserted, 2).card_session != first
    hub.stop()
    assert events.kinds()[-3:] == ["ReaderFailed", "ReaderReady", "CardInserted"]
    assert [event.fault.cause for event in events.events if isinstance(event, ReaderFailed)] == [Cause.READER_LOST]


def over(page: Step) -> Step | None:
    """The page under one that a badge opened: devices concern that one."""
    return page.over if isinstance(page, StaffSlot | StaffPin | Diagnostics) else None


PAGES = [(state, over(state.step) is not None) for state in samples.every_page()]


@pytest.mark.parametrize("state", [s for s, badge in PAGES if not badge], ids=lambda state: state.step.page)
def test_no_page_stays_up_without_its_reader_and_every_one_comes_back(state: State) -> None:
    """The reader goes on each page; the member is forgotten, and nothing of the old card is believed afterwards."""
    lost = Fault(Cause.READER_LOST, "unplugged")
    gone, _ = step(state, ev.ReaderFailed(PATIENT, lost), 1.0)
    assert isinstance(gone.step, OutOfService)
    assert (gone.step.fault, gone.member, gone.card_session) == (lost, None, None)
    assert gone.step.card_in_slot or state.card_session is None
    for late in (ev.CardRemoved(PATIENT, samples.SESSION), ev.CardRead(samples.SESSION, samples.CARD, "0" * 32)):
        after, _ = step(gone, late, 2.0)
        assert (after.step, after.member) == (gone.step, None)
    back, _ = step(gone, ev.ReaderReady(PATIENT), 3.0)
    assert back.step.page == "attract"
    served, _ = step(back, ev.CardInserted(PATIENT, CardSession(99), CardKind.VITALE_2), 4.0)
    assert isinstance(served.step, Reading)


@pytest.mark.parametrize("state", [s for s, badge in PAGES if badge], ids=lambda state: state.step.page)
def test_under_a_badges_page_the_reader_is_lost_and_comes_back(state: State) -> None:
    """The technician reads on; what is shown afterwards is true."""
    lost = Fault(Cause.READER_LOST, "unplugged")
    gone, _ = step(state, ev.ReaderFailed(PATIENT, lost), 1.0)
    below = over(gone.step)
    assert isinstance(below, OutOfService)
    assert (gone.step.page, below.fault, gone.member, gone.card_session) == (state.step.page, lost, None, None)
    back, _ = step(gone, ev.ReaderReady(PATIENT), 3.0)
    assert back.step.page == state.step.page
    assert isinstance(over(back.step), Attract)


# --- what the service says at the end ----------------------------------------------------------------------------


class Grumbling(EmbeddedScard):
    """Does what it is asked when something ends, and says that it failed."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code
        self.said: set[str] = set()

    def _grumble(self, call: str) -> tuple[int, None]:
        self.said.add(call)
        return self.code, None

    def release_context(self, context: int) -> tuple[int, None]:
        super().release_context(context)
        return self._grumble("release")

    def cancel(self, context: int) -> tuple[int, None]:
        super().cancel(context)
        return self._grumble("cancel")

    def disconnect(self, card: int, disposition: Disposition) -> tuple[int, None]:
        super().disconnect(card, disposition)
        return self._grumble("disconnect")


@pytest.mark.parametrize("code", [0x8010001D, 0x80100013, 0x80100003, 0x80100069, 0x80100001, -1])
def test_what_release_cancel_and_disconnect_answer_changes_nothing(code: int) -> None:
    before = set(threading.enumerate())
    scard, events = Grumbling(code), Recorder()
    hub = ReaderHub(scard, {PATIENT: READERS[0]}, events, FakeClock())
    hub.start()
    for number in (1, 2):
        scard.insert(READERS[0], ToyChip())
        session = events.wait_event(CardInserted, number).card_session
        assert exchange(hub, session, COMMAND) == b"\x90\x00"
        if number == 1:
            hub.release(session)
            scard.remove(READERS[0])
            events.wait_event(CardRemoved)
    hub.stop()
    assert scard.said == {"release", "cancel", "disconnect"}
    assert "ReaderFailed" not in events.kinds()
    assert set(threading.enumerate()) <= before
    assert scard._contexts == {}


@pytest.mark.parametrize(
    ("exists", "writable", "denied"), [(False, False, False), (True, True, False), (True, False, True)]
)
def test_a_socket_that_may_not_be_written_is_a_denial_and_an_absent_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool, writable: bool, denied: bool
) -> None:
    socket = tmp_path / "pcscd.comm"
    if exists:
        socket.touch()
    asked: list[Any] = []

    def access(path: Path, mode: int) -> bool:  # a superuser may write anything: the answer is the test's
        asked.append((path, mode))
        return writable

    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(socket))
    adapter = PyscardScard()
    monkeypatch.setattr(os, "access", access)
    assert adapter.access_denied() is denied
    assert asked == [(socket, os.W_OK)] * exists


# --- time --------------------------------------------------------------------------------------------------------


WALL_TIME = frozenset({"utc_s", "time", "time_ns", "now", "utcnow", "today"})


def test_nothing_that_keeps_a_limit_looks_at_the_wall_clock() -> None:
    root = Path(kiosk.__file__).parent
    files = [*(root / "hardware").rglob("*.py"), *(root / "visit").rglob("*.py"), root / "heartbeat.py"]
    calls = {
        (str(path.relative_to(root)), node.func.attr)
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WALL_TIME
    }
    assert len(files) > 30
    assert calls == set()


def test_a_day_forward_or_back_on_the_wall_leaves_every_limit_where_it_was() -> None:
    scard, events, clock = EmbeddedScard(), Recorder(), FakeClock()
    hub = ReaderHub(scard, {PATIENT: READERS[0]}, events, clock)
    hub.start()
    scard.insert(READERS[0], ToyChip())
    session = events.wait_event(CardInserted).card_session
    waiting: SimpleQueue[object] = SimpleQueue()
    with scard.hanging(READERS[0]):
        threading.Thread(target=lambda: waiting.put(exchange(hub, session, COMMAND)), daemon=True).start()
        wait_until(lambda: hub._slots[PATIENT].worker._busy is not None)
        wait_until(lambda: hub._slots[PATIENT].worker._busy.call == "SCardTransmit")  # type: ignore[union-attr]  # it hangs there
        for day_s in (86_400.0, -172_800.0):
            clock.wall_s += day_s
            hub.check_deadlines()
            assert waiting.empty()
        clock.now_s += 10.0  # the limit of one APDU, on the clock that never jumps
        hub.check_deadlines()
        outcome = waiting.get(timeout=LIMIT_S)
    assert isinstance(outcome, Fault)
    assert outcome.cause is Cause.READER_HUNG
    hub.stop()
