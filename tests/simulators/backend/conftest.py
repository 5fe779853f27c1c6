"""A fresh backend in a thread, with a clock of the test's, and a kiosk enrolled with it."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.backend import in_thread
from simulators.backend.database import Database
from simulators.backend.server import Ready
from tests.simulators.backend.attack_stage import Stage, staged
from tests.simulators.backend.kiosk_side import FakeUtc, KioskSide, enrolled
from tests.simulators.backend.observer import Observer


@pytest.fixture
def utc() -> FakeUtc:
    return FakeUtc(int(time.time()))


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as its first start leaves it, but for the ports; made once, since it costs many an fsync."""
    template = tmp_path_factory.mktemp("backend") / "data"
    with in_thread(template):
        pass
    (template / "ports.json").unlink()
    return template


@pytest.fixture
def data_dir(first_start: Path, tmp_path: Path) -> Path:
    """A data directory of the test's own."""
    return shutil.copytree(first_start, tmp_path / "data")


@pytest.fixture
def new_dir(tmp_path: Path) -> Path:
    """Where no backend has ever been started."""
    return tmp_path / "new"


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Of somebody else: a start that should have ended before, and does not, ends here."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Database]:
    """Every database opened from now on."""
    databases: list[Database] = []
    create = Database.__init__

    def remember(self: Database, path: Path) -> None:
        create(self, path)
        databases.append(self)

    monkeypatch.setattr(Database, "__init__", remember)
    return databases


@pytest.fixture
def database_url() -> str | None:
    """None: the directory's SQLite file. A file of tests may put another engine in its place."""
    return None


@pytest.fixture
def ready(data_dir: Path, utc: FakeUtc, opened: list[Database], database_url: str | None) -> Iterator[Ready]:
    assert opened == []
    with in_thread(data_dir, utc, database_url=database_url) as value:
        yield value


@pytest.fixture
def kiosk(data_dir: Path, ready: Ready, utc: FakeUtc, tmp_path: Path) -> KioskSide:
    return enrolled(data_dir, ready, utc, tmp_path / "kiosk")


@pytest.fixture
def observer(ready: Ready, opened: list[Database]) -> Observer:
    """Sees the database of the backend that `ready` has started."""
    assert ready.origin
    return Observer(opened[0])


@pytest.fixture
def stage(first_start: Path, tmp_path: Path) -> Iterator[Stage]:
    """A backend and two kiosks for one attack."""
    data_dir = shutil.copytree(first_start, tmp_path / "data")
    with staged(data_dir, tmp_path, FakeUtc(int(time.time()))) as value:
        yield value


@pytest.fixture(scope="module")
def standing_stage(first_start: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The same for all attacks of a file that may not change anything."""
    folder = tmp_path_factory.mktemp("stage")
    data_dir = shutil.copytree(first_start, folder / "data")
    with staged(data_dir, folder, FakeUtc(int(time.time()))) as value:
        yield value
