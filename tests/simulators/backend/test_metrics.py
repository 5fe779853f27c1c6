"""The operator's listener: health, readiness, metrics without a name in them, the API document; logs of one line."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection

from simulators.backend import books, in_thread, openapi, ops
from simulators.backend.authority import CLIENT_LIFETIME
from simulators.backend.database import Database, DatabaseBusy
from simulators.backend.metrics import MULTIPROCESS_VARIABLE, STORED
from simulators.backend.server import Ready
from tests.simulators.backend.kiosk_side import FakeUtc, KioskSide, enrolled

STATE, BODY = "/v1/sync/state", {"batch_seq": 1}
THIRD_S = int(CLIENT_LIFETIME.total_seconds()) // 3


@dataclass
class Asked:
    """An answer of the operator's listener."""

    status: int
    kind: str
    body: bytes


@pytest.fixture
def ready(data_dir: Path, utc: FakeUtc, opened: list[Database]) -> Iterator[Ready]:
    assert opened == []
    with in_thread(data_dir, utc, ops_port=0) as value:
        yield value


def ask(ready: Ready, path: str, method: str = "GET") -> Asked:
    assert ready.ops_origin is not None
    connection = http.client.HTTPConnection(ready.ops_origin.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return Asked(response.status, response.headers["content-type"], response.read())
    finally:
        connection.close()


def numbers(ready: Ready) -> dict[tuple[str, ...], float]:
    """Sample name and its label values, in the order of the labels' names → value; `_created` left out."""
    text = ask(ready, "/metrics").body.decode()
    return {
        (sample.name.removeprefix("kiosk_backend_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_alive_and_ready(ready: Ready) -> None:
    assert (ask(ready, "/healthz").status, json.loads(ask(ready, "/healthz").body)) == (200, {"status": "alive"})
    assert (ask(ready, "/readyz").status, json.loads(ask(ready, "/readyz").body)) == (200, {"status": "ready"})


def test_the_api_document_is_that_of_the_command(ready: Ready) -> None:
    found = ask(ready, "/openapi.json")
    assert (found.status, found.kind, found.body.decode()) == (200, "application/json", openapi.text())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/healthz", 405), ("GET", "/", 404), ("GET", "/healthz?x", 404), ("GET", "/v1/sync/state", 404)],
)
def test_nothing_else_is_there(ready: Ready, method: str, path: str, status: int) -> None:
    assert ask(ready, path, method).status == status


def test_no_operator_listener_unless_asked_for(data_dir: Path, utc: FakeUtc) -> None:
    with in_thread(data_dir, utc) as quiet:
        assert quiet.ops_origin is None


def test_it_is_not_ready_when_the_database_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, ready: Ready, opened: list[Database]
) -> None:
    [database] = opened
    with database_held(database), monkeypatch.context() as impatient:
        impatient.setattr(ops, "DATABASE_LIMIT_S", 0.05)  # only while it cannot: nothing that can depends on the load
        assert ask(ready, "/readyz").status == 503
        assert ask(ready, "/healthz").status == 200
        assert ask(ready, "/metrics").status == 200  # without what the database would count
    assert ask(ready, "/readyz").status == 200


@contextmanager
def database_held(database: Database) -> Iterator[None]:
    """Work behind which everything else waits."""
    release, is_held = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        is_held.set()
        release.wait(30)

    held = database.submit(hold)
    assert is_held.wait(10)
    try:
        yield
    finally:
        release.set()
        held.result(10)


def wait_until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end_s


def test_while_it_drains_it_says_so_and_finishes_what_it_has_begun(
    data_dir: Path, utc: FakeUtc, opened: list[Database], tmp_path: Path
) -> None:
    with ExitStack() as running, ThreadPoolExecutor(2) as others:
        ready = running.enter_context(in_thread(data_dir, utc, ops_port=0))
        kiosk, [database] = enrolled(data_dir, ready, utc, tmp_path / "kiosk"), opened
        with database_held(database):
            answer = others.submit(kiosk.good, STATE, BODY)
            wait_until(lambda: database.waiting > 0)
            stopped = others.submit(running.close)
            wait_until(lambda: b"draining" in ask(ready, "/readyz").body)
            assert ask(ready, "/readyz").status == 503
            with pytest.raises(ConnectionRefusedError):
                kiosk.good(STATE, BODY)
        assert answer.result(10)["last_seq"] == 0
        stopped.result(10)


def test_requests_are_counted_by_route_and_reason(kiosk: KioskSide, ready: Ready) -> None:
    kiosk.good(STATE, BODY)
    kiosk.refused(STATE, BODY, created_s=kiosk.utc() - 200)
    kiosk.send("/v1/nothing", b"{}", {})
    kiosk.send(STATE, b"{}", {})
    kiosk.send(STATE, b"{}", {f"x-{number}": "1" for number in range(80)})
    found = numbers(ready)
    assert found["requests_total", "", STATE, "200"] == 1
    assert found["requests_total", "time_skew", STATE, "401"] == 1
    assert found["requests_total", "path", "other", "400"] == 1
    assert found["requests_total", "field_missing", STATE, "400"] == 1
    assert found["dropped_total", "431"] == 1
    assert found["request_seconds_count", STATE] == 2
    assert found["group_size_count",] == 2
    assert found["queue_depth",] == 0
    assert found["certificates_total", "enrolled", "200"] == 1


def test_what_the_database_counts(kiosk: KioskSide, ready: Ready, utc: FakeUtc) -> None:
    def stored() -> dict[str, float]:
        return {name[0]: value for name, value in numbers(ready).items() if name[0] in STORED}

    fine = dict.fromkeys(STORED, 0.0) | {"kiosks": 1}
    assert stored() == fine
    utc.now_s += 2 * THIRD_S + 60
    assert stored() == fine | {"certificates_near_expiry": 1}
    utc.now_s += THIRD_S
    assert stored() == fine | {"certificates_expired": 1}
    kiosk.operate("quarantine", level="no_code")
    assert stored() == fine | {"certificates_expired": 1, "kiosks_in_quarantine": 1}


PERSONAL = ("802500000204671322631", "19840517", "75020", "19840518")


def test_neither_metrics_nor_logs_name_anybody(
    kiosk: KioskSide, ready: Ready, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    iccsn, birth, postcode, wrong = PERSONAL
    proof = kiosk.good("/v1/identify", {"iccsn": iccsn, "birth_date": birth, "postcode": postcode})["proof"]
    code = kiosk.good("/v1/code/issue", {"iccsn": iccsn, "proof": proof})["code"]
    kiosk.good("/v1/identify", {"iccsn": iccsn, "birth_date": wrong, "postcode": postcode})
    kiosk.refused("/v1/identify", {"iccsn": iccsn, "birth_date": birth, iccsn: birth})
    kiosk.refused("/v1/policy/state", {"known": {iccsn: 1}})
    said = capsys.readouterr().err
    counted = ask(ready, "/metrics").body.decode()
    for secret in (*PERSONAL, proof):
        assert secret not in said
        assert secret not in counted
    assert f'"{code}"' not in said
    assert kiosk.identity.kiosk not in counted
    lines = [json.loads(line) for line in said.splitlines()]
    assert [(line["event"], line["path"], line["status"]) for line in lines] == [
        ("request", "/v1/identify", 200),
        ("request", "/v1/code/issue", 200),
        ("request", "/v1/identify", 200),
        ("request", "/v1/identify", 422),
        ("request", "/v1/policy/state", 422),
    ]
    assert all(set(line) <= LOG_FIELDS for line in lines)
    assert len({line["request_id"] for line in lines}) == len(lines)


LOG_FIELDS = {
    "time_s", "event", "request_id", "path", "kiosk", "status", "reason", "code", "detail", "duration_ms",
}  # fmt: skip


def test_a_store_that_cannot_is_one_line_and_a_signed_busy(
    monkeypatch: pytest.MonkeyPatch, kiosk: KioskSide, capsys: pytest.CaptureFixture[str]
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise DatabaseBusy("OperationalError")

    monkeypatch.setattr(books, "request_of", busy)
    capsys.readouterr()
    assert kiosk.refused(STATE, BODY) == (503, "busy", "UNAVAILABLE")
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["detail"] == "OperationalError"


def test_a_queue_that_is_full_is_told_at_once(monkeypatch: pytest.MonkeyPatch, kiosk: KioskSide) -> None:
    monkeypatch.setattr(books, "MAX_WAITING", 0)
    assert kiosk.refused(STATE, BODY) == (503, "busy", "UNAVAILABLE")


COUNT = """
from simulators.backend.metrics import Metrics
numbers = Metrics()
numbers.done("/v1/events", 200, "", 0.01)
numbers.group(1, 3)
print(numbers.text({"kiosks": 5}).decode() if SHOWN else "")
"""


def test_several_processes_are_one_sum(tmp_path: Path) -> None:
    environment = {**os.environ, MULTIPROCESS_VARIABLE: str(tmp_path)}

    def process(*, shown: bool) -> str:
        code = COUNT.replace("SHOWN", str(shown))
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=30
        ).stdout

    process(shown=False)
    text = process(shown=True)
    assert 'kiosk_backend_requests_total{reason="",route="/v1/events",status="200"} 2.0' in text
    assert text.count("kiosk_backend_kiosks 5.0") == 1
    families = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(families) == len(set(families))  # a family told twice spoils the whole answer
    assert "kiosk_backend_queue_depth 6.0" in text  # both, until a supervisor says that one has ended
