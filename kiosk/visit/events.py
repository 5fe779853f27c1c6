"""What can happen to a visit. Each event is a frozen value that carries the ids it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kiosk.card.values import CardContent, CardKind
from kiosk.visit.failures import Fault
from kiosk.visit.outages import Outages
from kiosk.visit.policy import Policy
from kiosk.visit.ports import CardSession, PrinterHealth, PrintState, ReaderRole, RunId, VisitId
from kiosk.visit.values import (
    CardStanding,
    EarlierTicket,
    Identified,
    PartLine,
    ProvisionalCode,
    StaffKind,
    UpdatePhase,
    UpdateReport,
)

# --- readers and cards -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CardInserted:
    """A card is in a slot. `kind` is what its ATR suggests."""

    role: ReaderRole
    card_session: CardSession
    kind: CardKind


@dataclass(frozen=True, slots=True)
class CardRemoved:
    """That card has left its slot."""

    role: ReaderRole
    card_session: CardSession


@dataclass(frozen=True, slots=True)
class ReaderReady:
    """The reader of this role can be used (again)."""

    role: ReaderRole


@dataclass(frozen=True, slots=True)
class ReaderFailed:
    """The reader of this role, or the whole PC/SC service, cannot be used."""

    role: ReaderRole
    fault: Fault


@dataclass(frozen=True, slots=True)
class CardRead:
    """The card was read. `pseudonym` = HMAC(daily key, serial), the only name it has outside memory."""

    card_session: CardSession
    card: CardContent = field(repr=False)
    pseudonym: str


@dataclass(frozen=True, slots=True)
class CardFailed:
    """The card could not be read."""

    card_session: CardSession
    fault: Fault


@dataclass(frozen=True, slots=True)
class StaffCardKnown:
    """What the card in the professional slot is. Nothing has been proved yet."""

    card_session: CardSession
    kind: StaffKind


@dataclass(frozen=True, slots=True)
class StaffCardFailed:
    """The card in the professional slot does not belong there, or could not be looked at."""

    card_session: CardSession
    fault: Fault


@dataclass(frozen=True, slots=True)
class BadgeAccepted:
    """The card took the PIN and has proved to be a technician's."""

    card_session: CardSession


@dataclass(frozen=True, slots=True)
class BadgeRefused:
    """It did not. `tries_left`: what the card said of its PIN, if that is why."""

    card_session: CardSession
    fault: Fault
    tries_left: int | None = None


@dataclass(frozen=True, slots=True)
class ConditionSeen:
    """How the kiosk's parts are now."""

    lines: tuple[PartLine, ...]


# --- channel -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServiceUp:
    """The backend answered with a signed message."""


@dataclass(frozen=True, slots=True)
class ServiceDown:
    """The backend cannot be reached, or does not answer as it must."""

    fault: Fault
    since_utc_s: int


@dataclass(frozen=True, slots=True)
class ClockTrusted:
    """Whether wall time has been learnt from the backend (or still is within what may be believed)."""

    trusted: bool
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """What the signed documents in force say together has changed."""

    policy: Policy


@dataclass(frozen=True, slots=True)
class OutagesChanged:
    """An announced outage began, ended, drew near or was cancelled, by a time that may be believed."""

    outages: Outages


@dataclass(frozen=True, slots=True)
class StandingKnown:
    """The centre's answer about the card."""

    visit: VisitId
    standing: CardStanding


@dataclass(frozen=True, slots=True)
class StandingUnknown:
    """The centre could not be asked."""

    visit: VisitId
    fault: Fault


@dataclass(frozen=True, slots=True)
class UpdateProgress:
    """The run moved on, perhaps within the same phase."""

    run: RunId
    phase: UpdatePhase


@dataclass(frozen=True, slots=True)
class UpdateEnded:
    """The run has ended, one way or another. Recorded even when the card has left or the run was given up."""

    run: RunId
    report: UpdateReport


@dataclass(frozen=True, slots=True)
class IdentityChecked:
    """The centre's answer to birth date and post code."""

    visit: VisitId
    identified: Identified


@dataclass(frozen=True, slots=True)
class CodeIssued:
    """A provisional code for this member."""

    visit: VisitId
    code: ProvisionalCode


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """`Identify` or `IssueCode` failed."""

    visit: VisitId
    fault: Fault


# --- printer and store -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PrinterChanged:
    """The printer's health changed."""

    health: PrinterHealth


@dataclass(frozen=True, slots=True)
class TicketInOutput:
    """Whether a ticket waits in the printer's output. Only some printers tell."""

    present: bool


@dataclass(frozen=True, slots=True)
class TicketsBefore:
    """What the journal knows of tickets queued before the program began. unended: nobody saw what became of one."""

    tickets: tuple[EarlierTicket, ...]
    unended: bool


@dataclass(frozen=True, slots=True)
class WrongDatesBefore:
    """How many wrong birth dates the journal knows of by (daily) pseudonym, from before the program began."""

    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TicketEnded:
    """What became of the ticket."""

    visit: VisitId
    state: PrintState
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """The record with this token is on disk."""

    token: int


@dataclass(frozen=True, slots=True)
class RecordFailed:
    """The record with this token is not on disk."""

    token: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class StoreReady:
    """The database takes records (again)."""


# --- time and member ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tick:
    """`State.wake_at_s` has come."""


class Choice(StrEnum):
    """What a member can choose. The page says which are offered; the machine ignores the others."""

    START_WITHOUT_CARD = "start_without_card"
    BACK = "back"  # one step back, or to home
    STOP = "stop"  # « Arrêter »
    STILL_HERE = "still_here"
    CONTINUE = "continue"
    UPDATE = "update"  # home → preview
    ACCEPT = "accept"  # preview → write
    DECLINE = "decline"
    SHOW_SENSITIVE = "show_sensitive"
    SERIAL = "serial"
    CODE = "code"
    GUIDE = "guide"
    HELP = "help"
    NOT_MINE = "wrong_information"  # « Ces informations sont fausses ? »
    TOGGLE_MASK = "toggle_mask"
    PRINT = "print"
    NO_TICKET = "no_ticket"
    NEXT = "next"  # guide: next step
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The member chose something on the page."""

    choice: Choice


@dataclass(frozen=True, slots=True)
class DigitTyped:
    """A key of the keypad, 0–9."""

    digit: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class DigitErased:
    """The erase key."""


@dataclass(frozen=True, slots=True)
class DigitsSubmitted:
    """The validate key."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Any touch or key: somebody is there."""


DeviceEvent = (
    CardInserted
    | CardRemoved
    | ReaderReady
    | ReaderFailed
    | CardRead
    | CardFailed
    | StaffCardKnown
    | StaffCardFailed
    | BadgeAccepted
    | BadgeRefused
    | ConditionSeen
    | PrinterChanged
    | TicketInOutput
    | TicketEnded
)
ChannelEvent = (
    ServiceUp
    | ServiceDown
    | ClockTrusted
    | PolicyChanged
    | OutagesChanged
    | StandingKnown
    | StandingUnknown
    | UpdateProgress
    | UpdateEnded
    | IdentityChecked
    | CodeIssued
    | RequestFailed
)
StoreEvent = Recorded | RecordFailed | StoreReady | TicketsBefore | WrongDatesBefore
MemberEvent = Chosen | DigitTyped | DigitErased | DigitsSubmitted | Activity
Event = DeviceEvent | ChannelEvent | StoreEvent | MemberEvent | Tick
