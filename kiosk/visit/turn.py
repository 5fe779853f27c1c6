"""One turn of the machine: the state being made, the effects being asked. Lives only inside `step()`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kiosk.visit.availability import blocking_fault, in_service
from kiosk.visit.effects import Effect, Record, ReleaseCard, Wipe
from kiosk.visit.failures import Fault
from kiosk.visit.model import Member, State
from kiosk.visit.page_kinds import Notice, Waiting
from kiosk.visit.pages import (
    Attract,
    CardProblem,
    OutOfService,
    RemoveCard,
    Result,
    SerialNumber,
    StaffPin,
    StaffSlot,
    Step,
    Wait,
)
from kiosk.visit.pages import CodePage as Code
from kiosk.visit.ports import VisitId
from kiosk.visit.safety import card_safety
from kiosk.visit.values import Outcome, RecordType, UpdateReport

Fields = Mapping[str, str | int | bool]


@dataclass(slots=True)
class Turn:
    """Mutable for the length of one `step()`; the state inside stays a frozen value."""

    state: State
    now_s: float
    effects: list[Effect] = field(default_factory=list)

    def go(self, step: Step) -> None:
        """Show another page."""
        self.state = replace(self.state, step=step, entered_s=self.now_s, active_s=self.now_s)

    def touch(self, active_s: float | None = None) -> None:
        """Somebody is there (now, or since `active_s`)."""
        self.state = replace(self.state, active_s=self.now_s if active_s is None else active_s)

    def ask(self, effect: Effect) -> None:
        """Ask the world for something."""
        self.effects.append(effect)

    def note(self, kind: RecordType, fields: Fields, pseudonym: str | None = None) -> int:
        """Ask for a fact to be committed; the token comes back in `Recorded`."""
        if pseudonym is None and self.state.member is not None:
            pseudonym = self.state.member.pseudonym
        return self.note_about(pseudonym, kind, fields)

    def note_about(self, pseudonym: str | None, kind: RecordType, fields: Fields) -> int:
        """The same, about this card or about none, whoever is there."""
        token = self.state.next_token
        self.state = replace(self.state, next_token=token + 1)
        self.ask(Record(token, kind, pseudonym, fields))
        return token

    def know(self, **changes: Any) -> None:
        """Something about the kiosk's own condition changed."""
        self.state = replace(self.state, world=replace(self.state.world, **changes))

    def save_then(self, kind: RecordType, fields: Fields, then: Result | SerialNumber | Code) -> None:
        """Show `then` only once the fact is on disk."""
        token = self.note(kind, fields)
        self.go(Wait(Waiting.SAVING, record=token, then=then))

    @property
    def member(self) -> Member:
        """The member of a visit; a page that needs one is never shown without."""
        if self.state.member is None:
            raise AssertionError("a member's page without a member")
        return self.state.member

    def learn(self, member: Member) -> None:
        """Remember something about the member."""
        self.state = replace(self.state, member=member)

    def start_visit(self, mode: str) -> None:
        """A new visit begins, with a new id."""
        sent = tuple(ticket for ticket in self.state.sent if ticket.until_s > self.now_s)
        self.state = replace(self.state, visit=VisitId(self.state.visit + 1), member=None, sent=sent)
        self.note(RecordType.VISIT_STARTED, {"mode": mode})

    def end_visit(self, reason: str, notice: Notice | None = None) -> None:
        """Forget the member in every part of the kiosk, then rest, or ask for the card back."""
        safety = card_safety(self.state)
        self.note(RecordType.VISIT_ENDED, {"reason": reason})
        self.ask(Wipe(self.state.visit))
        # A new id at once: late answers to the old visit find nobody.
        self.state = replace(self.state, visit=VisitId(self.state.visit + 1), member=None)
        self.know(loose_ticket_until_s=None)  # whoever was here has read it
        if self.state.card_session is None:
            self.rest(notice)
        else:
            self.ask(ReleaseCard(self.state.card_session))
            self.go(RemoveCard(safety))
            self.admit_badge()

    def rest(self, notice: Notice | None = None) -> None:
        """No visit, no card: wait for the next member, or say that the kiosk is out of service."""
        staff = self.state.staff
        if not in_service(self.state.world, self.state.policy):
            self.out_of_service(notice)
        elif notice is None and staff is not None and staff.known and not staff.waits:
            self.go(StaffSlot(staff.fault))
        else:
            self.go(Attract(notice))
        self.admit_badge()

    def admit_badge(self) -> None:
        """Ask for the code of the badge that waits, over the page of a kiosk that serves nobody."""
        staff = self.state.staff
        if staff is not None and staff.waits:
            self.go(StaffPin(over=self.state.step))

    def result(self, outcome: Outcome, fault: Fault | None, record: Fields) -> None:
        """The update is over for the member: commit how, then show it."""
        self.learn(replace(self.member, outcome=outcome))
        self.save_then(RecordType.UPDATE_ENDED, record, Result(outcome, fault))

    def out_of_service(self, notice: Notice | None = None) -> None:
        """Nothing can be done here now."""
        fault = blocking_fault(self.state.world, self.state.policy)
        self.go(OutOfService(fault, card_in_slot=self.state.card_session is not None, notice=notice))

    def card_problem(self, fault: Fault, *, keep_member: bool = False) -> None:
        """This card is not served. The member is forgotten unless an interrupted update still waits for the card."""
        safety = card_safety(self.state)
        self.note(RecordType.CARD_PROBLEM, {"cause": fault.cause.value})
        if self.state.card_session is not None:
            self.ask(ReleaseCard(self.state.card_session))
        if not keep_member:
            self.note(RecordType.VISIT_ENDED, {"reason": "card_problem"})
            self.ask(Wipe(self.state.visit))
            self.learn_nothing()
        self.go(CardProblem(fault, safety))

    def learn_nothing(self) -> None:
        """Drop the member; the visit id changes so that late answers find nobody."""
        self.state = replace(self.state, visit=VisitId(self.state.visit + 1), member=None)


def ended_fields(outcome: Outcome, fault: Fault | None = None, report: UpdateReport | None = None) -> Fields:
    """The fields of `update_ended` (journal catalogue): `detail` only when the centre was asked to update."""
    fields: dict[str, str | int | bool] = {
        "outcome": outcome.value,
        "packages": report.packages if report else 0,
        "apdus": report.apdus if report else 0,
        "wrote": bool(report and report.wrote),
    }
    if report is not None:
        fields["detail"] = report.detail
    if fault is not None:
        fields["cause"] = fault.cause.value
    return fields
