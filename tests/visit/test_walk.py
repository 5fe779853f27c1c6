"""The walks a member takes, read as a story: what happens, and which page follows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.visit import events as ev
from kiosk.visit.effects import AskStanding, IssueCode, PrintTicket, ReadCard, Record, RunUpdate, Wipe
from kiosk.visit.events import Choice
from kiosk.visit.failures import CATALOGUE, CardSafety, Cause, Fault, MemberPage
from kiosk.visit.machine import step
from kiosk.visit.model import State
from kiosk.visit.pages import CardProblem, Home, OutOfService
from kiosk.visit.policy import CodeIssuing, Policy, Quarantine
from kiosk.visit.ports import PrintState, ReaderRole
from kiosk.visit.values import CardStanding, Identified, Outcome, RecordType, UpdatePhase
from simulators import samples
from simulators.transitions import document
from tests.visit.member import DONE, OTHER, Visit


def test_the_whole_walk() -> None:
    visit = Visit()
    pages = [visit.page]

    def then(shown: Visit) -> None:
        pages.append(shown.page)

    then(visit.insert())
    then(visit.read())
    then(visit.standing())
    then(visit.choose(Choice.UPDATE))
    then(visit.choose(Choice.ACCEPT))
    then(visit.tell(ev.UpdateEnded(visit.run, DONE)))
    then(visit.choose(Choice.SERIAL))
    then(visit.type("17011962"))
    then(visit.choose(Choice.CODE))
    then(visit.type("75020"))
    proven = Identified(accepted=True, tries_left=3, proof="0" * 32)
    then(visit.tell(ev.IdentityChecked(visit.state.visit, proven)))
    then(visit.choose(Choice.CONTINUE))
    then(visit.tell(ev.CodeIssued(visit.state.visit, samples.CODE)))
    then(visit.choose(Choice.PRINT))
    then(visit.tell(ev.TicketEnded(visit.state.visit, PrintState.PRINTED)))
    then(visit.choose(Choice.GUIDE))
    then(visit.choose(Choice.STOP))
    then(visit.remove())
    assert pages == [
        "attract", "reading", "reading", "home", "preview", "updating", "result", "identification", "serial",
        "identification", "wait", "codeIntro", "wait", "code", "ticket", "ticket", "guide", "removeCard", "attract",
    ]  # fmt: skip
    assert [type(effect) for effect in visit.asked if not isinstance(effect, Record)][:3] == [
        ReadCard,
        AskStanding,
        RunUpdate,
    ]
    assert any(isinstance(effect, IssueCode) for effect in visit.asked)
    assert any(isinstance(effect, PrintTicket) for effect in visit.asked)
    assert visit.state.member is None


def test_a_result_waits_for_the_disk() -> None:
    visit = Visit().updating()
    visit.disk = False
    visit.tell(ev.UpdateEnded(visit.run, DONE))
    assert visit.page == "wait"
    visit.tell(ev.Recorded(visit.records(RecordType.UPDATE_ENDED)[-1].token))
    assert visit.page == "result"


def test_a_disk_that_refuses_stops_the_kiosk_truthfully() -> None:
    visit = Visit().updating()
    visit.disk = False
    visit.tell(ev.UpdateEnded(visit.run, DONE))
    visit.tell(ev.RecordFailed(visit.records(RecordType.UPDATE_ENDED)[-1].token, Fault(Cause.STORE_FULL)))
    assert (visit.page, visit.shown.safety) == ("cardProblem", CardSafety.UPDATED)
    visit.remove()
    assert isinstance(visit.state.step, OutOfService)
    visit.tell(ev.StoreReady())
    assert visit.page == "attract"


@pytest.mark.parametrize(
    ("phase", "safety"),
    [(UpdatePhase.OPENING, CardSafety.UNCHANGED), (UpdatePhase.WRITING, CardSafety.UNFINISHED)],
)
def test_reader_lost_says_what_is_true_of_the_card(phase: UpdatePhase, safety: CardSafety) -> None:
    visit = Visit().updating(phase).tell(ev.ReaderFailed(ReaderRole.PATIENT, Fault(Cause.READER_LOST)))
    assert isinstance(visit.state.step, OutOfService)
    assert visit.shown.safety is safety
    assert visit.state.member is None
    visit.tell(ev.ReaderReady(ReaderRole.PATIENT))
    assert visit.page == "attract"


def test_a_card_put_in_while_reading_the_guide_of_a_closed_kiosk_is_asked_back() -> None:
    visit = Visit(replace(samples.POLICY, quarantine=Quarantine.STOP))
    assert visit.page == "outOfService"
    visit.choose(Choice.START_WITHOUT_CARD, Choice.GUIDE).insert()
    assert (visit.page, visit.shown.card_in_slot) == ("outOfService", True)
    assert not any(isinstance(effect, ReadCard) for effect in visit.asked)


def test_a_kiosk_that_recovers_under_a_card_opens_when_the_card_leaves() -> None:
    visit = Visit().tell(ev.RecordFailed(0, Fault(Cause.STORE_FAILED))).insert().tell(ev.StoreReady())
    assert visit.page == "outOfService"
    assert visit.remove().page == "attract"


def test_a_store_that_never_opened_is_said_at_once() -> None:
    visit = Visit().tell(ev.RecordFailed(0, Fault(Cause.STORE_FAILED)))
    assert (visit.page, visit.shown.fault.cause) == ("outOfService", Cause.STORE_FAILED)


def test_no_card_can_be_used_before_the_reader_has_reported() -> None:
    assert isinstance(State(policy=samples.POLICY).step, OutOfService)
    state, _ = step(State(policy=samples.POLICY), ev.ServiceUp(), 0.0)
    assert isinstance(state.step, OutOfService)


def test_losses_have_their_own_page_first_and_may_be_declined() -> None:
    visit = Visit().insert().read().standing(CardStanding(orders=(samples.LOSING_ORDER,))).choose(Choice.UPDATE)
    assert (visit.page, visit.shown.part) == ("preview", "losses")
    visit.choose(Choice.ACCEPT)
    assert (visit.page, visit.shown.part) == ("preview", "changes")
    visit.choose(Choice.DECLINE)
    assert (visit.page, visit.shown.outcome) == ("result", Outcome.DECLINED)
    assert not any(isinstance(effect, RunUpdate) for effect in visit.asked)


def test_a_masked_loss_is_shown_on_its_own_page_once_identified() -> None:
    hidden = replace(samples.LOSS, sensitive=True)
    standing = CardStanding(orders=(replace(samples.LOSING_ORDER, preview=(hidden,)),))
    visit = Visit().insert().read().standing(standing).choose(Choice.UPDATE, Choice.SHOW_SENSITIVE)
    assert visit.page == "identification"
    visit.type("17011962")
    assert (visit.page, visit.shown.part) == ("preview", "losses")


def test_nothing_to_update() -> None:
    visit = Visit().insert().read().standing(CardStanding(orders=())).choose(Choice.UPDATE)
    assert visit.shown.outcome is Outcome.UP_TO_DATE


@pytest.mark.parametrize(
    ("standing", "cause"),
    [
        (CardStanding(orders=(), opposed=True), Cause.CARD_REFUSED),
        (CardStanding(orders=(), replace=True), Cause.CARD_REPLACE),
    ],
)
def test_cards_the_centre_does_not_serve(standing: CardStanding, cause: Cause) -> None:
    visit = Visit().insert().read().standing(standing)
    assert isinstance(visit.state.step, CardProblem)
    assert visit.shown.fault.cause is cause
    assert visit.state.member is None


def test_service_unreachable_home_still_opens_and_the_update_says_why() -> None:
    visit = Visit().insert().read().tell(ev.ServiceDown(Fault(Cause.NETWORK), 0))
    visit.tell(ev.StandingUnknown(visit.state.visit, Fault(Cause.NETWORK)))
    assert isinstance(visit.state.step, Home)
    visit.choose(Choice.UPDATE)
    assert visit.page == "reading"
    visit.tell(ev.StandingUnknown(visit.state.visit, Fault(Cause.NETWORK)))
    assert visit.page == "problem"
    assert visit.shown.safety is CardSafety.UNCHANGED
    visit.choose(Choice.BACK, Choice.SERIAL)
    assert visit.page == "identification"


@pytest.mark.parametrize(
    ("policy", "page"),
    [
        (replace(samples.POLICY, issue_code=CodeIssuing.OFF), MemberPage.NO_CODE_HERE),
        (replace(samples.POLICY, quarantine=Quarantine.NO_CODE), MemberPage.SUSPENDED),
    ],
)
def test_codes_only_where_the_site_may(policy: Policy, page: MemberPage) -> None:
    visit = Visit(policy).at_home().choose(Choice.CODE)
    assert CATALOGUE[visit.shown.fault.cause].page is page


def test_three_wrong_dates_then_no_more_even_after_reinserting() -> None:
    visit = Visit().at_home().choose(Choice.SERIAL)
    for left in (2, 1):
        visit.type("01011901")
        assert visit.shown.tries_left == left
    visit.type("01011901")
    assert visit.shown.fault.cause is Cause.TRIES_EXHAUSTED
    visit.remove().insert(OTHER).read(OTHER).standing().choose(Choice.SERIAL)
    assert visit.shown.fault.cause is Cause.TRIES_EXHAUSTED


def test_wrong_dates_of_before_a_power_cut_count() -> None:
    visit = Visit()
    visit.tell(ev.WrongDatesBefore({"another": 3}))
    visit.at_home().choose(Choice.SERIAL).type("01011901")
    visit.tell(ev.WrongDatesBefore({samples.MEMBER.pseudonym: 1}))
    assert visit.type("01011901").shown.fault.cause is Cause.TRIES_EXHAUSTED
    assert [record.fields["question"] for record in visit.records(RecordType.IDENTITY_REFUSED)] == ["birth_date"] * 2


@pytest.mark.parametrize("digits", ["1701196", "17011962"])
def test_an_incomplete_answer_is_not_judged(digits: str) -> None:
    visit = Visit().at_home().choose(Choice.SERIAL).type(digits)
    assert visit.page == ("serial" if len(digits) == 8 else "identification")
    assert not visit.records(RecordType.IDENTITY_REFUSED)


def test_idle_prompt_then_wipe_then_card_reminder() -> None:
    visit = Visit().at_home().after(90.0)
    assert visit.page == "idlePrompt"
    visit.choose(Choice.STILL_HERE)
    assert visit.page == "home"
    visit.after(90.0).after(45.0)
    assert visit.page == "removeCard"
    assert any(isinstance(effect, Wipe) for effect in visit.asked)
    visit.after(30.0)
    assert visit.page == "forgottenCard"
    assert visit.records(RecordType.CARD_FORGOTTEN)
    visit.remove()
    assert visit.page == "attract"


def test_no_clock_runs_out_while_updating_until_its_own_limit() -> None:
    visit = Visit().updating().after(91.0)
    assert visit.page == "updating"
    visit.after(30.0)
    assert visit.shown.outcome is Outcome.UNCERTAIN


def test_digits_are_masked_again_after_a_minute() -> None:
    visit = Visit().at_home().choose(Choice.SERIAL).type("17011962").after(60.0)
    assert visit.shown.masked is True
    visit.after(30.0)
    assert visit.page == "idlePrompt"


def test_the_ticket_is_journalled_before_it_is_printed_and_a_second_one_says_so() -> None:
    visit = Visit().at_home().choose(Choice.SERIAL).type("17011962")
    visit.disk = False
    visit.choose(Choice.PRINT)
    assert not any(isinstance(effect, PrintTicket) for effect in visit.asked)
    visit.tell(ev.Recorded(visit.records(RecordType.TICKET_QUEUED)[-1].token))
    assert isinstance(visit.asked[-1], PrintTicket)
    visit.disk = True
    visit.tell(ev.TicketEnded(visit.state.visit, PrintState.UNKNOWN, Fault(Cause.TICKET_UNPROVEN))).choose(Choice.PRINT)
    assert [effect.ticket.duplicate for effect in visit.asked if isinstance(effect, PrintTicket)] == [False, True]


def test_document_is_the_machine() -> None:
    path = Path(__file__).parents[2] / "docs" / "transitions.md"
    assert path.read_text(encoding="utf-8") == document()


def test_help_while_printing_loses_neither_the_job_nor_its_end() -> None:
    visit = Visit().at_home().choose(Choice.SERIAL).type("17011962")
    visit.disk = False
    visit.choose(Choice.PRINT, Choice.HELP)
    visit.tell(ev.Recorded(visit.records(RecordType.TICKET_QUEUED)[-1].token))
    assert isinstance(visit.asked[-1], PrintTicket)
    visit.tell(ev.TicketEnded(visit.state.visit, PrintState.PRINTED)).choose(Choice.BACK)
    assert visit.shown.state is PrintState.PRINTED


def test_closed_while_the_member_reads_the_preview() -> None:
    visit = Visit().at_home().choose(Choice.UPDATE)
    visit.tell(ev.PolicyChanged(replace(samples.POLICY, quarantine=Quarantine.NO_RELAY))).choose(Choice.ACCEPT)
    assert (visit.page, visit.shown.fault.cause) == ("problem", Cause.QUARANTINED)
    assert not any(isinstance(effect, RunUpdate) for effect in visit.asked)


def test_hidden_lines_lead_back_to_the_page_they_were_asked_on() -> None:
    visit = (
        Visit().at_home().choose(Choice.UPDATE, Choice.DECLINE, Choice.CONTINUE, Choice.UPDATE, Choice.SHOW_SENSITIVE)
    )
    visit.type("17011962")
    assert visit.page == "preview"
