"""How long each page may stay, and what happens then. The only place that reads limits from the policy."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from kiosk.visit.effects import Wipe
from kiosk.visit.failures import internal_fault
from kiosk.visit.model import State
from kiosk.visit.page_kinds import Notice
from kiosk.visit.pages import (
    Attract,
    CardProblem,
    CodeIntro,
    CodePage,
    Diagnostics,
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
    StaffPin,
    StaffSlot,
    TicketPage,
    Updating,
    Wait,
    Welcome,
)
from kiosk.visit.staff import DIAGNOSTICS_IDLE_S, LOOK_EVERY_S, on_staff_time
from kiosk.visit.turn import Turn, ended_fields
from kiosk.visit.values import Outcome, RecordType, UpdatePhase
from kiosk.visit.world import World

WAIT_LIMIT_FACTOR = 2  # a wait outlasts the adapter's own deadline, so that the adapter's better answer comes first

TICKET_MEMORY_S = 900.0  # the life of a provisional code: so long a card's second ticket of a kind is a DUPLICATA
LOOSE_TICKET_S = 600.0  # so long the kiosk says that a ticket may have come out before it died
FORGOTTEN_TICKET_S = 120.0  # a ticket in the output for so long has been forgotten


def deadline_s(state: State) -> float | None:
    """When `Tick` is due (monotonic seconds): for the page, or for what is said and known of tickets. None: never."""
    limits = (page_deadline_s(state), state.world.loose_ticket_until_s, output_limit_s(state.world))
    return min((limit_s for limit_s in limits if limit_s is not None), default=None)


def output_limit_s(world: World) -> float | None:
    """When a ticket in the output counts as forgotten; None when there is none, or it was noted."""
    if world.output_since_s is None or world.output_forgotten:
        return None
    return world.output_since_s + FORGOTTEN_TICKET_S


def page_deadline_s(state: State) -> float | None:
    """When the page's time is over, or None when it may stay."""
    policy, step = state.policy, state.step
    match step:
        case OutOfService() | ForgottenCard():
            return None
        case StaffSlot():
            return None if state.staff is not None or step.over is None else state.entered_s + policy.notice_s
        case StaffPin():
            return state.active_s + policy.idle_public_s
        case Diagnostics():
            return min(state.active_s + DIAGNOSTICS_IDLE_S, step.looked_s + LOOK_EVERY_S)
        case Attract():
            return None if step.notice is None else state.entered_s + policy.notice_s
        case Reading():
            if step.asking_centre:
                return state.entered_s + policy.standing_limit_s * WAIT_LIMIT_FACTOR
            left_s = max(policy.reading_limit_s - policy.reading_slow_s, 0.0)
            return state.entered_s + (left_s if step.slow else policy.reading_slow_s)
        case Updating():
            return state.entered_s + policy.update_step_limit_s * WAIT_LIMIT_FACTOR
        case Interrupted():
            return _awaited_until_s(state)
        case CardProblem():
            return None if state.member is None else _awaited_until_s(state)
        case Wait():
            return state.entered_s + policy.answer_limit_s * WAIT_LIMIT_FACTOR
        case IdlePrompt():
            return state.entered_s + policy.idle_prompt_s
        case RemoveCard():
            return state.entered_s + policy.remove_card_s
        case SerialNumber() | CodePage():
            idle_s = state.active_s + policy.idle_s
            return idle_s if step.masked else min(idle_s, state.entered_s + policy.mask_s)
        case (
            Welcome()
            | Home()
            | Preview()
            | Result()
            | Identification()
            | CodeIntro()
            | TicketPage()
            | Guide()
            | Help()
            | Problem()
        ):
            return state.active_s + (policy.idle_public_s if state.member is None else policy.idle_s)
        case _:
            assert_never(step)


def _awaited_until_s(state: State) -> float:
    """One limit for the whole wait, however many cards are tried meanwhile."""
    until_s = state.member.awaited_until_s if state.member is not None else None
    return state.entered_s + state.policy.interrupted_s if until_s is None else until_s


def on_time(turn: Turn) -> None:
    """The page's time has come."""
    state, step = turn.state, turn.state.step
    match step:
        case OutOfService() | ForgottenCard():
            pass
        case StaffSlot() | StaffPin() | Diagnostics():
            on_staff_time(turn, step)
        case Attract():
            turn.rest()
        case Reading():
            if step.slow or step.asking_centre:
                turn.card_problem(internal_fault("reading passed its limit"), keep_member=step.resume)
            else:
                turn.go(Reading(slow=True, resume=step.resume, retry=step.retry))
        case Updating():
            _give_up_update(turn, step.phase)
        case Interrupted():
            turn.end_visit("interrupted", Notice.UNFINISHED)
        case CardProblem():
            turn.note(RecordType.VISIT_ENDED, {"reason": "interrupted"})
            turn.ask(Wipe(state.visit))
            turn.learn_nothing()
        case Wait():
            turn.card_problem(internal_fault("no answer in time"))
        case IdlePrompt():
            turn.end_visit("idle", Notice.TIME_OVER)
        case RemoveCard():
            turn.note(RecordType.CARD_FORGOTTEN, {})
            turn.go(ForgottenCard(step.safety))
        case SerialNumber() | CodePage() if not step.masked and turn.now_s < state.active_s + state.policy.idle_s:
            active_s = state.active_s
            turn.go(SerialNumber(masked=True) if isinstance(step, SerialNumber) else CodePage(masked=True))
            turn.touch(active_s)
        case (
            Welcome()
            | Home()
            | Preview()
            | Result()
            | Identification()
            | CodeIntro()
            | TicketPage()
            | Guide()
            | Help()
            | Problem()
            | SerialNumber()
            | CodePage()
        ):
            turn.go(IdlePrompt(over=step))
        case _:
            assert_never(step)


def _give_up_update(turn: Turn, phase: UpdatePhase) -> None:
    """No word from the relay for twice its limit: say what is known. Its own last word is recorded when it comes."""
    outcome = Outcome.IMPOSSIBLE if phase is UpdatePhase.OPENING else Outcome.UNCERTAIN
    fault = internal_fault("the update passed its limit")
    turn.learn(replace(turn.member, open_write=phase is not UpdatePhase.OPENING))
    turn.result(outcome, fault, ended_fields(outcome, fault))
