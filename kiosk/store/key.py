"""The key of the database, in a file of its own (0600). Sealing it in hardware is the key store's later work."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from kiosk.store.database import KEY_BYTES
from kiosk.store.errors import StoreError


def load_or_create_key(key_path: Path, database_path: Path) -> bytes | StoreError:
    """The 32-byte key. It is created (temporary file, fsync, rename, directory fsync) only where no database exists."""
    try:
        if not key_path.exists():
            if database_path.exists():
                return StoreError("key", "missing, and there is a database that needs it")
            _write(key_path, secrets.token_bytes(KEY_BYTES))
        if key_path.stat().st_mode & 0o077:
            return StoreError("key", "readable by others; mode 0600 expected")
        key = key_path.read_bytes()
    except OSError as error:
        return StoreError("key", os.strerror(error.errno or 0))
    if len(key) != KEY_BYTES:
        return StoreError("key", f"{KEY_BYTES} bytes expected, the file has {len(key)}")
    return key


def _write(key_path: Path, key: bytes) -> None:
    fresh = key_path.with_name(key_path.name + ".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(handle, key)
        os.fsync(handle)
    finally:
        os.close(handle)
    fresh.rename(key_path)
    directory = os.open(key_path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
