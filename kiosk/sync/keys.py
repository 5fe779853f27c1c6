"""Where signing keys live. `file:` keeps P-256 keys in PEM files of mode 0600; hardware fits the same interface."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from kiosk.sync.files import sync_directory, write_private
from kiosk.sync.profile import ALG_P256, KIOSK_ID
from kiosk.visit.ports import SigningKey

MAX_GENERATION: Final = 999_999
_MAX_PEM_BYTES: Final = 4096
_NAME: Final = re.compile(r"signing-([1-9][0-9]{0,5})\.pem", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyStoreError:
    """Why a key store or a key cannot be used. `field`: `uri`, `kiosk` or `generation <n>`."""

    field: str
    reason: str


class KeyStore(Protocol):
    """Signing keys of one kiosk, by generation (1–999999)."""

    def create(self, generation: int) -> SigningKey | KeyStoreError:
        """Make a key; it is durable when this returns. Refused if that generation exists."""
        ...

    def load(self, generation: int) -> SigningKey | KeyStoreError:
        """The key of that generation."""
        ...

    def list(self) -> list[int]:
        """Generations present, ascending."""
        ...

    def destroy(self, generation: int) -> KeyStoreError | None:
        """Remove that key for good."""
        ...


def open_key_store(uri: str, kiosk: str) -> KeyStore | KeyStoreError:
    """Open the store a URI names: `file:<absolute directory>` (made if missing, mode 0700)."""
    if not KIOSK_ID.fullmatch(kiosk):
        return KeyStoreError("kiosk", "1 to 48 of a-z, 0-9 and - expected, not srv")
    scheme, _, place = uri.partition(":")
    if scheme != "file" or not place.startswith("/"):
        return KeyStoreError("uri", "file:<absolute directory> expected")
    directory = Path(place)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        return KeyStoreError("uri", os.strerror(error.errno or 0))
    return FileKeyStore(directory, kiosk)


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


class FileKeyStore:
    """`signing-<generation>.pem` files in one directory."""

    def __init__(self, directory: Path, kiosk: str) -> None:
        self._directory, self._kiosk = directory, kiosk

    def create(self, generation: int) -> SigningKey | KeyStoreError:
        """See `KeyStore.create`."""
        field = f"generation {generation}"
        if not 1 <= generation <= MAX_GENERATION:
            return KeyStoreError(field, f"1 to {MAX_GENERATION} expected")
        path = self._path(generation)
        if path.exists():
            return KeyStoreError(field, "exists already")
        private = ec.generate_private_key(ec.SECP256R1())
        try:
            write_private(path, private_pem(private))
        except OSError as error:
            return KeyStoreError(field, os.strerror(error.errno or 0))
        return SoftwareKey(f"{self._kiosk}/{generation}", private)

    def load(self, generation: int) -> SigningKey | KeyStoreError:
        """See `KeyStore.load`."""
        private = load_private_pem(self._path(generation), f"generation {generation}")
        return private if isinstance(private, KeyStoreError) else SoftwareKey(f"{self._kiosk}/{generation}", private)

    def list(self) -> list[int]:
        """See `KeyStore.list`."""
        names = (_NAME.fullmatch(path.name) for path in self._directory.iterdir())
        return sorted(int(name[1]) for name in names if name)

    def destroy(self, generation: int) -> KeyStoreError | None:
        """See `KeyStore.destroy`."""
        try:
            self._path(generation).unlink()
            sync_directory(self._directory)
        except OSError as error:
            return KeyStoreError(f"generation {generation}", os.strerror(error.errno or 0))
        return None

    def _path(self, generation: int) -> Path:
        return self._directory / f"signing-{generation}.pem"


def load_private_pem(path: Path, field: str) -> ec.EllipticCurvePrivateKey | KeyStoreError:
    """A P-256 private key in an unencrypted PEM file that only its owner can read; `field` names it in an error."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                return KeyStoreError(field, "readable by others; mode 0600 expected")
            pem = file.read(_MAX_PEM_BYTES)
    except OSError as error:
        return KeyStoreError(field, os.strerror(error.errno or 0))
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
