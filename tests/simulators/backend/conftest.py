"""A fresh backend in a thread, with a clock of the test's, and a kiosk enrolled with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.backend import in_thread
from simulators.backend.server import Ready
from tests.simulators.backend.kiosk_side import FakeUtc, KioskSide, enrolled


@pytest.fixture
def utc() -> FakeUtc:
    return FakeUtc(int(time.time()))


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def ready(data_dir: Path, utc: FakeUtc) -> Iterator[Ready]:
    with in_thread(data_dir, utc) as value:
        yield value


@pytest.fixture
def kiosk(data_dir: Path, ready: Ready, utc: FakeUtc, tmp_path: Path) -> KioskSide:
    return enrolled(data_dir, ready, utc, tmp_path / "kiosk")
