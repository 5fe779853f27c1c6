"""Whole small runs on both engines: the report's numbers are the database's."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from sqlalchemy import create_engine, func, select

from simulators.backend import schema
from simulators.backend.ownership import OtherCentreError
from simulators.backend.private_postgres import private_postgres
from simulators.fleet.plan import RETURN_EVENTS, Plan, Scenario
from simulators.fleet.progress import Progress
from simulators.fleet.report import figures, write
from simulators.fleet.result import POSTGRESQL, SQLITE, Result
from simulators.fleet.run import RunFailed, Where, _tell, _told, run
from simulators.fleet.usage import kill_tree

KIOSKS = 20
LIMIT_S = 120


def _silent() -> Progress:
    return Progress(io.StringIO(), 80)


def _is_sound(result: Result) -> None:
    """What holds of every run, however busy the machine is; only how fast it was is not asked."""
    assert result.check.is_good, result.check
    made = sum(result.plan.life(number, 60).events for number in range(KIOSKS))
    assert result.made == result.check.acknowledged == result.check.applied == made
    assert result.moments[-1].waiting == 0
    assert [moment.at_s for moment in result.moments] == sorted(moment.at_s for moment in result.moments)
    requests = result.tally.requests
    assert requests["/v1/events"] + result.tally.lost_answers == len(result.tally.seconds["events"])
    assert requests["/v1/policy/state"] == len(result.tally.seconds["policy"])
    assert 0 < len(result.tally.seconds["handshake"]) <= requests.total() + result.tally.failures.total() + 1
    assert result.cost.backend_cpu_s > 0
    assert result.cost.fleet_cpu_s > 0


def test_a_day_on_sqlite(tmp_path: Path) -> None:
    result = run(Plan(Scenario.DAY, KIOSKS, 0.05, 1), Where(None, None), _silent())
    _is_sound(result)
    assert (result.engine, result.backend_processes) == (SQLITE, 1 + result.cores)
    page = write(result, tmp_path)
    numbers = json.loads((tmp_path / "fleet-day.json").read_text())
    assert numbers == json.loads(json.dumps(figures(result)))
    assert numbers["events"]["applied"] == result.made
    assert numbers["requests"]["answered"] == result.tally.requests.total()
    assert f"{result.made} made, {result.made} acknowledged, {result.made} applied, 0 gaps" in page.read_text()
    with Image.open(tmp_path / "fleet-day.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500


def test_an_outage_and_its_return_on_postgresql() -> None:
    with private_postgres() as postgres:
        url = postgres.new_database()
        plan = Plan(Scenario.OUTAGE, KIOSKS, 0.05, 2)
        result = run(plan, Where(url, postgres.pid), _silent())
        _is_sound(result)
        assert result.engine == POSTGRESQL
        assert result.made == KIOSKS * RETURN_EVENTS
        assert result.tally.failures, "nobody noticed that the backend was away"
        assert plan.killed_s is not None
        assert result.back_s > plan.killed_s
        assert result.cost.database_cpu_s is not None
        assert result.cost.database_cpu_s > 0
        engine = create_engine(url)
        with engine.connect() as connection:
            events = connection.execute(select(func.count()).select_from(schema.event)).scalar_one()
            batches = connection.execute(
                select(func.count()).where(schema.response.c.batch_seq.is_not(None))
            ).scalar_one()
        engine.dispose()
        assert events == result.made
        # Every batch was answered at least once; those of the answers that were lost, more than once.
        assert batches <= result.tally.requests["/v1/events"] + result.tally.lost_answers
        with pytest.raises(OtherCentreError):
            run(plan, Where(url, postgres.pid), _silent())


@contextmanager
def _started(tmp_path: Path) -> Iterator[psutil.Popen]:
    """A run from the command line, in a session of its own, from when its kiosks are being made; killed if need be."""
    command = ["-m", "simulators.fleet", "--kiosks=20", "--minutes=60", "--sqlite", f"--out={tmp_path}"]
    with psutil.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            end_s = time.monotonic() + LIMIT_S
            while len(_children(process)) < 2:
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < end_s
                time.sleep(0.01)  # that a process has got children tells nobody
            yield process
        finally:
            if process.poll() is None:
                kill_tree(process.pid)


def _children(process: psutil.Popen) -> dict[str, psutil.Process]:
    """The backend and the process of kiosks, once they are there."""
    found = {}
    for child in process.children():
        arguments = child.cmdline()
        if "simulators.backend" in arguments:
            found["backend"] = child
        elif any("spawn_main" in argument for argument in arguments):
            found["worker"] = child
    return found


def _blocks(process: psutil.Process, number: signal.Signals) -> bool:
    status = dict(line.split(":\t") for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    return bool(int(status["SigBlk"], 16) >> number - 1 & 1)


@pytest.mark.parametrize(
    ("victim", "said"),
    [
        ("run", "simulators.fleet: interrupted: no report\n"),
        ("worker", "simulators.fleet: a process of the fleet has ended by itself: is there enough memory?\n"),
    ],
    ids=["run", "worker"],
)
def test_a_run_that_cannot_go_on_says_so_in_one_line_and_leaves_nobody(tmp_path: Path, victim: str, said: str) -> None:
    with _started(tmp_path) as process:
        below = process.children(recursive=True)
        deaf = _blocks(_children(process)["worker"], signal.SIGINT)
        if victim == "run":
            os.killpg(process.pid, signal.SIGINT)  # Ctrl-C is for the whole group
        else:
            _children(process)[victim].kill()
        _, error = process.communicate(timeout=LIMIT_S)
        assert deaf, "Ctrl-C while Python starts would end the worker in its own words"
        assert (process.returncode, error) == (1, said)
        assert psutil.wait_procs(below, timeout=LIMIT_S)[1] == []
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("talk", [lambda pipe: _tell(pipe, 1.0), _told], ids=["say", "hear"])
@pytest.mark.parametrize("unread", [False, True])
def test_a_process_that_is_gone_is_told_in_one_line_whatever_was_to_be_said(talk: Any, unread: bool) -> None:
    mine, theirs = multiprocessing.Pipe()
    if unread:
        mine.send(0.0)
    theirs.close()
    with mine, pytest.raises(RunFailed, match="a process of the fleet has ended by itself"):
        talk(mine)


def test_too_many_kiosks_for_the_open_files_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_what: int, _limits: tuple[int, int]) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _what: (100, 1000))
    monkeypatch.setattr(resource, "setrlimit", refused)
    with pytest.raises(RunFailed, match="open files: 525 needed for 20 connections, the limit is 1000"):
        run(Plan(Scenario.DAY, KIOSKS, 0.05, 1), Where(None, None), _silent())
