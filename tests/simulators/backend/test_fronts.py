"""Fronts beside one SQLite database: the contract of several processes, and what each one's death is to the others."""

from __future__ import annotations

import http.client
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from kiosk.sync.identity import Identities, load_identities
from kiosk.sync.renewal import Renewal
from simulators.backend.process import BackendProcess
from tests.simulators.backend.kiosk_side import KioskSide, RealUtc, enrolled
from tests.simulators.backend.test_intake import EVENTS, STATE, batch, event
from tests.simulators.backend.test_processes import (
    LIMIT_S,
    test_every_process_knows_a_kiosk_that_enrolled_with_one_of_them,
    test_the_same_bytes_are_taken_once_by_all_processes_together,
    test_twins_at_the_same_moment_have_one_effect_and_one_answer,
)

__all__ = [
    "test_every_process_knows_a_kiosk_that_enrolled_with_one_of_them",
    "test_the_same_bytes_are_taken_once_by_all_processes_together",
    "test_twins_at_the_same_moment_have_one_effect_and_one_answer",
]
FRONTS = 2


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    running = BackendProcess(tmp_path_factory.mktemp("fronts") / "data", fronts=FRONTS, ops_port=0)
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def kiosk(backend: BackendProcess, tmp_path: Path) -> KioskSide:
    name = f"borne-{secrets.token_hex(4)}"
    return enrolled(backend.data.root, backend.ready, RealUtc(0), tmp_path / name, kiosk=name)


def holder(backend: BackendProcess) -> psutil.Process:
    (process,) = psutil.Process(backend.pid).children()
    return process


def _connections(process: psutil.Process) -> list[object]:
    """Of the fronts of a holder: those of kiosks that are connected."""
    found = [connection for front in process.children() for connection in front.net_connections("tcp4")]
    return [connection for connection in found if connection.status == psutil.CONN_ESTABLISHED]


def until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s


def test_a_front_that_dies_is_replaced_and_no_kiosk_notices(backend: BackendProcess, kiosk: KioskSide) -> None:
    before = holder(backend).children()
    assert len(before) == FRONTS
    os.kill(before[0].pid, signal.SIGKILL)
    psutil.wait_procs(before[:1], timeout=LIMIT_S)
    for number in range(1, 9):  # each call is a new connection
        assert kiosk.good(STATE, {"batch_seq": number})["last_seq"] == 0
    until(lambda: len(holder(backend).children()) == FRONTS)
    assert before[1] in holder(backend).children()
    assert '"event":"front ended","status":-9' in backend.log


def test_when_the_holder_dies_its_fronts_end_and_what_was_promised_is_kept(
    backend: BackendProcess, kiosk: KioskSide
) -> None:
    key, body = secrets.token_hex(16), batch(1, event(1))
    first, old = kiosk.good(EVENTS, body, key), holder(backend)
    family = [old, *old.children()]
    old.kill()
    _, alive = psutil.wait_procs(family, timeout=LIMIT_S)
    assert alive == []
    until(lambda: len(psutil.Process(backend.pid).children(recursive=True)) == 1 + FRONTS)
    assert kiosk.good(EVENTS, body, key) == first
    assert kiosk.good(STATE, {"batch_seq": 1}) == {"applied": True, "last_seq": 1}


def test_a_killed_parent_takes_all_of_them_with_it(tmp_path: Path) -> None:
    running = BackendProcess(tmp_path / "data", fronts=FRONTS)
    running.start()
    family = psutil.Process(running.pid).children(recursive=True)
    assert len(family) == 1 + FRONTS
    running.kill()
    _, alive = psutil.wait_procs(family, timeout=LIMIT_S)
    assert alive == []


def test_a_stop_lets_what_has_begun_be_answered(tmp_path: Path) -> None:
    running = BackendProcess(tmp_path / "data", fronts=1)
    ready = running.start()
    kiosks = [
        enrolled(running.data.root, ready, RealUtc(0), tmp_path / name, kiosk=name) for name in ("borne-1", "borne-2")
    ]
    waiting = holder(running)
    waiting.suspend()  # requests arrive at the front, and nobody judges them yet
    with ThreadPoolExecutor(len(kiosks)) as pool:
        answers = [pool.submit(kiosk.good, EVENTS, batch(1, event(1))) for kiosk in kiosks]
        until(lambda: len(_connections(waiting)) == len(kiosks))
        os.kill(running.pid, signal.SIGTERM)
        waiting.resume()
        assert [answer.result(LIMIT_S)["last_seq"] for answer in answers] == [1, 1]
    assert running.stop() == 0


def test_keys_are_renewed_through_a_front(kiosk: KioskSide) -> None:
    held = load_identities(kiosk.identity.directory)
    assert isinstance(held, Identities)
    renewal = Renewal(held, "SN-0001")
    assert renewal.request(kiosk.utc()) is None
    assert renewal.following is not None
    under_new = KioskSide(kiosk.data, renewal.following, kiosk.utc)
    assert under_new.good(STATE, {"batch_seq": 1}) == {"applied": False, "last_seq": 0}
    assert under_new.identity.signing_key.keyid.endswith("/2")


def test_who_is_revoked_is_refused_at_once_by_the_state_of_its_key(kiosk: KioskSide) -> None:
    kiosk.good(STATE, {"batch_seq": 1})
    kiosk.operate("revoke")
    assert kiosk.refused(STATE, {"batch_seq": 1})[:2] == (403, "key_state")


def test_what_fronts_have_counted_is_told(backend: BackendProcess, kiosk: KioskSide) -> None:
    def done() -> int:
        assert backend.ready.ops_origin is not None
        connection = http.client.HTTPConnection(backend.ready.ops_origin.removeprefix("http://"), timeout=LIMIT_S)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        told = 'kiosk_backend_requests_total{reason="",route="/v1/sync/state",status="200"} '
        (line,) = [line for line in text.splitlines() if line.startswith(told)] or [told + "0"]
        return int(float(line.removeprefix(told)))

    before = done()
    for number in range(1, 6):
        kiosk.good(STATE, {"batch_seq": number})
    assert done() == before + 5
