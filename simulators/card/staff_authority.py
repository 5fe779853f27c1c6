"""The test authority of staff cards, and the key and certificate of each: fiction, derived, nothing to keep secret.

The same card gets the same key and the same certificate bytes everywhere: keys come from a public seed and the holder's
identifier, signatures are deterministic ECDSA (RFC 6979). Never the material of a real authority.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from simulators.personas import StaffIdentity

_SEED: Final = b"CLE FICTIVE CARTES PROFESSIONNELLES"
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256's group
_FICTION: Final = "CARTE FICTIVE"
_NOT_BEFORE: Final = datetime(2025, 1, 1, tzinfo=UTC)
_NOT_AFTER: Final = datetime(2045, 1, 1, tzinfo=UTC)


def staff_key(identifier: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key of the card of this holder."""
    return _key(f"card {identifier}")


@cache
def authority_certificate() -> x509.Certificate:
    """Self-signed; what a verifier trusts."""
    key = _key("authority")
    builder = _builder(_AUTHORITY, key.public_key(), "authority")
    usage = _usage(sign_certificates=True)
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    return (
        builder.add_extension(constraints, critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )


def staff_certificate(staff: StaffIdentity) -> bytes:
    """DER of an X.509 certificate: subject's `title` is the role, `serialNumber` the holder's identifier."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _FICTION),
            x509.NameAttribute(NameOID.TITLE, staff.role),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, staff.identifier),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{staff.first_name} {staff.name}"),
        ]
    )
    builder = _builder(subject, staff_key(staff.identifier).public_key(), f"card {staff.identifier} {staff.role}")
    authority = _key("authority")
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        .sign(authority, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return certificate.public_bytes(Encoding.DER)


_AUTHORITY: Final = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, _FICTION),
        x509.NameAttribute(NameOID.COMMON_NAME, "AUTORITE DE TEST DES CARTES PROFESSIONNELLES"),
    ]
)


@cache
def _key(label: str) -> ec.EllipticCurvePrivateKey:
    digest = hashlib.sha512(_SEED + b"|" + label.encode("ascii")).digest()
    return ec.derive_private_key(int.from_bytes(digest, "big") % (_ORDER - 1) + 1, ec.SECP256R1())


def _builder(subject: x509.Name, key: ec.EllipticCurvePublicKey, label: str) -> x509.CertificateBuilder:
    number = int.from_bytes(hashlib.sha256(label.encode("ascii")).digest()[:8], "big") or 1
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_AUTHORITY)
        .public_key(key)
        .serial_number(number)
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
