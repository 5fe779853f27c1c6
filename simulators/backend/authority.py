"""The backend's own keys and its CA: made at the first start, kept 0600, P-256 throughout (channel reference §3)."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kiosk.sync.keys import SoftwareKey
from kiosk.sync.profile import PublicKey
from simulators.backend.files import DamagedFileError, DataDir, write_private

CA_LIFETIME: Final = dt.timedelta(days=3650)
SERVER_LIFETIME: Final = dt.timedelta(days=30)
CLIENT_LIFETIME: Final = dt.timedelta(days=14)
BACKDATING: Final = dt.timedelta(minutes=10)
LONG_BACKDATING: Final = dt.timedelta(days=1)
"""Of what the backend signs for itself. A kiosk whose clock is slow took the last certificate and shall take this one;
and if the backend's own clock is set back, what it has signed while it was ahead shall be valid."""
PEPPER_BYTES: Final = 32
KIOSK_URN: Final = "urn:kiosk:"
POLICY_THRESHOLDS: Final = {
    "policy": 2,
    "quarantine": 1,
    "outage_calendar": 1,
    "site_capabilities": 2,
    "contents": 2,
    "allow_list": 2,
}
"""Distinct signatures each document type needs; one where somebody must be able to act at once (channel ref. §6.1)."""
POLICY_KEYS: Final = {role: threshold + 1 for role, threshold in POLICY_THRESHOLDS.items()}


@dataclass(frozen=True, slots=True)
class Authority:
    """Every secret the running backend holds."""

    ca_certificate: x509.Certificate
    ca_key: ec.EllipticCurvePrivateKey = field(repr=False)
    server_key: SoftwareKey
    tls_key: ec.EllipticCurvePrivateKey = field(repr=False)
    policy_keys: dict[str, tuple[SoftwareKey, ...]]
    pepper: bytes = field(repr=False)

    def issue_client(self, kiosk: str, public_key: ec.EllipticCurvePublicKey, now: dt.datetime) -> x509.Certificate:
        """A 14-day client certificate that names the kiosk as `urn:kiosk:<kiosk>`."""
        return (
            _builder(f"borne {kiosk}", self.ca_certificate.subject, public_key, now, CLIENT_LIFETIME)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(KIOSK_URN + kiosk)]), False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.ca_key.public_key()), False)
            .sign(self.ca_key, hashes.SHA256())
        )

    def issue_server(self, now: dt.datetime) -> x509.Certificate:
        """A 30-day certificate of both listeners, always for the same name and key."""
        public_key = self.tls_key.public_key()
        return (
            _builder(
                "serveur de démonstration",
                self.ca_certificate.subject,
                public_key,
                now,
                SERVER_LIFETIME,
                backdating=LONG_BACKDATING,
            )
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")), x509.DNSName("localhost")]
                ),
                False,
            )
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.ca_key.public_key()), False)
            .sign(self.ca_key, hashes.SHA256())
        )


def open_authority(data: DataDir, now: dt.datetime) -> Authority:
    """Load the keys of a data directory, making those that are missing; raises DamagedFileError."""
    ca_key = _private_key(data, "ca")
    if data.ca_file.exists():
        try:
            ca_certificate = x509.load_pem_x509_certificate(data.ca_file.read_bytes())
        except ValueError:
            raise DamagedFileError(f"data: {data.ca_file.name}: a certificate in PEM expected") from None
        if ca_certificate.public_key() != ca_key.public_key():  # a key that was lost has been made anew just now
            raise DamagedFileError(f"data: {data.ca_file.name}: the certificate of {data.key_file('ca').name} expected")
    else:
        ca_certificate = _self_signed(ca_key, now)
        write_private(data.ca_file, ca_certificate.public_bytes(serialization.Encoding.PEM))
    if not data.pepper_file.exists():
        write_private(data.pepper_file, secrets.token_bytes(PEPPER_BYTES))
    pepper = data.pepper_file.read_bytes()
    if len(pepper) != PEPPER_BYTES:
        raise DamagedFileError(f"data: {data.pepper_file.name}: {PEPPER_BYTES} bytes expected")
    policy_keys = {
        role: tuple(
            SoftwareKey(f"{role.replace('_', '-')}/{n}", _private_key(data, f"{role}-{n}")) for n in range(1, count + 1)
        )
        for role, count in POLICY_KEYS.items()
    }
    return Authority(
        ca_certificate=ca_certificate,
        ca_key=ca_key,
        server_key=server_key(data),
        tls_key=_private_key(data, "tls"),  # here, before there are several processes: each would make one
        policy_keys=policy_keys,
        pepper=pepper,
    )


def server_key(data: DataDir) -> SoftwareKey:
    """What answers are signed with."""
    return SoftwareKey("srv/1", _private_key(data, "srv-1"))


def kiosk_of(certificate_der: bytes | None) -> str | None:
    """The kiosk a verified client certificate names, or None: exactly one `urn:kiosk:` name, client usage."""
    if certificate_der is None:
        return None
    certificate = x509.load_der_x509_certificate(certificate_der)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1 or not uris[0].startswith(KIOSK_URN) or ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        return None
    return uris[0].removeprefix(KIOSK_URN)


def spki(key: PublicKey) -> bytes:
    """DER SubjectPublicKeyInfo of a public key."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _private_key(data: DataDir, name: str) -> ec.EllipticCurvePrivateKey:
    path = data.key_file(name)
    if path.exists():
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError):  # TypeError: one that wants a password
            key = None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise DamagedFileError(f"data: {path.name}: a P-256 private key in PEM expected")
        return key
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(
        path,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    return key


def _self_signed(key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> x509.Certificate:
    name = _name("AC fictive de la borne de démonstration")
    return (
        _builder("", name, key.public_key(), now, CA_LIFETIME, subject=name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            True,
        )
        .sign(key, hashes.SHA256())
    )


def _builder(
    common_name: str,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: dt.datetime,
    lifetime: dt.timedelta,
    *,
    subject: x509.Name | None = None,
    backdating: dt.timedelta = BACKDATING,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject or _name(common_name))
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - backdating)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
