"""One visit: a member who reads the page and presses what it offers, until the kiosk waits for the next one."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.visit import events as ev
from kiosk.visit.model import State
from kiosk.visit.page_kinds import PreviewPart, Question
from kiosk.visit.pages import (
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
    TicketPage,
    Updating,
    Wait,
    Welcome,
)
from kiosk.visit.ports import PrintState, VisitId
from simulators.card import FaultKind, PlannedFault
from simulators.printer.engine import PrinterFault
from simulators.soak import network
from simulators.soak.card import Point, Side, WatchedCard, watched
from simulators.soak.judge import untrue
from simulators.soak.plan import AT_PAGE, ON_THE_WIRE, Kind, Plan
from simulators.soak.rig import Rig

MAX_TURNS = 80
MAX_RETURNS = 3
_PAGES_WITHOUT_A_MEMBER = (Attract, OutOfService, CardProblem, RemoveCard, ForgottenCard, Interrupted, IdlePrompt)
_CARD_FAULTS = {
    Kind.PULLED_BEFORE: FaultKind.REMOVED_BEFORE,
    Kind.PULLED_AFTER: FaultKind.REMOVED_AFTER,
    Kind.TORN_WRITE: FaultKind.TORN_WRITE,
}


class Walk:
    """`violations`: what was seen that may not be. `happened`: whether the planned fault did."""

    def __init__(self, rig: Rig, plan: Plan, card: WatchedCard, *, arm: Callable[[], None] = lambda: None) -> None:
        """`arm`: called just before the member agrees to the update."""
        self._rig, self._plan, self._own = rig, plan, card
        self._arm = arm
        self._current = card
        self._other: WatchedCard | None = None
        self._goals = list(plan.goals)
        self._turn = 0
        self._returns = 0
        self._tickets = plan.tickets
        self._printed = 0
        self._acted: tuple[str, float] | None = None  # page, and when it was entered, that needs nothing more
        self._resting: VisitId | None = None  # of the kiosk that has not noticed the card yet
        self.violations: list[str] = []
        self.happened = plan.kind is Kind.NONE

    def run(self) -> None:
        """From the attract page to the attract page; raises `StuckError` when the kiosk does not go on."""
        self._own.begin_visit()
        self._prepare()
        self._put_in(self._own)
        for _ in range(MAX_TURNS):
            state = self._rig.audience.wait(self._can_act, "the next page")
            self._acted, self._resting = (state.step.page, state.entered_s), None
            if not state.running:
                self._judge(state)
            if isinstance(state.step, Attract):
                break
            self._act(state)
        else:
            self.violations.append(f"the visit does not end, still on {self._rig.audience.state.step.page}")
        if self._plan.kind in ON_THE_WIRE:
            self.happened = self._rig.network.has_cut
        for card in filter(None, (self._own, self._other)):
            self.violations += card.violations
            card.violations.clear()

    def judge_at_last(self) -> None:
        """Hold the last page against the card once the relay has said its last word."""
        self._rig.audience.wait(lambda state: not state.running, "the relay's last word")
        self._judge(self._rig.audience.state)

    def _judge(self, state: State) -> None:
        truth = self._current.truth()
        self.violations += [f"{state.step.page}: {problem} ({truth})" for problem in untrue(state, truth)]

    # --- faults --------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """What is staged before the card goes in."""
        plan, rig, card = self._plan, self._rig, self._own
        card.plan()
        card.at = lambda _point: None
        card.wrong_sw = lambda _number: None
        match plan.kind:
            case Kind.PULLED_READING:
                kind = FaultKind.REMOVED_AFTER if plan.after_send else FaultKind.REMOVED_BEFORE
                card.plan(PlannedFault(kind, at=plan.at))
                self._when(Side.BEFORE)
            case Kind.ANSWER_LOST | Kind.REQUEST_LOST | Kind.NETWORK_CUT:
                lost = plan.kind is Kind.ANSWER_LOST or (plan.kind is Kind.NETWORK_CUT and plan.after_send)
                side = network.Side.AFTER if lost else network.Side.BEFORE
                rig.network.cut(network.Cut(side, plan.at, lasting=plan.kind is Kind.NETWORK_CUT))
            case Kind.BACKEND_STOPPED | Kind.BACKEND_KILLED:
                rig.network.count_from_here()
                rig.network.before_exchange = self._end_backend
            case Kind.PAPER_OUT if rig.printer is not None:
                rig.printer.fault(PrinterFault.PAPER_OUT)
            case Kind.PRINTER_SILENT if rig.printer is not None:
                rig.printer.fault(PrinterFault.SILENT)
            case Kind.PRINTER_UNPLUGGED if rig.printer is not None:
                rig.printer.unplug()
            case _:
                pass

    def _end_backend(self, number: int) -> None:
        if number == self._plan.at:
            self.happened = self._rig.network.centre_gone = True
            self._rig.centre.stop(kill=self._plan.kind is Kind.BACKEND_KILLED)

    def _arm_update(self) -> None:
        """What is staged at the moment the member agrees."""
        plan, rig, card = self._plan, self._rig, self._own
        self._arm()
        side = Side.AFTER if plan.after_send else Side.BEFORE
        match plan.kind:
            case Kind.PULLED_BEFORE | Kind.PULLED_AFTER | Kind.TORN_WRITE:
                card.plan(PlannedFault(_CARD_FAULTS[plan.kind], at=plan.at, byte=plan.byte))
                self._when(Side.WRITE if plan.kind is Kind.TORN_WRITE else Side.BEFORE)
            case Kind.WRONG_SW:
                card.count_from_here()
                card.wrong_sw = lambda number: plan.sw if number == plan.at else None
                self._when(Side.BEFORE)
            case Kind.READER_UNPLUGGED:
                card.count_from_here()
                self._when(side, rig.unplug_reader)
            case Kind.SERVICE_DOWN:
                card.count_from_here()
                self._when(side, rig.end_service)
            case _:
                pass

    def _when(self, side: Side, strike: Callable[[], None] = lambda: None) -> None:
        """Note, at the planned point on the card, that it was reached, and do what is to be done there."""

        def at(point: Point) -> None:
            if point == Point(side, self._plan.at):
                self.happened = True
                strike()

        self._own.at = at

    def _happens_here(self, state: State) -> bool:
        """Something planned for this page happens instead of what the member wanted."""
        self._turn += 1
        if self._plan.kind not in AT_PAGE or self._turn != self._plan.at:
            return False
        rig = self._rig
        self.happened = True
        match self._plan.kind:
            case Kind.PULLED_AT_PAGE:
                rig.remove()
            case Kind.SWAPPED:
                self._put_in(self._another())
            case Kind.READER_UNPLUGGED_AT_PAGE:
                rig.unplug_reader()
            case Kind.SERVICE_DOWN_AT_PAGE:
                rig.end_service()
            case Kind.IDLE:
                rig.let_pass(state.policy.idle_s + 1)
            case _:
                rig.choose(ev.Choice.STOP)
        return True

    # --- hands ---------------------------------------------------------------------------------------------------

    def _put_in(self, card: WatchedCard) -> None:
        self._current = card
        before = self._rig.insert(card)
        self._acted, self._resting = (before.step.page, before.entered_s), before.visit

    def _another(self) -> WatchedCard:
        if self._other is None:
            self._other = watched(self._plan.other)
        return self._other

    def _can_act(self, state: State) -> bool:
        step = state.step
        if (step.page, state.entered_s) == self._acted:
            return False
        if isinstance(step, Attract) and state.visit == self._resting:
            return False  # entered anew, by a document that came just now: the card was put in all the same
        if isinstance(step, TicketPage):
            return step.state is not PrintState.QUEUED
        if isinstance(step, Interrupted) and self._plan.waits:
            return not state.running
        return not isinstance(step, Reading | Wait | Updating)

    def _act(self, state: State) -> None:
        step = state.step
        if not isinstance(step, _PAGES_WITHOUT_A_MEMBER) and self._happens_here(state):
            return
        match step:
            case OutOfService():
                self._rig.remove()
                self._rig.mend()
            case CardProblem() | RemoveCard() | ForgottenCard():
                self._rig.remove()
            case Interrupted():
                self._after_interruption(state, step)
            case IdlePrompt():
                self._idle(state)
            case Identification():
                self._identify(step)
            case TicketPage():
                self._ticket_ended(step)
                self._rig.choose(ev.Choice.CONTINUE)
            case _:
                self._press(step)

    def _press(self, step: object) -> None:
        match step:
            case Home():
                self._next_goal()
            case Preview(part=PreviewPart.LOSSES) | Result() | CodeIntro():
                self._rig.choose(ev.Choice.CONTINUE)
            case Preview() if self._plan.accepts:
                self._arm_update()
                self._rig.choose(ev.Choice.ACCEPT)
            case Preview():
                self._rig.choose(ev.Choice.DECLINE)
            case SerialNumber() | CodePage() if self._tickets:
                self._printed = self._rig.tickets
                self._rig.choose(ev.Choice.PRINT)
            case SerialNumber() | CodePage() | Problem() | Help():
                self._rig.choose(ev.Choice.BACK)
            case Guide() | Welcome():
                self._rig.choose(ev.Choice.STOP)
            case _:
                self.violations.append(f"nobody knows what to press on {type(step).__name__}")
                self._rig.remove()

    def _next_goal(self) -> None:
        if not self._goals:
            if self._plan.leaves_silently:
                self._rig.remove()
            else:
                self._rig.choose(ev.Choice.STOP)
            return
        goal = self._goals.pop(0)
        self._rig.choose(ev.Choice(goal.value))

    def _after_interruption(self, state: State, step: Interrupted) -> None:
        self._returns += 1
        if step.other_card:
            self._rig.remove()
            self._current = self._own  # what is said from now on is about the card that is awaited
        elif not self._plan.comes_back or self._returns > MAX_RETURNS:
            self._rig.let_pass(state.policy.interrupted_s + 1)
        elif self._plan.another_first and self._returns == 1:
            self._put_in(self._another())
        else:
            self._put_in(self._own)

    def _ticket_ended(self, step: TicketPage) -> None:
        self._tickets = False
        if step.state is not PrintState.PRINTED:
            self.happened = True
        elif self._rig.tickets == self._printed:
            self.violations.append("told printed, and no ticket came out")

    def _idle(self, state: State) -> None:
        if self._plan.comes_back:
            self._rig.choose(ev.Choice.STILL_HERE)
        else:
            self._rig.let_pass(state.policy.idle_prompt_s + 1)

    def _identify(self, step: Identification) -> None:
        chip, centre = self._current.persona.card.chip, self._current.persona.centre
        if chip is None or centre is None:
            raise AssertionError("asked to identify with a card that has no holder")
        born = chip.beneficiaries[0].birth_date
        digits = born[6:8] + born[4:6] + born[:4] if step.question is Question.BIRTH_DATE else centre.postcode
        for digit in digits:
            self._rig.kiosk.post(ev.DigitTyped(int(digit)))
        self._rig.kiosk.post(ev.DigitsSubmitted())
