"""Renewal and recovery: a signing key that the backend knows authorises the next one (channel reference §3.3)."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from sqlalchemy import Connection, RowMapping, insert, select, update

from kiosk.sync.csr import CsrError, RenewalFacts, check_renewal_csr
from kiosk.sync.profile import ALG_P256, KeyRecord, KeyRefusal, register_key
from kiosk.sync.renewal import RECOVERY_S
from kiosk.visit.policy import Quarantine
from simulators.backend import certificates, key_life, schema
from simulators.backend.alarms import Alarm, raise_alarm
from simulators.backend.authority import Authority, kiosk_of
from simulators.backend.enrolment import Enrolled, Refused

_NOT_THE_LAST: Final = (key_life.GRACE, key_life.RETIRED)


def reenrol(
    connection: Connection, authority: Authority, csr_base64: bytes, tls_kiosk: str | None, now_s: int
) -> Enrolled | Refused:
    """`simplereenroll`: mutual TLS has proven the kiosk, the request proves old and new signing key.

    A repeat gives the same result, or a fresh certificate for the same keys once half its life is over.
    """
    facts = _facts(connection, csr_base64)
    if isinstance(facts, Refused):
        return facts
    if facts.facts.kiosk != tls_kiosk:
        return Refused(401, "certificate of another kiosk")
    return _renew(connection, authority, facts, now_s)


def recover(
    connection: Connection, authority: Authority, csr_base64: bytes, old_der: bytes, now_s: int
) -> Enrolled | Refused:
    """The same for a kiosk whose certificate has expired, and with which TLS therefore makes no connection.

    old_der: its last certificate, shown instead; not longer than 30 days over.
    """
    try:
        old = x509.load_der_x509_certificate(old_der)
        old.verify_directly_issued_by(authority.ca_certificate)
        kiosk = kiosk_of(old_der)
    except (ValueError, TypeError, InvalidSignature):
        return Refused(401, "certificate not ours")
    if now_s > old.not_valid_after_utc.timestamp() + RECOVERY_S:
        return Refused(401, "certificate over for too long")
    if certificates.is_revoked(connection, old):
        return Refused(403, "certificate revoked")
    return reenrol(connection, authority, csr_base64, kiosk, now_s)


def _facts(connection: Connection, csr_base64: bytes) -> RenewalFacts | Refused:
    try:
        der = base64.b64decode(b"".join(csr_base64.split()), validate=True)
    except binascii.Error:
        return Refused(400, "csr: not base64")
    facts = check_renewal_csr(der, lambda keyid: _record(_stored(connection, keyid)))
    return Refused(400, f"{facts.field}: {facts.reason}") if isinstance(facts, CsrError) else facts


def _renew(connection: Connection, authority: Authority, asked: RenewalFacts, now_s: int) -> Enrolled | Refused:
    kiosk = asked.facts.kiosk
    keys = schema.kiosk_key
    # One renewal of a kiosk at a time; on the embedded store every transaction is alone anyway.
    level = connection.execute(
        select(schema.kiosk.c.quarantine).where(schema.kiosk.c.id == kiosk).with_for_update()
    ).scalar_one()
    authoriser = _stored(connection, asked.authorised_by)
    if authoriser is None or authoriser["state"] == key_life.REVOKED:
        return Refused(403, "key revoked")
    if authoriser["state"] in _NOT_THE_LAST:
        raise_alarm(connection, kiosk, Alarm.OLD_KEY, now_s)
        return Refused(401, "key followed by another")
    if Quarantine(level) is Quarantine.STOP:
        return Refused(403, "quarantine")
    known = (
        connection.execute(select(keys).where(keys.c.kiosk == kiosk, keys.c.spki == asked.facts.signing_spki))
        .mappings()
        .one_or_none()
    )
    if known is not None and known["state"] not in (key_life.PENDING, key_life.ACTIVE):
        return Refused(401, "new key is an old one")
    record = _record(known) or _pending(connection, kiosk, asked.facts.signing_spki, now_s)
    return Enrolled(certificates.issue(connection, authority, record.keyid, asked.facts.tls_key, now_s), record)


def _pending(connection: Connection, kiosk: str, spki: bytes, now_s: int) -> KeyRecord:
    """Register the new key. Only one can wait: a kiosk repeats a request with the same keys, two kiosks do not."""
    keys = schema.kiosk_key
    superseded = connection.execute(
        update(keys).where(keys.c.kiosk == kiosk, keys.c.state == key_life.PENDING).values(state=key_life.RETIRED)
    ).rowcount
    if superseded:
        raise_alarm(connection, kiosk, Alarm.SECOND_RENEWAL, now_s)
    keyid = f"{kiosk}/{key_life.next_generation(connection, kiosk)}"
    connection.execute(insert(keys).values(keyid=keyid, kiosk=kiosk, alg=ALG_P256, spki=spki, state=key_life.PENDING))
    record = register_key(keyid, ALG_P256, spki)
    if isinstance(record, KeyRefusal):
        raise ValueError(f"checked key: {record}")  # an error value
    return record


def _stored(connection: Connection, keyid: str) -> RowMapping | None:
    table = schema.kiosk_key
    return connection.execute(select(table).where(table.c.keyid == keyid)).mappings().one_or_none()


def _record(row: RowMapping | None) -> KeyRecord | None:
    if row is None:
        return None
    record = register_key(row["keyid"], row["alg"], row["spki"])
    if isinstance(record, KeyRefusal):
        raise ValueError(f"stored key: {record}")  # an error value
    return record
