"""The visit as a value: what is true of the kiosk (`World`) and the member (`Member`), and the page shown (`Step`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from kiosk.card.values import CardContent
from kiosk.visit.failures import CardSafety, Fault
from kiosk.visit.outages import NO_OUTAGES, Outages
from kiosk.visit.policy import Policy
from kiosk.visit.ports import CardSession, PrinterHealth, PrintState, RunId, VisitId
from kiosk.visit.values import (
    CardStanding,
    Outcome,
    PartLine,
    ProvisionalCode,
    StaffKind,
    TicketContent,
    TicketKind,
    UpdatePhase,
    UpdateReport,
)


class Notice(StrEnum):
    """A line shown for a moment on the attract page."""

    CARD_REMOVED = "card_removed"  # data wiped
    UNCHANGED = "unchanged"  # removed before anything was written
    UNFINISHED = "unfinished"  # gone while unfinished: put it back here or at another kiosk
    UNCERTAIN = "uncertain"  # gone before anybody knew whether the update was complete
    UPDATED = "updated"  # taken out while the centre closed a complete update
    TIME_OVER = "time_over"


class PreviewPart(StrEnum):
    """A loss of rights has its own page, shown first."""

    LOSSES = "losses"
    CHANGES = "changes"


class Question(StrEnum):
    """What an identification page asks."""

    BIRTH_DATE = "birth_date"  # 8 digits DDMMYYYY
    POSTCODE = "postcode"  # 5 digits


class Goal(StrEnum):
    """What the member wants an identification for."""

    SENSITIVE = "sensitive"
    UPDATE = "update"
    SERIAL = "serial"
    CODE = "code"


class Waiting(StrEnum):
    """What a `Wait` page waits for."""

    SAVING = "saving"
    CHECKING = "checking"
    CODE = "code"


class Topic(StrEnum):
    """Situations the help page explains."""

    NO_CARD = "no_card"
    LOST = "lost"
    CARD_FAILS = "card_fails"
    REFUNDS = "refunds"
    SCAMS = "scams"
    CONTACT = "contact"
    WRONG_INFORMATION = "wrong_information"


# --- pages -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutOfService:
    """Nothing can be done here now. `card_in_slot`: ask to take it back, it was not modified."""

    page: ClassVar[str] = "outOfService"
    fault: Fault | None  # None while starting
    card_in_slot: bool = False
    safety: CardSafety = CardSafety.UNCHANGED
    notice: Notice | None = None  # about a card that has just been taken out


@dataclass(frozen=True, slots=True)
class Attract:
    """Waiting for a card or a touch."""

    page: ClassVar[str] = "attract"
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class StaffSlot:
    """About the card in the professional slot, while no member is served: why it is of no use there.

    Without a fault: a professional's, recognised. Goes when that card is taken out, or when a member begins.
    """

    page: ClassVar[str] = "staffSlot"
    fault: Fault | None = None
    over: Step | None = None  # shown again a moment after a badge was withdrawn


@dataclass(frozen=True, slots=True)
class StaffPin:
    """The code of a technician's badge, asked over the page of a kiosk that serves nobody. Only a count is shown."""

    page: ClassVar[str] = "staffPin"
    length: ClassVar[int] = 4
    over: Step
    digits: str = field(default="", repr=False)
    fault: Fault | None = None  # why the card refused the last one
    tries_left: int = 0  # as the card has said with that fault
    checking: bool = False


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """How the parts of this kiosk are, for a technician; ends when the badge leaves. Never personal data."""

    page: ClassVar[str] = "diagnostics"
    over: Step
    lines: tuple[PartLine, ...] = ()
    looked_s: float = 0.0  # when that was last asked for


@dataclass(frozen=True, slots=True)
class Welcome:
    """Somebody without a card: guide and help."""

    page: ClassVar[str] = "welcome"


@dataclass(frozen=True, slots=True)
class Reading:
    """The card is being read, then the centre is asked about it."""

    page: ClassVar[str] = "reading"
    asking_centre: bool = False
    slow: bool = False
    resume: bool = False  # an update was begun with this card: see what is on it, then finish
    retry: bool = False  # the member asked for the update although the centre had not answered


@dataclass(frozen=True, slots=True)
class CardProblem:
    """This card cannot be served. Stays until the card is taken out."""

    page: ClassVar[str] = "cardProblem"
    fault: Fault
    safety: CardSafety = CardSafety.UNCHANGED


