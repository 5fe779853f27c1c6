"""What a member chooses, page by page. A choice that the page does not offer changes nothing."""

from __future__ import annotations

from dataclasses import replace

from kiosk.visit.availability import Service, refusal
from kiosk.visit.effects import AskStanding, Identify, IssueCode
from kiosk.visit.events import Choice
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.model import SentTicket
from kiosk.visit.page_kinds import Goal, PreviewPart, Question, Topic, Waiting
from kiosk.visit.pages import (
    GUIDE_STEPS,
    Attract,
    CardProblem,
    CodeIntro,
    CodePage,
    ForgottenCard,
    Guide,
    Help,
    Home,
    Identification,
    IdlePrompt,
    Interrupted,
    OutOfService,
    Preview,
    Problem,
    Reading,
    RemoveCard,
    Result,
    SerialNumber,
    StaffSlot,
    TicketPage,
    Updating,
    Wait,
    Welcome,
)
from kiosk.visit.ports import PrintState
from kiosk.visit.safety import card_safety, parting_notice
from kiosk.visit.tickets import may_be_out, remember_sent
from kiosk.visit.timing import TICKET_MEMORY_S
from kiosk.visit.turn import Turn, ended_fields
from kiosk.visit.updating import check_again, preview, start_update, torn_without_order
from kiosk.visit.values import Outcome, RecordType, TicketContent, TicketKind

_CODE_LEVEL = 2  # the backend asks for the proof of it, whatever a document says
_NO_FRAME = (
    Attract,
    OutOfService,
    Updating,
    Interrupted,
    Wait,
    RemoveCard,
    ForgottenCard,
    IdlePrompt,
    Reading,
    CardProblem,
    StaffSlot,
)


def on_choice(turn: Turn, choice: Choice) -> None:
    """The member touched a button."""
    step = turn.state.step
    match step, choice:
        case IdlePrompt(), Choice.STOP:
            turn.end_visit("stopped")
        case IdlePrompt(), _:
            turn.go(step.over)
        case ((Attract() | OutOfService(card_in_slot=False)), Choice.START_WITHOUT_CARD):
            turn.start_visit("no_card")
            turn.go(Welcome())
        case ((Reading() | Interrupted()), Choice.STOP):
            turn.end_visit("stopped", parting_notice(turn.state))
        case _, Choice.STOP if not isinstance(step, _NO_FRAME):
            turn.end_visit("stopped")
        case Help(), Choice.BACK:
            turn.go(step.back)
        case _, Choice.HELP if not isinstance(step, (*_NO_FRAME, Help)):
            turn.go(Help(back=step))
        case ((Welcome() | Home() | Result() | CodePage() | SerialNumber() | TicketPage()), Choice.GUIDE):
            _open_guide(turn)
        case Guide(), _:
            _guide(turn, step, choice)
        case Home(), Choice.UPDATE:
            _update(turn)
        case ((Home() | Result() | SerialNumber() | CodePage()), Choice.SERIAL):
            _serial(turn)
        case ((Home() | Result() | SerialNumber()), Choice.CODE):
            _code(turn)
        case Preview(), _:
            _preview(turn, step, choice)
        case Result(), Choice.CONTINUE:
            turn.go(Home())
        case Result(), Choice.NOT_MINE:
            turn.go(Help(back=step, topic=Topic.WRONG_INFORMATION))
        case Result(), Choice.SHOW_SENSITIVE if turn.member.level == 0:
            _ask(turn, Question.BIRTH_DATE, Goal.SENSITIVE, step)
        case Identification(), Choice.BACK:
            turn.go(Home())
        case ((SerialNumber() | CodePage()), Choice.TOGGLE_MASK):
            turn.go(replace(step, masked=not step.masked))
        case ((SerialNumber() | CodePage()), (Choice.CONTINUE | Choice.BACK | Choice.NO_TICKET)):
            turn.go(Home())
        case SerialNumber(), Choice.PRINT:
            _print(turn, TicketKind.SERIAL)
        case CodePage(), Choice.PRINT:
            _print(turn, TicketKind.CODE)
        case CodeIntro(), Choice.CONTINUE:
            _issue(turn)
        case CodeIntro(), Choice.BACK:
            turn.go(Home())
        case TicketPage(), Choice.PRINT if step.state in (PrintState.FAILED, PrintState.UNKNOWN):
            _print(turn, step.ticket.kind)
        case TicketPage(ticket=TicketContent(kind=TicketKind.CODE)), Choice.BACK:
            turn.go(CodePage())
        case TicketPage(), Choice.BACK:
            turn.go(SerialNumber())
        case TicketPage(), (Choice.CONTINUE | Choice.NO_TICKET):
            turn.go(Home())
        case Problem(), (Choice.BACK | Choice.CONTINUE):
            turn.go(Home())
        case _:
            pass  # not offered on this page


