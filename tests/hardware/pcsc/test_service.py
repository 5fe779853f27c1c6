"""Restarting the PC/SC service: who does it, when it is asked for, and what a service that dies costs the kiosk."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest

from kiosk.card.values import CardContent
from kiosk.hardware.pcsc.connection import Deadlines
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.hardware.pcsc.restart import BETWEEN_RESTARTS_S, RestartRule
from kiosk.hardware.pcsc.service import RESTART_COMMAND, ServiceProblem, Systemd
from kiosk.visit.events import CardInserted, ReaderFailed, ReaderReady
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardSession, ReaderRole
from simulators.card import FaultKind, PlannedFault, open_persona
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.hardware.pcsc.hands import Hands, PcscdHands
from tests.hardware.pcsc.support import LIMIT_S, FakeClock, RealClock, Recorder, ToyChip, exchange, wait_until

PATIENT, STAFF = ReaderRole.PATIENT, ReaderRole.PROFESSIONAL
COMMAND = bytes.fromhex("0084000008")
QUICK = Deadlines(connect_s=0.5, apdu_s=0.3, watch_every_s=0.02, stuck_s=0.2)
KILLS = int(os.environ.get("SERVICE_KILLS", "5"))
SEEN_WITHIN_S = 3.0


def read(hub: ReaderHub, session: CardSession) -> CardContent | Fault:
    answers: SimpleQueue[CardContent | Fault] = SimpleQueue()
    hub.read(session, answers.put)
    return answers.get(timeout=LIMIT_S)


# --- who does it -------------------------------------------------------------------------------------------------


def test_the_service_of_the_machine_is_restarted_without_a_password_prompt() -> None:
    assert RESTART_COMMAND == ("systemctl", "--no-ask-password", "restart", "pcscd.service")
    assert Systemd(("true",)).restart() is None


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("false",), "false ended with status 1"),
        (("no-such-program-here",), "no-such-program-here cannot be run: No such file or directory"),
        (("sleep", "60"), "sleep did not end within 0.05 s"),
    ],
)
def test_a_restart_that_is_refused_or_takes_too_long_says_so(command: tuple[str, ...], reason: str) -> None:
    assert Systemd(command, limit_s=0.05 if command[0] == "sleep" else LIMIT_S).restart() == ServiceProblem(reason)


def test_a_command_that_was_given_up_does_not_stay_behind(tmp_path: Path) -> None:
    tell = tmp_path / "pid"
    Systemd(("sh", "-c", f"echo $$ > {tell}; exec sleep 60"), limit_s=0.5).restart()
    assert not Path(f"/proc/{tell.read_text().strip()}").exists()


# --- when --------------------------------------------------------------------------------------------------------


def test_a_thread_gets_its_time_and_the_service_a_minute() -> None:
    rule = RestartRule(stuck_s=3.0)
    assert not rule.due(100.0, 102.9)
    assert rule.due(100.0, 103.0)
    assert not rule.due(100.0, 103.0 + BETWEEN_RESTARTS_S - 0.1)
    assert rule.due(100.0, 103.0 + BETWEEN_RESTARTS_S)
    assert not rule.due(170.0, 175.0)  # another hang soon afterwards


class Manager:
    """Counts, and does what a test wants."""

    def __init__(self, problem: ServiceProblem | None = None) -> None:
        self.restarts: list[float] = []
        self.problem = problem

    def restart(self) -> ServiceProblem | None:
        self.restarts.append(time.monotonic())
        return self.problem


class Kiosk:
    """A hub on the embedded reader, whose time the test owns."""

    def __init__(self, manager: Manager) -> None:
        self.scard, self.events, self.clock, self.manager = EmbeddedScard(), Recorder(), FakeClock(), manager
        limits = Deadlines(connect_s=5.0, apdu_s=10.0, watch_every_s=3600.0, stuck_s=3.0)
        bindings = {PATIENT: READERS[0], STAFF: READERS[1]}
        self.hub = ReaderHub(self.scard, bindings, self.events, self.clock, deadlines=limits, service=manager)

    def insert(self, slot: int, count: int) -> CardSession:
        self.scard.insert(READERS[slot], ToyChip())
        return self.events.wait_event(CardInserted, count).card_session

    def hang(self, role: ReaderRole, session: CardSession) -> None:
        """A command that is given up."""
        waiting: SimpleQueue[object] = SimpleQueue()
        threading.Thread(target=lambda: waiting.put(exchange(self.hub, session, COMMAND)), daemon=True).start()
        wait_until(lambda: (busy := self.hub._slots[role].worker._busy) is not None and busy.call == "SCardTransmit")
        self.look_after(10.0)
        fault = waiting.get(timeout=LIMIT_S)
        assert isinstance(fault, Fault)
        assert fault.cause is Cause.READER_HUNG

    def look_after(self, seconds: float) -> int:
        """Let time pass; how many restarts there were so far."""
        self.clock.now_s += seconds
        self.hub.check_deadlines()
        for thread in threading.enumerate():
            if thread.name == "pcsc-restart":
                thread.join(LIMIT_S)
        return len(self.manager.restarts)


@contextmanager
def kiosk_with(manager: Manager) -> Iterator[Kiosk]:
    kiosk = Kiosk(manager)
    kiosk.hub.start()
    kiosk.events.wait_event(ReaderReady, 2)
    yield kiosk
    kiosk.hub.stop()


def test_one_restart_when_a_thread_does_not_come_back_and_the_next_after_a_minute() -> None:
    with kiosk_with(Manager()) as kiosk:
        session = kiosk.insert(0, 1)
        with kiosk.scard.hanging(READERS[0]):
            kiosk.hang(PATIENT, session)
            assert kiosk.look_after(2.9) == 0
            assert kiosk.look_after(0.2) == 1
            assert kiosk.look_after(30) == 1
            assert kiosk.look_after(31) == 2
        wait_until(lambda: not kiosk.hub._slots[PATIENT].stale)
        assert kiosk.look_after(120) == 2  # it came back: nothing to restart for


def test_no_restart_for_a_thread_that_came_back_by_itself() -> None:
    with kiosk_with(Manager()) as kiosk:
        session = kiosk.insert(0, 1)
        with kiosk.scard.hanging(READERS[0]):
            kiosk.hang(PATIENT, session)
        wait_until(lambda: not kiosk.hub._slots[PATIENT].stale)
        assert kiosk.look_after(60) == 0


def test_no_restart_while_a_card_of_another_role_is_commanded() -> None:
    with kiosk_with(Manager()) as kiosk:
        staff, patient = kiosk.insert(1, 1), kiosk.insert(0, 2)
        assert isinstance(exchange(kiosk.hub, patient, COMMAND), bytes)
        with kiosk.scard.hanging(READERS[1]):
            kiosk.hang(STAFF, staff)
            assert kiosk.look_after(60) == 0
            kiosk.hub.release(patient)
            assert kiosk.look_after(0) == 1


def test_no_restart_because_another_program_holds_the_card() -> None:
    with kiosk_with(Manager()) as kiosk:
        session = kiosk.insert(0, 1)
        answers: SimpleQueue[object] = SimpleQueue()
        with kiosk.scard.in_foreign_transaction(READERS[0]):
            kiosk.hub.read(session, answers.put)
            wait_until(lambda: kiosk.hub._slots[PATIENT].worker._busy is not None)
            assert kiosk.look_after(5.0) == 0
            fault = answers.get(timeout=LIMIT_S)
            assert isinstance(fault, Fault)
            assert fault.cause is Cause.HELD_BY_OTHER
            assert kiosk.look_after(60) == 0


def test_a_restart_that_failed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with kiosk_with(Manager(ServiceProblem("systemctl ended with status 4"))) as kiosk:
        session = kiosk.insert(0, 1)
        with kiosk.scard.hanging(READERS[0]):
            kiosk.hang(PATIENT, session)
            assert kiosk.look_after(3.0) == 1
    assert "could not be restarted: systemctl ended with status 4" in caplog.text


# --- the same on both readers ------------------------------------------------------------------------------------


class HandsOnService(Manager):
    """Restarts the service under test, as systemd would."""

    def __init__(self, hands: Hands) -> None:
        super().__init__()
        self._hands = hands

    def restart(self) -> ServiceProblem | None:
        self._hands.kill_service()
        self._hands.start_service()
        return super().restart()


@pytest.mark.parametrize("at", [1, 4])
def test_a_hung_service_is_restarted_and_the_next_card_works(hands: Hands, events: Recorder, at: int) -> None:
    manager = HandsOnService(hands)
    bindings = {PATIENT: hands.readers[0], STAFF: hands.readers[1]}
    hub = ReaderHub(hands.scard, bindings, events, RealClock(), deadlines=QUICK, service=manager)
    hub.start()
    try:
        hands.insert(0, open_persona("outdated", faults=[PlannedFault(FaultKind.HANG, at=at)]))
        hung = read(hub, events.wait_event(CardInserted).card_session)
        assert isinstance(hung, Fault)
        assert (hung.cause, hung.command_sent) == (Cause.READER_HUNG, True)
        # The card is still in: only the restart can make the reader usable again.
        session = events.wait_event(CardInserted, 2).card_session
        wait_until(lambda: len(manager.restarts) == 1)
        assert {fault.fault.cause for fault in events.events if isinstance(fault, ReaderFailed)} == {
            Cause.READER_HUNG,
            Cause.SERVICE_LOST,
        }
        assert isinstance(read(hub, session), CardContent)
        hands.remove(0)
        hands.insert(0, open_persona("corsican"))
        assert isinstance(read(hub, events.wait_event(CardInserted, 3).card_session), CardContent)
    finally:
        hub.stop()


def test_kills_at_random_points_are_survived(
    hands: Hands, events: Recorder, trace: list[str], record_property: Callable[[str, object], None]
) -> None:
    """SERVICE_KILLS=50 for the campaign. A kill comes between two APDUs, in one, or while nothing happens."""
    draw = random.Random(2026)
    bindings = {PATIENT: hands.readers[0]}
    hub = ReaderHub(hands.scard, bindings, events, RealClock(), trace=trace.append)
    hub.start()
    hands.insert(0, open_persona("outdated"))
    assert isinstance(read(hub, events.wait_event(CardInserted).card_session), CardContent)
    before = _threads_and_descriptors()
    seen_s, violations = [0.0], []
    for kill in range(1, KILLS + 1):
        reading = _read_until(hub, events.wait_event(CardInserted, kill).card_session, trace, draw)
        hands.kill_service()
        events.wait_event(ReaderFailed, kill)
        if reading is not None:
            outcome = reading.get(timeout=LIMIT_S)
            if isinstance(outcome, Fault) and outcome.cause is not Cause.SERVICE_LOST:
                violations.append(f"kill {kill} was told as {outcome.cause.name}")
        back_s = time.monotonic()
        hands.start_service()
        events.wait_event(CardInserted, kill + 1)
        seen_s.append(time.monotonic() - back_s)
        if seen_s[-1] >= SEEN_WITHIN_S:
            violations.append(f"after kill {kill} the card was seen after {seen_s[-1]:.1f} s")
    assert isinstance(read(hub, events.wait_event(CardInserted, KILLS + 1).card_session), CardContent)
    with contextlib.suppress(AssertionError):  # said below
        wait_until(lambda: not _grown(before))
    if _grown(before):
        violations.append("threads or descriptors have grown")
    now, where = _threads_and_descriptors(), "pcscd" if isinstance(hands, PcscdHands) else "the embedded reader"
    record_property(
        "printed",
        f"service kills on {where}: {KILLS}, card seen within {max(seen_s):.2f} s of the start, threads and "
        f"descriptors {before[0]} and {before[1]}, then {now[0]} and {now[1]}, violations {len(violations)}",
    )
    hub.stop()
    assert violations == []


def _read_until(
    hub: ReaderHub, session: CardSession, trace: list[str], draw: random.Random
) -> SimpleQueue[CardContent | Fault] | None:
    """Begin to read and come back in the middle of it, or do nothing at all."""
    if draw.random() < 0.2:
        return None
    answers: SimpleQueue[CardContent | Fault] = SimpleQueue()
    at = len(trace) + draw.randrange(20)
    hub.read(session, answers.put)
    wait_until(lambda: len(trace) >= at or not answers.empty())
    return answers


def _threads_and_descriptors() -> tuple[int, int]:
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def _grown(before: tuple[int, int]) -> bool:
    return any(now > then for now, then in zip(_threads_and_descriptors(), before, strict=True))
