"""Enrols a whole fleet at once: rows straight into the database, certificates from the backend's own authority.

What an enrolment by ticket leaves behind (`simulators.backend.enrolment`) without its tickets and its 20,000 CSRs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, insert
from sqlalchemy.sql.schema import Table

from kiosk.sync.profile import ALG_P256
from kiosk.visit.policy import Quarantine
from simulators.backend import documents, key_life, schema
from simulators.backend.authority import Authority, spki
from simulators.backend.clock import utc
from simulators.backend.database import Database
from simulators.backend.ownership import claim
from simulators.fleet.curves import site_kind
from simulators.fleet.identity import GENERATION, Purpose, kiosk_id, private_key

ENROLLED_WITH: Final[Mapping[str, int]] = MappingProxyType({"policy": 1})
"""Documents that a kiosk of the fleet holds, and their versions."""
AT_ONCE: Final = 1000
"""Kiosks a transaction enrols."""


def provision(
    database: Database, authority: Authority, *, secret: bytes, seed: int, kiosks: int, now_s: int
) -> list[bytes]:
    """Enrol kiosks 0 … `kiosks`-1 of a new centre; returns their TLS certificates (DER) in that order.

    Raises OtherCentreError when the database has one already: that of an earlier run, too.
    """
    database.run(lambda connection: claim(connection, authority))
    certificates: list[bytes] = []
    for start in range(0, kiosks, AT_ONCE):
        part = [_rows(authority, secret, seed, number, now_s) for number in range(start, min(start + AT_ONCE, kiosks))]
        certificates += [rows[schema.certificate]["der"] for rows in part]
        database.run(lambda connection, part=part: _insert(connection, part))  # type: ignore[misc]  # mypy: default of a lambda
    return certificates


def _insert(connection: Connection, part: Iterable[dict[Table, dict[str, Any]]]) -> None:
    rows = list(part)
    for table in rows[0]:
        connection.execute(insert(table), [row[table] for row in rows])


def _rows(authority: Authority, secret: bytes, seed: int, number: int, now_s: int) -> dict[Table, dict[str, Any]]:
    """One row a table, in the order in which they may be inserted."""
    kiosk, kind = kiosk_id(seed, number), site_kind(number)
    keyid = f"{kiosk}/{GENERATION}"
    certificate = authority.issue_client(kiosk, private_key(secret, kiosk, Purpose.TLS).public_key(), utc(now_s))
    body = documents.first_policy(kiosk, kind)
    policy = {
        "type": "policy",
        "scope": kiosk,
        "version": ENROLLED_WITH["policy"],
        "issued_at": now_s,
        "not_before": now_s,
        "not_after": now_s + documents.LIFETIME_S,
        "min_app_version": documents.MIN_APP_VERSION,
        "body": body,
    }
    return {
        schema.kiosk: {
            "id": kiosk,
            "site_kind": str(kind),
            "quarantine": str(Quarantine.NONE),
            "last_batch_seq": 0,
            "refusals": 0,
        },
        schema.kiosk_key: {
            "keyid": keyid,
            "kiosk": kiosk,
            "alg": ALG_P256,
            "spki": spki(private_key(secret, kiosk, Purpose.SIGNING).public_key()),
            "state": key_life.ACTIVE,
        },
        schema.certificate: {
            "serial_hex": f"{certificate.serial_number:x}",
            "kiosk": kiosk,
            "keyid": keyid,
            "der": certificate.public_bytes(Encoding.DER),
            "not_after_s": int(certificate.not_valid_after_utc.timestamp()),
        },
        schema.document: {
            "type": "policy",
            "scope": kiosk,
            "version": ENROLLED_WITH["policy"],
            "body_json": json.dumps(body),
            "envelope_json": json.dumps(documents.envelope(authority, "policy", policy)),
        },
    }
