"""Values of a visit that travel between the machine, the channel, the devices and the screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kiosk.visit.contents import SHIPPED
from kiosk.visit.failures import Fault


class Outcome(StrEnum):
    """How an update ended, as shown, stored and sent (domain: outcomes shown and stored)."""

    UPDATED = "updated"
    UP_TO_DATE = "up_to_date"
    DECLINED = "declined"
    IMPOSSIBLE = "impossible"
    ABORTED = "aborted"
    UNCERTAIN = "uncertain"


class PreviewEffect(StrEnum):
    """What a change means for the member."""

    GAIN = "GAIN"
    LOSS = "LOSS"
    NEUTRAL = "NEUTRAL"


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """One line of « ce qui va changer ». `sensitive` lines (exemptions) show their values at level 1 only."""

    label: str = field(repr=False)
    before: str = field(repr=False)
    after: str = field(repr=False)
    effect: PreviewEffect
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class UpdateOrder:
    """One update the centre has ready for this card. Only MANDATORY ones are run, in list order."""

    update_id: str
    mandatory: bool
    description: str = field(repr=False)
    preview: tuple[PreviewLine, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CardStanding:
    """The centre's answer about a card (`relay/flags`)."""

    orders: tuple[UpdateOrder, ...]
    opposed: bool = False
    replace: bool = False
    eligible: bool = True
    ineligible_reason: str | None = None  # a key of `policy.INELIGIBLE_REASONS`
    outage_until_utc_s: int | None = None
    serial: str | None = field(default=None, repr=False)  # the 21 printed digits when the chip holds fewer


class UpdatePhase(StrEnum):
    """Where an update stands. WRITING is posted before the first byte that may change the card leaves the kiosk."""

    OPENING = "opening"
    WRITING = "writing"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What the relay knows when an update run has ended.

    outcome: UPDATED; IMPOSSIBLE (refused, nothing written); ABORTED (card lost, or refused after a write may have
        begun: `wrote` tells); UNCERTAIN (all commands were sent, the centre's closing word is missing).
    detail: VSDM outcome number 1–6 (domain §4.8).
    """

    outcome: Outcome
    detail: int
    packages: int
    apdus: int
    wrote: bool
    fault: Fault | None = None
    unfinished: bool = False  # the order that ended the run may have left the card marked unfinished


@dataclass(frozen=True, slots=True)
class ProvisionalCode:
    """Four digits that open the ameli account once."""

    digits: str = field(repr=False)
    valid_s: int
    expires_utc_s: int


@dataclass(frozen=True, slots=True)
class Identified:
    """The centre's answer to an identity check. `proof` opens level 2 for this card and visit."""

    accepted: bool
    tries_left: int
    proof: str | None = field(default=None, repr=False)


class TicketKind(StrEnum):
    """What a ticket carries."""

    CODE = "code"
    SERIAL = "serial"


@dataclass(frozen=True, slots=True)
class EarlierTicket:
    """A ticket that an earlier run of the program queued: of it the journal knows card (pseudonym) and kind only."""

    pseudonym: str
    kind: TicketKind
    age_s: float


@dataclass(frozen=True, slots=True)
class TicketContent:
    """What a ticket says; drawn by the screen's own text. Kept nowhere after printing."""

    kind: TicketKind
    digits: str = field(repr=False)
    expires_utc_s: int | None
    kiosk_number: str
    phone: str
    duplicate: bool = False
    phone_hours: str = ""
    site: str = SHIPPED.account_site  # the web address it names


class StaffKind(StrEnum):
    """Whose card is in the professional slot."""

    PROFESSIONAL = "professional"
    TECHNICIAN = "technician"


@dataclass(frozen=True, slots=True)
class PartLine:
    """How one part of the kiosk is, for the technician's page; nothing personal. `well` None: not known."""

    part: str
    well: bool | None
    fault: Fault | None = None
    facts: tuple[tuple[str, str | int], ...] = ()  # by the English names that machines read


class RecordType(StrEnum):
    """Facts a visit leaves behind: each is a row of the journal's catalogue, without any personal datum."""

    VISIT_STARTED = "visit_started"
    CARD_READ = "card_read"
    CARD_PROBLEM = "card_problem"
    UPDATE_STARTED = "update_started"
    UPDATE_ENDED = "update_ended"
    IDENTIFIED = "identified"
    IDENTITY_REFUSED = "identity_refused"
    SERIAL_SHOWN = "serial_shown"
    CODE_ISSUED = "code_issued"
    TICKET_QUEUED = "ticket_queued"
    TICKET_ENDED = "ticket_ended"
    TICKET_FORGOTTEN = "ticket_forgotten"
    CARD_FORGOTTEN = "card_forgotten"
    VISIT_ENDED = "visit_ended"
    STAFF_ENTERED = "staff_entered"
    STAFF_ENDED = "staff_ended"