def _open_guide(turn: Turn) -> None:
    problem = _not_eligible(turn)
    turn.go(Guide() if problem is None else problem)


def _not_eligible(turn: Turn) -> Problem | None:
    """Who cannot have an account yet is told why, and by which route, instead of being led on."""
    standing = turn.state.member.standing if turn.state.member is not None else None
    if standing is None or standing.eligible:
        return None
    return Problem(Fault(Cause.NOT_ELIGIBLE, standing.ineligible_reason or ""), card_safety(turn.state))


def _guide(turn: Turn, step: Guide, choice: Choice) -> None:
    match choice:
        case Choice.NEXT if step.number < GUIDE_STEPS:
            turn.go(Guide(step.number + 1))
        case Choice.PREVIOUS if step.number > 1:
            turn.go(Guide(step.number - 1))
        case Choice.BACK | Choice.CONTINUE | Choice.PREVIOUS | Choice.NEXT:
            turn.go(Welcome() if turn.state.member is None else Home())
        case _:
            pass


# --- update ------------------------------------------------------------------------------------------------------


def _update(turn: Turn) -> None:
    member, card_session = turn.member, turn.state.card_session
    if member.standing is None and card_session is not None:
        turn.go(Reading(asking_centre=True, retry=True))
        turn.ask(AskStanding(turn.state.visit, member.card))
        return
    fault = refusal(Service.UPDATE, turn.state)
    if fault is not None:
        turn.go(Problem(fault, card_safety(turn.state)))
    elif (member.begun or member.pending) and _asked_first(turn, turn.state.policy.update_level, Goal.UPDATE):
        pass
    elif member.begun:
        check_again(turn)
    elif member.pending:
        preview(turn)
    elif member.unfinished:
        turn.go(Problem(torn_without_order(), card_safety(turn.state)))
    else:
        turn.result(Outcome.UP_TO_DATE, None, ended_fields(Outcome.UP_TO_DATE))


def _preview(turn: Turn, step: Preview, choice: Choice) -> None:
    match choice:
        case Choice.CONTINUE | Choice.ACCEPT if step.part is PreviewPart.LOSSES:
            turn.go(Preview(PreviewPart.CHANGES))
        case Choice.ACCEPT:
            start_update(turn)
        case Choice.DECLINE:
            turn.result(Outcome.DECLINED, None, ended_fields(Outcome.DECLINED))
        case Choice.SHOW_SENSITIVE if turn.member.level == 0:
            _ask(turn, Question.BIRTH_DATE, Goal.SENSITIVE, step)
        case _:
            pass


# --- identification ----------------------------------------------------------------------------------------------


def _ask(turn: Turn, question: Question, goal: Goal, back: Preview | Result | None = None) -> None:
    used = turn.state.wrong_dates.get(turn.member.pseudonym, 0)
    tries_left = max(turn.state.policy.identify_tries - used, 0)
    if question is Question.BIRTH_DATE and tries_left == 0:
        turn.go(_no_tries(turn))
    else:
        turn.go(Identification(question, goal, tries_left=tries_left, back=back))


def _asked_first(turn: Turn, level: int, goal: Goal) -> bool:
    """Whether somebody must first show who they are, up to this level; then they are asked."""
    known = turn.member.level
    if known < level:
        _ask(turn, Question.BIRTH_DATE if known < 1 else Question.POSTCODE, goal)
    return known < level


def _no_tries(turn: Turn) -> Problem:
    return Problem(Fault(Cause.TRIES_EXHAUSTED), card_safety(turn.state))


def on_digit(turn: Turn, digit: int) -> None:
    """A key 0–9."""
    step = turn.state.step
    if isinstance(step, Identification) and len(step.digits) < step.length and 0 <= digit <= 9:
        turn.state = replace(turn.state, step=replace(step, digits=f"{step.digits}{digit}", fault=None))


def on_erase(turn: Turn) -> None:
    """The erase key."""
    step = turn.state.step
    if isinstance(step, Identification):
        turn.state = replace(turn.state, step=replace(step, digits=step.digits[:-1]))


