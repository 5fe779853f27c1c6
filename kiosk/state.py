"""What a kiosk keeps on disk, and where: `kiosk.db` with its key, and the identity that enrolment wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kiosk.store.ballast import BALLAST_BYTES
from kiosk.store.database import had_database
from kiosk.store.errors import StoreError
from kiosk.store.thread import Store
from kiosk.sync.keys import KeyStoreError
from kiosk.sync.keys_open import FILE, open_key_store
from kiosk.sync.keys_store import load_or_create_sealed_key

DATABASE: Final = "kiosk.db"
DATABASE_KEY: Final = "store.key"
IDENTITY: Final = "identity"


def open_existing_store(state_dir: Path, key_store: str = FILE) -> Store | StoreError:
    """Open the database of this kiosk for a look; where there is none yet (`absent`) nothing is created."""
    try:
        if not (state_dir / DATABASE).exists() and not had_database(state_dir / DATABASE):
            return StoreError("absent", "there is no database: this kiosk has not run yet")
    except OSError as error:
        return StoreError("path", error.strerror or "cannot be looked at")
    return open_store(state_dir, key_store, look_only=True)


def open_store(state_dir: Path, key_store: str = FILE, *, look_only: bool = False) -> Store | StoreError:
    """Open or create the database of this kiosk; its key is sealed by the key store, where that one can."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        return StoreError("path", error.strerror or "cannot be created")
    keys = open_key_store(key_store, state_dir)  # for sealing: no key is made there
    if isinstance(keys, KeyStoreError):
        return StoreError("key", f"{keys.field}: {keys.reason}")
    try:
        key = load_or_create_sealed_key(state_dir / DATABASE_KEY, state_dir / DATABASE, keys, look_only=look_only)
    finally:
        keys.close()
    return key if isinstance(key, StoreError) else Store.open(state_dir / DATABASE, key, ballast_bytes=BALLAST_BYTES)
