"""The certificate request: asks for the TLS key, proves the signing key beside it, and says by what right.

A private, non-critical extension carries the signing key's DER SPKI followed by 64 bytes r‖s, its signature over
`"kiosk-enrol/1" ‖ 00 ‖ SHA-256(TLS SPKI) ‖ SHA-256(right)`. The right is a ticket, or at a renewal the key identifier
of a signing key that the backend knows. A second extension then carries `<keyid> ‖ 00 ‖ 64 bytes r‖s`, that key's
signature over `"kiosk-renew/1" ‖ 00 ‖ SHA-256(TLS SPKI) ‖ SHA-256(new signing SPKI) ‖ SHA-256(keyid)`: who has stolen
a TLS key, which lives in a file, gets no signing key certified with it. Both ends may use this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kiosk.sync.profile import ALG_P256, KIOSK_ID, SIGNATURE_BYTES, KeyRecord, KeyRefusal, owner_of, register_key
from kiosk.visit.ports import SigningKey

SIGNING_KEY_OID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.32473.9421.1")
"""Under the arc reserved for examples (RFC 5612)."""
AUTHORISATION_OID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.32473.9421.2")
MAX_CSR_BYTES: Final = 4096
_CONTEXT: Final = b"kiosk-enrol/1\x00"
_RENEWAL_CONTEXT: Final = b"kiosk-renew/1\x00"


@dataclass(frozen=True, slots=True)
class CsrError:
    """Why a request is refused; `field` is `csr`, `subject`, `tls_key`, `signing_key` or `authorisation`."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class CsrFacts:
    """A proven request: whoever made it holds both private keys and the ticket."""

    kiosk: str
    kiosk_serial: str
    tls_key: ec.EllipticCurvePublicKey = field(repr=False)
    signing_spki: bytes = field(repr=False)  # DER, of alg `ecdsa-p256-sha256`


@dataclass(frozen=True, slots=True)
class RenewalFacts:
    """A proven request for the next keys, and the key of this kiosk that has authorised it."""

    facts: CsrFacts
    authorised_by: str


def build_csr(
    *, kiosk: str, kiosk_serial: str, tls_private: ec.EllipticCurvePrivateKey, signing_key: SigningKey, ticket: str
) -> bytes:
    """DER PKCS#10 for an enrolment. `ticket` is the whole ticket text."""
    return _signed(_request(kiosk, kiosk_serial, tls_private, signing_key, ticket), tls_private)


def build_renewal_csr(
    *,
    kiosk: str,
    kiosk_serial: str,
    tls_private: ec.EllipticCurvePrivateKey,
    signing_key: SigningKey,
    authorised_by: SigningKey,
) -> bytes:
    """DER PKCS#10 for new keys, authorised by one that the backend knows."""
    keyid = authorised_by.keyid
    message = _authorised(_spki(tls_private.public_key()), signing_key.public_spki(), keyid)
    value = keyid.encode("ascii") + b"\x00" + authorised_by.sign(message)
    request = _request(kiosk, kiosk_serial, tls_private, signing_key, keyid).add_extension(
        x509.UnrecognizedExtension(AUTHORISATION_OID, value), critical=False
    )
    return _signed(request, tls_private)


def check_csr(der: bytes, ticket: str) -> CsrFacts | CsrError:
    """Check an unauthenticated request: form, both key types, both proofs of possession, binding to the ticket."""
    request = _loaded(der)
    return request if isinstance(request, CsrError) else _check(request, ticket)


