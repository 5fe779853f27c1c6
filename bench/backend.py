"""The reference backend under load: signed, durable batches of ten events on either database, beside their parts.

For each engine: the complete server over TLS, and in the same run the ceilings: the signatures alone, and the database
alone (the same transactions without network, TLS, HTTP and signatures). The load has its own process on the same cores,
so CPU per request of server and engine is told beside the rate.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.backend_kiosks import EVENTS_PATH, BenchKiosk, batches, enrol_kiosks
from bench.figures import Figure
from kiosk.sync.messages import CheckedHead, VerifiedRequest
from kiosk.sync.profile import KeyRecord, content_digest
from simulators.backend.authority import open_authority
from simulators.backend.books import parse, routes
from simulators.backend.clock import system_utc_s, utc
from simulators.backend.database import Database
from simulators.backend.exchange import Outcome, request_of
from simulators.backend.files import DataDir
from simulators.backend.private_postgres import PrivatePostgres, private_postgres
from simulators.backend.process import BackendProcess
from simulators.fleet.usage import cpu_s

CONNECTIONS: Final = 48
BATCHES: Final = 100
"""Of each connection, in each round."""
SIGNATURES: Final = 500
HANDSHAKES: Final = 200
BAR_REQUEST_US: Final = 500.0  # 2,000 requests a second
BAR_P99_MS: Final = 50.0
BAR_CPU_RATIO: Final = 4.0
FRONTS: Final = 1
"""Signatures and rows have a core each."""
_ECDSA: Final = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class Load:
    """One round: a rate, delays, and CPU time of a request in server and engine."""

    request_us: float
    p50_ms: float
    p99_ms: float
    server_us: float
    engine_us: float
    generator_us: float


def figures(engine: str, rounds: int) -> list[Figure]:
    """`sqlite` or `postgresql`."""
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as folder:
        if engine == "sqlite":
            return _figures(Path(folder), "SQLite", None, rounds)
        with private_postgres() as postgres:
            return _figures(Path(folder), "PostgreSQL", postgres, rounds)


def _figures(folder: Path, name: str, postgres: PrivatePostgres | None, rounds: int) -> list[Figure]:
    signature_us = _signature_s() * 1e6
    url = postgres.new_database() if postgres else None
    kiosks = enrol_kiosks(DataDir(folder / "data"), url, CONNECTIONS, folder)
    with _serving(folder / "data", url) as backend:
        # The round before the first is not counted: statements of every size are compiled in it.
        loads = [_round(backend, kiosks, postgres, 1 + number * BATCHES) for number in range(rounds + 1)][1:]
        handshake_us = _handshake_us(backend, kiosks[0])
    database_us = _database_alone_us(DataDir(folder / "data"), url, kiosks, 1 + (rounds + 1) * BATCHES)
    request_us = median(load.request_us for load in loads)
    return [
        Figure(f"{name}: requests per second", 1e6 / request_us, "/s", 1e6 / signature_us),
        Figure(f"{name}: one request / signatures alone", request_us, "µs", signature_us),
        Figure(f"{name}: one request, goal 2,000/s", request_us, "µs", bar=BAR_REQUEST_US),
        Figure(f"{name}: one request / database alone", request_us, "µs", database_us),
        Figure(f"{name}: delay p50", median(load.p50_ms for load in loads), "ms"),
        Figure(f"{name}: delay p99", median(load.p99_ms for load in loads), "ms", bar=BAR_P99_MS),
        Figure(
            f"{name}: server CPU of one / signatures",
            median(load.server_us for load in loads),
            "µs",
            signature_us,
            BAR_CPU_RATIO,
        ),
        *_engine(name, median(load.engine_us for load in loads)),
        Figure(f"{name}: server CPU of a TLS handshake", handshake_us, "µs"),
        Figure(f"{name}: load generator's CPU of one", median(load.generator_us for load in loads), "µs"),
    ]


def _engine(name: str, cpu_us: float) -> list[Figure]:
    """Of a database with a process of its own."""
    return [Figure(f"{name}: database server's CPU of one", cpu_us, "µs")] if cpu_us else []


@contextmanager
def _serving(folder: Path, url: str | None) -> Iterator[BackendProcess]:
    backend = BackendProcess(folder, database_url=url, fronts=FRONTS)
    backend.start()
    try:
        yield backend
    finally:
        backend.stop()


def _round(backend: BackendProcess, kiosks: list[BenchKiosk], postgres: PrivatePostgres | None, first: int) -> Load:
    generator = subprocess.Popen(
        [sys.executable, "-m", "bench.backend_load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert generator.stdin is not None
    assert generator.stdout is not None
    order = {
        "origin": backend.ready.origin,
        "ca_file": backend.ready.ca_file,
        "first": first,
        "count": BATCHES,
        "kiosks": [(kiosk.name, _der(kiosk).hex(), str(kiosk.tls_file)) for kiosk in kiosks],
    }
    generator.stdin.write(json.dumps(order) + "\n")
    generator.stdin.flush()
    assert generator.stdout.readline() == "ready\n"
    server_s, engine_s = cpu_s(backend.pid), cpu_s(postgres.pid) if postgres else 0.0
    generator.stdin.write("go\n")
    generator.stdin.flush()
    told: dict[str, Any] = json.loads(generator.stdout.readline())
    server_s, engine_s = cpu_s(backend.pid) - server_s, (cpu_s(postgres.pid) if postgres else 0.0) - engine_s
    generator.wait()
    generator.stdin.close()
    generator.stdout.close()
    count = CONNECTIONS * BATCHES
    assert len(told["taken_s"]) == count
    hundredths = quantiles(told["taken_s"], n=100)
    return Load(
        told["wall_s"] / count * 1e6,
        hundredths[49] * 1e3,
        hundredths[98] * 1e3,
        server_s / count * 1e6,
        engine_s / count * 1e6,
        told["cpu_s"] / count * 1e6,
    )


def _handshake_us(backend: BackendProcess, kiosk: BenchKiosk) -> float:
    """CPU of the server for a connection with a client certificate, from its beginning to its end."""
    context = ssl.create_default_context(cafile=backend.ready.ca_file)
    context.load_cert_chain(kiosk.tls_file)
    host, _, port = backend.ready.origin.removeprefix("https://").partition(":")
    began_s = cpu_s(backend.pid)
    for _ in range(HANDSHAKES):
        with socket.create_connection((host, int(port))) as sock, context.wrap_socket(sock, server_hostname=host):
            pass
    return (cpu_s(backend.pid) - began_s) / HANDSHAKES * 1e6


def _der(kiosk: BenchKiosk) -> bytes:
    return kiosk.private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _signature_s() -> float:
    """CPU time, bare: one verification and one signature."""
    key = ec.generate_private_key(ec.SECP256R1())
    public, message = key.public_key(), b"x" * 600
    signature = key.sign(message, _ECDSA)

    def once() -> float:
        began_s = time.process_time()
        for _ in range(SIGNATURES):
            public.verify(signature, message, _ECDSA)
            key.sign(message, _ECDSA)
        return (time.process_time() - began_s) / SIGNATURES

    return median(once() for _ in range(5))


def _database_alone_us(data: DataDir, url: str | None, kiosks: list[BenchKiosk], first: int) -> float:
    """The same transactions, asked for as the server asks: one under way for each kiosk; one process."""
    database = Database(url or data.database)
    try:
        route = routes(open_authority(data, utc(system_utc_s())))[EVENTS_PATH]
        now_s = system_utc_s()
        asked = [[_proven(kiosk, body, now_s) for body in batches(first, BATCHES)] for kiosk in kiosks]
        began_s = time.perf_counter()
        for requests in zip(*asked, strict=True):
            waiting = [_submit(database, request, route, now_s) for request in requests]
            assert all(future.result().status == 200 for future in waiting)
        return (time.perf_counter() - began_s) / (CONNECTIONS * BATCHES) * 1e6
    finally:
        database.close()


def _submit(database: Database, request: VerifiedRequest, route: Any, now_s: int) -> Future[Outcome]:
    return database.submit_request(request_of(request, route, parse, now_s))


def _proven(kiosk: BenchKiosk, body: bytes, now_s: int) -> VerifiedRequest:
    record = KeyRecord(kiosk.key.keyid, kiosk.key.alg, kiosk.private_key.public_key())
    digest = content_digest(body)
    unique = content_digest(digest.encode() + kiosk.name.encode())
    head = CheckedHead(
        key=record,
        path=EVENTS_PATH,
        target_uri=EVENTS_PATH,
        content_length=len(body),
        idempotency_key=unique[:32],
        created_s=now_s,
        expires_s=now_s + 60,
        nonce=unique[-23:-1],
        digest=digest,
        signature_params="",
        signature_member="",
    )
    return VerifiedRequest(head, body)