@dataclass(frozen=True, slots=True)
class Home:
    """What can be done with this card."""

    page: ClassVar[str] = "home"


@dataclass(frozen=True, slots=True)
class Preview:
    """What will change on the card; nothing has been written."""

    page: ClassVar[str] = "preview"
    part: PreviewPart


@dataclass(frozen=True, slots=True)
class Updating:
    """The update runs. No button, no idle clock."""

    page: ClassVar[str] = "updating"
    phase: UpdatePhase
    run: RunId


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The card left after a write may have begun; waiting for the same card."""

    page: ClassVar[str] = "interrupted"
    other_card: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """How the update ended; already on disk."""

    page: ClassVar[str] = "result"
    outcome: Outcome
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Identification:
    """A question answered on the keypad. `digits` are typed so far; the page masks them."""

    page: ClassVar[str] = "identification"
    question: Question
    goal: Goal
    digits: str = field(default="", repr=False)
    fault: Fault | None = None  # why the last answer was refused
    tries_left: int = 3
    back: Preview | Result | None = None  # where hidden lines are shown once the holder is known

    @property
    def wrong(self) -> bool:
        """Whether the last answer was refused."""
        return self.fault is not None

    @property
    def length(self) -> int:
        """Digits expected."""
        return 8 if self.question is Question.BIRTH_DATE else 5


@dataclass(frozen=True, slots=True)
class SerialNumber:
    """The card's serial number."""

    page: ClassVar[str] = "serial"
    masked: bool = False


@dataclass(frozen=True, slots=True)
class CodeIntro:
    """What the provisional code is for."""

    page: ClassVar[str] = "codeIntro"


@dataclass(frozen=True, slots=True)
class CodePage:
    """The provisional code."""

    page: ClassVar[str] = "code"
    masked: bool = False


@dataclass(frozen=True, slots=True)
class TicketPage:
    """A ticket and what became of it."""

    page: ClassVar[str] = "ticket"
    ticket: TicketContent
    state: PrintState
    fault: Fault | None = None
    record: int | None = None  # printing waits until the job is on disk under this token
    taken: bool = False  # the printer saw it leave its output


@dataclass(frozen=True, slots=True)
class Guide:
    """How to create the ameli account, step by step (1-based). Works without a card."""

    page: ClassVar[str] = "guide"
    number: int = 1


@dataclass(frozen=True, slots=True)
class Help:
    """Situations explained; nothing personal. `topic` is opened first."""

    page: ClassVar[str] = "help"
    back: Step
    topic: Topic | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """A short wait for disk or centre, with its own limit."""

    page: ClassVar[str] = "wait"
    what: Waiting
    record: int | None = None  # the record token waited for
    then: Result | SerialNumber | CodePage | None = None
    goal: Goal = Goal.CODE  # what an identification being checked is for


@dataclass(frozen=True, slots=True)
class Problem:
    """Something did not work; the visit goes on from home."""

    page: ClassVar[str] = "problem"
    fault: Fault
    safety: CardSafety


@dataclass(frozen=True, slots=True)
class IdlePrompt:
    """« Êtes-vous toujours là ? » over another page."""

    page: ClassVar[str] = "idlePrompt"
    over: Step


@dataclass(frozen=True, slots=True)
class RemoveCard:
    """The visit is over and wiped; the card is still in the slot."""

    page: ClassVar[str] = "removeCard"
    safety: CardSafety = CardSafety.UNCHANGED


@dataclass(frozen=True, slots=True)
class ForgottenCard:
    """Nobody took the card."""

    page: ClassVar[str] = "forgottenCard"
    safety: CardSafety = CardSafety.UNCHANGED


Step = (
    OutOfService
    | Attract
    | StaffSlot
    | StaffPin
    | Diagnostics
    | Welcome
    | Reading
    | CardProblem
    | Home
    | Preview
    | Updating
    | Interrupted
    | Result
    | Identification
    | SerialNumber
    | CodeIntro
    | CodePage
    | TicketPage
    | Guide
    | Help
    | Wait
    | Problem
    | IdlePrompt
    | RemoveCard
    | ForgottenCard
)

GUIDE_STEPS = 6


