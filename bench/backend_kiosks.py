"""Kiosks for the backend's bench, put straight into its books with certificates of its CA; batches signed ahead."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, insert

from kiosk.sync.keys import SoftwareKey
from kiosk.sync.profile import ALG_P256, MAX_LIFETIME_S
from kiosk.sync.signature import sign_request
from kiosk.visit.policy import SiteKind
from simulators.backend import schema
from simulators.backend.authority import Authority, open_authority
from simulators.backend.clock import system_utc_s, utc
from simulators.backend.database import Database
from simulators.backend.enrolment import create_ticket
from simulators.backend.files import DataDir

EVENTS_PATH: Final = "/v1/events"
EVENTS_PER_BATCH: Final = 10
EVENTS_PER_VISIT: Final = 5


@dataclass(frozen=True, slots=True)
class BenchKiosk:
    """One enrolled kiosk, and the PEM file with its TLS certificate and key."""

    name: str
    private_key: ec.EllipticCurvePrivateKey
    tls_file: Path

    @property
    def key(self) -> SoftwareKey:
        """The first generation."""
        return SoftwareKey(f"{self.name}/1", self.private_key)


def enrol_kiosks(data: DataDir, database_url: str | None, count: int, folder: Path) -> list[BenchKiosk]:
    """Register kiosks while no server runs; what a ticket and a request would have done."""
    data.create()
    now_s = system_utc_s()
    authority = open_authority(data, utc(now_s))
    database = Database(database_url or data.database)
    try:
        return [_enrol(database, authority, f"borne-{number:04}", folder, now_s) for number in range(1, count + 1)]
    finally:
        database.close()


def _enrol(database: Database, authority: Authority, name: str, folder: Path, now_s: int) -> BenchKiosk:
    private_key, tls_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    key = SoftwareKey(f"{name}/1", private_key)

    def register(connection: Connection) -> None:
        create_ticket(connection, authority, name, SiteKind.AGENCY, now_s)
        connection.execute(
            insert(schema.kiosk_key).values(
                keyid=key.keyid, kiosk=name, alg=ALG_P256, spki=key.public_spki(), state="active"
            )
        )

    database.run(register)
    certificate = authority.issue_client(name, tls_key.public_key(), utc(now_s))
    file = folder / f"{name}.pem"
    file.write_bytes(
        tls_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return BenchKiosk(name, private_key, file)


def batches(first: int, count: int) -> Iterator[bytes]:
    """Bodies of batches `first`, `first`+1, …: two visits of five events each, the batch before acknowledged."""
    for number in range(first, first + count):
        events: list[dict[str, Any]] = [
            {
                "event_id": f"0199c0de-{number >> 16:04x}-7000-8000-{(number & 0xFFFF) << 16 | index:012x}",
                "aggregate": f"visit:{number:08x}{index // EVENTS_PER_VISIT}",
                "aggregate_seq": index % EVENTS_PER_VISIT + 1,
                "type": "visit_step",
                "schema_version": 1,
                "created_utc_ms": 1_790_000_000_000 + number,
                "body": {"mode": "SELF", "page": "consult", "duration_ms": 1000 + index},
            }
            for index in range(EVENTS_PER_BATCH)
        ]
        body = {"batch_seq": number, "acked_through_seq": number - 1, "events": events}
        yield json.dumps(body, separators=(",", ":")).encode()


def signed(kiosk: BenchKiosk, origin: str, body: bytes) -> bytes:
    """A whole HTTP request, good for as long as the profile allows."""
    request = sign_request(
        kiosk.key,
        origin=origin,
        path=EVENTS_PATH,
        body=body,
        idempotency_key=secrets.token_hex(16),
        created_s=system_utc_s(),
        lifetime_s=MAX_LIFETIME_S,
    )
    host = origin.removeprefix("https://")
    fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
    return f"POST {EVENTS_PATH} HTTP/1.1\r\nhost: {host}\r\n{fields}\r\n".encode("ascii") + body
