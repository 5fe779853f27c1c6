"""Signing keys in files of mode 0600: `signing-<slot>.sealed` where the machine has a sealing key, else `.pem`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from kiosk.store.files import sync_directory, write_private
from kiosk.sync.keys import (
    UNNAMED,
    KeyStoreError,
    SoftwareKey,
    check_new,
    load_private_pem,
    parse_private_pem,
    private_pem,
    read_private,
)
from kiosk.sync.keys_seal import MAX_SEALED_BYTES, seal_with, unseal_with
from kiosk.visit.ports import SigningKey

_NAME: Final = re.compile(r"signing-([1-9][0-9]{0,5})\.(?:pem|sealed)", re.ASCII)


class FileKeyStore:
    """See `KeyStore`. A plain key written before the machine had a sealing key stays usable until it is destroyed."""

    kind: Final = "file"

    def __init__(self, directory: Path, seal_key: bytes | KeyStoreError | None = None) -> None:
        """`seal_key`: 32 bytes, None where there is none, or why the one there is cannot be had."""
        self._directory, self._seal_key = directory, seal_key

    @property
    def sealed_by(self) -> str:
        """See `KeyStore.sealed_by`."""
        return "" if self._seal_key is None else "systemd-creds"

    def create(self, slot: int) -> SigningKey | KeyStoreError:
        """See `KeyStore.create`."""
        if (refused := check_new(slot, self.list())) is not None:
            return refused
        private = ec.generate_private_key(ec.SECP256R1())
        path, content = self._path(slot, "pem"), private_pem(private)
        if self._seal_key is not None:
            sealed = self.seal(content)
            if isinstance(sealed, KeyStoreError):
                return sealed
            path, content = self._path(slot, "sealed"), sealed
        try:
            write_private(path, content)
        except OSError as error:
            return KeyStoreError(f"slot {slot}", os.strerror(error.errno or 0))
        return SoftwareKey(UNNAMED, private)

    def load(self, slot: int, keyid: str = UNNAMED) -> SigningKey | KeyStoreError:
        """See `KeyStore.load`."""
        private = self._private(slot)
        return private if isinstance(private, KeyStoreError) else SoftwareKey(keyid, private)

    def list(self) -> list[int]:
        """See `KeyStore.list`."""
        names = (_NAME.fullmatch(path.name) for path in self._directory.iterdir())
        return sorted({int(name[1]) for name in names if name})

    def destroy(self, slot: int) -> KeyStoreError | None:
        """See `KeyStore.destroy`."""
        if slot not in self.list():
            return KeyStoreError(f"slot {slot}", "no key there")
        try:
            for suffix in ("pem", "sealed"):
                self._path(slot, suffix).unlink(missing_ok=True)
            sync_directory(self._directory)
        except OSError as error:
            return KeyStoreError(f"slot {slot}", os.strerror(error.errno or 0))
        return None

    def seal(self, secret: bytes) -> bytes | KeyStoreError:
        """See `KeyStore.seal`."""
        key = self._usable_seal_key()
        return key if isinstance(key, KeyStoreError) else seal_with(key, secret)

    def unseal(self, sealed: bytes) -> bytes | KeyStoreError:
        """See `KeyStore.unseal`."""
        key = self._usable_seal_key()
        return key if isinstance(key, KeyStoreError) else unseal_with(key, sealed)

    def close(self) -> None:
        """See `KeyStore.close`; nothing is held."""

    def _private(self, slot: int) -> ec.EllipticCurvePrivateKey | KeyStoreError:
        field, path = f"slot {slot}", self._path(slot, "sealed")
        if not path.exists():
            return load_private_pem(self._path(slot, "pem"), field)
        sealed = read_private(path, field, MAX_SEALED_BYTES)
        pem = sealed if isinstance(sealed, KeyStoreError) else self.unseal(sealed)
        return pem if isinstance(pem, KeyStoreError) else parse_private_pem(pem, field)

    def _usable_seal_key(self) -> bytes | KeyStoreError:
        return (
            KeyStoreError("seal", "this machine has nothing to seal with") if self._seal_key is None else self._seal_key
        )

    def _path(self, slot: int, suffix: str) -> Path:
        return self._directory / f"signing-{slot}.{suffix}"
