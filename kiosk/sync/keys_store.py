"""The database's key, sealed by the key store where that can seal: `store.key.sealed` in place of a plain `store.key`.

A plain key file of an earlier version is sealed once; it is removed only after the sealed copy was read back from the
disk and unsealed to the same bytes. Where sealing fails it stays, and the kiosk runs on it.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from kiosk.store.database import KEY_BYTES, had_database
from kiosk.store.errors import StoreError
from kiosk.store.files import sync_directory, write_private
from kiosk.store.key import load_or_create_key
from kiosk.sync.keys import KeyStore, KeyStoreError, read_private
from kiosk.sync.keys_seal import MAX_SEALED_BYTES

_FIELD: Final = "key"


def sealed_key_file(key_path: Path) -> Path:
    """Beside the plain one."""
    return key_path.with_name(key_path.name + ".sealed")


def load_or_create_sealed_key(
    key_path: Path, database_path: Path, keys: KeyStore, *, look_only: bool = False
) -> bytes | StoreError:
    """The 32-byte key of the database; created only where no database exists. look_only: a plain key stays plain."""
    try:
        return _load_or_create(key_path, database_path, keys, look_only=look_only)
    except OSError as error:
        return StoreError(_FIELD, os.strerror(error.errno or 0))


def _load_or_create(key_path: Path, database_path: Path, keys: KeyStore, *, look_only: bool) -> bytes | StoreError:
    sealed_path = sealed_key_file(key_path)
    unsealed = _unsealed(sealed_path, keys) if sealed_path.exists() else None
    if not key_path.exists():
        if isinstance(unsealed, bytes):
            return unsealed
        if unsealed is not None:
            return StoreError(_FIELD, f"{sealed_path.name}: {unsealed.reason}")
        if keys.sealed_by and not database_path.exists() and not had_database(database_path):
            key = secrets.token_bytes(KEY_BYTES)
            refused = _seal(sealed_path, key, keys)
            return key if refused is None else StoreError(_FIELD, f"{refused.field}: {refused.reason}")
    plain = load_or_create_key(key_path, database_path)
    if isinstance(plain, StoreError) or not keys.sealed_by or look_only:
        return plain
    if isinstance(unsealed, bytes) and not secrets.compare_digest(unsealed, plain):
        return StoreError(_FIELD, f"{key_path.name} and {sealed_path.name} differ")
    if isinstance(unsealed, bytes) or _seal(sealed_path, plain, keys) is None:
        key_path.unlink()
        sync_directory(key_path.parent)
    return plain


def _seal(sealed_path: Path, key: bytes, keys: KeyStore) -> KeyStoreError | None:
    """Durable, and proven to give the same key again, when this returns None."""
    sealed = keys.seal(key)
    if isinstance(sealed, KeyStoreError):
        return sealed
    write_private(sealed_path, sealed)
    again = _unsealed(sealed_path, keys)
    if isinstance(again, KeyStoreError):
        return again
    return None if secrets.compare_digest(again, key) else KeyStoreError("seal", "gives back another secret")


def _unsealed(sealed_path: Path, keys: KeyStore) -> bytes | KeyStoreError:
    sealed = read_private(sealed_path, "seal", MAX_SEALED_BYTES)
    key = sealed if isinstance(sealed, KeyStoreError) else keys.unseal(sealed)
    if isinstance(key, bytes) and len(key) != KEY_BYTES:
        return KeyStoreError("seal", f"{KEY_BYTES} bytes expected")
    return key
