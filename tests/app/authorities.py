"""Certificates that no real badge has: of another authority, of another role, of another key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from simulators.card import authority_certificate
from simulators.card.staff_authority import _key

NOT_BEFORE: Final = datetime(2025, 1, 1, tzinfo=UTC)
NOT_AFTER: Final = datetime(2045, 1, 1, tzinfo=UTC)
KEY: Final = ec.derive_private_key(0x999, ec.SECP256R1())
AUTHORITY_KEY: Final = _key("authority")
Key = ec.EllipticCurvePrivateKey


def usage(*, signs: bool = True, issues: bool = False) -> x509.KeyUsage:
    """Key usage of a card, or of an authority."""
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=issues,
        crl_sign=issues,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def certificate(
    titles: tuple[str, ...] = ("TECHNICIEN",),
    *,
    issuer: x509.Name | None = None,
    signer: Key = AUTHORITY_KEY,
    key: Key = KEY,
    ca: bool = False,
    key_usage: x509.KeyUsage | None = None,
) -> x509.Certificate:
    """A badge's certificate, valid like the fictional ones."""
    subject = x509.Name([x509.NameAttribute(NameOID.TITLE, title) for title in titles])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or authority_certificate().subject)
        .public_key(key.public_key())
        .serial_number(999)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(key_usage or usage(), critical=True)
        .sign(signer, SHA256())
    )


def another_authority() -> x509.Certificate:
    """Of the same name as the real one, with its own key."""
    name = authority_certificate().subject
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(998)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs=False, issues=True), critical=True)
        .sign(KEY, SHA256())
    )


def der(one: x509.Certificate) -> bytes:
    """As a card's file has it."""
    return one.public_bytes(Encoding.DER)
