"""The table of card generations. A new generation is one new module and one row here.

A row says how an ATR hints at the generation and how such a card is read; None where nothing is public, so that the
kiosk recognises and explains the card but invents no dialogue with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from kiosk.card import vitale1, vitale2
from kiosk.card.apdu import ResponseApdu
from kiosk.card.read_error import CardReadError
from kiosk.card.values import CardContent, CardKind

F = TypeVar("F")


class ReadCard(Protocol):
    """Reads a card through `exchange` (one completed APDU a call) to a value, an error, or the caller's failure."""

    def __call__(self, exchange: Callable[[bytes], ResponseApdu | F], /) -> CardContent | CardReadError | F:
        """See `vitale2.read_vitale2`."""
        ...


@dataclass(frozen=True, slots=True)
class GenerationRow:
    """One generation. `atr_pattern` matches the whole ATR written in upper-case hexadecimal."""

    kind: CardKind
    atr_pattern: re.Pattern[str]
    read: ReadCard | None


GENERATIONS: Final = (
    GenerationRow(CardKind.VITALE_2, vitale2.ATR_PATTERN, vitale2.read_vitale2),
    GenerationRow(CardKind.VITALE_1, vitale1.ATR_PATTERN, None),
)


def reader_for(kind: CardKind) -> ReadCard | None:
    """How to read a card of this kind; None if it is not a Vitale, or one that cannot be read."""
    return next((row.read for row in GENERATIONS if row.kind is kind), None)
