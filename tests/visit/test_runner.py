"""The loop survives every bug: nobody's page stays, nobody's data stays, and the kiosk serves again."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kiosk.visit import effects as fx
from kiosk.visit import events as ev
from kiosk.visit import runner as module
from kiosk.visit.failures import CardSafety, Cause
from kiosk.visit.model import State
from kiosk.visit.pages import Attract, Home, OutOfService, Updating
from kiosk.visit.ports import CardSession, ReaderRole, RunId, VisitId
from kiosk.visit.runner import RECOVER_S, Runner
from kiosk.visit.values import RecordType, UpdatePhase
from kiosk.visit.world import World
from simulators import samples

SESSION = CardSession(1)
SECRET = "269054958815780"
RECORD = fx.Record(7, RecordType.CARD_FORGOTTEN, None, {})
HOME = State(
    policy=samples.POLICY,
    step=Home(),
    world=World(reader_ready=True),
    visit=VisitId(3),
    card_session=SESSION,
    member=samples.MEMBER,
    wake_at_s=9.0,
)


class Clock:
    """Time that a test moves."""

    now_s = 100.0

    def monotonic_s(self) -> float:
        return self.now_s

    def utc_s(self) -> float:
        return 0.0


class Loop:
    """A runner without its thread, whose parts can be made to fail."""

    def __init__(self, state: State = HOME) -> None:
        self.clock = Clock()
        self.shown: list[State] = []
        self.asked: list[fx.Effect] = []
        self.broken: set[Any] = set()
        kinds = fx.Effect.__args__
        self.runner = Runner(state, dict.fromkeys(kinds, self._perform), self._publish, self.clock)

    @property
    def step(self) -> Any:
        return self.runner.state.step

    def _publish(self, state: State) -> None:
        if Runner in self.broken:
            raise LookupError(SECRET)
        self.shown.append(state)

    def _perform(self, effect: fx.Effect) -> None:
        if type(effect) in self.broken:
            raise LookupError(SECRET)
        self.asked.append(effect)


def failing_step(*answers: tuple[State, tuple[fx.Effect, ...]]) -> Callable[..., Any]:
    waiting = list(answers)

    def step(*_: object) -> tuple[State, tuple[fx.Effect, ...]]:
        if not waiting:
            raise LookupError(SECRET)
        return waiting.pop(0)

    return step


def test_a_bug_in_the_machine_ends_the_visit_and_tells_its_type_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop = Loop()
    monkeypatch.setattr(module, "step", failing_step())
    loop.runner.handle(ev.Activity())
    state = loop.runner.state
    assert loop.shown == [state]
    assert (state.member, state.visit, state.card_session, state.world) == (None, 4, SESSION, HOME.world)
    assert isinstance(loop.step, OutOfService)
    assert loop.step.card_in_slot
    assert loop.step.fault is not None
    assert (loop.step.fault.cause, loop.step.fault.detail) == (Cause.INTERNAL, "LookupError")
    assert loop.asked == [fx.Wipe(VisitId(3))]
    assert "LookupError" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("broken", [fx.ReleaseCard, fx.Record, fx.Wipe, Runner])
def test_a_bug_in_a_handler_or_the_screen_does_the_same(broken: Any) -> None:
    loop = Loop()
    loop.broken = {broken}
    loop.runner.handle(ev.Chosen(ev.Choice.STOP))
    assert isinstance(loop.step, OutOfService)
    assert loop.runner.state.member is None
    loop.broken.clear()
    loop.runner.handle(ev.CardRemoved(ReaderRole.PATIENT, SESSION))
    assert loop.shown[-1] == loop.runner.state


def test_facts_behind_the_bug_are_written_down_and_nothing_else_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop()
    loop.broken = {fx.ReleaseCard}
    effects = (fx.ReleaseCard(SESSION), fx.ReadCard(SESSION), RECORD)
    monkeypatch.setattr(module, "step", failing_step((HOME, effects)))
    loop.runner.handle(ev.Activity())
    assert loop.asked == [RECORD, fx.Wipe(VisitId(3))]


@pytest.mark.parametrize(
    ("phase", "safety"), [(UpdatePhase.OPENING, CardSafety.UNKNOWN), (UpdatePhase.WRITING, CardSafety.UNFINISHED)]
)
def test_a_card_being_updated_is_never_called_unchanged(
    phase: UpdatePhase, safety: CardSafety, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: Any = {RunId(1): samples.MEMBER.pseudonym}
    loop = Loop(replace(HOME, step=Updating(phase, RunId(1)), running=running))
    monkeypatch.setattr(module, "step", failing_step())
    loop.runner.handle(ev.Activity())
    assert loop.step.safety is safety
    assert loop.runner.state.running == running  # its end will still be recorded


def test_the_kiosk_serves_again_once_the_card_is_out(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop()
    with monkeypatch.context() as broken:
        broken.setattr(module, "step", failing_step())
        loop.runner.handle(ev.Activity())
    assert loop.runner.wait_s() == RECOVER_S
    loop.clock.now_s += RECOVER_S
    loop.runner.on_time()  # the card is still in
    assert isinstance(loop.step, OutOfService)
    assert loop.runner.wait_s() == RECOVER_S
    loop.runner.handle(ev.CardRemoved(ReaderRole.PATIENT, SESSION))
    loop.clock.now_s += RECOVER_S
    loop.runner.on_time()
    assert loop.runner.state.step.page == Attract.page


def test_a_bug_that_stays_is_met_again_after_a_pause_only(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(replace(HOME, card_session=None))
    monkeypatch.setattr(module, "step", failing_step())
    loop.runner.handle(ev.Activity())
    loop.clock.now_s += RECOVER_S
    loop.runner.on_time()
    assert isinstance(loop.step, OutOfService)
    assert loop.runner.wait_s() == RECOVER_S


def test_the_thread_goes_on_after_a_bug() -> None:
    shown: queue.SimpleQueue[State] = queue.SimpleQueue()
    kinds = fx.Effect.__args__

    def broken(_effect: object) -> None:
        raise LookupError(SECRET)

    runner = Runner(HOME, dict.fromkeys(kinds, broken), shown.put, Clock())
    runner.start()
    runner.post(ev.Chosen(ev.Choice.STOP))
    runner.post(ev.CardRemoved(ReaderRole.PATIENT, SESSION))
    runner.stop()
    pages = [shown.get_nowait().step for _ in range(shown.qsize())]
    *_, closed, last = pages
    assert isinstance(closed, OutOfService)
    assert closed.card_in_slot
    assert isinstance(last, Attract)
