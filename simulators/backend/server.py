"""Composition of the backend: files, keys, database, two TLS listeners and the operator's socket in one event loop."""

from __future__ import annotations

import asyncio
import fcntl
import json
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection

from simulators.backend.admin import bind_admin, serve_admin
from simulators.backend.authority import open_authority
from simulators.backend.books import LocalBooks
from simulators.backend.cards import all_personas, seed
from simulators.backend.children import Children
from simulators.backend.clock import UtcSeconds, system_utc_s, utc
from simulators.backend.database import Database, DatabaseInUse
from simulators.backend.enrol_app import EnrolApp
from simulators.backend.files import DamagedFileError, DataDir, write_private
from simulators.backend.fronts import Holder
from simulators.backend.listener import Listener
from simulators.backend.metrics import Metrics
from simulators.backend.ops import OpsApp
from simulators.backend.ownership import claim
from simulators.backend.registry import KeyRegistry
from simulators.backend.signed import SignedListener
from simulators.backend.tls import ServerCertificate, ServerTls
from simulators.personas import Persona

HOST: Final = "127.0.0.1"
MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Ready:
    """What a started backend tells the world."""

    origin: str
    enrol_origin: str
    ca_file: str
    ops_origin: str | None = None

    def to_json(self) -> str:
        """The one line on stdout."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})


@dataclass(frozen=True, slots=True)
class Sockets:
    """Bound sockets: the signed listener, the enrolment listener, the operator's Unix socket, health and metrics."""

    signed: socket.socket
    enrol: socket.socket
    admin: socket.socket
    ops: socket.socket | None

    def __iter__(self) -> Iterator[socket.socket]:
        return iter([sock for sock in (self.signed, self.enrol, self.admin, self.ops) if sock is not None])

    def ready(self, data: DataDir) -> Ready:
        """What they mean to a kiosk."""
        return Ready(
            f"https://{HOST}:{_port(self.signed)}",
            f"https://{HOST}:{_port(self.enrol)}",
            str(data.ca_file.resolve()),
            None if self.ops is None else f"http://{HOST}:{_port(self.ops)}",
        )


async def serve(
    data: DataDir,
    *,
    stop: asyncio.Event,
    on_ready: Callable[[Ready], None],
    port: int = 0,
    enrol_port: int = 0,
    ops_port: int | None = None,
    utc_s: UtcSeconds = system_utc_s,
    personas: Iterable[Persona] | None = None,
    database_url: str | None = None,
) -> None:
    """Run in this process until `stop` is set, then finish the requests at hand (5 s at most).

    port 0: the port of the last start in this directory, so that the origin stays; any free one at the first start.
    ops_port: health and metrics; None: not at all. personas: who fills an empty centre, by default all that are
    committed. database_url: PostgreSQL in place of the directory's SQLite file.
    Raises DatabaseInUse when another server holds the directory, OtherCentreError when the database is not this
    directory's, OSError when a port is taken.
    """
    with only_server(data):
        database = Database(database_url or data.database)
        try:
            certificate = prepare(data, database, utc_s, personas)
            (sockets,) = bind(data, port, enrol_port, ops_port, processes=1)
            with certificate.kept():
                await listen(data, database, sockets, stop=stop, on_ready=on_ready, utc_s=utc_s)
            data.admin_socket.unlink(missing_ok=True)
        finally:
            database.close()


@contextmanager
def only_server(data: DataDir) -> Iterator[None]:
    """Hold the directory; the lock ends with the process, however it ends. Raises DatabaseInUse."""
    data.create()
    with data.lock_file.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseInUse(data.root.name) from None
        yield


def prepare(
    data: DataDir, database: Database, utc_s: UtcSeconds, personas: Iterable[Persona] | None
) -> ServerCertificate:
    """What a first start makes: keys, certificates, cards; and what has to be kept as long as anybody serves.

    Raises OtherCentreError.
    """
    now_s = utc_s()
    authority = open_authority(data, utc(now_s))

    def begin(connection: Connection) -> None:
        claim(connection, authority)
        seed(connection, all_personas() if personas is None else personas, now_s)

    database.run(begin)
    return ServerCertificate(data, authority, system_utc_s)


