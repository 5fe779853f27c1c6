"""The keys of a whole fleet from one secret of the run: nothing is stored, any process makes the ones it needs.

Deriving a P-256 key takes about 35 µs; 20,000 kiosks kept as files would cost two fsyncs each.
"""

from __future__ import annotations

import hmac
import os
import ssl
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from kiosk.sync.keys import SoftwareKey, private_pem

_CURVE: Final = ec.SECP256R1()
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # SEC 2, §2.4.2
GENERATION: Final = 1


class Purpose(StrEnum):
    """What a kiosk's key is for."""

    SIGNING = "signing"
    TLS = "tls"


def kiosk_id(seed: int, number: int) -> str:
    """The name of kiosk `number` of the fleet of this seed."""
    return f"fleet-{seed}-{number:05d}"


def private_key(secret: bytes, kiosk: str, purpose: Purpose) -> ec.EllipticCurvePrivateKey:
    """A P-256 key; `secret`: 32 random bytes of the run. 512 bits modulo the order leave no bias that matters."""
    wide = hmac.digest(secret, f"{purpose}/{kiosk}".encode("ascii"), "sha512")
    return ec.derive_private_key(int.from_bytes(wide, "big") % (_ORDER - 1) + 1, _CURVE)


def signing_key(secret: bytes, kiosk: str) -> SoftwareKey:
    """The key under which the kiosk signs."""
    return SoftwareKey(f"{kiosk}/{GENERATION}", private_key(secret, kiosk, Purpose.SIGNING))


class TlsIdentities:
    """Makes client contexts. Each is made before the run and kept: making one costs 1.1 ms, keeping one 25 KB."""

    def __init__(self, secret: bytes, ca_pem: str) -> None:
        self._secret, self._ca_pem = secret, ca_pem
        self._memory = os.memfd_create("tls-identity")  # `ssl` loads files only; this one is never on a disk

    def context(self, kiosk: str, certificate_der: bytes) -> ssl.SSLContext:
        """TLS 1.3 towards the backend's own CA, as this kiosk."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(cadata=self._ca_pem)
        certificate = x509.load_der_x509_certificate(certificate_der)
        pem = private_pem(private_key(self._secret, kiosk, Purpose.TLS)) + certificate.public_bytes(Encoding.PEM)
        os.ftruncate(self._memory, 0)
        os.pwrite(self._memory, pem, 0)
        context.load_cert_chain(f"/proc/self/fd/{self._memory}")
        return context

    def close(self) -> None:
        """Forget the last key."""
        os.close(self._memory)
