"""A PostgreSQL server process that is stopped in the middle: signed busy soon, then at once, and nothing done twice."""

from __future__ import annotations

import base64
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import func, select, text

from simulators.backend import database as database_module
from simulators.backend import patience, schema
from simulators.backend.database import Database
from simulators.backend.private_postgres import PrivatePostgres, private_postgres
from simulators.backend.server import Ready
from tests.simulators.backend.kiosk_side import LIMIT_S, KioskSide
from tests.simulators.backend.observer import Observer
from tests.simulators.backend.test_enrolment import ask, csr
from tests.simulators.backend.test_intake import EVENTS, STATE, batch, event
from tests.simulators.backend.test_renewal import recover, reenrol, renewal_csr

BUSY = (503, "busy", "UNAVAILABLE")
KEY = "0f" * 16


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    with private_postgres() as cluster:
        yield cluster


@pytest.fixture
def database_url(postgres: PrivatePostgres) -> str:
    return postgres.new_database()


@pytest.fixture
def server_pid(kiosk: KioskSide, opened: list[Database]) -> int:
    """The process that serves the backend's one connection."""
    assert kiosk.good(STATE, {"batch_seq": 1})["last_seq"] == 0
    return int(opened[0].run(lambda connection: connection.execute(text("SELECT pg_backend_pid()")).scalar_one()))


def freeze(server_pid: int, kiosk: KioskSide, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop it; one batch is given up after the limit, a second one is refused without waiting for any."""
    monkeypatch.setattr(patience, "ANSWER_LIMIT_S", 0.2)
    os.kill(server_pid, signal.SIGSTOP)
    assert kiosk.refused(EVENTS, batch(1, event(1)), KEY) == BUSY
    monkeypatch.setattr(patience, "ANSWER_LIMIT_S", 2 * LIMIT_S)  # whoever waited for it would hear nothing in time
    assert kiosk.refused(EVENTS, batch(1, event(1)), KEY) == BUSY


def until_not_busy(ask: Callable[[], tuple[int, object]]) -> object:
    """The first answer that is not a refusal."""
    end_s = time.monotonic() + 20
    while True:
        status, answer = ask()
        if status == 200:
            return answer
        assert status == 503
        assert time.monotonic() < end_s


@pytest.mark.parametrize("then", [signal.SIGCONT, signal.SIGKILL], ids=["it goes on", "it is killed"])
def test_a_frozen_server_process_is_signed_busy_and_a_repeat_finds_what_happened(
    kiosk: KioskSide, server_pid: int, observer: Observer, monkeypatch: pytest.MonkeyPatch, then: signal.Signals
) -> None:
    freeze(server_pid, kiosk, monkeypatch)
    os.kill(server_pid, then)
    monkeypatch.setattr(patience, "ANSWER_LIMIT_S", 5.0)
    answer = until_not_busy(lambda: kiosk.call(EVENTS, batch(1, event(1)), KEY))
    assert answer == {"results": [{"event_id": event(1)["event_id"], "status": "applied"}], "last_seq": 1}
    assert observer.scalar(select(func.count()).select_from(schema.event)) == 1


def test_certificates_and_codes_do_not_wait_for_it_either(
    kiosk: KioskSide, ready: Ready, server_pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "ANSWER_LIMIT_S", 0.2)
    ticket = "borne-0001:" + "0" * 32
    first, code = base64.b64encode(csr(ticket)), b'{"login":"2840599999002","code":"0427"}'
    os.kill(server_pid, signal.SIGSTOP)
    try:
        assert reenrol(kiosk, renewal_csr(kiosk))[0] == 503
        assert recover(ready, kiosk.identity, renewal_csr(kiosk))[0] == 503
        assert ask(ready, "POST", "/.well-known/est/simpleenroll", ticket=ticket, body=first)[0] == 503
        assert ask(ready, "POST", "/account/redeem", body=code, content_type="application/json")[0] == 503
    finally:
        os.kill(server_pid, signal.SIGCONT)


def test_a_database_can_be_closed_while_its_server_is_frozen(
    postgres: PrivatePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "CLOSE_LIMIT_S", 0.1)
    database = Database(postgres.new_database())
    whose = text("SELECT pg_backend_pid()")
    pid = database.run(lambda connection: connection.execute(whose).scalar_one())
    os.kill(pid, signal.SIGSTOP)
    asked = database.submit(lambda connection: connection.execute(whose).scalar_one())
    database.close()
    assert not asked.done()
    os.kill(pid, signal.SIGCONT)
    assert asked.result(10) == pid
    database._thread.join(10)