# --- state -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Member:
    """Everything personal of a visit. Dropping it is the wipe."""

    card: CardContent = field(repr=False)
    pseudonym: str
    standing: CardStanding | None = field(default=None, repr=False)
    level: int = 0
    birth_date: str | None = field(default=None, repr=False)  # YYYYMMDD once accepted
    proof: str | None = field(default=None, repr=False)
    code: ProvisionalCode | None = field(default=None, repr=False)
    agreed: tuple[str, ...] = ()  # update ids the member agreed to
    report: UpdateReport | None = None
    outcome: Outcome | None = None
    open_write: bool = False  # a run of this visit may have left the card marked unfinished, and it was not read since
    awaited_until_s: float | None = None  # the card left while being written: until then only the same card goes on

    @property
    def serial(self) -> str:
        """The digits printed on the card, as far as chip and centre know them; never a computed one."""
        if self.standing is not None and self.standing.serial is not None:
            return self.standing.serial
        return self.card.iccsn

    @property
    def unfinished(self) -> bool:
        """Whether the card's transaction flag is, or may be, still 1."""
        return self.outcome is not Outcome.UPDATED and (self.card.unfinished or self.open_write)

    @property
    def partly(self) -> bool:
        """Whether an earlier order of a run was done and closed, and a later one was not."""
        return self.report is not None and self.report.wrote and not self.report.unfinished

    @property
    def begun(self) -> bool:
        """Whether an update was begun in this visit and its last word is not known or not good."""
        return bool(self.agreed) and self.outcome in (None, Outcome.ABORTED, Outcome.UNCERTAIN, Outcome.IMPOSSIBLE)

    @property
    def pending(self) -> tuple[str, ...]:
        """Ids of the mandatory updates still to run, in the centre's order."""
        if self.standing is None or self.outcome in (Outcome.UPDATED, Outcome.UP_TO_DATE):
            return ()
        return tuple(order.update_id for order in self.standing.orders if order.mandatory)


@dataclass(frozen=True, slots=True)
class World:
    """The kiosk's own condition, between and during visits. Unknown is not OK."""

    reader_ready: bool = False
    reader_fault: Fault | None = None
    service_up: bool | None = None
    service_fault: Fault | None = None
    service_down_since_utc_s: int | None = None
    clock_trusted: bool = False
    clock_fault: Fault | None = None
    printer: PrinterHealth = PrinterHealth.UNKNOWN
    output_since_s: float | None = None  # since when a ticket waits in the printer's output
    output_forgotten: bool = False  # … and that nobody takes it has been noted
    loose_ticket_until_s: float | None = None  # till then: a ticket may have come out just before the program died
    store_fault: Fault | None = None
    outages: Outages = NO_OUTAGES


@dataclass(frozen=True, slots=True)
class SentTicket:
    """A ticket of which an original may have come out. A further one of its kind for this card is a DUPLICATA."""

    pseudonym: str
    kind: TicketKind
    visit: VisitId
    until_s: float


@dataclass(frozen=True, slots=True)
class StaffCard:
    """The card in the professional slot. Neither kind nor fault: it is being looked at."""

    session: CardSession
    kind: StaffKind | None = None
    fault: Fault | None = None
    done: bool = False  # a badge whose holder has finished, or was refused

    @property
    def known(self) -> bool:
        """Whether there is something to say about it."""
        return self.kind is not None or self.fault is not None

    @property
    def waits(self) -> bool:
        """Whether it is a badge whose code is to be asked for."""
        return self.kind is StaffKind.TECHNICIAN and not self.done


NO_VISIT: Final = VisitId(0)


@dataclass(frozen=True, slots=True)
class State:
    """Where a kiosk is. Immutable; `step()` makes the next one."""

    policy: Policy
    step: Step = OutOfService(None)
    world: World = World()
    visit: VisitId = NO_VISIT
    card_session: CardSession | None = None  # the card now in the patient slot
    member: Member | None = None
    staff: StaffCard | None = None  # the card now in the professional slot
    running: Mapping[RunId, str] = field(default_factory=dict)  # pseudonym by update run not yet reported ended
    wrong_dates: Mapping[str, int] = field(default_factory=dict)  # wrong birth dates by (daily) pseudonym
    sent: tuple[SentTicket, ...] = ()
    mute_left_s: float | None = None  # when a card that gave no ATR left, if nothing else has been put in since
    next_token: int = 1
    entered_s: float = 0.0  # when the step was entered
    active_s: float = 0.0  # last sign of the member
    wake_at_s: float | None = None  # when `Tick` is due
