"""A member before the machine: what a test lets happen, and what the machine asked for."""

from __future__ import annotations

from typing import Any

from kiosk.card.values import CardKind
from kiosk.visit import events as ev
from kiosk.visit.effects import Effect, Record, RunUpdate
from kiosk.visit.events import Choice
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.machine import step
from kiosk.visit.model import State
from kiosk.visit.policy import Policy
from kiosk.visit.ports import CardSession, PrinterHealth, ReaderRole, RunId
from kiosk.visit.values import CardStanding, Outcome, RecordType, UpdatePhase, UpdateReport
from simulators import samples

SESSION, OTHER = CardSession(1), CardSession(2)
DONE = UpdateReport(Outcome.UPDATED, 1, 3, 12, wrote=True)
TORN = UpdateReport(Outcome.ABORTED, 3, 2, 7, wrote=True, fault=Fault(Cause.CARD_REMOVED), unfinished=True)


class Visit:
    """Feeds the machine and keeps what it asked for; records are on disk at once unless `disk` is False."""

    def __init__(self, policy: Policy = samples.POLICY) -> None:
        self.state = State(policy=policy)
        self.asked: list[Effect] = []
        self.now_s = 0.0
        self.disk = True
        self.tell(ev.ReaderReady(ReaderRole.PATIENT), ev.ServiceUp(), ev.ClockTrusted(trusted=True))
        self.tell(ev.PrinterChanged(PrinterHealth.OK))

    @property
    def page(self) -> str:
        return self.state.step.page

    @property
    def shown(self) -> Any:
        """The page, for a look at its own fields (a wrong page fails the test by its missing field)."""
        return self.state.step

    def tell(self, *events: ev.Event) -> Visit:
        for event in events:
            self.state, effects = step(self.state, event, self.now_s)
            self.asked += effects
            if self.disk:
                self.tell(*(ev.Recorded(effect.token) for effect in effects if isinstance(effect, Record)))
        return self

    def choose(self, *choices: Choice) -> Visit:
        return self.tell(*(ev.Chosen(choice) for choice in choices))

    def type(self, digits: str) -> Visit:
        return self.tell(*(ev.DigitTyped(int(digit)) for digit in digits), ev.DigitsSubmitted())

    def after(self, seconds: float) -> Visit:
        self.now_s += seconds
        return self.tell(ev.Tick())

    def insert(self, session: CardSession = SESSION) -> Visit:
        return self.tell(ev.CardInserted(ReaderRole.PATIENT, session, CardKind.VITALE_2))

    def remove(self, session: CardSession = SESSION) -> Visit:
        return self.tell(ev.CardRemoved(ReaderRole.PATIENT, session))

    def read(self, session: CardSession = SESSION) -> Visit:
        return self.tell(ev.CardRead(session, samples.CARD, samples.MEMBER.pseudonym))

    def standing(self, standing: CardStanding | None = None) -> Visit:
        return self.tell(ev.StandingKnown(self.state.visit, standing or CardStanding(orders=(samples.ORDER,))))

    def at_home(self) -> Visit:
        return self.insert().read().standing()

    def updating(self, phase: UpdatePhase = UpdatePhase.WRITING) -> Visit:
        self.at_home().choose(Choice.UPDATE, Choice.ACCEPT)
        return self.tell(ev.UpdateProgress(self.run, phase))

    def ended(self, report: UpdateReport) -> Visit:
        return self.tell(ev.UpdateEnded(self.run, report))

    @property
    def run(self) -> RunId:
        """The last update run that was asked for."""
        return [effect.run for effect in self.asked if isinstance(effect, RunUpdate)][-1]

    def records(self, kind: RecordType) -> list[Record]:
        return [effect for effect in self.asked if isinstance(effect, Record) and effect.type is kind]
