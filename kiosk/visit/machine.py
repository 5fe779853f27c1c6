"""The one decider: `step(state, event, now_s)` answers every pair of state and event, and nothing else decides.

Pure: no clock, no I/O, no randomness. What happens to devices and channel is decided here and in `updating`; what a
member chooses, in `choices`; what time does, in `timing`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final, assert_never

from kiosk.visit import events as ev
from kiosk.visit.availability import in_service
from kiosk.visit.choices import on_choice, on_digit, on_erase, on_submit, reach_goal, refuse_identity
from kiosk.visit.effects import AskStanding, Effect, PrintTicket, ReadCard, ReleaseCard
from kiosk.visit.failures import CardSafety, Cause, Fault
from kiosk.visit.model import Member, State
from kiosk.visit.page_kinds import Notice, Question, Waiting
from kiosk.visit.pages import (
    Attract,
    CardProblem,
    CodePage,
    ForgottenCard,
    Home,
    Identification,
    IdlePrompt,
    Interrupted,
    OutOfService,
    Problem,
    Reading,
    RemoveCard,
    StaffSlot,
    Updating,
    Wait,
)
from kiosk.visit.ports import CardSession, PrintState, ReaderRole, VisitId
from kiosk.visit.safety import card_safety, parting_notice
from kiosk.visit.staff import on_staff
from kiosk.visit.tickets import (
    change_ticket,
    forget_sent,
    on_output,
    on_ticket_end,
    on_tickets_before,
    settle_tickets,
    ticket_page,
)
from kiosk.visit.timing import deadline_s, on_time, page_deadline_s
from kiosk.visit.turn import Turn
from kiosk.visit.updating import await_card, on_end, on_progress, resume_update
from kiosk.visit.values import CardStanding, RecordType, TicketKind


def step(state: State, event: ev.Event, now_s: float) -> tuple[State, tuple[Effect, ...]]:
    """The next state and what is asked of the world. Total: no pair of state and event raises."""
    turn = Turn(state, now_s)
    _dispatch(turn, event)
    return replace(turn.state, wake_at_s=deadline_s(turn.state)), tuple(turn.effects)


def _dispatch(turn: Turn, event: ev.Event) -> None:
    if not on_staff(turn, event, _dispatch_member):
        _dispatch_member(turn, event)


def _dispatch_member(turn: Turn, event: ev.Event) -> None:
    world = turn.state.world
    match event:
        case ev.CardInserted():
            _inserted(turn, event)
        case ev.CardRemoved():
            _removed(turn, event.card_session)
        case ev.ReaderReady():
            _reader_ready(turn, event.role)
        case ev.ReaderFailed():
            _reader_failed(turn, event)
        case ev.CardRead():
            _read(turn, event)
        case ev.CardFailed():
            _not_read(turn, event)
        case ev.StaffCardKnown() | ev.StaffCardFailed() | ev.BadgeAccepted() | ev.BadgeRefused() | ev.ConditionSeen():
            pass  # answered before
        case ev.ServiceUp():
            turn.state = replace(
                turn.state,
                world=replace(world, service_up=True, service_fault=None, service_down_since_utc_s=None),
            )
        case ev.ServiceDown():
            since_utc_s = event.since_utc_s if world.service_up is not False else world.service_down_since_utc_s
            turn.state = replace(
                turn.state,
                world=replace(world, service_up=False, service_fault=event.fault, service_down_since_utc_s=since_utc_s),
            )
        case ev.ClockTrusted():
            turn.state = replace(turn.state, world=replace(world, clock_trusted=event.trusted, clock_fault=event.fault))
        case ev.PrinterChanged():
            turn.state = replace(turn.state, world=replace(world, printer=event.health))
        case ev.PolicyChanged():
            turn.state = replace(turn.state, policy=event.policy)
            _settle(turn)
        case ev.OutagesChanged():
            turn.know(outages=event.outages)
        case ev.StoreReady():
            turn.state = replace(turn.state, world=replace(world, store_fault=None))
            _settle(turn)
        case ev.StandingKnown():
            _standing(turn, event.visit, event.standing)
        case ev.StandingUnknown():
            _no_standing(turn, event.visit, event.fault)
        case ev.UpdateProgress():
            on_progress(turn, event.run, event.phase)
        case ev.UpdateEnded():
            on_end(turn, event.run, event.report)
        case ev.IdentityChecked():
            _identity(turn, event)
        case ev.CodeIssued():
            if event.visit == turn.state.visit and turn.state.step == Wait(Waiting.CODE):
                turn.learn(replace(turn.member, code=event.code))
                forget_sent(turn, TicketKind.CODE)  # other digits: a ticket of its own
                turn.save_then(RecordType.CODE_ISSUED, {}, CodePage())
        case ev.RequestFailed():
            _request_failed(turn, event)
        case ev.TicketEnded():
            on_ticket_end(turn, event.visit, event.state, event.fault)
        case ev.TicketInOutput():
            on_output(turn, event.present)
        case ev.TicketsBefore():
            on_tickets_before(turn, event.tickets, event.unended)
        case ev.WrongDatesBefore():
            counts = Counter(turn.state.wrong_dates)
            counts.update(event.counts)
            turn.state = replace(turn.state, wrong_dates=counts)
        case ev.Recorded():
            _recorded(turn, event.token)
        case ev.RecordFailed():
            _not_recorded(turn, event)
        case ev.Tick():
            settle_tickets(turn)
            due_s = page_deadline_s(turn.state)
            if due_s is not None and turn.now_s >= due_s:
                on_time(turn)
        case ev.Chosen():
            turn.touch()
            on_choice(turn, event.choice)
        case ev.DigitTyped():
            turn.touch()
            on_digit(turn, event.digit)
        case ev.DigitErased():
            turn.touch()
            on_erase(turn)
        case ev.DigitsSubmitted():
            turn.touch()
            on_submit(turn)
        case ev.Activity():
            turn.touch()
            if isinstance(turn.state.step, IdlePrompt):
                turn.go(turn.state.step.over)
        case _:
            assert_never(event)


# --- readers and cards -------------------------------------------------------------------------------------------


def _inserted(turn: Turn, event: ev.CardInserted) -> None:
    if turn.state.card_session is not None:  # a swap whose removal was never seen
        _removed(turn, turn.state.card_session)
    turn.state = replace(turn.state, card_session=event.card_session)
    match turn.state.step:
        case OutOfService() as out:
            turn.go(replace(out, card_in_slot=True))
        case Interrupted():
            turn.go(Reading(resume=True))
            turn.ask(ReadCard(event.card_session))
        case step:
            if not isinstance(step, Attract | StaffSlot):  # somebody without a card was reading the guide
                turn.note(RecordType.VISIT_ENDED, {"reason": "card_changed"})
            if not in_service(turn.state.world, turn.state.policy):
                turn.out_of_service()
                return
            turn.start_visit("card")
            turn.go(Reading())
            turn.ask(ReadCard(event.card_session))


def _removed(turn: Turn, card_session: CardSession) -> None:
    if card_session != turn.state.card_session:
        return
    step, member = turn.state.step, turn.state.member
    safety, notice = card_safety(turn.state), parting_notice(turn.state)
    mute = isinstance(step, CardProblem) and step.fault.cause in (Cause.CARD_MUTE, Cause.CARD_DAMAGED)
    turn.state = replace(turn.state, card_session=None, mute_left_s=turn.now_s if mute else None)
    match step:
        case OutOfService():
            turn.go(replace(step, card_in_slot=False, notice=notice))
            _settle(turn)  # what closed the kiosk may be over
        case Updating() if safety is CardSafety.UNFINISHED:
            await_card(turn)
        case Interrupted() | Reading() | CardProblem() if member is not None and member.awaited_until_s is not None:
            turn.go(Interrupted())
        case Updating() | Reading():
            turn.end_visit("removed", Notice.UNCHANGED if safety is CardSafety.UNCHANGED else notice)
        case CardProblem() if member is not None:
            turn.end_visit("removed", notice)
        case CardProblem(fault=Fault(cause=Cause.CARD_REMOVED), safety=CardSafety.UNCHANGED):
            turn.rest(Notice.UNCHANGED)  # whoever saw it first, relay or monitor, the same is said
        case RemoveCard() | ForgottenCard() | CardProblem():
            turn.rest(notice)
        case _:
            turn.end_visit("removed", notice)


def _reader_ready(turn: Turn, role: ReaderRole) -> None:
    if role is not ReaderRole.PATIENT:
        return
    step = turn.state.step
    turn.state = replace(turn.state, world=replace(turn.state.world, reader_ready=True, reader_fault=None))
    if isinstance(step, OutOfService) and turn.state.card_session is None:
        # A card asked back while the reader was away: whether it left is not known, what is true of it is said.
        told = parting_notice(turn.state) if step.card_in_slot else step.notice
        turn.rest(None if told is Notice.CARD_REMOVED else told)
    else:
        _settle(turn)


_NO_VISIT: Final = (OutOfService, Attract, StaffSlot, CardProblem, RemoveCard, ForgottenCard)


def _reader_failed(turn: Turn, event: ev.ReaderFailed) -> None:
    safety, before = card_safety(turn.state), turn.state.step
    # No removal was seen and none will be told: the card is asked for back until the reader can be used again.
    inside = turn.state.card_session is not None or (isinstance(before, OutOfService) and before.card_in_slot)
    world = replace(turn.state.world, reader_ready=False, reader_fault=event.fault)
    turn.state = replace(turn.state, world=world, card_session=None)
    if not isinstance(before, _NO_VISIT) or turn.state.member:
        turn.end_visit("reader_failed")
    turn.go(OutOfService(event.fault, card_in_slot=inside, safety=safety))


def _settle(turn: Turn) -> None:
    """The kiosk's own condition changed: between visits, that decides the page."""
    match turn.state.step:
        case OutOfService(card_in_slot=True):
            pass  # leaves when the card does
        case OutOfService() as out:
            turn.rest(out.notice)
        case Attract() | StaffSlot():
            turn.rest()
        case _:
            pass


