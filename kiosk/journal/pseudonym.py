"""Pseudonyms: the only name a card has outside memory. HMAC under a key of the day; its secret stays in the store."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import date

from kiosk.store.transaction import Transaction, read_meta, write_meta

SECRET_BYTES = 32
_SECRET = "pseudonym_secret"  # noqa: S105  the name of a row


def daily_key(tx: Transaction, utc_date: date) -> bytes:
    """The 32-byte key of this UTC day: HMAC-SHA-256 of the stored secret, which is made at the first call."""
    secret = read_meta(tx, _SECRET)
    if secret is None:
        secret = secrets.token_bytes(SECRET_BYTES)
        write_meta(tx, _SECRET, secret)
    return hmac.digest(secret, b"kiosk-pseudonym/1 " + utc_date.isoformat().encode("ascii"), hashlib.sha256)


def pseudonym(key: bytes, serial: str) -> str:
    """32 hexadecimal digits: the first half of HMAC-SHA-256(daily key, serial digits). Two days cannot be linked."""
    return hmac.digest(key, serial.encode("ascii"), hashlib.sha256)[:16].hex()
