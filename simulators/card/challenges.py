"""The card's random numbers."""

from __future__ import annotations

import hashlib
import secrets


class Challenges:
    """Card challenges from the system's generator, or the same sequence again for a seed (replays in the bench)."""

    def __init__(self, seed: bytes | None) -> None:
        self._seed = seed
        self._count = 0

    def take(self, length: int) -> bytes:
        """The next random bytes."""
        if self._seed is None:
            return secrets.token_bytes(length)
        self._count += 1
        return hashlib.shake_256(self._seed + self._count.to_bytes(4, "big")).digest(length)

    def rewind(self) -> None:
        """Start a seeded sequence again."""
        self._count = 0
