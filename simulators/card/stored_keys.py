"""The card's SCP03 key set where a chip keeps it: in EEPROM, one page, replaced as a whole by PUT KEY.

The page is empty on a new card: its keys are then the centre's diversified ones.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.constant_time import bytes_eq

from kiosk.card.layout import EEPROM_PAGE_BYTES
from simulators.card.chip import RefusedError
from simulators.card.files import Ef, FileSystem
from simulators.card.image import Image
from simulators.card.keys import KeySet

FID_KEYS: Final = 0x0010
KCV_BYTES: Final = 3
MAX_KVN: Final = 0x7F
_KEY_BYTES: Final = 16
_KEYS: Final = 3
_KEY_TYPE_AES: Final = 0x88
_ENTRY_BYTES: Final = 2 + _KEY_BYTES + 1 + KCV_BYTES

SW_WRONG_DATA: Final = 0x6A80
SW_WRONG_CHECK_VALUE: Final = 0x9485
_SW_MEMORY_FAILURE: Final = 0x6581


def key_file() -> Ef:
    """The chip's own file: key version number (00: none stored), ENC, MAC, DEK. No command finds it."""
    return Ef(FID_KEYS, 0, bytes(EEPROM_PAGE_BYTES), writable=True, internal=True)


class StoredKeys:
    """The one key set of a card."""

    def __init__(self, factory: KeySet, files: FileSystem, image: Image) -> None:
        """`factory`: the keys until others are stored. `files` have a `key_file`."""
        self._factory = factory
        self._file = next(ef for ef in files.efs() if ef.fid == FID_KEYS)
        self._image = image

    def get(self) -> KeySet:
        """The keys of the next session."""
        page = self._image.read(self._file, 0, EEPROM_PAGE_BYTES)
        if not page[0]:
            return self._factory
        starts = range(1, 1 + _KEYS * _KEY_BYTES, _KEY_BYTES)
        return KeySet(page[0], *(page[start : start + _KEY_BYTES] for start in starts))

    def put(self, data: bytes) -> bytes:
        """Data of PUT KEY: new version, then three times 88 10, the key under the old DEK (AES-CBC, IV 0), 03, KCV.

        Returns the version and the three KCVs; the keys are in EEPROM by then. Raises `RefusedError`.
        """
        if len(data) != 1 + _KEYS * _ENTRY_BYTES or not 1 <= data[0] <= MAX_KVN:
            raise RefusedError(SW_WRONG_DATA)
        dek = self.get().dek
        keys, check_values = b"", b""
        for start in range(1, len(data), _ENTRY_BYTES):
            entry = data[start : start + _ENTRY_BYTES]
            if (entry[0], entry[1], entry[2 + _KEY_BYTES]) != (_KEY_TYPE_AES, _KEY_BYTES, KCV_BYTES):
                raise RefusedError(SW_WRONG_DATA)
            key = _decrypt(dek, entry[2 : 2 + _KEY_BYTES])
            if not bytes_eq(check_value(key), entry[-KCV_BYTES:]):
                raise RefusedError(SW_WRONG_CHECK_VALUE)
            keys += key
            check_values += entry[-KCV_BYTES:]
        try:
            self._image.write(self._file, 0, data[:1] + keys)
        except OSError:
            raise RefusedError(_SW_MEMORY_FAILURE) from None
        return data[:1] + check_values


def check_value(key: bytes) -> bytes:
    """KCV: the first 3 bytes of AES(key, 01 × 16)."""
    encryptor = Cipher(AES(key), modes.ECB()).encryptor()  # noqa: S305  # one block, as KCVs are defined
    return (encryptor.update(b"\x01" * _KEY_BYTES) + encryptor.finalize())[:KCV_BYTES]


def _decrypt(dek: bytes, secret: bytes) -> bytes:
    decryptor = Cipher(AES(dek), modes.CBC(bytes(_KEY_BYTES))).decryptor()
    return decryptor.update(secret) + decryptor.finalize()
