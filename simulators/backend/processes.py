"""Several processes on one PostgreSQL database: a parent that holds the sockets, workers that serve on them.

Each worker has listening sockets of its own on the same ports; the parent keeps every one of them open, so that what
waits to be accepted by a worker that died is accepted by its replacement. A worker ends when its standard input does:
no worker outlives a parent that was killed.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from simulators.backend import metrics
from simulators.backend.children import Child, Children, collect_rarely, order_of_parent, run, spawn
from simulators.backend.clock import system_utc_s
from simulators.backend.database import Database
from simulators.backend.files import DataDir
from simulators.backend.server import Ready, Sockets, bind, listen, only_server, prepare
from simulators.personas import Persona

MAX_PROCESSES: Final = 64


async def serve_several(
    data: DataDir,
    *,
    processes: int,
    fronts: int,
    database_url: str | None,
    stop: asyncio.Event,
    on_ready: Callable[[Ready], None],
    port: int = 0,
    enrol_port: int = 0,
    ops_port: int | None = None,
    personas: Iterable[Persona] | None = None,
) -> None:
    """As `server.serve`, by this many workers with `fronts` each; `on_ready` once all of them are.

    SQLite is for one worker. Raises as it does, and ChildProcessError when one of them cannot serve.
    """
    with only_server(data), tempfile.TemporaryDirectory(prefix="kiosk-metrics-") as numbers:
        database = Database(database_url or data.database)
        try:
            certificate = prepare(data, database, system_utc_s, personas)
        finally:
            database.close()
        bound = bind(data, port, enrol_port, ops_port, processes=processes)
        environment = {**os.environ, metrics.MULTIPROCESS_VARIABLE: numbers}

        def worker(sockets: Sockets) -> Child:
            descriptors = [sock.fileno() for sock in sockets]
            order = {"data": str(data.root), "database_url": database_url, "fronts": fronts, "sockets": descriptors}
            return Child("worker", lambda: spawn("simulators.backend.processes", order, descriptors, environment))

        workers = Children(map(worker, bound))
        try:
            await workers.start()
            on_ready(bound[0].ready(data))
            with certificate.kept():
                await stop.wait()
            await workers.drain()
        finally:
            workers.kill()
            for sockets in bound:
                for sock in sockets:
                    sock.close()
            data.admin_socket.unlink(missing_ok=True)


async def _work() -> None:
    stop = asyncio.Event()
    order = order_of_parent(stop)
    signed, enrol, admin, *ops = (socket.socket(fileno=number) for number in order["sockets"])
    data = DataDir(Path(order["data"]))
    database = Database(order["database_url"] or data.database)

    def say_ready(ready: Ready) -> None:
        collect_rarely()
        print(ready.to_json(), flush=True)

    try:
        await listen(
            data,
            database,
            Sockets(signed, enrol, admin, ops[0] if ops else None),
            stop=stop,
            on_ready=say_ready,
            fronts=order["fronts"],
        )
    finally:
        database.close()


if __name__ == "__main__":
    run(_work())
