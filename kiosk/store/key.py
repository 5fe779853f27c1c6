"""The key of the database, in a file of its own (0600); `kiosk.sync.keys_store` seals it where it can."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from kiosk.store.database import KEY_BYTES, had_database
from kiosk.store.errors import StoreError
from kiosk.store.files import write_private


def load_or_create_key(key_path: Path, database_path: Path) -> bytes | StoreError:
    """The 32-byte key; created only where no database exists."""
    try:
        if not key_path.exists():
            if database_path.exists() or had_database(database_path):
                return StoreError("key", "missing, and there is a database that needs it")
            write_private(key_path, secrets.token_bytes(KEY_BYTES))
        if key_path.stat().st_mode & 0o077:
            return StoreError("key", "readable by others; mode 0600 expected")
        key = key_path.read_bytes()
    except OSError as error:
        return StoreError("key", os.strerror(error.errno or 0))
    if len(key) != KEY_BYTES:
        return StoreError("key", f"{KEY_BYTES} bytes expected, the file has {len(key)}")
    return key