def _read(turn: Turn, event: ev.CardRead) -> None:
    reading = turn.state.step
    if event.card_session != turn.state.card_session or not isinstance(reading, Reading) or reading.asking_centre:
        return
    if reading.resume:
        if event.card.iccsn != turn.member.card.iccsn:
            turn.ask(ReleaseCard(event.card_session))
            turn.go(Interrupted(other_card=True))
            return
        turn.learn(replace(turn.member, card=event.card, open_write=False))  # the card itself knows best
    else:
        turn.learn(Member(event.card, event.pseudonym))
        fields = {"generation": event.card.generation.value, "unfinished": event.card.unfinished}
        turn.note(RecordType.CARD_READ, fields)
    turn.go(replace(reading, asking_centre=True, slow=False))
    turn.ask(AskStanding(turn.state.visit, event.card))


MUTE_AGAIN_S: Final = 60.0
"""A mute card put in so soon after a mute one left is taken for the same card, turned over."""
_ANOTHER_CARD = frozenset({Cause.CARD_BANK, Cause.CARD_OTHER, Cause.CARD_STAFF, Cause.CARD_VITALE_1})


def _not_read(turn: Turn, event: ev.CardFailed) -> None:
    reading = turn.state.step
    if event.card_session != turn.state.card_session or not isinstance(reading, Reading):
        return
    if reading.resume and event.fault.cause in _ANOTHER_CARD:
        turn.ask(ReleaseCard(event.card_session))
        turn.go(Interrupted(other_card=True))
    else:
        fault = _damaged(event.fault) if _mute_again(turn, event.fault) else event.fault
        turn.card_problem(fault, keep_member=reading.resume)


