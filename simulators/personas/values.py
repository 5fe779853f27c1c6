"""What a persona is, as values. The people are invented, but their fields stay out of `repr` like real ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from kiosk.card.professional import StaffRole
from kiosk.card.values import Beneficiary, CardKind, Organisation, RightsPeriod


@dataclass(frozen=True, slots=True)
class OrderContent:
    """What the card holds once an order is carried out: whole files, as the centre writes them."""

    organisation: Organisation
    rights: tuple[RightsPeriod, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChipIdentity:
    """Readable content of a Vitale 2 chip.

    `serial`: 21 digits, printed and on the chip. `interrupted_after_bytes`: None for a whole card; n for a card whose
    first order was interrupted after n bytes of SIMRIGHT (flag 1, SIMORGAN already new, the rest of SIMRIGHT old).
    """

    serial: str = field(repr=False)
    start_date: date = field(repr=False)
    beneficiaries: tuple[Beneficiary, ...] = field(repr=False)
    organisation: Organisation
    rights: tuple[RightsPeriod, ...] = field(repr=False)
    last_update: date | None
    interrupted_after_bytes: int | None = None

    @property
    def unfinished(self) -> bool:
        """The on-card transaction flag."""
        return self.interrupted_after_bytes is not None


@dataclass(frozen=True, slots=True)
class StaffIdentity:
    """Content of a staff card: kind PROFESSIONAL.

    `serial`: 19 digits of a card in ANS's form, None on a technician's card. `identifier`: the holder's, 12 characters
    at most. `pin`: four digits. `actua`: "good" or "empty" EF_ACTUA, None without that file.
    """

    role: StaffRole
    identifier: str = field(repr=False)
    name: str = field(repr=False)
    first_name: str = field(repr=False)
    serial: str | None = field(repr=False)
    pin: str = field(repr=False)
    actua: str | None


@dataclass(frozen=True, slots=True)
class CardHalf:
    """The card itself. `chip` belongs to kind VITALE_2, `staff` to PROFESSIONAL; all others refuse every command."""

    kind: CardKind
    atr: bytes
    chip: ChipIdentity | None
    staff: StaffIdentity | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A pending update of the centre. `update_id`: hex, at most 40 characters; `description`: French, ≤ 120."""

    update_id: str
    service: str
    priority: str  # MANDATORY or OPTIONAL
    description: str
    after: OrderContent


@dataclass(frozen=True, slots=True)
class CentreHalf:
    """What the update centre knows of the card.

    `ineligible_reason` is one of the policy's reasons, None for an eligible person. `outage_s`: the caisse's updates
    are closed for so many seconds from the start of the centre; None = open.
    """

    opposition: bool
    replace: bool
    ineligible_reason: str | None
    postcode: str = field(repr=False)
    previous_postcode: str | None = field(repr=False)
    outage_s: int | None
    orders: tuple[Order, ...]

    @property
    def eligible(self) -> bool:
        """May create an online account."""
        return self.ineligible_reason is None


@dataclass(frozen=True, slots=True)
class Persona:
    """One invented person. `title` is a short French line for the simulator's panel. `centre` exists with a chip."""

    name: str
    title: str
    card: CardHalf
    centre: CentreHalf | None
