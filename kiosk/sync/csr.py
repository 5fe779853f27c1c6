"""The certificate request of enrolment: asks for the TLS key, and proves the signing key and the ticket beside it.

A private, non-critical extension carries the signing key's DER SPKI followed by 64 bytes r‖s, its signature over
`"kiosk-enrol/1" ‖ 00 ‖ SHA-256(TLS SPKI) ‖ SHA-256(ticket)`. Both ends may use this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kiosk.sync.profile import ALG_P256, KIOSK_ID, SIGNATURE_BYTES, KeyRefusal, register_key
from kiosk.visit.ports import SigningKey

SIGNING_KEY_OID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.32473.9421.1")
"""Under the arc reserved for examples (RFC 5612)."""
MAX_CSR_BYTES: Final = 4096
_CONTEXT: Final = b"kiosk-enrol/1\x00"


@dataclass(frozen=True, slots=True)
class CsrError:
    """Why a request is refused; `field` is `csr`, `subject`, `tls_key` or `signing_key`."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class CsrFacts:
    """A proven request: whoever made it holds both private keys and the ticket."""

    kiosk: str
    kiosk_serial: str
    tls_key: ec.EllipticCurvePublicKey = field(repr=False)
    signing_spki: bytes = field(repr=False)  # DER, of alg `ecdsa-p256-sha256`


def build_csr(
    *, kiosk: str, kiosk_serial: str, tls_private: ec.EllipticCurvePrivateKey, signing_key: SigningKey, ticket: str
) -> bytes:
    """DER PKCS#10. `ticket` is the whole ticket text."""
    tls_spki = _spki(tls_private.public_key())
    proof = signing_key.public_spki() + signing_key.sign(_proof_message(tls_spki, ticket))
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, kiosk),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, kiosk_serial),
        ]
    )
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name)
        .add_extension(x509.UnrecognizedExtension(SIGNING_KEY_OID, proof), critical=False)
        .sign(tls_private, hashes.SHA256())
    )
    return request.public_bytes(serialization.Encoding.DER)


def check_csr(der: bytes, ticket: str) -> CsrFacts | CsrError:
    """Check an unauthenticated request: form, both key types, both proofs of possession, binding to the ticket."""
    if len(der) > MAX_CSR_BYTES:
        return CsrError("csr", f"longer than {MAX_CSR_BYTES} bytes")
    try:
        request = x509.load_der_x509_csr(der)
        signed = request.is_signature_valid
        tls_key = request.public_key()
        names = {attribute.oid: attribute.value for attribute in request.subject}
        extension = request.extensions.get_extension_for_oid(SIGNING_KEY_OID).value
    except x509.ExtensionNotFound:
        return CsrError("signing_key", "missing")
    except Exception:  # noqa: BLE001  # the library documents no closed list of errors for hostile DER
        return CsrError("csr", "not a DER certificate request of the expected form")
    if not isinstance(extension, x509.UnrecognizedExtension):
        return CsrError("signing_key", "not the extension expected")
    if not signed:
        return CsrError("csr", "not signed by its own key")
    if not isinstance(tls_key, ec.EllipticCurvePublicKey) or not isinstance(tls_key.curve, ec.SECP256R1):
        return CsrError("tls_key", "a P-256 key expected")
    kiosk, kiosk_serial = names.get(NameOID.COMMON_NAME), names.get(NameOID.SERIAL_NUMBER)
    if not isinstance(kiosk, str) or not KIOSK_ID.fullmatch(kiosk) or not isinstance(kiosk_serial, str):
        return CsrError("subject", "kiosk name and serial number expected")
    spki, signature = extension.value[:-SIGNATURE_BYTES], extension.value[-SIGNATURE_BYTES:]
    record = register_key(f"{kiosk}/1", ALG_P256, spki)
    if isinstance(record, KeyRefusal):
        return CsrError("signing_key", record.value)
    if not record.verify(signature, _proof_message(_spki(tls_key), ticket)):
        return CsrError("signing_key", "its proof does not fit the TLS key and the ticket")
    return CsrFacts(kiosk, kiosk_serial, tls_key, spki)


def _proof_message(tls_spki: bytes, ticket: str) -> bytes:
    return _CONTEXT + sha256(tls_spki).digest() + sha256(ticket.encode("ascii")).digest()


def _spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
