"""One listening socket with an ASGI application behind it: opened, and drained at the end."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, Final

import uvicorn
from uvicorn.server import ServerState

from simulators.backend.doorway import Doorway
from simulators.backend.http_protocol import BackendHttpProtocol
from simulators.backend.metrics import Metrics

KEEP_ALIVE_S: Final = 75
DRAIN_LIMIT_S: Final = 5.0
BACKLOG: Final = 4096
"""Connections that wait to be let in, if the kernel's own limit (`net.core.somaxconn`) allows as many: beyond it they
are not refused but dropped, and come again after one second, then two, then four."""


class Listener:
    """Opened with `open`."""

    def __init__(self, doorway: Doorway, state: ServerState) -> None:
        self._doorway, self._state = doorway, state

    @classmethod
    async def open(cls, app: Any, sock: socket.socket, context: ssl.SSLContext | None, metrics: Metrics) -> Listener:
        """Serve `app` on a bound socket, over TLS with a context."""
        config = uvicorn.Config(
            app,
            http=BackendHttpProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        config.load()
        state, loop = ServerState(), asyncio.get_running_loop()
        sock.listen(BACKLOG)
        doorway = Doorway(sock, context, lambda: BackendHttpProtocol(config, state, {"metrics": metrics}, loop))
        return cls(doorway, state)

    async def drain(self) -> None:
        """Accept nobody, finish the requests at hand, DRAIN_LIMIT_S at most."""
        self._doorway.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=DRAIN_LIMIT_S)