def check_renewal_csr(der: bytes, find_key: Callable[[str], KeyRecord | None]) -> RenewalFacts | CsrError:
    """Check an unauthenticated request: as `check_csr`, and that a key of the same kiosk has authorised it.

    `find_key` gives the record of a key identifier, whatever its state: to judge that is the caller's.
    """
    request = _loaded(der)
    if isinstance(request, CsrError):
        return request
    value = _extension(request, AUTHORISATION_OID)
    if value is None:
        return CsrError("authorisation", "missing")
    name, signature = value[:-SIGNATURE_BYTES], value[-SIGNATURE_BYTES:]
    keyid = name[:-1].decode("ascii", errors="replace")
    facts = _check(request, keyid)
    if isinstance(facts, CsrError):
        return facts
    record = find_key(keyid) if name.endswith(b"\x00") and owner_of(keyid) == facts.kiosk else None
    message = _authorised(_spki(facts.tls_key), facts.signing_spki, keyid)
    if record is None or not record.verify(signature, message):
        return CsrError("authorisation", "not by a key of this kiosk")
    return RenewalFacts(facts, keyid)


def _request(
    kiosk: str, kiosk_serial: str, tls_private: ec.EllipticCurvePrivateKey, signing_key: SigningKey, right: str
) -> x509.CertificateSigningRequestBuilder:
    tls_spki = _spki(tls_private.public_key())
    proof = signing_key.public_spki() + signing_key.sign(_proof_message(tls_spki, right))
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, kiosk),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, kiosk_serial),
        ]
    )
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name)
        .add_extension(x509.UnrecognizedExtension(SIGNING_KEY_OID, proof), critical=False)
    )


def _signed(request: x509.CertificateSigningRequestBuilder, tls_private: ec.EllipticCurvePrivateKey) -> bytes:
    return request.sign(tls_private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _loaded(der: bytes) -> x509.CertificateSigningRequest | CsrError:
    """Whose every part can be read, and which its own key has signed."""
    if len(der) > MAX_CSR_BYTES:
        return CsrError("csr", f"longer than {MAX_CSR_BYTES} bytes")
    try:
        request = x509.load_der_x509_csr(der)
        signed = request.is_signature_valid
        request.public_key()
        list(request.subject)
        list(request.extensions)
    except Exception:  # noqa: BLE001  # the library documents no closed list of errors for hostile DER
        return CsrError("csr", "not a DER certificate request of the expected form")
    return request if signed else CsrError("csr", "not signed by its own key")


def _extension(request: x509.CertificateSigningRequest, oid: x509.ObjectIdentifier) -> bytes | None:
    for extension in request.extensions:
        if extension.oid == oid and isinstance(extension.value, x509.UnrecognizedExtension):
            return extension.value.value
    return None


def _check(request: x509.CertificateSigningRequest, right: str) -> CsrFacts | CsrError:
    proof = _extension(request, SIGNING_KEY_OID)
    if proof is None:
        return CsrError("signing_key", "missing")
    tls_key = request.public_key()
    if not isinstance(tls_key, ec.EllipticCurvePublicKey) or not isinstance(tls_key.curve, ec.SECP256R1):
        return CsrError("tls_key", "a P-256 key expected")
    names = {attribute.oid: attribute.value for attribute in request.subject}
    kiosk, kiosk_serial = names.get(NameOID.COMMON_NAME), names.get(NameOID.SERIAL_NUMBER)
    if not isinstance(kiosk, str) or not KIOSK_ID.fullmatch(kiosk) or not isinstance(kiosk_serial, str):
        return CsrError("subject", "kiosk name and serial number expected")
    spki, signature = proof[:-SIGNATURE_BYTES], proof[-SIGNATURE_BYTES:]
    record = register_key(f"{kiosk}/1", ALG_P256, spki)
    if isinstance(record, KeyRefusal):
        return CsrError("signing_key", record.value)
    if not record.verify(signature, _proof_message(_spki(tls_key), right)):
        return CsrError("signing_key", "its proof does not fit the TLS key and the ticket")
    return CsrFacts(kiosk, kiosk_serial, tls_key, spki)


def _proof_message(tls_spki: bytes, right: str) -> bytes:
    return _CONTEXT + sha256(tls_spki).digest() + sha256(right.encode()).digest()


def _authorised(tls_spki: bytes, signing_spki: bytes, keyid: str) -> bytes:
    digests = (sha256(part).digest() for part in (tls_spki, signing_spki, keyid.encode()))
    return _RENEWAL_CONTEXT + b"".join(digests)


def _spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
