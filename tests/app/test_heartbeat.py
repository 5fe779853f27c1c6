"""The system's watchdog is fed while every part is alive, and only then."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication

from kiosk.hardware.pcsc.connection import Deadlines
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.hardware.pcsc.watchdog import LATE_S
from kiosk.heartbeat import Alive, Heartbeat, Notifier, Pinged, system_heartbeat
from kiosk.ui.pulse import Pulse
from kiosk.visit.events import ReaderReady
from kiosk.visit.model import State
from kiosk.visit.policy import Policy
from kiosk.visit.ports import ReaderRole
from kiosk.visit.runner import Runner
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.hardware.pcsc.support import LIMIT_S, FakeClock, Recorder, wait_until


class Part:
    """Answers its pings when told to."""

    def __init__(self) -> None:
        self.asked: list[Callable[[], None]] = []

    def ping(self, answer: Callable[[], None]) -> None:
        self.asked.append(answer)

    def answer(self) -> None:
        self.asked.pop()()


@pytest.mark.parametrize("silent", ["screen", "visit", "readers"])
def test_one_silent_part_is_enough_and_when_it_is_back_the_feeding_goes_on(
    silent: str, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    screen, visit, readers = Part(), Part(), [True]
    parts: dict[str, Alive] = {
        "screen": Pinged(screen.ping),
        "visit": Pinged(visit.ping),
        "readers": lambda: readers[0],
    }
    heartbeat = Heartbeat(parts, told.append, 1.0)
    heartbeat.beat()
    screen.answer()
    visit.answer()
    heartbeat.beat()
    assert told == ["WATCHDOG=1"] * 2
    if silent == "readers":
        readers[0] = False
    for name, part in (("screen", screen), ("visit", visit)):
        if name != silent:
            part.answer()
    heartbeat.beat()
    heartbeat.beat()
    assert told == ["WATCHDOG=1"] * 2
    assert f"no sign of life from: {silent}" in caplog.text
    readers[0] = True
    for part in (screen, visit):
        while part.asked:
            part.answer()
    heartbeat.beat()
    assert told == ["WATCHDOG=1"] * 3


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The service manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(LIMIT_S)
        yield line


def test_ready_beats_and_the_end_arrive_as_the_service_manager_expects(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "3000", "WATCHDOG_PID": str(os.getpid())}
    alive = iter([True, True])  # and no more: a manager that is not read from loses what does not fit its queue
    heartbeat = system_heartbeat({"visit": lambda: next(alive, False)}, environment)
    assert heartbeat is not None
    heartbeat.start()
    assert [manager.recv(64) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    heartbeat.stop()
    assert manager.recv(64) == b"STOPPING=1"
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("more", "every_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-3"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
    ],
)
def test_what_the_environment_asks_for(more: dict[str, str], every_s: float | None) -> None:
    made = system_heartbeat({}, {"NOTIFY_SOCKET": "/nowhere", **more})
    assert made is not None
    assert made._every_s == every_s


def test_without_a_service_manager_there_is_no_heartbeat() -> None:
    assert system_heartbeat({}, {"WATCHDOG_USEC": "30000000"}) is None


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(f"\0kiosk-test-{os.getpid()}")
        line.settimeout(LIMIT_S)
        Notifier(f"@kiosk-test-{os.getpid()}")("READY=1")
        assert line.recv(64) == b"READY=1"


def test_a_manager_that_does_not_listen_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier(str(tmp_path / "nobody"))("WATCHDOG=1")
    assert "the service manager was not told WATCHDOG=1: No such file or directory" in caplog.text


def test_a_kiosk_as_the_service_manager_runs_it_is_ready_beats_and_ends(manager: socket.socket, tmp_path: Path) -> None:
    """The real program, without any device."""
    settings = tmp_path / "kiosk.toml"
    settings.write_text(f'[kiosk]\nstate_dir = "{tmp_path}/state"\n[readers]\npatient = "None 00"\n', encoding="utf-8")
    environment = os.environ | {
        "NOTIFY_SOCKET": manager.getsockname(),
        "WATCHDOG_USEC": "600000",  # its queue holds ten: two seconds in which this test may not get its turn
        "PCSCLITE_CSOCK_NAME": str(tmp_path / "no-such-service"),
        "QT_QPA_PLATFORM": "offscreen",
    }
    command = [sys.executable, "-m", "kiosk", "--settings", str(settings), "run"]
    manager.settimeout(30.0)
    with subprocess.Popen(command, env=environment) as process:
        try:
            assert [manager.recv(64) for _ in range(4)] == [b"READY=1", *[b"WATCHDOG=1"] * 3]
            process.send_signal(signal.SIGTERM)
            said = b""
            while said != b"STOPPING=1":
                said = manager.recv(64)
            assert process.wait(30.0) == 0
        finally:
            process.kill()


# --- the parts ----------------------------------------------------------------------------------------------------


def test_the_runner_answers_from_its_own_thread_and_the_visit_hears_nothing() -> None:
    states: list[State] = []
    runner = Runner(State(policy=Policy()), {}, states.append, FakeClock())
    answered: list[str] = []
    runner.ping(lambda: answered.append(threading.current_thread().name))
    assert answered == []
    runner.start()
    runner.stop()
    assert answered == ["runner"]
    assert len(states) == 1


@pytest.mark.usefixtures("qapp")
def test_the_screen_answers_when_its_loop_comes_round() -> None:
    pulse, answered = Pulse(), threading.Event()
    asking = threading.Thread(target=pulse.ping, args=(answered.set,))
    asking.start()
    asking.join()
    assert not answered.is_set()
    QCoreApplication.processEvents()
    assert answered.is_set()


@pytest.fixture
def hub() -> Iterator[ReaderHub]:
    events = Recorder()
    made = ReaderHub(
        EmbeddedScard(),
        {ReaderRole.PATIENT: READERS[0]},
        events,
        FakeClock(),
        deadlines=Deadlines(watch_every_s=3600.0),
    )
    made.start()
    events.wait_event(ReaderReady)
    yield made
    made.stop()


def test_a_hub_at_work_is_alive_and_one_that_was_stopped_is_not(hub: ReaderHub) -> None:
    assert hub.alive()
    hub.stop()
    assert not hub.alive()


def test_a_watchdog_that_does_not_come_round_is_no_life(hub: ReaderHub) -> None:
    clock = hub._clock
    assert isinstance(clock, FakeClock)
    clock.now_s += 3600.0 + LATE_S
    assert not hub.alive()
    hub.check_deadlines()
    assert hub.alive()


@pytest.mark.parametrize("thread", ["monitor", "card"])
def test_a_thread_that_is_gone_is_no_life(hub: ReaderHub, thread: str) -> None:
    if thread == "monitor":
        hub._monitor.stop()
    else:
        hub._stopped = True  # else it would be replaced
        hub._slots[ReaderRole.PATIENT].worker.stop(LIMIT_S)
    wait_until(lambda: not hub.alive())
