"""Certificates of kiosks: each one issued is on record, and a revoked one is on the list that TLS looks at.

With leaf checking switched on and no list loaded OpenSSL refuses everybody, so one is loaded before the listener opens,
renewed well before it ends, and replaced as soon as a certificate is revoked. Connections that exist stay: what comes
over them is refused by the state of the key.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, insert, select, update

from simulators.backend import schema
from simulators.backend.authority import CLIENT_LIFETIME, LONG_BACKDATING, Authority, spki
from simulators.backend.clock import system_utc_s, utc
from simulators.backend.database import Database, DatabaseBusy
from simulators.backend.log import log

CRL_LIFETIME: Final = dt.timedelta(hours=24)
CRL_RENEWAL: Final = dt.timedelta(hours=6)
LOOK_EVERY_S: Final = 4.0
"""How soon a process learns of what another one has revoked: within five seconds, the look included."""


def issue(
    connection: Connection,
    authority: Authority,
    keyid: str,
    tls_key: ec.EllipticCurvePublicKey,
    now_s: int,
) -> bytes:
    """DER of a client certificate for the kiosk of this signing key: the one there is, if it has half its life left."""
    kiosk = keyid.partition("/")[0]
    table = schema.certificate
    latest = connection.execute(
        select(table.c.der).where(table.c.keyid == keyid).order_by(table.c.not_after_s.desc()).limit(1)
    ).scalar()
    if latest is not None:
        held = x509.load_der_x509_certificate(latest)
        public_key = held.public_key()
        is_same = isinstance(public_key, ec.EllipticCurvePublicKey) and spki(public_key) == spki(tls_key)
        if is_same and held.not_valid_after_utc - utc(now_s) > CLIENT_LIFETIME / 2:
            return bytes(latest)
    certificate = authority.issue_client(kiosk, tls_key, utc(now_s))
    der = certificate.public_bytes(serialization.Encoding.DER)
    connection.execute(
        insert(table).values(
            serial_hex=f"{certificate.serial_number:x}",
            kiosk=kiosk,
            keyid=keyid,
            der=der,
            not_after_s=int(certificate.not_valid_after_utc.timestamp()),
        )
    )
    return der


def is_revoked(connection: Connection, certificate: x509.Certificate) -> bool:
    """Whether it was revoked; one that is not on record was issued before there was a record, and was not."""
    table = schema.certificate.c
    serial_hex = f"{certificate.serial_number:x}"
    return connection.execute(select(table.revoked_s).where(table.serial_hex == serial_hex)).scalar() is not None


def revoke_all(connection: Connection, kiosk: str, now_s: int) -> int:
    """Every certificate of a kiosk; returns how many."""
    table = schema.certificate
    return connection.execute(
        update(table).where(table.c.kiosk == kiosk, table.c.revoked_s.is_(None)).values(revoked_s=now_s)
    ).rowcount


class RevocationList:
    """The list, kept current where the database is."""

    def __init__(self, database: Database, authority: Authority) -> None:
        self._database, self._authority = database, authority
        self._told: tuple[str, ...] | None = None
        self._this_update = dt.datetime.fromtimestamp(0, dt.UTC)
        self._pem = b""

    async def current(self) -> bytes:
        """PEM; a new one if a certificate was revoked since, or a quarter through the life of the last.

        Raises DatabaseBusy.
        """
        serials = await asyncio.wrap_future(self._database.submit(_revoked_serials))
        now = utc(system_utc_s())  # OpenSSL judges by the machine's clock
        if serials != self._told or now - LONG_BACKDATING - self._this_update >= CRL_RENEWAL:
            # A context keeps every list; of several that are valid OpenSSL takes the one with the latest beginning.
            self._this_update = max(now - LONG_BACKDATING, self._this_update + dt.timedelta(seconds=1))
            crl = _signed_list(self._authority, serials, self._this_update)
            self._told, self._pem = serials, crl.public_bytes(serialization.Encoding.PEM)
        return self._pem


class ListInForce:
    """The list in a listener's TLS context."""

    def __init__(self, context: ssl.SSLContext, read: Callable[[], Awaitable[bytes]]) -> None:
        """`read`: the current list as PEM; may raise DatabaseBusy."""
        self._context, self._read = context, read
        self._loaded = b""
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF

    async def refresh(self) -> None:
        """Load the current list unless it is loaded already."""
        pem = await self._read()
        if pem == self._loaded:
            return
        handle = os.memfd_create("crl", os.MFD_CLOEXEC)
        try:
            os.write(handle, pem)
            self._context.load_verify_locations(f"/proc/self/fd/{handle}")
        finally:
            os.close(handle)
        self._loaded = pem

    async def keep(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.refresh()
            except DatabaseBusy:
                continue
            except OSError as error:  # of TLS too; or no descriptor is left while a whole fleet connects
                log("revocation list not loaded", detail=type(error).__name__)


def _revoked_serials(connection: Connection) -> tuple[str, ...]:
    table = schema.certificate.c
    rows = connection.execute(select(table.serial_hex).where(table.revoked_s.is_not(None)).order_by(table.serial_hex))
    return tuple(rows.scalars())


def _signed_list(
    authority: Authority, serials: tuple[str, ...], this_update: dt.datetime
) -> x509.CertificateRevocationList:
    builder: Any = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.ca_certificate.subject)
        .last_update(this_update)
        .next_update(this_update + LONG_BACKDATING + CRL_LIFETIME)
        .add_extension(x509.CRLNumber(int(this_update.timestamp())), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.ca_key.public_key()), False)
    )
    for serial_hex in serials:
        revoked = x509.RevokedCertificateBuilder().serial_number(int(serial_hex, 16)).revocation_date(this_update)
        builder = builder.add_revoked_certificate(revoked.build())
    crl: x509.CertificateRevocationList = builder.sign(authority.ca_key, hashes.SHA256())
    return crl
