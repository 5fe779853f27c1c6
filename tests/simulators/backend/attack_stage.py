"""The attack matrix against the running server: raw bytes over TLS, and what each message has left in the database."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Executable, select

from kiosk.sync.messages import Refused, SignedRequest
from kiosk.sync.signature import verify_response
from simulators.backend import app as signed_app
from simulators.backend import in_thread, schema
from simulators.backend.authority import open_authority
from simulators.backend.clock import utc as moment
from simulators.backend.database import Database
from simulators.backend.files import DataDir
from simulators.backend.server import Ready
from tests.simulators.backend.kiosk_side import FakeUtc, enrolled
from tests.sync.attacks import DIGEST, SIGNATURE, Scene
from tests.sync.rfc9421 import Message

LIMIT_S = 10.0
CLOSED = 0  # in place of a status: the connection ended without an answer
WRITING = re.compile(r"\s*(?:INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER)\b", re.IGNORECASE)
Rows = dict[str, set[tuple[Any, ...]]]


@dataclass(frozen=True)
class Heard:
    """What came back: status, header pairs, body."""

    status: int
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    @property
    def is_signed(self) -> bool:
        return any(name.lower().startswith(b"signature") for name, _ in self.headers)


def wire(message: Message) -> bytes:
    """The request as bytes, exactly as its parts say."""
    lines = [message.method.encode("ascii") + b" " + message.target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in message.headers]
    return b"\r\n".join([*lines, b"", b""]) + message.body


@contextmanager
def connected(origin: str, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Iterator[ssl.SSLSocket]:
    """A TLS connection of its own, trying to resume `session`."""
    host, _, port = origin.removeprefix("https://").partition(":")
    with (
        socket.create_connection((host, int(port)), LIMIT_S) as plain,
        context.wrap_socket(plain, server_hostname=host, session=session) as tls,
    ):
        yield tls


class Ears:
    """Answers of one connection, in order."""

    def __init__(self, tls: ssl.SSLSocket) -> None:
        self._stream = tls.makefile("rb")

    def makefile(self, _mode: str) -> Any:
        """What the parser asks a socket for; each answer is read from the same stream."""
        return _Unclosed(self._stream)

    def hear(self) -> Heard:
        """The next answer, or that the connection has ended."""
        response = http.client.HTTPResponse(self)  # type: ignore[arg-type]  # it asks for `makefile` only
        try:
            response.begin()
            body = response.read()
        except (http.client.HTTPException, ConnectionError, ssl.SSLError):
            return Heard(CLOSED)
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.getheaders()]
        return Heard(response.status, fields, body)


class _Unclosed:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        """The stream goes on."""


def speak(origin: str, context: ssl.SSLContext, raw: bytes, answers: int = 1) -> list[Heard]:
    """Send these bytes on a connection of their own; the first answers."""
    with connected(origin, context) as tls:
        with suppress(ConnectionError, ssl.SSLError):  # ended while we still send: what it said is to be read
            tls.sendall(raw)
        ears = Ears(tls)
        return [ears.hear() for _ in range(answers)]


class Stage:
    """A backend with two enrolled kiosks, the server's log, and a trace of every statement in its database."""

    def __init__(self, data_dir: Path, state_dir: Path, utc: FakeUtc, opened: list[Database]) -> None:
        self.utc = utc
        self.log: list[dict[str, Any]] = []
        self.written: list[str] = []
        self._data_dir = data_dir
        self._opened = opened
        self._running = ExitStack()
        self.ready = self._start()
        self.own = enrolled(data_dir, self.ready, utc, state_dir / "own", kiosk="borne-0001")
        self.other = enrolled(data_dir, self.ready, utc, state_dir / "other", kiosk="borne-0002")
        self.stranger = ssl.create_default_context(cafile=self.ready.ca_file)
        self.start_s = utc.now_s
        self.scene = Scene(
            self.own.identity.trust.origin,
            utc.now_s,
            self.own.identity.signing_key,
            self.other.identity.signing_key,
            open_authority(DataDir(data_dir), moment(utc.now_s)).server_key,
        )

    def _start(self) -> Ready:
        ready = self._running.enter_context(in_thread(self._data_dir, self.utc))
        self.database.run(self._trace)
        return ready

    def _trace(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(
            lambda statement: self.written.append(statement) if WRITING.match(statement) else None
        )

    @property
    def database(self) -> Database:
        """That of the backend which runs now."""
        return self._opened[-1]

    @property
    def origin(self) -> str:
        return self.scene.origin

    def restart(self) -> None:
        """End the backend; start it again on the same directory."""
        self._running.close()
        assert self._start() == self.ready

    def close(self) -> None:
        self._running.close()

    def tls(self, whose: str) -> ssl.SSLContext:
        return {"own": self.own.tls, "other": self.other.tls, "none": self.stranger}[whose]

    def send(self, message: Message, tls: str = "own") -> Heard:
        """One message on a connection of its own."""
        return speak(self.origin, self.tls(tls), wire(message))[0]

    def quiet(self) -> list[str]:
        """Writing statements since the last call, once all that was asked of the database is done."""
        self.database.run(lambda _: None)
        found, self.written[:] = list(self.written), []
        return found

    def changes(self) -> int:
        """Rows inserted, changed or deleted since the backend opened its file."""
        return int(self.database.run(lambda c: c.exec_driver_sql("SELECT total_changes()").scalar_one()))

    def rows(self) -> Rows:
        """Every row of every table."""

        def read(connection: Connection) -> Rows:
            return {
                name: {tuple(row) for row in connection.execute(select(table))}
                for name, table in schema.metadata.tables.items()
            }

        return self.database.run(read)

    def execute(self, statement: Executable) -> None:
        """Change something behind the backend's back."""
        self.database.run(lambda connection: connection.execute(statement))

    def proven(self, message: Message, heard: Heard) -> dict[str, Any]:
        """The JSON of an answer that is signed for this message."""
        sent = SignedRequest(
            self.origin + message.target.decode("ascii"),
            (),
            message.value(DIGEST).decode("ascii"),
            message.value(SIGNATURE).decode("ascii").removeprefix("sig1="),
        )
        result = verify_response(
            sent,
            status=heard.status,
            headers=heard.headers,
            body=heard.body,
            server_keys=self.own.identity.trust.server_keys,
            floor_s=0,
        )
        assert not isinstance(result, Refused), (heard.status, result)
        body: dict[str, Any] = json.loads(result.body)
        return body


def changed(before: Rows, after: Rows) -> dict[str, tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]]:
    """Table → rows gone, rows new; tables that are as before are left out."""
    return {
        name: (before[name] - after[name], after[name] - before[name]) for name in before if before[name] != after[name]
    }


@contextmanager
def staged(data_dir: Path, state_dir: Path, utc: FakeUtc) -> Iterator[Stage]:
    """A running stage. The server's log lines are collected; its databases are seen as they open."""
    opened: list[Database] = []
    create: Callable[..., None] = Database.__init__

    def remember(self: Database, where: Path | str) -> None:
        create(self, where)
        if isinstance(where, Path) and where.is_relative_to(data_dir):  # stages may be open at the same time
            opened.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "__init__", remember)
        stage = Stage(data_dir, state_dir, utc, opened)
        patch.setattr(signed_app, "log", lambda event, **fields: stage.log.append({"event": event, **fields}))
        try:
            yield stage
        finally:
            stage.close()
