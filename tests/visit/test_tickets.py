"""Tickets in the machine: a second one says so, one that a dead program left is told, one nobody takes is noted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiosk.card.values import CardKind
from kiosk.status import condition
from kiosk.ui import texts as t
from kiosk.ui.typography import plain
from kiosk.visit import events as ev
from kiosk.visit.effects import Effect, LookAtStaffCard, PrintTicket, Record
from kiosk.visit.events import Choice
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.machine import step
from kiosk.visit.model import State
from kiosk.visit.page_kinds import Waiting
from kiosk.visit.pages import Attract, CodePage, Help, Home, IdlePrompt, SerialNumber, TicketPage, Wait
from kiosk.visit.ports import CardSession, PrintState, ReaderRole
from kiosk.visit.timing import FORGOTTEN_TICKET_S, LOOSE_TICKET_S, TICKET_MEMORY_S
from kiosk.visit.values import EarlierTicket, RecordType, TicketKind
from simulators import samples
from tests.e2e.audience import words

NAME = samples.MEMBER.pseudonym
MEMBER = replace(samples.MEMBER, level=2, birth_date="19620117", proof="0" * 32, code=samples.CODE)


class Kiosk:
    """The machine, its clock, and what it asked for; records are on disk at once."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.now_s = 1000.0
        self.asked: list[Effect] = []

    def tell(self, *events: ev.Event) -> Kiosk:
        for event in events:
            self.state, effects = step(self.state, event, self.now_s)
            self.asked += effects
            self.tell(*(ev.Recorded(effect.token) for effect in effects if isinstance(effect, Record)))
        return self

    def after(self, seconds: float) -> Kiosk:
        """Time passes, and each limit on the way is met as the runner does it."""
        end_s = self.now_s + seconds
        while self.state.wake_at_s is not None and self.now_s < self.state.wake_at_s <= end_s:
            self.now_s = self.state.wake_at_s
            self.tell(ev.Tick())
        self.now_s = end_s
        return self.tell(ev.Tick())

    def show(self, page: CodePage | SerialNumber, name: str = NAME) -> Kiosk:
        """The same member's page, or another's, in a new visit."""
        self.state = replace(self.state, step=Attract(), card_session=None, member=None)
        self.tell(ev.Chosen(Choice.START_WITHOUT_CARD))
        self.state = replace(self.state, step=page, member=replace(MEMBER, pseudonym=name))
        return self

    def printed(self) -> bool:
        """Print what the page shows; whether the ticket says DUPLICATA."""
        self.tell(ev.Chosen(Choice.PRINT))
        ticket = [effect for effect in self.asked if isinstance(effect, PrintTicket)][-1].ticket
        self.tell(ev.TicketEnded(self.state.visit, PrintState.PRINTED))
        return ticket.duplicate

    def records(self, kind: RecordType) -> list[Record]:
        return [effect for effect in self.asked if isinstance(effect, Record) and effect.type is kind]


@pytest.fixture
def kiosk() -> Kiosk:
    return Kiosk(samples.state(Attract()))


# --- duplicates --------------------------------------------------------------------------------------------------


def test_the_second_ticket_of_a_kind_for_a_card_is_a_duplicate_within_the_life_of_a_code(kiosk: Kiosk) -> None:
    assert not kiosk.show(CodePage()).printed()
    assert kiosk.show(CodePage()).printed()
    assert not kiosk.show(SerialNumber()).printed()  # another kind
    assert not kiosk.show(CodePage(), "f" * 32).printed()  # another card
    kiosk.now_s += TICKET_MEMORY_S
    assert not kiosk.show(CodePage()).printed()


def test_a_code_issued_anew_has_a_ticket_of_its_own(kiosk: Kiosk) -> None:
    assert not kiosk.show(CodePage()).printed()
    assert not kiosk.show(SerialNumber()).printed()
    kiosk.show(CodePage())
    kiosk.state = replace(kiosk.state, step=Wait(Waiting.CODE))
    kiosk.tell(ev.CodeIssued(kiosk.state.visit, samples.CODE))
    assert not kiosk.printed()
    assert kiosk.show(CodePage()).printed()
    assert kiosk.show(SerialNumber()).printed()


def test_within_one_visit_it_stays_a_duplicate_however_long_it_lasts(kiosk: Kiosk) -> None:
    assert not kiosk.show(CodePage()).printed()
    kiosk.now_s += TICKET_MEMORY_S + 1
    kiosk.state = replace(kiosk.state, step=CodePage())
    assert kiosk.printed()


def test_what_is_remembered_of_old_tickets_does_not_grow(kiosk: Kiosk) -> None:
    for number in range(20):
        kiosk.show(CodePage(), f"{number:032x}").printed()
        kiosk.now_s += TICKET_MEMORY_S
    assert len(kiosk.state.sent) == 1


@pytest.mark.parametrize(("age_s", "duplicate"), [(0.0, True), (TICKET_MEMORY_S - 1, True), (TICKET_MEMORY_S, False)])
def test_an_earlier_life_counts_for_its_card_and_kind(kiosk: Kiosk, age_s: float, duplicate: bool) -> None:
    kiosk.tell(ev.TicketsBefore((EarlierTicket(NAME, TicketKind.CODE, age_s),), unended=False))
    assert kiosk.state.world.loose_ticket_until_s is None
    assert not kiosk.show(SerialNumber()).printed()
    assert not kiosk.show(CodePage(), "f" * 32).printed()
    assert kiosk.show(CodePage()).printed() is duplicate


