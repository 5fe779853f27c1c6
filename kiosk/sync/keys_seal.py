"""Sealing for a kiosk without a TPM: a 32-byte key that systemd keeps encrypted for this machine.

The installer makes it once (`systemd-creds encrypt --name=kiosk.seal`); the service manager hands the running service
the plain key in memory only (`LoadCredentialEncrypted=kiosk.seal`). A technician's command run as root asks
`systemd-creds` itself. An unprivileged service can call neither, so the key is its own, not systemd's file format.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kiosk.sync.keys import KeyStoreError

CREDENTIAL: Final = "kiosk.seal"
CREDSTORE: Final = Path("/etc/credstore.encrypted")
KEY_BYTES: Final = 32
MAX_SEALED_BYTES: Final = 64 * 1024
_LIMIT_S: Final = 10.0
_HEADER: Final = b"kiosk-sealed/1\n"
_NONCE_BYTES: Final = 12


def find_seal_key(
    environment: Mapping[str, str] = os.environ, credstore: Path = CREDSTORE
) -> bytes | KeyStoreError | None:
    """The machine's sealing key, 32 bytes; None: systemd offers none; an error: it offers one that we cannot have."""
    handed = environment.get("CREDENTIALS_DIRECTORY")
    try:
        if handed is not None and (path := Path(handed) / CREDENTIAL).exists():
            return _checked(path.read_bytes())
        if not (credstore / CREDENTIAL).exists():
            return None
        done = subprocess.run(  # noqa: S603  fixed words, the machine's own tool
            ["systemd-creds", "decrypt", f"--name={CREDENTIAL}", str(credstore / CREDENTIAL), "-"],  # noqa: S607
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT_S,
            check=False,
            env=dict(environment),
        )
    except PermissionError:
        return KeyStoreError("seal", f"{CREDENTIAL} can be had only by the service or by root")
    except OSError as error:
        return KeyStoreError("seal", f"{CREDENTIAL}: {os.strerror(error.errno or 0)}")
    except subprocess.TimeoutExpired:
        return KeyStoreError("seal", f"systemd-creds has not answered within {_LIMIT_S:g} s")
    if done.returncode != 0:
        return KeyStoreError("seal", f"systemd-creds cannot decrypt {CREDENTIAL} here")
    return _checked(done.stdout)


def _checked(key: bytes) -> bytes | KeyStoreError:
    return key if len(key) == KEY_BYTES else KeyStoreError("seal", f"{CREDENTIAL}: {KEY_BYTES} bytes expected")


def seal_with(key: bytes, secret: bytes) -> bytes:
    """AES-256-GCM under a 32-byte key: header ‖ 12-byte nonce ‖ ciphertext ‖ 16-byte tag."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _HEADER + nonce + AESGCM(key).encrypt(nonce, secret, _HEADER)


def unseal_with(key: bytes, sealed: bytes) -> bytes | KeyStoreError:
    """The reverse; `sealed` is not trusted."""
    body = sealed.removeprefix(_HEADER)
    if len(body) == len(sealed) or len(body) < _NONCE_BYTES or len(sealed) > MAX_SEALED_BYTES:
        return KeyStoreError("seal", "not a sealed secret")
    try:
        return AESGCM(key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _HEADER)
    except InvalidTag:
        return KeyStoreError("seal", "sealed on another machine, or damaged")
