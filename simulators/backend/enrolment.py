"""Enrolment by one-time ticket: the server's side of the EST subset (RFC 7030/8951; channel reference §3.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or  # both engines compile it

from kiosk.sync import profile
from kiosk.sync.csr import CsrError, CsrFacts, check_csr
from kiosk.sync.profile import ALG_P256, KeyRecord, KeyRefusal, generation_of, register_key
from kiosk.visit.policy import Quarantine, SiteKind
from kiosk.visit.ports import SigningKey
from simulators.backend import certificates, key_life, schema
from simulators.backend.alarms import Alarm, raise_alarm
from simulators.backend.authority import POLICY_THRESHOLDS, Authority, spki
from simulators.backend.documents import first_policy, publish

TICKET_LIFE_S: Final = 7 * 86_400
MAX_TICKET_FAILURES: Final = 5
_TICKET: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,47}):([0-9a-f]{32})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an enrolment is refused: HTTP status, and a cause for the log."""

    status: int
    cause: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The certificate (DER) and the signing key to recognise from now on."""

    certificate_der: bytes
    record: KeyRecord


def create_ticket(connection: Connection, authority: Authority, kiosk: str, site_kind: SiteKind, now_s: int) -> str:
    """A new one-time ticket `<kiosk>:<32 hex>`, stored hashed. A kiosk unknown so far gets its first policy."""
    if not profile.KIOSK_ID.fullmatch(kiosk):
        raise ValueError("kiosk: 1 to 48 of a-z, 0-9 and -, not srv")
    added = connection.execute(
        insert_or(schema.kiosk)
        .values(id=kiosk, site_kind=str(site_kind), quarantine=str(Quarantine.NONE), last_batch_seq=0, refusals=0)
        .on_conflict_do_nothing()
        .returning(schema.kiosk.c.id)
    )
    if added.first() is not None:
        publish(connection, authority, "policy", kiosk, body=first_policy(kiosk, site_kind), now_s=now_s)
    secret = secrets.token_hex(16)
    connection.execute(
        insert(schema.ticket).values(
            secret_sha256=_ticket_hash(f"{kiosk}:{secret}"), kiosk=kiosk, expires_s=now_s + TICKET_LIFE_S, failures=0
        )
    )
    return f"{kiosk}:{secret}"


def read_basic(authorization: str) -> str | None:
    """The ticket in a Basic `Authorization` field, or None."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 200:
        return None
    try:
        text = base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text if _TICKET.fullmatch(text) else None


def enrol(
    connection: Connection, authority: Authority, ticket_text: str, csr_base64: bytes, now_s: int
) -> Enrolled | Refused:
    """`simpleenroll`: ticket, then both proofs of possession, then one transaction that spends the ticket.

    A repeat with the same request gives the same certificate; with another one it is refused and counted.
    """
    table = schema.ticket
    row = (
        connection.execute(select(table).where(table.c.secret_sha256 == _ticket_hash(ticket_text)).with_for_update())
        .mappings()
        .one_or_none()
    )
    if row is None:
        return Refused(401, "unknown ticket")
    if row["failures"] >= MAX_TICKET_FAILURES or row["expires_s"] <= now_s:
        return Refused(401, "ticket expired")
    kiosk: str = row["kiosk"]
    facts = _read_request(csr_base64, ticket_text)
    if isinstance(facts, CsrError):
        return _count_failure(connection, row["secret_sha256"], Refused(400, f"{facts.field}: {facts.reason}"))
    if facts.kiosk != kiosk:
        return _count_failure(connection, row["secret_sha256"], Refused(400, "subject: not the ticket's kiosk"))
    keys_sha256 = hashlib.sha256(spki(facts.tls_key) + facts.signing_spki).digest()
    # One enrolment or renewal of a kiosk at a time; on the embedded store every transaction is alone anyway.
    connection.execute(select(schema.kiosk.c.id).where(schema.kiosk.c.id == kiosk).with_for_update())
    if row["csr_sha256"] is not None:
        return _repeat(connection, row, keys_sha256, facts.signing_spki, now_s)
    record = register_key(f"{kiosk}/{key_life.next_generation(connection, kiosk)}", ALG_P256, facts.signing_spki)
    if isinstance(record, KeyRefusal):
        raise ValueError(f"checked key: {record}")  # an error value
    keys = schema.kiosk_key
    key_life.supersede(connection, kiosk)
    connection.execute(
        insert(keys).values(
            keyid=record.keyid, kiosk=kiosk, alg=ALG_P256, spki=facts.signing_spki, state=key_life.ACTIVE
        )
    )
    certificate = certificates.issue(connection, authority, record.keyid, facts.tls_key, now_s)
    connection.execute(
        update(table)
        .where(table.c.secret_sha256 == row["secret_sha256"])
        .values(csr_sha256=keys_sha256, certificate=certificate)
    )
    return Enrolled(certificate, record)


def certs_only(certificates: list[x509.Certificate]) -> bytes:
    """Certs-only PKCS#7 as base64 text (RFC 8951)."""
    return base64.encodebytes(pkcs7.serialize_certificates(certificates, serialization.Encoding.DER))


def trust_bundle(authority: Authority, origin: str) -> dict[str, Any]:
    """`/.well-known/kiosk/trust`: the origin to sign for, the response keys and the document keys to pin."""
    return {
        "origin": origin,
        "server_keys": [_public(authority.server_key)],
        "policy_keys": {
            role: {"threshold": POLICY_THRESHOLDS[role], "keys": [_public(key) for key in keys]}
            for role, keys in authority.policy_keys.items()
        },
    }


def _public(key: SigningKey) -> dict[str, str]:
    return {"keyid": key.keyid, "alg": key.alg, "spki": base64.b64encode(key.public_spki()).decode("ascii")}


def _repeat(
    connection: Connection, row: Any, keys_sha256: bytes, signing_spki: bytes, now_s: int
) -> Enrolled | Refused:
    if not secrets.compare_digest(row["csr_sha256"], keys_sha256):
        raise_alarm(connection, row["kiosk"], Alarm.TICKET_REUSED, now_s)
        return _count_failure(connection, row["secret_sha256"], Refused(401, "ticket used with other keys"))
    keys = schema.kiosk_key.c
    mine = keys.kiosk == row["kiosk"], keys.spki == signing_spki
    keyids = connection.execute(select(keys.keyid).where(*mine)).scalars()
    keyid = max(keyids, key=generation_of)  # with another ticket the same keys were registered anew
    record = register_key(keyid, ALG_P256, signing_spki)
    if isinstance(record, KeyRefusal):
        raise ValueError(f"stored key: {record}")  # an error value
    return Enrolled(row["certificate"], record)


def _count_failure(connection: Connection, secret_sha256: bytes, refused: Refused) -> Refused:
    table = schema.ticket
    connection.execute(
        update(table).where(table.c.secret_sha256 == secret_sha256).values(failures=table.c.failures + 1)
    )
    return refused


def _read_request(csr_base64: bytes, ticket_text: str) -> CsrFacts | CsrError:
    try:
        der = base64.b64decode(b"".join(csr_base64.split()), validate=True)
    except binascii.Error:
        return CsrError("csr", "not base64")
    return check_csr(der, ticket_text)


def _ticket_hash(ticket_text: str) -> bytes:
    return hashlib.sha256(ticket_text.encode("ascii")).digest()
