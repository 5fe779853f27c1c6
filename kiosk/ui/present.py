"""From the state of a visit to what its page shows: pure, and the only reader of member data in the screen."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from kiosk.ui import present_card, present_numbers, present_rest, present_staff
from kiosk.ui import texts as t
from kiosk.ui.views import Button, Icon, ViewModel
from kiosk.visit.events import Choice
from kiosk.visit.model import Member, State
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
    Step,
    TicketPage,
    Updating,
    Wait,
    Welcome,
)

_STEPS = (t.STEP_READ, t.STEP_UPDATE, t.STEP_NUMBERS, t.STEP_REMOVE)
_HELP = Button(t.HELP, Choice.HELP, Icon.HELP)
_STOP = Button(t.STOP, Choice.STOP, Icon.STOP)
_CLOSE = Button(t.DIAGNOSTICS_CLOSE, Choice.STOP, Icon.STOP)  # a technician might think that the kiosk stops


def present(state: State, now: datetime) -> ViewModel:
    """What the page of `state` shows. `now` is wall time with its zone, for display only."""
    view = _page(state, now)
    step = state.step
    return replace(
        view,
        step=view.step or _step_words(step, state.member),
        help=_HELP if _has_help(step) else None,
        stop=(_CLOSE if isinstance(step, Diagnostics) else _STOP) if _has_stop(step) else None,
    )


def _page(state: State, now: datetime) -> ViewModel:
    step = state.step
    match step:
        case OutOfService():
            return present_rest.out_of_service(step, state, now)
        case Attract():
            return present_rest.attract(step, state, now)
        case StaffSlot():
            return present_staff.staff_slot(step, state, now)
        case StaffPin():
            return present_staff.staff_pin(step, state, now)
        case Diagnostics():
            return present_staff.diagnostics(step, state, now)
        case Welcome():
            return present_rest.welcome(step)
        case Reading():
            return present_card.reading(step)
        case CardProblem():
            return present_card.card_problem(step, state, now)
        case Home():
            return present_card.home(step, state, _member(state), now)
        case Preview():
            return present_card.preview(step, state, _member(state))
        case Updating():
            return present_card.updating(step)
        case Interrupted():
            return present_card.interrupted(step)
        case Result():
            return present_card.result(step, state, _member(state), now)
        case Identification():
            return present_numbers.identification(step, state, now)
        case SerialNumber():
            return present_numbers.serial_number(step, state, _member(state))
        case CodeIntro():
            return present_numbers.code_intro(step, state)
        case CodePage():
            return present_numbers.code(step, state, _member(state), now)
        case TicketPage():
            return present_numbers.ticket(step, state)
        case Guide():
            return present_rest.guide(step, state)
        case Help():
            return present_rest.help_page(step, state)
        case Wait():
            return present_numbers.wait(step)
        case Problem():
            return present_card.problem(step, state, now)
        case IdlePrompt():
            return present_rest.idle_prompt(step, state)
        case RemoveCard():
            return present_rest.remove_card(step)
        case ForgottenCard():
            return present_rest.forgotten_card(step)
        case _:
            assert_never(step)


def _member(state: State) -> Member:
    if state.member is None:
        raise AssertionError(f"page {state.step.page} without a member")
    return state.member


def _step_words(step: Step, member: Member | None) -> str:
    match step:
        case Reading():
            number = 1
        case Preview() | Updating() | Interrupted() | Result():
            number = 2
        case Home():
            number = 3 if member is not None and member.outcome is not None else 2
        case Identification() | SerialNumber() | CodeIntro() | CodePage() | TicketPage():
            number = 3
        case RemoveCard() | ForgottenCard():
            number = 4
        case _:
            return ""
    return t.STEP.format(number=number, total=len(_STEPS), name=_STEPS[number - 1])


_WITHOUT_STOP = (
    Attract, OutOfService, CardProblem, Updating, Wait, IdlePrompt, RemoveCard, ForgottenCard, Welcome, StaffSlot,
)  # fmt: skip
_WITHOUT_HELP = (*_WITHOUT_STOP, Reading, Interrupted, Help, StaffPin, Diagnostics)


def _has_stop(step: Step) -> bool:
    return not isinstance(step, _WITHOUT_STOP)


def _has_help(step: Step) -> bool:
    return not isinstance(step, _WITHOUT_HELP)