def _mute_again(turn: Turn, fault: Fault) -> bool:
    """Whether whoever has just turned a mute card over has no better luck."""
    left_s = turn.state.mute_left_s
    return fault.cause is Cause.CARD_MUTE and left_s is not None and turn.now_s <= left_s + MUTE_AGAIN_S


def _damaged(fault: Fault) -> Fault:
    return Fault(Cause.CARD_DAMAGED, fault.detail, fault.command_sent)


# --- the centre's answers ----------------------------------------------------------------------------------------


def _awaiting_standing(turn: Turn, visit: VisitId) -> Reading | None:
    reading = turn.state.step
    if visit == turn.state.visit and isinstance(reading, Reading) and reading.asking_centre:
        return reading
    return None


def _standing(turn: Turn, visit: VisitId, standing: CardStanding) -> None:
    reading = _awaiting_standing(turn, visit)
    if reading is None:
        return
    turn.learn(replace(turn.member, standing=standing))
    if standing.opposed:
        turn.card_problem(Fault(Cause.CARD_REFUSED))
    elif standing.replace:
        turn.card_problem(Fault(Cause.CARD_REPLACE))
    elif reading.resume:
        resume_update(turn)
    else:
        turn.go(Home())


def _no_standing(turn: Turn, visit: VisitId, fault: Fault) -> None:
    reading = _awaiting_standing(turn, visit)
    if reading is None:
        return
    if fault.cause is Cause.CARD_UNKNOWN:
        turn.card_problem(fault)
    elif reading.resume:
        turn.card_problem(fault, keep_member=True)
    elif reading.retry:
        turn.go(Problem(fault, card_safety(turn.state)))
    else:
        turn.go(Home())


