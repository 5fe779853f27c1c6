"""The backend without a network: its own verification, its one transaction, its signature, on a database file."""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

from kiosk.sync.keys import SoftwareKey
from kiosk.sync.messages import Refused, RequestHead
from kiosk.sync.profile import KeyRecord
from kiosk.sync.signature import sign_response, verify_request
from kiosk.visit.policy import Quarantine, SiteKind
from kiosk.visit.ports import SigningKey
from simulators.backend import schema
from simulators.backend.authority import Authority, open_authority
from simulators.backend.books import parse, routes
from simulators.backend.bulk import together
from simulators.backend.engines import open_engine
from simulators.backend.exchange import request_of
from simulators.backend.files import DataDir
from tests.sync.rfc9421 import Answer, Message
from tests.sync.support import record

WRITING = re.compile(r"(INSERT|UPDATE|DELETE)(?: INTO| FROM)? (\w+)")


class ServerDiedError(Exception):
    """The process ended before it could answer."""


@dataclass(frozen=True)
class Enrolled:
    """A kiosk the server knows."""

    name: str
    key: SigningKey


def new_authority(directory: Path) -> Authority:
    """Keys of a backend; costly, so made once for many servers."""
    return open_authority(DataDir(directory), dt.datetime(2026, 11, 1, tzinfo=dt.UTC))


@cache
def _empty_database() -> bytes:
    """A file as the first start leaves it: made once, since it costs every table of every version."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "empty.db"
        open_engine(file).dispose()
        return file.read_bytes()


class Server:
    """One backend. `now_s` is its clock; `writes`: its writing statements, verb and table."""

    def __init__(self, file: Path, authority: Authority, origin: str, now_s: int, kiosks: tuple[Enrolled, ...]) -> None:
        self.file, self.authority, self.origin, self.now_s = file, authority, origin, now_s
        self._routes = routes(authority)
        file.write_bytes(_empty_database())
        self._start()
        with self._engine.begin() as connection:
            for kiosk in kiosks:
                connection.execute(
                    insert(schema.kiosk).values(
                        id=kiosk.name,
                        site_kind=str(SiteKind.AGENCY),
                        quarantine=str(Quarantine.NONE),
                        last_batch_seq=0,
                        refusals=0,
                    )
                )
                connection.execute(
                    insert(schema.kiosk_key).values(
                        keyid=kiosk.key.keyid,
                        kiosk=kiosk.name,
                        alg=kiosk.key.alg,
                        spki=kiosk.key.public_spki(),
                        state="active",
                    )
                )
        self.keys: dict[str, KeyRecord] = {kiosk.key.keyid: record(kiosk.key) for kiosk in kiosks}
        self.writes.clear()

    @property
    def server_key(self) -> SoftwareKey:
        """What it signs with."""
        return self.authority.server_key

    def send(self, message: Message, tls: str | None, *, dies: str = "") -> Answer | Refused:
        """One request and its answer. dies: `before_commit`, `after_commit` (raises ServerDiedError), or not."""
        target, _, query = message.target.partition(b"?")
        head = RequestHead(message.method, target if query else message.target, query, message.headers)
        request = verify_request(head, message.body, origin=self.origin, tls_kiosk=tls, find_key=self.keys.get)
        if isinstance(request, Refused):
            return request
        with self._engine.begin() as connection:
            route = self._routes[request.head.path]
            [outcome] = together(connection, [request_of(request, route, parse, self.now_s)])
            if dies == "before_commit":
                raise ServerDiedError
        if dies == "after_commit":
            raise ServerDiedError
        fields = sign_response(self.server_key, request, status=outcome.status, body=outcome.body, created_s=self.now_s)
        headers = tuple((name.encode("ascii"), value.encode("ascii")) for name, value in fields)
        return Answer(outcome.status, headers, outcome.body)

    def restart(self) -> None:
        """Another process on the same file."""
        self.close()
        self._start()

    def close(self) -> None:
        """Give the file up."""
        self._engine.dispose()

    def set_key_state(self, keyid: str, state: str) -> None:
        """What an operator or an enrolment would do."""
        with self._engine.begin() as connection:
            connection.execute(update(schema.kiosk_key).where(schema.kiosk_key.c.keyid == keyid).values(state=state))
        self.writes.clear()

    def rows(self, *columns: Any) -> list[tuple[Any, ...]]:
        """Some columns of a table."""
        with self._engine.begin() as connection:
            return [tuple(row) for row in connection.execute(select(*columns))]

    def _start(self) -> None:
        self._engine = open_engine(self.file)
        self.writes: list[str] = []
        with self._engine.begin() as connection:
            driver: Any = connection.connection.driver_connection  # one for the whole engine
        driver.set_trace_callback(self._note)

    def _note(self, statement: str) -> None:
        if found := WRITING.match(statement):
            self.writes.append(f"{found[1]} {found[2]}")
