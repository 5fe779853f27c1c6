"""Requests for a certificate: an enrolment's, a renewal's, and every bent one refused without an exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync.csr import (
    SIGNING_KEY_OID,
    CsrError,
    CsrFacts,
    RenewalFacts,
    build_csr,
    build_renewal_csr,
    check_csr,
    check_renewal_csr,
)
from tests.sync.enrol_listener import TICKET
from tests.sync.support import Ed25519Key, p256_key, record


def _csr(**changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "kiosk": "borne-7",
        "kiosk_serial": "SN-0001",
        "tls_private": ec.generate_private_key(ec.SECP256R1()),
        "signing_key": p256_key("borne-7/1"),
        "ticket": TICKET,
    }
    return build_csr(**{**arguments, **changes})


def test_request_round_trip() -> None:
    tls, signing = ec.generate_private_key(ec.SECP256R1()), p256_key("borne-7/1")
    facts = check_csr(_csr(tls_private=tls, signing_key=signing), TICKET)
    assert isinstance(facts, CsrFacts)
    assert (facts.kiosk, facts.kiosk_serial) == ("borne-7", "SN-0001")
    assert facts.tls_key == tls.public_key()
    assert facts.signing_spki == signing.public_spki()


class _Impostor:
    """Presents another's public key with its own signature."""

    keyid, alg = "borne-7/1", "ecdsa-p256-sha256"

    def __init__(self) -> None:
        self._own, self._other = p256_key("borne-7/1"), p256_key("borne-7/1")

    def public_spki(self) -> bytes:
        return self._other.public_spki()

    def sign(self, message: bytes) -> bytes:
        return self._own.sign(message)


def _without_proof() -> bytes:
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "borne-7"), x509.NameAttribute(NameOID.SERIAL_NUMBER, "1")]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    return request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(
        serialization.Encoding.DER
    )


def _flipped() -> bytes:
    der = bytearray(_csr())
    der[-1] ^= 1
    return bytes(der)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: _csr(ticket="borne-7:" + "0" * 32), "signing_key"),
        (lambda: _csr(signing_key=_Impostor()), "signing_key"),
        (lambda: _csr(signing_key=Ed25519Key("borne-7/1")), "signing_key"),
        (_without_proof, "signing_key"),
        (lambda: _csr(tls_private=ec.generate_private_key(ec.SECP384R1())), "tls_key"),
        (lambda: _csr(kiosk="srv"), "subject"),
        (lambda: _csr(kiosk="Borne"), "subject"),
        (_flipped, "csr"),
        (lambda: b"", "csr"),
        (lambda: b"\x30\x03\x02\x01\x00", "csr"),
        (lambda: b"\x00" * 4097, "csr"),
    ],
)
def test_requests_refused(make: Callable[[], bytes], field: str) -> None:
    error = check_csr(make(), TICKET)
    assert isinstance(error, CsrError)
    assert error.field == field


def test_the_proof_is_bound_to_the_tls_key() -> None:
    first = x509.load_der_x509_csr(_csr())
    stolen = first.extensions.get_extension_for_oid(SIGNING_KEY_OID).value
    other = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(first.subject)
        .add_extension(stolen, critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    error = check_csr(other.public_bytes(serialization.Encoding.DER), TICKET)
    assert error == CsrError("signing_key", "its proof does not fit the TLS key and the ticket")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_hostile_requests_raise_nothing(data: st.DataObject) -> None:
    der = bytearray(_HONEST)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    result = check_csr(bytes(der), TICKET)
    assert isinstance(result, CsrError) or bytes(der) == _HONEST


_HONEST = _csr()
_OLD_KEY = p256_key("borne-7/3")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_hostile_renewals_raise_nothing(data: st.DataObject) -> None:
    der = bytearray(_HONEST_RENEWAL)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    result = check_renewal_csr(bytes(der), {_OLD_KEY.keyid: record(_OLD_KEY)}.get)
    assert isinstance(result, CsrError) or bytes(der) == _HONEST_RENEWAL


_HONEST_RENEWAL = build_renewal_csr(
    kiosk="borne-7",
    kiosk_serial="SN-0001",
    tls_private=ec.generate_private_key(ec.SECP256R1()),
    signing_key=p256_key(""),
    authorised_by=_OLD_KEY,
)


def test_renewal_round_trip() -> None:
    facts = check_renewal_csr(_HONEST_RENEWAL, {_OLD_KEY.keyid: record(_OLD_KEY)}.get)
    assert isinstance(facts, RenewalFacts)
    assert (facts.facts.kiosk, facts.authorised_by) == ("borne-7", "borne-7/3")
    assert check_renewal_csr(_HONEST_RENEWAL, lambda _: None) == CsrError("authorisation", "not by a key of this kiosk")
    assert check_renewal_csr(_HONEST, lambda _: None) == CsrError("authorisation", "missing")
    assert isinstance(check_csr(_HONEST_RENEWAL, TICKET), CsrError), "a renewal is no enrolment"