def _identity(turn: Turn, event: ev.IdentityChecked) -> None:
    waited = turn.state.step
    if event.visit != turn.state.visit or not isinstance(waited, Wait) or waited.what is not Waiting.CHECKING:
        return
    answer = event.identified
    if answer.accepted and answer.proof is not None:
        turn.learn(replace(turn.member, level=2, proof=answer.proof))
        turn.note(RecordType.IDENTIFIED, {"level": 2})
        reach_goal(turn, waited.goal, None)
        return
    refuse_identity(
        turn, Identification(Question.POSTCODE, waited.goal), Fault(Cause.POSTCODE_WRONG), answer.tries_left
    )


def _request_failed(turn: Turn, event: ev.RequestFailed) -> None:
    step = turn.state.step
    waiting = isinstance(step, Wait) and step.what in (Waiting.CHECKING, Waiting.CODE)
    if event.visit == turn.state.visit and waiting:
        turn.go(Problem(event.fault, card_safety(turn.state)))


# --- printer and store -------------------------------------------------------------------------------------------


def _recorded(turn: Turn, token: int) -> None:
    step, page = turn.state.step, ticket_page(turn.state.step)
    if isinstance(step, Wait) and step.record == token and step.then is not None:
        turn.go(step.then)
    elif page is not None and page.record == token:
        change_ticket(turn, replace(page, record=None))
        turn.ask(PrintTicket(turn.state.visit, page.ticket))


def _not_recorded(turn: Turn, event: ev.RecordFailed) -> None:
    turn.state = replace(turn.state, world=replace(turn.state.world, store_fault=event.fault))
    step, page = turn.state.step, ticket_page(turn.state.step)
    if isinstance(step, Wait) and step.record == event.token:
        turn.card_problem(event.fault)  # nothing more is done that could not be written down
    elif page is not None and page.record == event.token:
        change_ticket(turn, replace(page, state=PrintState.FAILED, fault=event.fault, record=None))
    elif isinstance(step, Attract | StaffSlot) or (isinstance(step, OutOfService) and not step.card_in_slot):
        turn.rest()
