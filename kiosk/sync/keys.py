"""Where signing keys live: one interface, several stores (`keys_file`, `keys_tpm`), and P-256 keys held in software.

A *slot* numbers the keys of this kiosk's store, upwards; the backend numbers its own generations over all enrolments.
"""

from __future__ import annotations

import os
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from kiosk.sync.profile import ALG_P256
from kiosk.visit.ports import SigningKey

MAX_SLOT: Final = 999_999
UNNAMED: Final = ""
"""Key identifier of a key that the backend has not numbered yet."""
_MAX_PEM_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class KeyStoreError:
    """Why a key store or a key cannot be used. `field`: `key_store`, `seal` or `slot <n>`."""

    field: str
    reason: str


class KeyUnusableError(Exception):
    """A key that was loaded does not sign any more: its hardware is gone, or refuses. The text names no secret."""


class KeyStore(Protocol):
    """Signing keys of one kiosk by slot (1–999999), and the sealing of other secrets."""

    @property
    def kind(self) -> str:
        """`file` or `tpm2`."""
        ...

    @property
    def sealed_by(self) -> str:
        """What a stolen disk lacks: `tpm2`, `systemd-creds`; empty: nothing, mode 0600 is all there is."""
        ...

    def create(self, slot: int) -> SigningKey | KeyStoreError:
        """Make a key, as yet unnamed; it is durable when this returns. Refused if that slot is taken."""
        ...

    def load(self, slot: int, keyid: str = UNNAMED) -> SigningKey | KeyStoreError:
        """The key of that slot, to sign as `keyid`."""
        ...

    def list(self) -> list[int]:
        """Slots taken, ascending."""
        ...

    def destroy(self, slot: int) -> KeyStoreError | None:
        """Remove that key for good."""
        ...

    def seal(self, secret: bytes) -> bytes | KeyStoreError:
        """Bytes that only `unseal` on this machine turns back; refused where `sealed_by` is empty."""
        ...

    def unseal(self, sealed: bytes) -> bytes | KeyStoreError:
        """What was sealed; refused if one bit of it was changed, or if it comes from elsewhere."""
        ...

    def close(self) -> None:
        """Give back what is held of the hardware, until something is asked of the store or of a key again."""
        ...


class SoftwareKey:
    """A P-256 key in memory. Never shown by `repr`."""

    def __init__(self, keyid: str, private: ec.EllipticCurvePrivateKey) -> None:
        self.keyid = keyid
        self.alg = ALG_P256
        self._private = private

    def public_spki(self) -> bytes:
        """DER SubjectPublicKeyInfo, 91 bytes."""
        return public_spki(self._private)

    def sign(self, message: bytes) -> bytes:
        """64 bytes r‖s over SHA-256 of the message."""
        r, s = decode_dss_signature(self._private.sign(message, _ECDSA_SHA256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def check_new(slot: int, taken: Container[int]) -> KeyStoreError | None:
    """Why no key can be made there."""
    if not 1 <= slot <= MAX_SLOT:
        return KeyStoreError(f"slot {slot}", f"1 to {MAX_SLOT} expected")
    return KeyStoreError(f"slot {slot}", "taken already") if slot in taken else None


def read_private(path: Path, field: str, limit_bytes: int) -> bytes | KeyStoreError:
    """A small file that only its owner can read; `field` names it in an error."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                return KeyStoreError(field, "readable by others; mode 0600 expected")
            content = file.read(limit_bytes + 1)
    except OSError as error:
        return KeyStoreError(field, os.strerror(error.errno or 0))
    return content if len(content) <= limit_bytes else KeyStoreError(field, f"larger than {limit_bytes} bytes")


def load_private_pem(path: Path, field: str) -> ec.EllipticCurvePrivateKey | KeyStoreError:
    """A P-256 private key in an unencrypted PEM file that only its owner can read; `field` names it in an error."""
    pem = read_private(path, field, _MAX_PEM_BYTES)
    return pem if isinstance(pem, KeyStoreError) else parse_private_pem(pem, field)


def parse_private_pem(pem: bytes, field: str) -> ec.EllipticCurvePrivateKey | KeyStoreError:
    """A P-256 private key in unencrypted PEM; `field` names it in an error."""
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return KeyStoreError(field, "not a PEM private key")
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        return KeyStoreError(field, "a P-256 key expected")
    return private


def private_pem(private: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8 PEM, unencrypted."""
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_spki(private: ec.EllipticCurvePrivateKey) -> bytes:
    """DER SubjectPublicKeyInfo of the public half."""
    return private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


_ECDSA_SHA256: Final = ec.ECDSA(hashes.SHA256())
