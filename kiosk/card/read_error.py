"""How reading a card fails when the card answers but does not hold what it should."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CardReadError:
    """What is wrong with a card. `file`: its published or simulated name, or its identifier in hexadecimal.

    `reason` is a clause for the technician; it never holds bytes from the card.
    """

    file: str
    reason: str