async def listen(
    data: DataDir,
    database: Database,
    sockets: Sockets,
    *,
    stop: asyncio.Event,
    on_ready: Callable[[Ready], None],
    utc_s: UtcSeconds = system_utc_s,
    fronts: int = 0,
) -> None:
    """Serve on these sockets until `stop`, then drain. With fronts the signed listener is theirs.

    Raises ChildProcessError when a front cannot serve.
    """
    authority = open_authority(data, utc(utc_s()))
    registry = KeyRegistry()
    database.run(registry.load)
    ready = sockets.ready(data)
    metrics = Metrics()
    database.on_group = lambda size: metrics.group(size, database.waiting)
    books = LocalBooks(database, authority, registry, utc_s)
    tls = ServerTls(data)
    signed: SignedListener | Children
    if fronts:
        signed, on_revoked = Holder(data, ready.origin, sockets.signed, books, registry).fronts(fronts), _soon
        await signed.start()
    else:
        signed = await SignedListener.open(
            books,
            registry,
            authority.server_key,
            sockets.signed,
            tls.signed,
            origin=ready.origin,
            metrics=metrics,
            utc_s=utc_s,
        )
        on_revoked = signed.refresh
    enrol_app = EnrolApp(database, authority, registry, ready.origin, utc_s)
    enrol = await Listener.open(enrol_app, sockets.enrol, tls.enrol, metrics)
    ops_app = OpsApp(database, metrics, tls, stop.is_set, utc_s)
    ops = sockets.ops and await Listener.open(ops_app, sockets.ops, None, metrics)
    admin = await serve_admin(sockets.admin, database, authority, utc_s, on_revoked)
    on_ready(ready)
    with tls.kept():
        await stop.wait()
    admin.close()
    await asyncio.gather(signed.drain(), enrol.drain())
    if ops:
        await ops.drain()  # last: until now it says that the others drain


async def _soon() -> None:
    """Fronts look for themselves (`certificates.LOOK_EVERY_S`); the state of the key counts at once."""


def bind(data: DataDir, port: int, enrol_port: int, ops_port: int | None, *, processes: int) -> list[Sockets]:
    """Sockets for each process. Each has its own of the same two ports: the kernel shares connections out by them.

    None of them listens yet: until somebody serves, whoever comes is refused at once and comes again in its own time.
    Were they let wait, a fleet's first seconds would queue before the door that opens, and be served too late. Once
    they listen they do so until they are closed: who comes while a process is being replaced waits.
    """
    last = _last_ports(data)
    is_shared = processes > 1
    bound: list[list[socket.socket]] = []
    try:
        for number in (port or last.get("port", 0), enrol_port or last.get("enrol_port", 0)):
            row = [_bound(number, is_shared=is_shared)]
            bound.append(row)
            row.extend(_bound(_port(row[0]), is_shared=True) for _ in range(processes - 1))
        ops = None if ops_port is None else _bound(ops_port, is_shared=False)
    except OSError:
        for sock in (sock for row in bound for sock in row):
            sock.close()
        raise
    ports = dict(zip(("port", "enrol_port"), (_port(row[0]) for row in bound), strict=True))
    if ports != last:
        write_private(data.ports_file, json.dumps(ports).encode())
    admin = bind_admin(data)
    return [Sockets(signed, enrol, admin, ops) for signed, enrol in zip(*bound, strict=True)]


def _last_ports(data: DataDir) -> dict[str, int]:
    """Of the last start; raises DamagedFileError: at other ports no kiosk would find its origin."""
    if not data.ports_file.exists():
        return {}
    try:
        last = {name: int(number) for name, number in json.loads(data.ports_file.read_bytes()).items()}
    except (ValueError, TypeError, AttributeError):
        last = {"": 0}
    if not all(0 < number <= MAX_PORT for number in last.values()):
        raise DamagedFileError(f"data: {data.ports_file.name}: numbers of ports in JSON expected")
    return last


def _port(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def _bound(number: int, *, is_shared: bool) -> socket.socket:
    # The protocol number matters: asyncio switches Nagle's algorithm off (40 ms a call) only where it is named.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((HOST, number))
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise OSError(f"port {number}: {error.strerror}") from None
    return sock
