"""Static SCP03 keys of simulated cards: diversified from the centre's fictional master key and the serial number.

A wrong serial number gives other keys, so a session for another card fails at the card cryptogram.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

KEY_VERSION: Final = 0x30
_MASTER_KEY: Final = b"CLE FICTIVE SIMU"
"""Fiction, public on purpose: 16 bytes that protect invented data only."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """Three AES keys of one length (16, 24 or 32 bytes) under one key version number (1-127)."""

    kvn: int
    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    dek: bytes = field(repr=False)


def key_set(serial: str) -> KeySet:
    """AES-128 key set of the card with this 21-digit serial number."""
    return KeySet(KEY_VERSION, *(_diversify(label, serial) for label in (b"ENC", b"MAC", b"DEK")))


def _diversify(label: bytes, serial: str) -> bytes:
    mac = CMAC(AES(_MASTER_KEY))
    mac.update(label + b"|" + serial.encode("ascii"))
    return mac.finalize()
