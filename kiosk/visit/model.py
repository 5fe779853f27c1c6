"""The visit as a value: the member (`Member`), the cards, and where a kiosk is (`State`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from kiosk.card.values import CardContent
from kiosk.visit.failures import Fault
from kiosk.visit.pages import OutOfService, Step
from kiosk.visit.policy import Policy
from kiosk.visit.ports import CardSession, RunId, VisitId
from kiosk.visit.values import (
    CardStanding,
    Outcome,
    ProvisionalCode,
    StaffKind,
    TicketKind,
    UpdateReport,
)
from kiosk.visit.world import World


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
_STARTING: Final = OutOfService(None)
_NOTHING_KNOWN: Final = World()


@dataclass(frozen=True, slots=True)
class State:
    """Where a kiosk is. Immutable; `step()` makes the next one."""

    policy: Policy
    step: Step = _STARTING
    world: World = _NOTHING_KNOWN
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
