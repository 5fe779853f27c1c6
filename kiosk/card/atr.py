"""Answer to reset: its structure (ISO/IEC 7816-3 §8.2) and what it says about the card in the slot.

Readers deliver inverse-convention ATRs already decoded, so TS is 3B or 3F and all bytes read the same way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from kiosk.card import professional
from kiosk.card.generations import GENERATIONS
from kiosk.card.values import CardKind

ATR_MAX_BYTES: Final = 33

_HINTS: Final = (
    *((row.kind, row.atr_pattern) for row in GENERATIONS),
    (CardKind.PROFESSIONAL, professional.ATR_PATTERN),
    # Bank cards with the same first bytes as a Vitale 1 (pcsc-tools list).
    (CardKind.BANK, re.compile("3F6525....046C90.0|3F65250024096[BE]9000")),
)


@dataclass(frozen=True, slots=True)
class Atr:
    """A well-formed ATR. `interface` holds (name, value) in order of arrival, for example ("TA1", 0x13)."""

    inverse: bool
    interface: tuple[tuple[str, int], ...]
    historical: bytes
    protocols: tuple[int, ...]  # T values in the order offered; (0,) when none is named


@dataclass(frozen=True, slots=True)
class AtrError:
    """Why bytes are not an ATR: `offset` in bytes, `reason` as a clause."""

    offset: int
    reason: str


def parse_atr(atr: bytes) -> Atr | AtrError:
    """Split an ATR into its parts. TCK must be there, and right, exactly when a protocol other than T=0 is named."""
    if not 2 <= len(atr) <= ATR_MAX_BYTES:
        return AtrError(0, f"an ATR has 2 to {ATR_MAX_BYTES} bytes")
    if atr[0] not in (0x3B, 0x3F):
        return AtrError(0, "TS is neither 3B nor 3F")
    interface: list[tuple[str, int]] = []
    protocols: list[int] = []
    indicator = atr[1]
    position = 2
    group = 1
    while True:
        next_indicator = None
        for bit, letter in ((0x10, "A"), (0x20, "B"), (0x40, "C"), (0x80, "D")):
            if not indicator & bit:
                continue
            if position == len(atr):
                return AtrError(position, f"T{letter}{group} is missing")
            interface.append((f"T{letter}{group}", atr[position]))
            if letter == "D":
                next_indicator = atr[position]
            position += 1
        if next_indicator is None:
            break
        protocols.append(next_indicator & 0x0F)
        indicator = next_indicator
        group += 1
    end = position + (atr[1] & 0x0F)
    if end > len(atr):
        return AtrError(position, f"{atr[1] & 0x0F} historical bytes announced, {len(atr) - position} left")
    needs_tck = any(protocols)
    if len(atr) != end + needs_tck:
        return AtrError(end, "TCK is missing" if len(atr) == end else f"{len(atr) - end - needs_tck} bytes too many")
    if needs_tck and reduce(xor, atr[1:]):
        return AtrError(end, "TCK is wrong")
    offered = tuple(dict.fromkeys(t for t in protocols if t != 15))  # 15 announces global bytes, not a protocol
    return Atr(atr[0] == 0x3F, tuple(interface), atr[position:end], offered or (0,))


def classify(atr: bytes) -> CardKind:
    """What the card probably is. Only a hint: a Vitale 2 is confirmed by reading it.

    An empty ATR, or one longer than any card may send, is how readers report a card that does not answer.
    """
    if not atr or len(atr) > ATR_MAX_BYTES:
        return CardKind.MUTE
    spelled = atr.hex().upper()
    return next((kind for kind, pattern in _HINTS if pattern.fullmatch(spelled)), CardKind.OTHER)
