"""Serial number of a carte Vitale: a credential, 21 printed digits (domain reference §2.5, CNAM ens-mobile).

`8025000002` (health, France, issuer) + 10 digits + 1 digit. People miss the lone last digit, so the last 11 are shown
together. No source says that the 21st digit is a Luhn key: it is never checked that way and never computed. A chip that
holds 20 digits leaves the last place unknown, to be read on the card or learnt from the centre.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

PREFIX: Final = "8025000002"
PRINTED_DIGITS: Final = 21
_DIGITS: Final = re.compile(r"[0-9]+")


class SerialError(StrEnum):
    """Why digits are not a serial number. The digits themselves are never part of the error."""

    CHIP_LENGTH = "10 or 11 bytes expected"
    CHARACTERS = "digits expected"
    DIGIT_COUNT = "20 or 21 digits expected"
    ISSUER = "does not begin with 8025000002"


@dataclass(frozen=True, slots=True)
class SerialNumber:
    """A checked serial number; made by `parse_serial` or `decode_iccsn`. `digits` has 20 or 21 digits."""

    digits: str = field(repr=False)

    @property
    def complete(self) -> bool:
        """Whether the last printed digit is known."""
        return len(self.digits) == PRINTED_DIGITS

    @property
    def groups(self) -> tuple[str, str, str]:
        """For display: the common prefix, ten digits, and the lone last digit (empty when unknown)."""
        return self.digits[:10], self.digits[10:20], self.digits[20:]


def parse_serial(digits: str) -> SerialNumber | SerialError:
    """Check 20 digits (last place unknown) or all 21."""
    if not _DIGITS.fullmatch(digits):
        return SerialError.CHARACTERS
    if len(digits) not in (PRINTED_DIGITS - 1, PRINTED_DIGITS):
        return SerialError.DIGIT_COUNT
    return SerialNumber(digits) if digits.startswith(PREFIX) else SerialError.ISSUER


def decode_iccsn(value: bytes) -> SerialNumber | SerialError:
    """Read the value of tag 5A: two digits a byte, a filler F after an odd number of them (form inferred)."""
    if len(value) not in (10, 11):
        return SerialError.CHIP_LENGTH
    return parse_serial(value.hex().removesuffix("f"))
