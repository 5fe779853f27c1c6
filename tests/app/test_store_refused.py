"""A store that must not be used: one clear error, on the screen and in `diagnose`, and nothing is begun anew."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk import probes
from kiosk.app import Kiosk, Surroundings
from kiosk.clock import SystemClock
from kiosk.diagnostics.report import CheckState
from kiosk.settings import KioskSettings, ReaderSettings, Settings
from kiosk.state import DATABASE, DATABASE_KEY, open_store
from kiosk.store.thread import Store
from kiosk.store.transaction import write_meta
from kiosk.visit.failures import Cause
from kiosk.visit.model import State
from kiosk.visit.pages import OutOfService
from kiosk.visit.ports import Bitmap
from kiosk.visit.values import TicketContent
from simulators.reader.embedded import READERS, EmbeddedScard

PATIENCE_S = 20.0


def _flipped(state: Path) -> None:
    content = bytearray((state / DATABASE).read_bytes())
    content[5000] ^= 1
    (state / DATABASE).write_bytes(content)


def _plain(state: Path) -> None:
    (state / DATABASE).unlink()
    plain = sqlite3.connect(state / DATABASE)
    plain.execute("CREATE TABLE event(x)")
    plain.commit()
    plain.close()


SPOILT: list[tuple[str, Callable[[Path], object], str]] = [
    ("a flipped byte", _flipped, "file: damaged"),
    (
        "another key",
        lambda state: (state / DATABASE_KEY).write_bytes(bytes(32)),
        "key: wrong key, or the file is damaged",
    ),
    ("not encrypted", _plain, "file: not encrypted"),
    (
        "emptied",
        lambda state: (state / DATABASE).write_bytes(b""),
        "file: missing or empty, where there was a database",
    ),
    ("taken away", lambda state: (state / DATABASE).unlink(), "file: missing or empty, where there was a database"),
    (
        "key taken away",
        lambda state: (state / DATABASE_KEY).unlink(),
        "key: missing, and there is a database that needs it",
    ),
]


def settings_of(state: Path) -> Settings:
    return Settings(KioskSettings(state), ReaderSettings(READERS[0]))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A kiosk that has run before."""
    opened = open_store(tmp_path / "kiosk")
    assert isinstance(opened, Store)
    opened.close()
    return tmp_path / "kiosk"


def refused_page(state: Path) -> OutOfService:
    """What the screen says."""
    seen: list[State] = []
    arrived = threading.Event()

    def publish(published: State) -> None:
        seen.append(published)
        if isinstance(published.step, OutOfService) and published.world.store_fault is not None:
            arrived.set()

    def draw(_ticket: TicketContent, _width_dots: int) -> Bitmap:
        raise AssertionError("a kiosk that is out of service prints nothing")

    kiosk = Kiosk(settings_of(state), Surroundings(EmbeddedScard(), publish, draw, SystemClock()))
    kiosk.start()
    try:
        assert arrived.wait(PATIENCE_S), seen[-1].step
    finally:
        kiosk.stop()
    step = next(
        each.step for each in seen if isinstance(each.step, OutOfService) and each.world.store_fault is not None
    )
    assert isinstance(step, OutOfService)
    return step


@pytest.mark.parametrize(("name", "spoil", "said"), SPOILT, ids=[name for name, _, _ in SPOILT])
def test_it_is_refused_on_the_screen_and_in_diagnose(
    name: str, spoil: Callable[[Path], object], said: str, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(state)
    before = {path.name: path.read_bytes() for path in state.iterdir() if path.is_file()}
    checks = {check.part: check for check in probes.look(settings_of(state), EmbeddedScard()).checks}
    fault = checks["store"].fault
    assert fault is not None, name
    assert checks["store"].state is CheckState.FAULT
    assert fault.cause is Cause.STORE_FAILED
    assert fault.detail.startswith(said)
    refused_page(state)
    assert f"the store cannot be used: {said}" in caplog.text
    assert {path.name: path.read_bytes() for path in state.iterdir() if path.is_file()} == before


def test_a_second_kiosk_on_the_same_state_says_so_and_leaves_it_alone(
    state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = open_store(state)
    assert isinstance(first, Store)
    refused_page(state)
    assert "the store cannot be used: lock: another process holds the file" in caplog.text
    first.submit(lambda tx: write_meta(tx, "x", b"y")).result()
    first.close()


def test_an_unsafe_sqlite_is_refused_on_the_screen_and_in_diagnose(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: "3.51.2")
    checks = {check.part: check for check in probes.look(settings_of(state), EmbeddedScard()).checks}
    fault = checks["store"].fault
    assert fault is not None
    assert fault.detail.startswith("sqlite_version: SQLite 3.51.2 may corrupt a write-ahead log")
    refused_page(state)
