"""The way from a command to the database: through the running server's Unix socket (0600), or directly when none runs.

The socket is reached as `/proc/self/fd/<directory>/admin.sock`: a Unix socket path has 107 bytes at most, a data
directory's path may be longer.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection

from simulators.backend import operator
from simulators.backend.authority import Authority, open_authority
from simulators.backend.clock import UtcSeconds, system_utc_s, utc
from simulators.backend.database import Database, DatabaseBusy
from simulators.backend.files import DataDir
from simulators.backend.operator import OperatorError
from simulators.backend.ownership import claim

MAX_COMMAND_BYTES: Final = 64 * 1024
ANSWER_LIMIT_S: Final = 10.0
NO_DATABASE: Final = "database-url: missing; the backend of this directory has never used its SQLite file"


def bind_admin(data: DataDir) -> socket.socket:
    """The listening Unix socket of a data directory, in place of one that a killed server has left."""
    with suppress(FileNotFoundError):
        data.admin_socket.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _short_path(data) as path:
        listener.bind(path)
    data.admin_socket.chmod(0o600)  # the directory is 0700 already
    listener.listen()
    listener.setblocking(False)
    return listener


async def serve_admin(
    listener: socket.socket,
    database: Database,
    authority: Authority,
    utc_s: UtcSeconds,
    on_done: Callable[[], Awaitable[None]],
) -> asyncio.Server:
    """Serve the operator's socket; one JSON line in, one out. `on_done` is awaited before the answer, if it can be."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            command = json.loads(await asyncio.wait_for(reader.readline(), ANSWER_LIMIT_S))
            now_s = utc_s()
            result = await asyncio.wrap_future(
                database.submit(lambda connection: operator.perform(connection, authority, command, now_s))
            )
            with suppress(DatabaseBusy, OSError):  # it is done; whoever is to hear of it looks again by himself
                await on_done()
        except (OperatorError, ValueError, KeyError, TimeoutError) as error:
            result = {"error": str(error)}
        except DatabaseBusy as busy:
            result = {"error": _not_now(busy)}
        except Exception as error:  # noqa: BLE001  # a command of another form, or a bug: who asked waits for a line
            result = {"error": f"not done: {type(error).__name__}"}
        with suppress(ConnectionError):
            writer.write(json.dumps(result).encode() + b"\n")
            await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(handle, sock=listener, limit=MAX_COMMAND_BYTES)


def command(data: DataDir, request: Mapping[str, Any], database_url: str | None = None) -> dict[str, Any]:
    """Have one operator command done, whether the server runs or not; raises OperatorError, OtherCentreError."""
    result = _through_server(data, request)
    if result is None:
        data.create()
        if database_url is None and data.has_database_elsewhere:
            raise OperatorError(NO_DATABASE)
        database = Database(database_url or data.database)
        try:
            authority = open_authority(data, utc(system_utc_s()))

            def work(connection: Connection) -> dict[str, Any]:
                claim(connection, authority)
                return operator.perform(connection, authority, request, system_utc_s())

            return database.run(work)
        except DatabaseBusy as busy:
            raise OperatorError(_not_now(busy)) from busy
        finally:
            database.close()
    if "error" in result:
        raise OperatorError(result["error"])
    return result


def _through_server(data: DataDir, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The server's answer, or None when no server runs on this directory."""
    if not data.admin_socket.exists():
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, _short_path(data) as path:
        connection.settimeout(ANSWER_LIMIT_S)
        try:
            connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
        except (ConnectionRefusedError, FileNotFoundError):
            return None  # left behind by a server that was killed, or ended just now
        except TimeoutError:
            raise OperatorError("data: the server has not answered; whether it was done is not known") from None
        except ConnectionError:
            line = b""
        if not line.endswith(b"\n"):
            raise OperatorError("data: the server ended before it answered; ask again")
        return dict(json.loads(line))


def _not_now(busy: DatabaseBusy) -> str:
    """In the engine's own words, on one line."""
    told = getattr(busy.__cause__, "orig", busy.__cause__ or busy)
    return f"database: nothing was done: {str(told).partition(chr(10))[0]}"


@contextmanager
def _short_path(data: DataDir) -> Iterator[str]:
    directory = os.open(data.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{data.admin_socket.name}"
    finally:
        os.close(directory)
