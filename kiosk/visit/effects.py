"""What a visit asks of the world. An adapter performs each effect off the runner's thread and posts events back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kiosk.card.values import CardContent
from kiosk.visit.ports import CardSession, RunId, VisitId
from kiosk.visit.values import RecordType, TicketContent


@dataclass(frozen=True, slots=True)
class ReadCard:
    """Read the card in the patient slot → `CardRead` | `CardFailed`."""

    card_session: CardSession


@dataclass(frozen=True, slots=True)
class LookAtStaffCard:
    """Find out what the card in the professional slot is → `StaffCardKnown` | `StaffCardFailed`."""

    card_session: CardSession


@dataclass(frozen=True, slots=True)
class CheckBadge:
    """Have the card check the PIN and prove that it is a technician's → `BadgeAccepted` | `BadgeRefused`."""

    card_session: CardSession
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LookAround:
    """Look how the kiosk's parts are → `ConditionSeen`."""


@dataclass(frozen=True, slots=True)
class ReleaseCard:
    """End the dialogue with the card (UNPOWER): nothing more will be asked of it."""

    card_session: CardSession


@dataclass(frozen=True, slots=True)
class AskStanding:
    """Ask the centre about this card → `StandingKnown` | `StandingUnknown`."""

    visit: VisitId
    card: CardContent = field(repr=False)


@dataclass(frozen=True, slots=True)
class RunUpdate:
    """Run these updates in order → `UpdateProgress`*, `UpdateEnded`. Outlives the visit if the card leaves."""

    run: RunId
    card_session: CardSession
    card: CardContent = field(repr=False)
    update_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identify:
    """Check birth date (YYYYMMDD) and post code with the centre → `IdentityChecked` | `RequestFailed`."""

    visit: VisitId
    card: CardContent = field(repr=False)
    birth_date: str = field(repr=False)
    postcode: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssueCode:
    """Ask for a provisional code → `CodeIssued` | `RequestFailed`."""

    visit: VisitId
    card: CardContent = field(repr=False)
    proof: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PrintTicket:
    """Print once → `TicketEnded`. Finishes even if the card leaves."""

    visit: VisitId
    ticket: TicketContent


@dataclass(frozen=True, slots=True)
class Record:
    """Commit a fact to journal and outbox in one transaction → `Recorded(token)` | `RecordFailed(token)`."""

    token: int
    type: RecordType
    pseudonym: str | None
    fields: Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Wipe:
    """Forget everything of this visit, in every adapter."""

    visit: VisitId


Effect = (
    ReadCard
    | LookAtStaffCard
    | CheckBadge
    | LookAround
    | ReleaseCard
    | AskStanding
    | RunUpdate
    | Identify
    | IssueCode
    | PrintTicket
    | Record
    | Wipe
)
