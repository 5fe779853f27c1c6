"""Processes below this one: started with an order, replaced whenever they end, ended with their parent.

A child reads its order from the first line of standard input, says on standard output in one line when it serves, and
ends when its standard input does: none outlives a parent that was killed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final

import uvloop

from simulators.backend import metrics
from simulators.backend.database import DatabaseBusy, DatabaseUnusableError, DatabaseVersionError
from simulators.backend.listener import DRAIN_LIMIT_S
from simulators.backend.log import log, tell_of_libraries

STOP_LIMIT_S: Final = DRAIN_LIMIT_S + 5.0
COLLECT_AFTER: Final = (50_000, 20, 20)
"""New objects before the youngest generation is looked at, then collections of each before the next."""
RESTART_PAUSE_S: Final = 1.0
"""Before a child that could not even start is tried again."""


async def spawn(
    module: str,
    order: Mapping[str, Any],
    descriptors: Sequence[int],
    environment: Mapping[str, str] | None = None,
) -> Process:
    """A child that runs `module` and inherits the descriptors under their numbers."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=descriptors,
        env=environment,
        start_new_session=True,  # Ctrl-C is for the parent
    )
    assert process.stdin is not None  # noqa: S101  # asked for with PIPE
    process.stdin.write(json.dumps(order).encode() + b"\n")  # not an argument: a URL may hold a password
    return process


def order_of_parent(stop: asyncio.Event) -> dict[str, Any]:
    """In a child, in its loop: its order; `stop` is set when it must end."""
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin.fileno(), stop.set)  # its end: nothing more is ever written to it
    return order


def run(main: Coroutine[Any, Any, None]) -> None:
    """A child's whole life. What can go wrong outside of it is one line on stderr."""
    os.umask(0o077)
    tell_of_libraries()
    try:
        uvloop.run(main)
    except (DatabaseBusy, DatabaseUnusableError, DatabaseVersionError, OSError) as error:
        sys.exit(f"simulators.backend: {error}")


def collect_rarely() -> None:
    """In a child that is ready to serve: what it has loaded is never looked at again for garbage, the rest seldom.

    A full collection stops every request for as long as it looks at modules and connections: measured, p99 50 → 24 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


class Child:
    """One process and its replacements."""

    def __init__(self, name: str, begin: Callable[[], Awaitable[Process]]) -> None:
        """`begin` spawns one; `name` is for the log."""
        self._name, self._begin = name, begin
        self._process: Process | None = None

    async def start(self) -> str:
        """Start and wait until it serves; why it does not, or nothing."""
        try:
            process = await self._begin()
        except OSError as error:  # no descriptor or no memory is left
            return f"{self._name}: not started, {error.strerror}"
        self._process = process
        assert process.stdout is not None  # noqa: S101  # asked for with PIPE
        if await process.stdout.readline():
            return ""
        return f"{self._name}: ended before it served, status {await process.wait()}"

    async def keep(self, stop: asyncio.Event) -> None:
        """Replace it whenever it ends, until `stop`; then let it finish what it has begun."""
        stopping = asyncio.create_task(stop.wait())
        while True:
            process = self._process
            assert process is not None  # noqa: S101  # started before
            ended = asyncio.create_task(process.wait())
            await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                if process.returncode is None:
                    process.terminate()
                await asyncio.wait((ended,), timeout=STOP_LIMIT_S)
                return
            metrics.forget_process(process.pid)
            log(f"{self._name} ended", status=process.returncode)
            while (problem := await self.start()) and not stop.is_set():
                log("not replaced", detail=problem)
                await asyncio.wait((stopping,), timeout=RESTART_PAUSE_S)

    def kill(self) -> None:
        """Whatever happened: it does not stay."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


class Children:
    """Several, until `stop`."""

    def __init__(self, children: Iterable[Child]) -> None:
        self._children = list(children)
        self._stop = asyncio.Event()
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """All serve; whichever ends from now on is replaced.

        If one cannot, none stays: raises ChildProcessError. What cannot even start needs whoever starts it, and who
        is told "ready" may count on it.
        """
        problems = await asyncio.gather(*(child.start() for child in self._children))
        for problem in filter(None, problems):
            self.kill()
            raise ChildProcessError(problem)
        self._keepers = [asyncio.create_task(child.keep(self._stop)) for child in self._children]

    async def drain(self) -> None:
        """Each finishes what it has begun."""
        self._stop.set()
        await asyncio.gather(*self._keepers)

    def kill(self) -> None:
        """Whatever happened: none stays."""
        for child in self._children:
            child.kill()
