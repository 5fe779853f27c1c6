"""One listening socket with an ASGI application behind it: opened, and drained at the end."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, Final

import uvicorn
from uvicorn.server import ServerState

from simulators.backend.http_protocol import HEADER_LIMIT_S, BackendHttpProtocol
from simulators.backend.metrics import Metrics

KEEP_ALIVE_S: Final = 75
DRAIN_LIMIT_S: Final = 5.0
BACKLOG: Final = 256


class Listener:
    """Opened with `open`."""

    def __init__(self, server: asyncio.Server, state: ServerState) -> None:
        self._server, self._state = server, state

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
        server = await loop.create_server(
            lambda: BackendHttpProtocol(config, state, {"metrics": metrics}, loop),
            sock=sock,
            backlog=BACKLOG,
            ssl=context,
            ssl_handshake_timeout=HEADER_LIMIT_S if context else None,
            ssl_shutdown_timeout=1.0 if context else None,
        )
        return cls(server, state)

    async def drain(self) -> None:
        """Accept nobody, finish the requests at hand, DRAIN_LIMIT_S at most."""
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=DRAIN_LIMIT_S)
