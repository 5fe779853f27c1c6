"""Composition of the backend: files, keys, database, two TLS listeners and the operator's socket in one event loop."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from uvicorn.server import ServerState

from simulators.backend.admin import serve_admin
from simulators.backend.app import SignedApp
from simulators.backend.authority import open_authority, server_contexts
from simulators.backend.cards import all_personas, seed
from simulators.backend.clock import UtcSeconds, system_utc_s, utc
from simulators.backend.database import Database
from simulators.backend.enrol_app import EnrolApp
from simulators.backend.files import DataDir, write_private
from simulators.backend.http_protocol import HEADER_LIMIT_S, BackendHttpProtocol
from simulators.backend.registry import KeyRegistry
from simulators.personas import Persona

HOST: Final = "127.0.0.1"
KEEP_ALIVE_S: Final = 75
DRAIN_LIMIT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Ready:
    """What a started backend tells the world."""

    origin: str
    enrol_origin: str
    ca_file: str

    def to_json(self) -> str:
        """The one line on stdout."""
        return json.dumps({"origin": self.origin, "enrol_origin": self.enrol_origin, "ca_file": self.ca_file})


async def serve(
    data: DataDir,
    *,
    stop: asyncio.Event,
    on_ready: Callable[[Ready], None],
    port: int = 0,
    enrol_port: int = 0,
    utc_s: UtcSeconds = system_utc_s,
    personas: Iterable[Persona] | None = None,
) -> None:
    """Run until `stop` is set, then finish the requests at hand (5 s at most).

    port 0: the port of the last start in this directory, so that the origin stays; any free one at the first
    start. personas: who fills an empty centre, by default all that are committed.
    Raises DatabaseInUse when another server holds the directory, OSError when a port is taken.
    """
    data.create()
    database = Database(data.database)
    try:
        now_s = utc_s()
        authority = open_authority(data, utc(now_s))
        database.run(lambda connection: seed(connection, all_personas() if personas is None else personas, now_s))
        registry = KeyRegistry()
        database.run(registry.load)
        sockets = _bind(data, port, enrol_port)
        origin, enrol_origin = (f"https://{HOST}:{sock.getsockname()[1]}" for sock in sockets)
        apps = (
            SignedApp(database, authority, registry, origin, utc_s),
            EnrolApp(database, authority, registry, origin, utc_s),
        )
        # The certificate is judged by the machines' own clocks, whatever a test tells the application.
        contexts = server_contexts(data, authority, utc(system_utc_s()))
        state = ServerState()
        servers = [
            await _listen(app, sock, context, state) for app, sock, context in zip(apps, sockets, contexts, strict=True)
        ]
        servers.append(await serve_admin(data, database, authority, utc_s))
        on_ready(Ready(origin, enrol_origin, str(data.ca_file.resolve())))
        await stop.wait()
        await _drain(servers, state)
        data.admin_socket.unlink(missing_ok=True)
    finally:
        database.close()


async def _listen(app: Any, sock: socket.socket, context: ssl.SSLContext, state: ServerState) -> asyncio.Server:
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
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: BackendHttpProtocol(config, state, {}, loop),
        sock=sock,
        ssl=context,
        ssl_handshake_timeout=HEADER_LIMIT_S,
        ssl_shutdown_timeout=1.0,
    )


async def _drain(servers: list[asyncio.Server], state: ServerState) -> None:
    for server in servers:
        server.close()
    for connection in list(state.connections):
        connection.shutdown()
    if state.tasks:
        await asyncio.wait(list(state.tasks), timeout=DRAIN_LIMIT_S)


def _bind(data: DataDir, port: int, enrol_port: int) -> tuple[socket.socket, socket.socket]:
    last: dict[str, int] = json.loads(data.ports_file.read_text()) if data.ports_file.exists() else {}
    wanted = (port or last.get("port", 0), enrol_port or last.get("enrol_port", 0))
    sockets: list[socket.socket] = []
    try:
        for number in wanted:
            # The protocol number matters: asyncio switches Nagle's algorithm off (40 ms a call) only where it is named.
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            sockets.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((HOST, number))
            sock.setblocking(False)
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    signed, enrol = sockets
    ports = {"port": signed.getsockname()[1], "enrol_port": enrol.getsockname()[1]}
    if ports != last:
        write_private(data.ports_file, json.dumps(ports).encode())
    return signed, enrol
