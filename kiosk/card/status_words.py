"""Status words of ISO/IEC 7816-4 §5.1.3: names, classes and the numbers some of them carry."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final


class StatusWord(IntEnum):
    """Status words with a fixed value. The names are what `sw_text` tells the technician."""

    OK = 0x9000
    END_OF_FILE = 0x6282
    EXECUTION_ERROR = 0x6400
    MEMORY_FAILURE = 0x6581
    WRONG_LENGTH = 0x6700
    CHANNEL_NOT_SUPPORTED = 0x6881
    SECURE_MESSAGING_NOT_SUPPORTED = 0x6882
    LAST_CHAIN_COMMAND_EXPECTED = 0x6883
    CHAINING_NOT_SUPPORTED = 0x6884
    COMMAND_INCOMPATIBLE_WITH_FILE = 0x6981
    SECURITY_NOT_SATISFIED = 0x6982
    METHOD_BLOCKED = 0x6983
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_CURRENT_EF = 0x6986
    SM_OBJECTS_MISSING = 0x6987
    SM_OBJECTS_INCORRECT = 0x6988
    WRONG_DATA = 0x6A80
    FUNCTION_NOT_SUPPORTED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    WRONG_P1_P2 = 0x6A86
    LC_INCONSISTENT_WITH_P1_P2 = 0x6A87
    REFERENCE_DATA_NOT_FOUND = 0x6A88
    WRONG_OFFSET = 0x6B00
    INS_NOT_SUPPORTED = 0x6D00
    CLA_NOT_SUPPORTED = 0x6E00
    NO_PRECISE_DIAGNOSIS = 0x6F00


class StatusClass(StrEnum):
    """What a status word says about the command."""

    NORMAL = "normal"  # 9000, 61xx
    WARNING = "warning"  # 62xx, 63xx: carried out, read the second byte
    EXECUTION_ERROR = "execution error"  # 64xx-66xx
    CHECKING_ERROR = "checking error"  # 67xx-6Fxx, 6Cxx included
    INVALID = "invalid"  # outside ISO/IEC 7816-4: proprietary, or noise


_CLASS_BY_SW1: Final = (
    {0x61: StatusClass.NORMAL, 0x62: StatusClass.WARNING, 0x63: StatusClass.WARNING}
    | dict.fromkeys(range(0x64, 0x67), StatusClass.EXECUTION_ERROR)
    | dict.fromkeys(range(0x67, 0x70), StatusClass.CHECKING_ERROR)
)


def classify_sw(sw: int) -> StatusClass:
    """The class of a status word (ISO/IEC 7816-4 figure 4)."""
    if sw == StatusWord.OK:
        return StatusClass.NORMAL
    return _CLASS_BY_SW1.get(sw >> 8, StatusClass.INVALID)


def available_bytes(sw: int) -> int | None:
    """How many bytes GET RESPONSE will fetch after 61xx (00 stands for 256); None for any other status word."""
    return (sw & 0xFF) or 256 if sw >> 8 == 0x61 else None


def correct_ne(sw: int) -> int | None:
    """The response length the card proposes with 6Cxx (00 stands for 256); None for any other status word."""
    return (sw & 0xFF) or 256 if sw >> 8 == 0x6C else None


def tries_left(sw: int) -> int | None:
    """The counter in 63Cx, 0 to 15; None for any other status word."""
    return sw & 0xF if sw & 0xFFF0 == 0x63C0 else None


def sw_text(sw: int) -> str:
    """A status word for the technician, as `6982 security not satisfied`; class only when it has no name here."""
    try:
        words = StatusWord(sw).name.replace("_", " ").lower()
    except ValueError:
        words = classify_sw(sw).value
    return f"{sw:04X} {words}"
