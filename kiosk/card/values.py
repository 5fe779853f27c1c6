"""What a card says, as values. Every personal field is kept out of `repr`: a value may reach a log by accident."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class Generation(StrEnum):
    """Card generations a kiosk can recognise (by ATR first, then by reading)."""

    VITALE_1 = "vitale1"
    VITALE_2 = "vitale2"


class CardKind(StrEnum):
    """What an ATR says a card is; a hint, to be confirmed by reading where the card allows."""

    VITALE_1 = "vitale1"
    VITALE_2 = "vitale2"
    PROFESSIONAL = "professional"
    BANK = "bank"
    OTHER = "other"
    MUTE = "mute"


class Exemption(StrEnum):
    """Fictional exemption list of the simulated card (the real codes are not public)."""

    NONE = "NONE"
    ALD = "ALD"
    MATERNITE = "MATERNITE"
    INVALIDITE = "INVALIDITE"
    AT_MP = "AT_MP"
    C2S = "C2S"


@dataclass(frozen=True, slots=True)
class Beneficiary:
    """One person on the card. `birth_date` is the eight ASCII digits YYYYMMDD of tag 65/82; parts may be 00 or 99."""

    name: str = field(repr=False)
    first_name: str = field(repr=False)
    birth_date: str = field(repr=False)
    nir: str = field(repr=False)  # 15 characters: 13 + key (tag 65/93)


@dataclass(frozen=True, slots=True)
class Organisation:
    """Regime (2 digits), caisse (3) and centre (4)."""

    regime: str
    caisse: str
    centre: str


@dataclass(frozen=True, slots=True)
class RightsPeriod:
    """One entitlement period of one beneficiary (fictional file SIMRIGHT)."""

    beneficiary: int  # index in the list of beneficiaries
    start: date = field(repr=False)
    end: date = field(repr=False)
    exemption: Exemption = field(repr=False)


@dataclass(frozen=True, slots=True)
class CardContent:
    """Everything the kiosk read from a Vitale card. `beneficiaries[0]` is the holder.

    `iccsn`: the 20 or 21 digits found on the chip; a missing last digit is never computed.
    `unfinished`: the on-card transaction flag is 1; rights must not be read as valid.
    """

    generation: Generation
    iccsn: str = field(repr=False)
    beneficiaries: tuple[Beneficiary, ...] = field(repr=False)
    start_date: date | None = field(default=None, repr=False)
    organisation: Organisation | None = None
    rights: tuple[RightsPeriod, ...] = field(default=(), repr=False)
    last_update: date | None = None
    unfinished: bool = False

    @property
    def holder(self) -> Beneficiary:
        """The person the card belongs to (porteur)."""
        return self.beneficiaries[0]
