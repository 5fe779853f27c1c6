"""A PIN with its retry counter, as a chip keeps them: each try is paid for in EEPROM before anything is compared.

A card torn from the reader between paying and comparing has lost the try, and learnt its holder nothing: the order of a
real chip. The PIN is the persona's and is never written anywhere.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.constant_time import bytes_eq

from simulators.card.chip import SW_OK, RefusedError
from simulators.card.files import Ef
from simulators.card.image import Image

MAX_TRIES: Final = 3
PIN_BYTES: Final = 4
SW_BLOCKED: Final = 0x6983
SW_NOT_VERIFIED: Final = 0x6982
_SW_TRIES_LEFT: Final = 0x63C0
_SW_MEMORY_FAILURE: Final = 0x6581


def counter_file(fid: int) -> Ef:
    """The chip's own file of a fresh PIN: one byte, tries left."""
    return Ef(fid, 0, bytes([MAX_TRIES]), writable=True, internal=True)


class Pin:
    """`verified` lasts until a reset or a wrong try."""

    def __init__(self, digits: str, image: Image, counter: Ef) -> None:
        """`digits`: four of them."""
        self._expected = digits.encode("ascii")
        self._image = image
        self._counter = counter
        self.verified = False

    def __repr__(self) -> str:
        return "Pin()"

    @property
    def tries_left(self) -> int:
        """0: blocked."""
        return self._image.read(self._counter, 0, 1)[0]

    def reset(self) -> None:
        """Not verified any more; the counter stays."""
        self.verified = False

    def status(self) -> int:
        """Status word of a question that costs nothing: 9000 verified, 63Cx, 6983 blocked."""
        if self.tries_left == 0:
            return SW_BLOCKED
        return SW_OK if self.verified else _SW_TRIES_LEFT | self.tries_left

    def verify(self, presented: bytes) -> int:
        """One try: 9000, 63Cx, 6983 when blocked before. Raises `RefusedError` 6581, with nothing compared."""
        left = self.tries_left
        self.verified = False
        if left == 0:
            return SW_BLOCKED
        self._count(left - 1)
        if not bytes_eq(presented, self._expected):
            return _SW_TRIES_LEFT | (left - 1)
        self._count(MAX_TRIES)
        self.verified = True
        return SW_OK

    def _count(self, left: int) -> None:
        try:
            self._image.write(self._counter, 0, bytes([left]))
        except OSError:
            raise RefusedError(_SW_MEMORY_FAILURE) from None