def on_submit(turn: Turn) -> None:
    """The validate key; nothing happens before all digits are there."""
    step = turn.state.step
    if not isinstance(step, Identification) or len(step.digits) != step.length:
        return
    member = turn.member
    if step.question is Question.POSTCODE:
        turn.ask(Identify(turn.state.visit, member.card, member.birth_date or "", step.digits))
        turn.go(Wait(Waiting.CHECKING, goal=step.goal))
        return
    typed = step.digits[4:8] + step.digits[2:4] + step.digits[0:2]
    if birth_date_matches(member.card.holder.birth_date, typed):
        turn.learn(replace(member, level=1, birth_date=typed))
        turn.note(RecordType.IDENTIFIED, {"level": 1})
        reach_goal(turn, step.goal, step.back)
        return
    used = turn.state.wrong_dates.get(member.pseudonym, 0) + 1
    turn.state = replace(turn.state, wrong_dates={**turn.state.wrong_dates, member.pseudonym: used})
    tries_left = max(turn.state.policy.identify_tries - used, 0)
    refuse_identity(turn, step, Fault(Cause.BIRTH_DATE_WRONG), tries_left)


def refuse_identity(turn: Turn, asked: Identification, fault: Fault, tries_left: int) -> None:
    """A wrong answer: ask again while tries are left."""
    turn.note(RecordType.IDENTITY_REFUSED, {"question": asked.question.value, "tries_left": tries_left})
    if tries_left == 0:
        turn.go(_no_tries(turn))
    else:
        turn.go(replace(asked, digits="", fault=fault, tries_left=tries_left))


def birth_date_matches(on_card: str, typed: str) -> bool:
    """Compare YYYYMMDD texts; a day or month the card does not know (00, or above 31 and 12) matches any."""
    if len(on_card) != 8 or on_card[:4] != typed[:4]:
        return False
    month_known = "01" <= on_card[4:6] <= "12"
    day_known = "01" <= on_card[6:8] <= "31"
    return (not month_known or on_card[4:6] == typed[4:6]) and (not day_known or on_card[6:8] == typed[6:8])


def reach_goal(turn: Turn, goal: Goal, back: Preview | Result | None) -> None:
    """What the identification was for."""
    match goal:
        case Goal.SENSITIVE if isinstance(back, Result):
            turn.go(back)
        case Goal.SENSITIVE:
            preview(turn)
        case Goal.UPDATE:
            _update(turn)
        case Goal.SERIAL:
            _serial(turn)
        case Goal.CODE:
            _code(turn)


# --- serial number, code, ticket ---------------------------------------------------------------------------------


def _serial(turn: Turn) -> None:
    fault = refusal(Service.SERIAL, turn.state)
    if fault is not None:
        turn.go(Problem(fault, card_safety(turn.state)))
    elif not _asked_first(turn, turn.state.policy.serial_level, Goal.SERIAL):
        turn.save_then(RecordType.SERIAL_SHOWN, {}, SerialNumber())


def _code(turn: Turn) -> None:
    fault, problem = refusal(Service.CODE, turn.state), _not_eligible(turn)
    if turn.member.code is not None:
        turn.go(CodePage())
    elif problem is not None:
        turn.go(problem)
    elif fault is not None:
        turn.go(Problem(fault, card_safety(turn.state)))
    elif not _asked_first(turn, _CODE_LEVEL, Goal.CODE):
        turn.go(CodeIntro())


def _issue(turn: Turn) -> None:
    proof, fault = turn.member.proof, refusal(Service.CODE, turn.state)
    if fault is not None:
        turn.go(Problem(fault, card_safety(turn.state)))
    elif proof is not None:
        turn.ask(IssueCode(turn.state.visit, turn.member.card, proof))
        turn.go(Wait(Waiting.CODE))


def _print(turn: Turn, kind: TicketKind) -> None:
    member, policy = turn.member, turn.state.policy
    code = member.code
    if not policy.print_tickets:
        return
    if kind is TicketKind.CODE and code is None:
        return
    duplicate = may_be_out(turn.state, kind)
    ticket = TicketContent(
        kind=kind,
        digits=code.digits if kind is TicketKind.CODE and code is not None else member.serial,
        expires_utc_s=code.expires_utc_s if kind is TicketKind.CODE and code is not None else None,
        kiosk_number=policy.kiosk_number,
        phone=policy.phone,
        phone_hours=policy.phone_hours,
        site=policy.contents.account_site,
        duplicate=duplicate,
    )
    remember_sent(turn, SentTicket(member.pseudonym, kind, turn.state.visit, turn.now_s + TICKET_MEMORY_S))
    token = turn.note(RecordType.TICKET_QUEUED, {"kind": kind.value, "duplicate": duplicate})
    turn.go(TicketPage(ticket, PrintState.QUEUED, record=token))
