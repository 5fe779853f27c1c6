"""The pages a visit can show, as values: `Step` is any of them, and each knows what is on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from kiosk.visit.failures import CardSafety, Fault
from kiosk.visit.page_kinds import Goal, Notice, PreviewPart, Question, Topic, Waiting
from kiosk.visit.ports import PrintState, RunId
from kiosk.visit.values import (
    Outcome,
    PartLine,
    TicketContent,
    UpdatePhase,
)


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