def test_a_late_end_is_noted_under_the_name_of_its_own_card(kiosk: Kiosk) -> None:
    kiosk.show(CodePage()).tell(ev.Chosen(Choice.PRINT))
    visit = kiosk.state.visit
    kiosk.show(SerialNumber(), "f" * 32).tell(ev.TicketEnded(visit, PrintState.PRINTED))
    assert [record.pseudonym for record in kiosk.records(RecordType.TICKET_ENDED)] == [NAME]


# --- after the program died --------------------------------------------------------------------------------------

LOOSE = ev.TicketsBefore((EarlierTicket(NAME, TicketKind.CODE, 5.0),), unended=True)


def told(state: State) -> bool:
    return plain(t.NOTICE_LOOSE_TICKET) in words(state)


def test_a_loose_ticket_is_told_to_whoever_comes_and_to_who_has_a_card_in(kiosk: Kiosk) -> None:
    assert not told(kiosk.state)
    assert told(kiosk.tell(LOOSE).state)
    assert told(replace(kiosk.state, step=Home(), member=MEMBER, card_session=CardSession(1)))
    assert MEMBER.code is not None
    assert MEMBER.code.digits not in words(kiosk.state)


def test_it_goes_with_the_end_of_the_next_visit(kiosk: Kiosk) -> None:
    kiosk.tell(LOOSE, ev.Chosen(Choice.START_WITHOUT_CARD))
    assert kiosk.state.world.loose_ticket_until_s is not None
    assert not told(kiosk.tell(ev.Chosen(Choice.STOP)).state)


@pytest.mark.parametrize("state", PrintState)
def test_it_goes_when_a_ticket_was_printed_and_only_then(kiosk: Kiosk, state: PrintState) -> None:
    kiosk.tell(LOOSE).show(CodePage()).tell(ev.Chosen(Choice.PRINT), ev.TicketEnded(kiosk.state.visit, state))
    assert (kiosk.state.world.loose_ticket_until_s is None) is (state is PrintState.PRINTED)


def test_it_goes_with_time(kiosk: Kiosk) -> None:
    assert told(kiosk.tell(LOOSE).after(LOOSE_TICKET_S - 1).state)
    assert not told(kiosk.after(1).state)
    assert kiosk.state.wake_at_s is None


# --- taken, forgotten --------------------------------------------------------------------------------------------


def test_the_page_says_take_it_until_it_is_taken(kiosk: Kiosk) -> None:
    kiosk.show(CodePage()).printed()
    assert t.TICKET_PRINTED in words(kiosk.tell(ev.TicketInOutput(present=True)).state)
    assert t.TICKET_TAKEN in words(kiosk.tell(ev.TicketInOutput(present=False)).state)


@pytest.mark.parametrize("cover", [lambda page: Help(back=page), lambda page: IdlePrompt(over=Help(back=page))])
def test_it_is_taken_under_another_page_too(kiosk: Kiosk, cover: object) -> None:
    assert callable(cover)
    kiosk.show(CodePage()).printed()
    kiosk.tell(ev.TicketInOutput(present=True))
    kiosk.state = replace(kiosk.state, step=cover(kiosk.state.step))
    kiosk.tell(ev.TicketInOutput(present=False), ev.Chosen(Choice.STILL_HERE), ev.Chosen(Choice.BACK))
    assert isinstance(kiosk.state.step, TicketPage)
    assert kiosk.state.step.taken


def test_nothing_is_taken_that_was_not_seen_waiting(kiosk: Kiosk) -> None:
    kiosk.show(CodePage()).printed()
    before = kiosk.state.step
    assert kiosk.tell(ev.TicketInOutput(present=False)).state.step == before


def test_an_older_ticket_taken_while_the_next_is_printed_says_nothing_of_the_next(kiosk: Kiosk) -> None:
    kiosk.tell(ev.TicketInOutput(present=True)).show(CodePage()).tell(ev.Chosen(Choice.PRINT))
    kiosk.tell(ev.TicketInOutput(present=False))
    assert isinstance(kiosk.state.step, TicketPage)
    assert (kiosk.state.step.state, kiosk.state.step.taken) == (PrintState.QUEUED, False)


def test_a_forgotten_ticket_is_noted_once_and_diagnosed_until_it_is_taken(kiosk: Kiosk) -> None:
    kiosk.show(CodePage()).printed()
    kiosk.tell(ev.TicketInOutput(present=True)).after(FORGOTTEN_TICKET_S - 1)
    assert kiosk.records(RecordType.TICKET_FORGOTTEN) == []
    kiosk.after(1).after(FORGOTTEN_TICKET_S)
    (note,) = kiosk.records(RecordType.TICKET_FORGOTTEN)
    assert (note.pseudonym, dict(note.fields)) == (None, {})
    assert "ticket output" in [check.part for check in condition(kiosk.state, {})]
    kiosk.tell(ev.TicketInOutput(present=False))
    assert "ticket output" not in [check.part for check in condition(kiosk.state, {})]


# --- a staff card in the other slot ------------------------------------------------------------------------------


@pytest.mark.parametrize("state", PrintState)
def test_a_staff_card_changes_nothing_about_a_ticket(kiosk: Kiosk, state: PrintState) -> None:
    kiosk.show(CodePage()).tell(ev.Chosen(Choice.PRINT), ev.TicketEnded(kiosk.state.visit, state))
    before, asked = kiosk.state.step, len(kiosk.asked)
    staff = CardSession(77)
    kiosk.tell(ev.CardInserted(ReaderRole.PROFESSIONAL, staff, CardKind.VITALE_2))
    kiosk.tell(ev.StaffCardFailed(staff, Fault(Cause.CARD_MISPLACED)))
    kiosk.tell(ev.CardRemoved(ReaderRole.PROFESSIONAL, staff))
    assert (kiosk.state.step, kiosk.asked[asked:]) == (before, [LookAtStaffCard(staff)])
