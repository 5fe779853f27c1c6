"""Opening the key store that the settings name: `file:[<directory>]` or `tpm2:[<TCTI>]`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from kiosk.sync.keys import KeyStore, KeyStoreError
from kiosk.sync.keys_file import FileKeyStore
from kiosk.sync.keys_seal import find_seal_key

FILE: Final = "file:"
"""Keys in files of the kiosk's own state directory."""
TPM: Final = "tpm2:"
_DEFAULT_TCTI: Final = "device:/dev/tpmrm0"


def check_uri(uri: str) -> KeyStoreError | None:
    """What is wrong with the setting, without opening anything."""
    if uri in (FILE, TPM) or (uri.startswith(FILE) and Path(uri.removeprefix(FILE)).is_absolute()):
        return None
    if uri.startswith(TPM) and uri.isascii() and uri.isprintable() and ":" in uri.removeprefix(TPM):
        return None
    return KeyStoreError("key_store", "file:, file:<absolute directory>, tpm2: or tpm2:<TCTI> expected")


def open_key_store(uri: str, directory: Path) -> KeyStore | KeyStoreError:
    """Open the store; its files are in `directory` (made if missing, mode 0700) unless the URI names another.

    A TPM is reached by its TCTI (default: the kernel's resource manager); it is first talked to when needed.
    """
    if (refused := check_uri(uri)) is not None:
        return refused
    scheme, _, place = uri.partition(":")
    place_dir = Path(place) if scheme == "file" and place else directory
    try:
        place_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        return KeyStoreError("key_store", os.strerror(error.errno or 0))
    if scheme == "file":
        return FileKeyStore(place_dir, find_seal_key())
    try:
        from kiosk.sync.keys_tpm import TpmKeyStore  # noqa: PLC0415  a kiosk without a TPM runs without its libraries
    except ImportError:
        return KeyStoreError("key_store", "tpm2-pytss is not installed")
    return TpmKeyStore(place_dir, place or _DEFAULT_TCTI)
