"""The reference backend's real transactions, on a database in memory, that may die before or after a commit."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from sqlalchemy import Connection, create_engine, event, select
from sqlalchemy.pool import StaticPool

from kiosk.sync import signature, strict_json
from kiosk.sync.messages import Refused, RequestHead
from kiosk.sync.profile import KeyRecord, register_key
from kiosk.sync.wire import RawAnswer
from kiosk.visit.policy import SiteKind
from simulators.backend import enrolment, renewal, schema
from simulators.backend.authority import Authority, open_authority
from simulators.backend.books import parse, routes
from simulators.backend.bulk import together
from simulators.backend.clock import utc
from simulators.backend.exchange import request_of
from simulators.backend.files import DataDir

KIOSK: Final = "borne-7"
ORIGIN: Final = "https://centre.example:8443"
ENROL_ORIGIN: Final = "https://centre.example:8444"
NOW_S: Final = 1_795_000_000


@dataclass
class WorldClock:
    """One time for everybody, moved by the world."""

    now_s: float = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def utc_s(self) -> float:
        return NOW_S + self.now_s


@functools.cache
def authority() -> Authority:
    """The backend's keys and CA, made once."""
    with tempfile.TemporaryDirectory() as folder:
        data = DataDir(Path(folder) / "backend")
        data.create()
        return open_authority(data, utc(NOW_S))


@functools.cache
def ca_pem() -> bytes:
    """What a kiosk pins."""
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415  once

    return authority().ca_certificate.public_bytes(Encoding.PEM)


class Backend:
    """The reference backend's transactions on a database in memory. `dies`: asked before and after each commit."""

    def __init__(self, clock: WorldClock, dies: Callable[[], bool]) -> None:
        self._clock, self._dies = clock, dies
        self._engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        event.listen(self._engine, "connect", _by_hand)
        event.listen(self._engine, "begin", _begin)
        with self._engine.begin() as connection:
            schema.metadata.create_all(connection)
        self._routes = routes(authority())
        self.order: dict[str, list[int]] = {}  # numbers by aggregate, as commit after commit brought them

    def do(self, work: Callable[[Connection], Any]) -> Any:
        """A transaction of an operator, who does not die."""
        with self._engine.begin() as connection:
            return work(connection)

    def close(self) -> None:
        """Forget everything."""
        self._engine.dispose()

    def now_s(self) -> int:
        """Its wall clock."""
        return int(self._clock.utc_s())

    def ticket(self) -> str:
        """A new one-time ticket."""
        work = functools.partial(
            enrolment.create_ticket,
            authority=authority(),
            kiosk=KIOSK,
            site_kind=SiteKind.AGENCY,
            now_s=self.now_s(),
        )
        return str(self.do(work))

    def answer(self, method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes) -> RawAnswer | None:
        """What it says, or None when it has died over it. The client certificate is taken to be the kiosk's."""
        fields = dict(headers)
        if url.startswith(ENROL_ORIGIN):
            if method == "GET":
                return RawAnswer(200, [], strict_json.encode(enrolment.trust_bundle(authority(), ORIGIN)))
            text = enrolment.read_basic(fields["authorization"])
            assert text is not None
            return self._issued(lambda connection: enrolment.enrol(connection, authority(), text, body, self.now_s()))
        path = url.removeprefix(ORIGIN)
        if path.startswith("/.well-known/est/"):
            return self._issued(lambda connection: renewal.reenrol(connection, authority(), body, KIOSK, self.now_s()))
        return self._signed(path, headers, body)

    def _issued(self, work: Callable[[Connection], enrolment.Enrolled | enrolment.Refused]) -> RawAnswer | None:
        result = self._transact(work)
        if result is None:
            return None
        if isinstance(result, enrolment.Refused):
            return RawAnswer(result.status, [], b"")
        certificate = x509.load_der_x509_certificate(result.certificate_der)
        generation = result.record.keyid.partition("/")[2].encode("ascii")
        return RawAnswer(200, [(b"kiosk-generation", generation)], enrolment.certs_only([certificate]))

    def _signed(self, path: str, headers: tuple[tuple[str, str], ...], body: bytes) -> RawAnswer | None:
        raw = [(b"host", ORIGIN.removeprefix("https://").encode()), *((n.encode(), v.encode()) for n, v in headers)]
        head = RequestHead("POST", path.encode(), b"", raw)
        request = signature.verify_request(head, body, origin=ORIGIN, tls_kiosk=KIOSK, find_key=self._find_key)
        if isinstance(request, Refused):
            return RawAnswer(request.http_status, [], b"")
        outcome = self._transact(
            lambda connection: together(connection, [request_of(request, self._routes[path], parse, self.now_s())])[0]
        )
        if outcome is None:
            return None
        answered = signature.sign_response(
            authority().server_key, request, status=outcome.status, body=outcome.body, created_s=self.now_s()
        )
        return RawAnswer(outcome.status, [(n.encode(), v.encode()) for n, v in answered], outcome.body)

    def _transact(self, work: Callable[[Connection], Any]) -> Any:
        """None: it died, before the commit (nothing happened) or after it (all of it did)."""
        with self._engine.connect() as connection:
            transaction = connection.begin()
            result = work(connection)
            if self._dies():
                transaction.rollback()
                return None
            transaction.commit()
        for aggregate, number, _, _ in sorted(self.applied()):
            if number not in self.order.setdefault(aggregate, []):
                self.order[aggregate].append(number)
        return None if self._dies() else result

    def _find_key(self, keyid: str) -> KeyRecord | None:
        keys = schema.kiosk_key.c
        row = self.do(
            lambda connection: connection.execute(select(keys.alg, keys.spki).where(keys.keyid == keyid)).first()
        )
        if row is None:
            return None
        record = register_key(keyid, row.alg, row.spki)
        return record if isinstance(record, KeyRecord) else None

    def applied(self) -> list[tuple[str, int, str, str]]:
        """(aggregate, number, type, body) of every event that took effect."""
        table = schema.event.c
        statement = select(table.aggregate, table.aggregate_seq, table.type, table.body_json)
        rows = self.do(lambda connection: connection.execute(statement).all())
        return [(row.aggregate, row.aggregate_seq, row.type, row.body_json) for row in rows]


def _by_hand(connection: Any, _record: object) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
