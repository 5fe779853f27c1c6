"""A kiosk and a backend that renew keys: real files, real database, real applications, and no socket between them.

`World.wire` hands each request to the ASGI application; TLS is reduced to what it proves, the kiosk's name and the
dates of its certificate. `World.restart` is what follows a kill: a new process that knows what is on the disk.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Connection, event, select

from kiosk.chores.renewing import Renewing
from kiosk.facts import Facts
from kiosk.sync import enrol as enrol_module
from kiosk.sync.client import Channel
from kiosk.sync.credentials import Credentials
from kiosk.sync.identity import Identities, Identity, load_identities
from kiosk.sync.keys_open import FILE
from kiosk.sync.renewal import RECOVER_ROUTE, REENROLL_ROUTE, Renewal
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.sync.wire import RawAnswer, WireFailure
from kiosk.visit.policy import SiteKind
from simulators.backend import key_life, operator, schema
from simulators.backend.app import SignedApp
from simulators.backend.authority import open_authority
from simulators.backend.books import LocalBooks
from simulators.backend.clock import utc
from simulators.backend.database import Database
from simulators.backend.enrol_app import EnrolApp
from simulators.backend.enrolment import create_ticket
from simulators.backend.files import DataDir
from simulators.backend.metrics import Metrics
from simulators.backend.registry import KeyRegistry

KIOSK = "borne-7"
ORIGIN, ENROL_ORIGIN = "https://centre.example:8443", "https://centre.example:9443"
START_S = 1_795_000_000
DAY_S = 86_400
MAX_STEPS = 500
METRICS = Metrics()
Fault = Callable[[Callable[[], RawAnswer | WireFailure]], RawAnswer | WireFailure]
"""What the network and the server make of one exchange, given how to do it."""


@dataclass
class Clock:
    """Monotonic and wall time that only a test moves."""

    now_s: float = float(START_S)

    def monotonic_s(self) -> float:
        return self.now_s

    def utc_s(self) -> float:
        return self.now_s


@dataclass
class Notes:
    """In place of the journal."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def commit(self, event: str, fields: dict[str, Any]) -> Future[None]:
        self.events.append((event, fields))
        return Future()


class Wire:
    """One exchange at a time with the application behind the origin."""

    def __init__(self, world: World, identity: Identity | None = None) -> None:
        self._world, self._identity = world, identity

    def exchange(
        self, method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes, **_: object
    ) -> RawAnswer | WireFailure:
        world = self._world
        if self._identity is not None and world.clock.now_s > self._identity.certificate_until_s:
            return WireFailure("TLS: certificate expired")

        def do() -> RawAnswer | WireFailure:
            return world.asked(method, url, headers, body)

        world.exchanges.append(url.partition("8443")[2] or url.partition("9443")[2])
        return world.faults.pop(0)(do) if world.faults else do()

    def close(self) -> None:
        """Nothing is held."""


