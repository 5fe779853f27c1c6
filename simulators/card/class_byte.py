"""The class byte (ISO/IEC 7816-4 §5.1.1): what this card understands of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

SW_CLASS: Final = 0x6E00
SW_CHANNEL: Final = 0x6881

INTERINDUSTRY: Final = 0x00
PROPRIETARY: Final = 0x80

_CHAINING: Final = 0x10
_RESERVED: Final = 0x20


class SecureMessaging(IntEnum):
    """Bits 4 and 3 of CLA."""

    NONE = 0
    PROPRIETARY = 1  # SCP03
    ISO = 2
    ISO_HEADER = 3


@dataclass(frozen=True, slots=True)
class ClassByte:
    """A class this card decodes. `base`: 00 or 80; `channel`: logical channel, 0-3."""

    base: int
    secure_messaging: SecureMessaging
    chaining: bool
    channel: int


def parse_class(cla: int) -> ClassByte | int:
    """The decoded class, or a status word: 6E00 for unknown classes (FF too), 6881 for logical channels 4-19."""
    base = cla & 0xC0
    if base == 0x40:
        return SW_CHANNEL
    if base == 0xC0 or cla & _RESERVED:
        return SW_CLASS
    return ClassByte(base, SecureMessaging(cla >> 2 & 0x03), bool(cla & _CHAINING), cla & 0x03)
