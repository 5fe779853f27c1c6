"""Processes below this one: all serve or none stays; replaced whatever happens; ended when it is time."""

from __future__ import annotations

import asyncio
import os
import subprocess
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators.backend import children, processes
from simulators.backend.__main__ import main
from simulators.backend.children import Child, Children
from simulators.backend.database import DatabaseBusy, DatabaseUnusableError
from tests.simulators.backend.tls_side import WAIT_S

SERVES, FAILS = "echo ready; exec cat", "exit 3"
Begin = Callable[[], Awaitable[Process]]


class Nursery:
    """Begins shells, as ordered; the last order again and again. An error is raised in place of a process."""

    def __init__(self, *orders: str | OSError) -> None:
        self._orders = list(orders)
        self.begun: list[Process] = []

    async def __call__(self) -> Process:
        order = self._orders.pop(0) if len(self._orders) > 1 else self._orders[0]
        if isinstance(order, OSError):
            raise order
        pipe = subprocess.PIPE
        self.begun.append(await asyncio.create_subprocess_exec("sh", "-c", order, stdin=pipe, stdout=pipe))
        return self.begun[-1]


async def replaced(nursery: Nursery, count: int) -> None:
    while len(nursery.begun) < count:
        await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(children, "RESTART_PAUSE_S", 0.0)
    previous = os.umask(0o022)  # who runs a whole process sets it
    yield
    os.umask(previous)


@pytest.mark.parametrize(
    ("failing", "told"),
    [
        (FAILS, "front: ended before it served, status 3"),
        ("kill -9 $$", "front: ended before it served, status -9"),
        (OSError(24, "Too many open files"), "front: not started, Too many open files"),
    ],
)
def test_if_one_cannot_serve_the_start_fails_and_none_stays(failing: str | OSError, told: str) -> None:
    good = Nursery(SERVES)

    async def live() -> None:
        with pytest.raises(ChildProcessError) as failed:
            await Children([Child("worker", good), Child("front", Nursery(failing))]).start()
        assert str(failed.value) == told
        assert await good.begun[0].wait() == -9

    asyncio.run(asyncio.wait_for(live(), WAIT_S))


@pytest.mark.parametrize("failing", [FAILS, OSError(24, "Too many open files")])
def test_what_has_served_once_is_replaced_however_often_that_fails(
    failing: str | OSError, capsys: pytest.CaptureFixture[str]
) -> None:
    nursery = Nursery(SERVES, failing, failing, SERVES)

    async def live() -> None:
        family = Children([Child("front", nursery)])
        await family.start()
        nursery.begun[0].kill()
        await replaced(nursery, 2 if isinstance(failing, OSError) else 4)
        await family.drain()
        assert nursery.begun[-1].returncode == -15

    asyncio.run(asyncio.wait_for(live(), WAIT_S))
    assert capsys.readouterr().err.count('"event":"not replaced","detail":"front: ') == 2


def test_a_replacement_that_begins_as_the_stop_comes_is_ended_too() -> None:
    nursery = Nursery(SERVES)
    stop = asyncio.Event()

    async def begin() -> Process:
        if nursery.begun:
            stop.set()
        return await nursery()

    async def live() -> None:
        child = Child("front", begin)
        assert await child.start() == ""
        keeper = asyncio.create_task(child.keep(stop))
        nursery.begun[0].kill()
        await keeper
        assert [process.returncode for process in nursery.begun] == [-9, -15]

    asyncio.run(asyncio.wait_for(live(), WAIT_S))


@pytest.mark.parametrize(
    "error",
    [ChildProcessError("front: ended"), DatabaseBusy("OperationalError"), DatabaseUnusableError("database: no")],
)
def test_what_goes_wrong_outside_of_a_child_is_one_line(error: Exception) -> None:
    async def life() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        children.run(life())
    assert ended.value.code == f"simulators.backend: {error}"


def test_a_backend_whose_worker_cannot_serve_ends_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def spawn(*_: Any) -> Process:
        return await Nursery(FAILS)()

    monkeypatch.setattr(processes, "spawn", spawn)
    assert main(["serve", "--data", str(tmp_path / "data"), "--fronts=1"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "simulators.backend: worker: ended before it served, status 3\n"
