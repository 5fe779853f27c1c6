"""Several processes on one PostgreSQL database: a parent that holds the sockets, workers that serve on them.

Each worker has listening sockets of its own on the same ports; the parent keeps every one of them open, so that what
waits to be accepted by a worker that died is accepted by its replacement. A worker ends when its standard input does:
no worker outlives a parent that was killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from simulators.backend import metrics
from simulators.backend.clock import system_utc_s
from simulators.backend.database import Database
from simulators.backend.files import DataDir
from simulators.backend.log import log
from simulators.backend.server import DRAIN_LIMIT_S, Ready, Sockets, bind, listen, only_server, prepare
from simulators.personas import Persona

MAX_PROCESSES: Final = 64
STOP_LIMIT_S: Final = DRAIN_LIMIT_S + 5.0
RESTART_PAUSE_S: Final = 1.0
"""Before a worker that could not even start is tried again."""


async def serve_several(
    data: DataDir,
    *,
    processes: int,
    database_url: str,
    stop: asyncio.Event,
    on_ready: Callable[[Ready], None],
    port: int = 0,
    enrol_port: int = 0,
    ops_port: int | None = None,
    personas: Iterable[Persona] | None = None,
) -> None:
    """As `server.serve`, by this many workers; `on_ready` once all of them are. Needs PostgreSQL."""
    with only_server(data), tempfile.TemporaryDirectory(prefix="kiosk-metrics-") as numbers:
        database = Database(database_url)
        try:
            prepare(data, database, system_utc_s, personas)
        finally:
            database.close()
        bound = bind(data, port, enrol_port, ops_port, processes=processes)
        environment = {**os.environ, metrics.MULTIPROCESS_VARIABLE: numbers}
        workers = [_Worker(data, database_url, sockets, environment) for sockets in bound]
        try:
            await asyncio.gather(*(worker.start() for worker in workers))
            keepers = [asyncio.create_task(worker.keep(stop)) for worker in workers]
            on_ready(bound[0].ready(data))
            await stop.wait()
            await asyncio.gather(*keepers)
        finally:
            for worker in workers:
                worker.kill()
            for sockets in bound:
                for sock in sockets:
                    sock.close()
            data.admin_socket.unlink(missing_ok=True)


class _Worker:
    """One process and its replacements."""

    def __init__(self, data: DataDir, database_url: str, sockets: Sockets, environment: dict[str, str]) -> None:
        self._order = json.dumps(
            {"data": str(data.root), "database_url": database_url, "sockets": [sock.fileno() for sock in sockets]}
        )
        self._descriptors = [sock.fileno() for sock in sockets]
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> bool:
        """Start and wait until it serves; False if it ended instead."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "simulators.backend.processes",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self._descriptors,
            env=self._environment,
            start_new_session=True,  # Ctrl-C is for the parent
        )
        self._process = process
        assert process.stdin is not None  # noqa: S101  # asked for with PIPE
        assert process.stdout is not None  # noqa: S101  # asked for with PIPE
        process.stdin.write(self._order.encode() + b"\n")  # not an argument: the URL may hold a password
        return await process.stdout.readline() != b""

    async def keep(self, stop: asyncio.Event) -> None:
        """Replace it whenever it ends, until `stop`; then let it finish what it has begun."""
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            process = self._process
            assert process is not None  # noqa: S101  # started before
            ended = asyncio.create_task(process.wait())
            await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                process.terminate()
                await asyncio.wait((ended,), timeout=STOP_LIMIT_S)
                return
            metrics.forget_process(process.pid)
            log("worker ended", status=process.returncode)
            if not await self.start():
                await asyncio.wait((stopping,), timeout=RESTART_PAUSE_S)

    def kill(self) -> None:
        """Whatever happened: it does not stay."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


def main() -> None:
    """A worker: the order on standard input's first line, one line on standard output when it serves."""
    os.umask(0o077)
    order = json.loads(sys.stdin.readline())
    asyncio.run(_work(order))


async def _work(order: dict[str, Any]) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin.fileno(), stop.set)  # its end: nothing more is ever written to it
    signed, enrol, admin, *ops = (socket.socket(fileno=number) for number in order["sockets"])
    data = DataDir(Path(order["data"]))
    database = Database(order["database_url"])
    try:
        sockets = Sockets(signed, enrol, admin, ops[0] if ops else None)
        await listen(data, database, sockets, stop=stop, on_ready=lambda ready: print(ready.to_json(), flush=True))
    finally:
        database.close()


if __name__ == "__main__":
    main()
