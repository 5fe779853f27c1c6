"""NIR, the French social security number: parse, check, show (facts: CNAM nir-validation, the domain reference §2.6).

A NIR here is what a card carries: 13 characters and a two-digit key. The rules are those of a reading device: unknown
months, provisional and migrant numbers are accepted, because a card that holds one is a good card.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_BODY: Final = re.compile(r"[1-8][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{6}")
_NORMAL: Final = re.compile(r"[12][0-9]{2}(?:0[1-9]|1[0-2]|[2-9][0-9])(?:[0-9]{2}|2[AB])[0-9]{6}")
_MIGRANT: Final = re.compile(r"[56][12][0-9]{11}")
_PROVISIONAL: Final = re.compile(r"[78][012][0-9]{11}")  # 0 as second digit: numbers given before 2012
_CORSICA: Final = {"2A": "19", "2B": "18"}
_GROUPS: Final = ((0, 1), (1, 3), (3, 5), (5, 7), (7, 10), (10, 13))
_HIDDEN: Final = "•"


class NirKind(StrEnum):
    """What the first digit says: 1-2 normal, 5-6 migrant, 3-4 and 7-8 provisional."""

    NORMAL = "normal"
    MIGRANT = "migrant"
    PROVISIONAL = "provisional"


class NirError(StrEnum):
    """Why a text is not a NIR. The text itself is never part of the error."""

    LENGTH = "15 characters expected"
    CHARACTERS = "digits expected, or 2A or 2B as department"
    FIRST_DIGIT = "the first digit is 1 to 8"
    STRUCTURE = "month, or second digit, out of range"
    KEY = "the key does not match"


@dataclass(frozen=True, slots=True)
class Nir:
    """A checked NIR; made by `parse_nir`. `body` is the 13 characters in upper case, `key` the two digits."""

    body: str = field(repr=False)
    key: str = field(repr=False)
    kind: NirKind

    @property
    def text(self) -> str:
        """The 15 characters as the card carries them."""
        return self.body + self.key

    @property
    def display(self) -> str:
        """`# ## ## ## ### ### ##`, as printed on the card."""
        return " ".join([*(self.body[start:end] for start, end in _GROUPS), self.key])

    @property
    def masked(self) -> str:
        """The same groups with all but the first digit hidden."""
        shown = self.display
        return shown[0] + "".join(" " if character == " " else _HIDDEN for character in shown[1:])


def nir_key(body: str) -> str:
    """The two-digit key of 13 checked characters: 97 − (number mod 97), with 2A read as 19 and 2B as 18."""
    department = body[5:7]
    number = int(body[:5] + _CORSICA.get(department, department) + body[7:])
    return f"{97 - number % 97:02d}"


def parse_nir(text: str) -> Nir | NirError:
    """Check 13 characters + key, without spaces; a or b in the department may be lower case."""
    if len(text) != 15:
        return NirError.LENGTH
    body, key = text[:13].upper(), text[13:]
    if body[:1] in ("0", "9"):
        return NirError.FIRST_DIGIT
    if not _BODY.fullmatch(body) or not re.fullmatch("[0-9]{2}", key):
        return NirError.CHARACTERS
    if body[0] in "12":
        kind, structure = NirKind.NORMAL, _NORMAL
    elif body[0] in "56":
        kind, structure = NirKind.MIGRANT, _MIGRANT
    else:
        # The structure behind 3 and 4 is known second-hand only: any is accepted.
        kind, structure = NirKind.PROVISIONAL, _PROVISIONAL if body[0] in "78" else _BODY
    if not structure.fullmatch(body):
        return NirError.STRUCTURE
    if nir_key(body) != key:
        return NirError.KEY
    return Nir(body, key, kind)
