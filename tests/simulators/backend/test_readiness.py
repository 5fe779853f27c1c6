"""Readiness is told by a write: a disk that is full, or a server that only reads, still answers every question."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from simulators.backend import BackendProcess, in_thread, ops
from simulators.backend.database import Database
from simulators.backend.private_postgres import private_postgres
from simulators.backend.server import Ready
from tests.simulators.backend.kiosk_side import FakeUtc, RealUtc, enrolled
from tests.simulators.backend.test_metrics import ask, numbers, wait_until

STATE, BODY = "/v1/sync/state", {"batch_seq": 1}
BUSY = (503, "busy", "UNAVAILABLE")
NOT_WRITTEN = (503, "database cannot be written")


def readiness(ready: Ready) -> tuple[int, str]:
    found = ask(ready, "/readyz")
    return found.status, json.loads(found.body)["status"]


def test_while_no_byte_can_be_written_it_is_not_ready(data_dir: Path, tmp_path: Path) -> None:
    backend = BackendProcess(data_dir, ops_port=0)
    ready = backend.start()
    try:
        kiosk, process = enrolled(data_dir, ready, RealUtc(0), tmp_path / "kiosk"), psutil.Process(backend.pid)
        _, most = process.rlimit(psutil.RLIMIT_FSIZE)
        process.rlimit(psutil.RLIMIT_FSIZE, (1, most))
        assert kiosk.refused(STATE, BODY) == BUSY
        assert readiness(ready) == NOT_WRITTEN
        assert numbers(ready)["kiosks",] == 1  # it reads
        process.rlimit(psutil.RLIMIT_FSIZE, (most, most))
        assert readiness(ready) == (200, "ready")
        assert kiosk.good(STATE, BODY)["last_seq"] == 0
    finally:
        assert backend.stop() == 0


@contextmanager
def only_reads(url: str) -> Iterator[None]:
    """A server that takes nothing, as a standby is one; whoever is connected has to come again."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    name = make_url(url).database
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()"
    )
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        connection.execute(others, {"name": name})
    yield
    with engine.connect() as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
        connection.execute(others, {"name": name})
    engine.dispose()


def test_while_the_server_only_reads_it_is_not_ready_and_answers_busy(
    data_dir: Path, utc: FakeUtc, tmp_path: Path
) -> None:
    with private_postgres() as postgres:
        url = postgres.new_database()
        with in_thread(data_dir, utc, ops_port=0, database_url=url) as ready:
            kiosk = enrolled(data_dir, ready, utc, tmp_path / "kiosk")
            with only_reads(url):
                assert readiness(ready) == NOT_WRITTEN  # the connection is lost
                assert readiness(ready) == NOT_WRITTEN
                assert numbers(ready)["kiosks",] == 1  # it reads
                assert kiosk.refused(STATE, BODY) == BUSY
            wait_until(lambda: readiness(ready) == (200, "ready"))
            assert kiosk.good(STATE, BODY)["last_seq"] == 0


def test_who_asks_often_writes_seldom(
    data_dir: Path, utc: FakeUtc, opened: list[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = threading.Semaphore(0)
    monkeypatch.setattr(ops, "probe", lambda _: written.release())
    monkeypatch.setattr(ops, "WRITTEN_FOR_S", 600.0)
    with in_thread(data_dir, utc, ops_port=0) as ready:
        for _ in range(5):
            assert readiness(ready) == (200, "ready")
    assert opened
    assert [written.acquire(blocking=False) for _ in range(2)] == [True, False]
