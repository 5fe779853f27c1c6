"""Several processes on one PostgreSQL: one contract across them, replaced when they die, gone with their parent."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from kiosk.sync.signature import sign_request
from simulators.backend.__main__ import main
from simulators.backend.authority import open_authority
from simulators.backend.clock import system_utc_s, utc
from simulators.backend.files import DataDir
from simulators.backend.private_postgres import PrivatePostgres, private_postgres
from simulators.backend.process import BackendProcess
from simulators.backend.tls import ServerCertificate, ServerTls
from tests.simulators.backend.kiosk_side import KioskSide, RealUtc, enrolled
from tests.simulators.backend.test_intake import EVENTS, STATE, batch, event

LIMIT_S = 20.0
TWINS = 6


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    with private_postgres() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def backend(postgres: PrivatePostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    running = BackendProcess(
        tmp_path_factory.mktemp("several") / "data", database_url=postgres.new_database(), processes=2
    )
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def kiosk(backend: BackendProcess, tmp_path: Path) -> KioskSide:
    name = f"borne-{secrets.token_hex(4)}"
    return enrolled(backend.data.root, backend.ready, RealUtc(0), tmp_path / name, kiosk=name)


def workers(backend: BackendProcess) -> list[psutil.Process]:
    return psutil.Process(backend.pid).children()


def test_every_process_knows_a_kiosk_that_enrolled_with_one_of_them(kiosk: KioskSide) -> None:
    for number in range(1, 13):  # each call is a new connection: the kernel deals them out
        assert kiosk.good(STATE, {"batch_seq": number}) == {"applied": False, "last_seq": 0}


def test_twins_at_the_same_moment_have_one_effect_and_one_answer(kiosk: KioskSide) -> None:
    key, body = secrets.token_hex(16), batch(1, event(1), event(2))
    with ThreadPoolExecutor(TWINS) as pool:
        answers = list(pool.map(lambda _: kiosk.good(EVENTS, body, key), range(TWINS)))
    assert [answer["results"][0]["status"] for answer in answers] == ["applied"] * TWINS
    assert kiosk.good(STATE, {"batch_seq": 1}) == {"applied": True, "last_seq": 1}


def test_the_same_bytes_are_taken_once_by_all_processes_together(kiosk: KioskSide) -> None:
    raw = json.dumps({"batch_seq": 1}).encode()
    request = sign_request(
        kiosk.identity.signing_key,
        origin=kiosk.identity.trust.origin,
        path=STATE,
        body=raw,
        idempotency_key=secrets.token_hex(16),
        created_s=kiosk.utc(),
    )
    with ThreadPoolExecutor(TWINS) as pool:
        answers = list(pool.map(lambda _: kiosk.send(STATE, raw, dict(request.headers)), range(TWINS)))
    told = sorted((status, json.loads(body).get("error", {}).get("reason", "")) for status, _, body in answers)
    assert told == [(200, ""), *[(401, "replay")] * (TWINS - 1)]


def test_many_kiosks_at_once_lose_and_double_nothing(
    backend: BackendProcess, tmp_path: Path, postgres: PrivatePostgres
) -> None:
    several = [
        enrolled(backend.data.root, backend.ready, RealUtc(0), tmp_path / name, kiosk=name)
        for name in (f"borne-{secrets.token_hex(4)}" for _ in range(4))
    ]

    def tell(kiosk: KioskSide) -> list[str]:
        answers = [kiosk.good(EVENTS, batch(n, event(2 * n - 1), event(2 * n), acked=n - 1)) for n in range(1, 9)]
        return [result["status"] for answer in answers for result in answer["results"]]

    with ThreadPoolExecutor(len(several)) as pool:
        assert list(pool.map(tell, several)) == [["applied"] * 16] * len(several)
    names = [kiosk.identity.kiosk for kiosk in several]
    with psycopg.connect(_conninfo(backend)) as connection:
        rows = connection.execute(
            "SELECT kiosk, count(*), max(aggregate_seq) FROM event WHERE kiosk = ANY(%s) GROUP BY kiosk", [names]
        ).fetchall()
    assert sorted(rows) == [(name, 16, 16) for name in sorted(names)]


def test_a_process_that_dies_is_replaced_and_nobody_else_notices(backend: BackendProcess, kiosk: KioskSide) -> None:
    before = workers(backend)
    os.kill(before[0].pid, signal.SIGKILL)
    psutil.wait_procs(before[:1], timeout=LIMIT_S)
    for number in range(1, 9):  # a connection for the dead one waits until its replacement takes it
        assert kiosk.good(STATE, {"batch_seq": number})["last_seq"] == 0
    end_s = time.monotonic() + LIMIT_S
    while len(workers(backend)) < len(before) and time.monotonic() < end_s:
        pass
    assert before[1] in workers(backend)
    assert len(workers(backend)) == len(before)


def test_a_batch_committed_by_a_process_that_died_before_its_answer_is_answered_as_stored(
    backend: BackendProcess, kiosk: KioskSide
) -> None:
    """The lock on the kiosk's row holds every process between its request and its commit, all but one statement."""
    key, body = secrets.token_hex(16), batch(1, event(1))
    first = kiosk.good(EVENTS, body, key)
    for process in workers(backend):
        process.kill()
    assert kiosk.good(EVENTS, body, key) == first
    assert kiosk.good(STATE, {"batch_seq": 1}) == {"applied": True, "last_seq": 1}


def test_a_killed_parent_takes_its_processes_with_it(postgres: PrivatePostgres, tmp_path: Path) -> None:
    running = BackendProcess(tmp_path / "data", database_url=postgres.new_database(), processes=2)
    running.start()
    children = workers(running)
    assert len(children) == 2
    running.kill()
    _, alive = psutil.wait_procs(children, timeout=LIMIT_S)
    assert alive == []


def test_sqlite_is_for_one_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--data", str(tmp_path / "data"), "--processes", "2"]) == 1
    assert capsys.readouterr().err == (
        "simulators.backend: processes: SQLite is for one process; several need --database-url\n"
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("count", ["0", "65", "-1", "x", ""])
def test_a_number_of_processes_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str], count: str) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--data", str(tmp_path / "data"), f"--processes={count}"])
    assert "--processes: a whole number from 1 to 64 expected" in capsys.readouterr().err


def _conninfo(backend: BackendProcess) -> str:
    options: list[str] = backend._options
    url = next(option for option in options if option.startswith("--database-url="))
    return url.removeprefix("--database-url=").replace("+psycopg", "")


def test_every_key_is_made_before_there_are_several_processes(tmp_path: Path) -> None:
    """Each would make its own, and the one certificate be put beside all of them."""
    data = DataDir(tmp_path / "data")
    data.create()
    authority = open_authority(data, utc(system_utc_s()))
    files = set(data.root.iterdir())
    ServerCertificate(data, authority, system_utc_s)
    ServerTls(data)
    assert {path.name for path in set(data.root.iterdir()) - files} == {"tls.pem"}