class World:
    """One backend, one kiosk."""

    def __init__(self, folder: Path, key_store: str = FILE, database_url: str | None = None) -> None:
        self.folder, self.key_store = folder, key_store
        self.identity_dir = folder / "kiosk" / "identity"
        self.clock = Clock()
        self.notes = Notes()
        self.faults: list[Fault] = []
        self.exchanges: list[str] = []
        self.fails_before_commit = False
        self.switches = 0
        self.renewed_from = 1
        data = DataDir(folder / "backend")
        data.create()
        self.authority = open_authority(data, utc(START_S))
        self.ca_file = data.ca_file
        self.database = Database(database_url or data.database)
        self.engine = self.database.run(lambda connection: connection.engine)
        registry = KeyRegistry()
        self.database.run(registry.load)
        now_s = lambda: int(self.clock.now_s)  # noqa: E731
        books = LocalBooks(self.database, self.authority, registry, now_s)
        self._signed = SignedApp(books, registry, self.authority.server_key, ORIGIN, now_s)
        self._enrol = EnrolApp(self.database, self.authority, registry, ORIGIN, now_s)

    def close(self) -> None:
        self.database.close()

    # --- the backend ---------------------------------------------------------------------------------------------

    def asked(
        self, method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> RawAnswer | WireFailure:
        """The application's answer; TLS is the caller's concern."""
        signed = url.startswith(ORIGIN)
        app: Any = self._signed if signed else self._enrol
        target = url.removeprefix(ORIGIN).removeprefix(ENROL_ORIGIN).encode()
        host = (ORIGIN if signed else ENROL_ORIGIN).removeprefix("https://").encode()
        raw = [(b"host", host), *((name.encode(), value.encode()) for name, value in headers)]
        if body and not any(name == b"content-length" for name, _ in raw):
            raw.append((b"content-length", str(len(body)).encode()))
        state = {"target": target, "peer_kiosk": KIOSK if signed else None, "metrics": METRICS}
        scope = {"type": "http", "method": method, "headers": raw, "state": state}
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        try:
            asyncio.run(app(scope, receive, send))
        except _ServerDiedError:
            return WireFailure("RemoteProtocolError")
        return RawAnswer(sent[0]["status"], sent[0]["headers"], sent[1]["body"])

    def state_of(self, keyid: str) -> tuple[str, int | None]:
        table = schema.kiosk_key.c
        row = self.database.run(
            lambda connection: connection.execute(select(table.state, table.until_s).where(table.keyid == keyid)).one()
        )
        return row[0], row[1]

    def operate(self, do: str, **values: Any) -> dict[str, Any]:
        command = {"do": do, "kiosk": KIOSK, **values}
        now_s = int(self.clock.now_s)
        return self.database.run(lambda connection: operator.perform(connection, self.authority, command, now_s))

    def alarms(self) -> dict[str, int]:
        return {row["kind"]: row["times"] for row in self.operate("keys")["alarms"]}

    # --- the kiosk -----------------------------------------------------------------------------------------------

    def enrol(self, patched: pytest.MonkeyPatch, identity_dir: Path | None = None) -> None:
        ticket = self.database.run(
            lambda connection: create_ticket(connection, self.authority, KIOSK, SiteKind.AGENCY, int(self.clock.now_s))
        )
        patched.setattr(enrol_module, "Wire", lambda *_: Wire(self))
        done = enrol_module.enrol(
            origin=ENROL_ORIGIN,
            ca_file=self.ca_file,
            ticket_text=ticket,
            state_dir=identity_dir or self.identity_dir,
            kiosk_serial="SN-1",
            key_store=self.key_store,
        )
        assert isinstance(done, Identity), done

    def restart(self, identity_dir: Path | None = None) -> None:
        """A new process: nothing is known but what is on the disk."""
        held = self.loaded(identity_dir)
        self.credentials = Credentials(held.current)
        self.renewal = Renewal(held, "SN-1", open_wire=lambda _context: Wire(self))
        self.time = TimeKeeper(self.clock, keep_floor=lambda _: None)

        def switched() -> None:
            self.switches += 1

        self.chore = Renewing(
            self.renewal,
            self.credentials,
            cast(Facts, self.notes),
            open_channel=self.channel,
            time=self.time,
            clock=self.clock,
            switched=switched,
        )

    def loaded(self, identity_dir: Path | None = None) -> Identities:
        held = load_identities(identity_dir or self.identity_dir, self.key_store)
        assert isinstance(held, Identities), held
        held.key_store.close()  # a kiosk has one; a TPM without its kernel's help has room for three objects
        return held

    def channel(self, keys: Identity | Credentials) -> Channel:
        identity = keys.current if isinstance(keys, Credentials) else keys
        return Channel(keys, self.time, self.clock, wire=Wire(self, identity), pause=self.wait)

    def wait(self, seconds: float) -> None:
        self.clock.now_s += seconds

    def call(self) -> Any:
        """What a signed call under the keys in force brings."""
        return self.channel(self.credentials).call("/v1/policy/state", {"known": {}}, deadline_s=1.0)

    def run_until(self, done: Callable[[], bool]) -> None:
        """Let the chore work, and time pass as it asks for."""
        end_s = self.clock.now_s + 3 * DAY_S
        for _ in range(MAX_STEPS):
            if done():
                return
            assert self.clock.now_s < end_s, (self.notes.events, self.exchanges[-5:])
            self.wait(max(self.chore.step(), 1.0))
        raise AssertionError((self.notes.events, self.exchanges[-5:]))

    def is_renewed(self) -> bool:
        """Other keys than those of `renewed_from`, and no others on the disk."""
        slot = self.credentials.current.slot
        return slot > self.renewed_from and self.slots() == {slot} and self.renewal.following is None

    def slots(self) -> set[int]:
        """Those of which there is any file."""
        names = [path.name for path in self.identity_dir.rglob("*.pem") if path.name != "ca.pem"]
        digits = ("".join(filter(str.isdigit, name)) for name in names)
        return {int(text or 1) for text in digits}

    def accepted(self) -> list[str]:
        """Key identifiers that the kiosk holds on disk, and under which a request has an effect now."""
        held = self.loaded()
        now_s = int(self.clock.now_s)
        both = [identity.signing_key.keyid for identity in (held.current, held.following) if identity is not None]
        return [keyid for keyid in both if key_life.accepted(*self.state_of(keyid), now_s)]


class _ServerDiedError(Exception):
    """The process is gone."""


def lose_request(_do: Callable[[], RawAnswer | WireFailure]) -> RawAnswer | WireFailure:
    """It never arrives."""
    return WireFailure("ConnectTimeout")


def lose_answer(do: Callable[[], RawAnswer | WireFailure]) -> RawAnswer | WireFailure:
    """It has its effect, and nobody hears of it: a network gone, or a server killed after its commit."""
    do()
    return WireFailure("ReadTimeout")


def kill_server_before_commit(world: World) -> Fault:
    """Everything is done but the commit."""

    def die(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.execute("ROLLBACK")  # what the next opening of the file would find
        raise _ServerDiedError

    def fault(do: Callable[[], RawAnswer | WireFailure]) -> RawAnswer | WireFailure:
        event.listen(world.engine, "commit", die)
        try:
            do()
        finally:
            event.remove(world.engine, "commit", die)
        return WireFailure("RemoteProtocolError")

    return fault


Worlds = Callable[[], World]
"""Makes another one."""


def copied(template: Path, folder: Path) -> World:
    """A world of its own that begins where the template's did."""
    shutil.copytree(template, folder)
    return World(folder)


REENROLL, RECOVER, PROBE = REENROLL_ROUTE, RECOVER_ROUTE, "/v1/policy/state"
