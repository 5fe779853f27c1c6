"""No pair of state and event raises; every path forgets the member; nothing late is used."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.visit import events as ev
from kiosk.visit.effects import Effect, Record, RunUpdate, Wipe
from kiosk.visit.machine import step
from kiosk.visit.model import State
from kiosk.visit.pages import CodePage as Code
from kiosk.visit.pages import Result, SerialNumber, Step, Updating
from kiosk.visit.ports import CardSession, ReaderRole, RunId, VisitId
from kiosk.visit.values import UpdatePhase
from simulators import samples
from simulators.happenings import every_event

PAGES = samples.every_page()
any_event = st.sampled_from(every_event())
PERSONAL = (samples.CARD.iccsn, "SPECIMEN", "CAMILLE", "19620117", "0427", "162019999900177")


def _turn(state: State, event: ev.Event, now_s: float) -> tuple[State, tuple[Effect, ...]]:
    after, effects = step(state, event, now_s)
    if state.member is not None and after.member is None:
        assert any(isinstance(effect, Wipe) and effect.visit == state.visit for effect in effects)
        assert after.visit != state.visit, "late answers must not find the next member"
    if after.member is None:
        assert not any(datum in _plain(after) for datum in PERSONAL), after.step.page
    return after, effects


def _plain(value: object) -> str:
    """Everything reachable from a frozen value, whatever `repr` hides."""
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is not None:
        return " ".join(_plain(getattr(value, name)) for name in fields)
    if isinstance(value, tuple | frozenset):
        return " ".join(_plain(item) for item in value)
    return value if isinstance(value, str) else ""  # a time may contain the digits of a code by chance


def test_samples_and_events_cover_every_type() -> None:
    assert {type(state.step) for state in PAGES} == set(get_args(Step))
    assert {type(event) for event in every_event()} == set(get_args(ev.Event))


@pytest.mark.parametrize("state", PAGES, ids=lambda state: state.step.page)
@pytest.mark.parametrize("now_s", [1.0, 10_000.0])
def test_every_event_is_decided_on_every_page(state: State, now_s: float) -> None:
    for event in every_event():
        _turn(state, event, now_s)


@given(start=st.sampled_from(PAGES), path=st.lists(st.tuples(any_event, st.floats(0, 200)), max_size=25))
@settings(max_examples=300, deadline=None)
def test_no_path_raises_or_keeps_a_member(start: State, path: list[tuple[ev.Event, float]]) -> None:
    state, now_s = start, 0.0
    for event, wait_s in path:
        now_s += wait_s
        state, _ = _turn(state, event, now_s)
    # However the path ended: the card out and enough time, and nobody is remembered.
    if state.card_session is not None:
        state, _ = _turn(state, ev.CardRemoved(ReaderRole.PATIENT, state.card_session), now_s)
    for _ in range(4):
        now_s += 1_000.0
        state, _ = _turn(state, ev.Tick(), now_s)
    assert state.member is None


@given(start=st.sampled_from(PAGES), path=st.lists(any_event, max_size=20))
@settings(max_examples=300, deadline=None)
def test_no_write_without_agreement_and_nothing_shown_before_it_is_on_disk(start: State, path: list[ev.Event]) -> None:
    state = start
    for event in path:
        before = state
        state, effects = _turn(state, event, 1.0)
        for effect in effects:
            if isinstance(effect, RunUpdate):
                agreed = event in (ev.Chosen(ev.Choice.ACCEPT),) or (before.member is not None and before.member.agreed)
                assert agreed, "an update runs only after the member agreed to it"
        if isinstance(state.step, Result | SerialNumber | Code) and type(before.step) is not type(state.step):
            shown_again = event == ev.Activity() or isinstance(
                event, ev.Chosen | ev.DigitsSubmitted | ev.Tick | ev.IdentityChecked
            )
            assert isinstance(event, ev.Recorded) or shown_again


LATE = (
    ev.StandingKnown
    | ev.StandingUnknown
    | ev.IdentityChecked
    | ev.CodeIssued
    | ev.RequestFailed
    | ev.CardRead
    | ev.CardFailed
    | ev.UpdateProgress
    | ev.UpdateEnded
    | ev.StaffCardKnown
    | ev.StaffCardFailed
    | ev.BadgeAccepted
    | ev.BadgeRefused
)


@pytest.mark.parametrize("state", PAGES, ids=lambda state: state.step.page)
def test_late_answers_change_nothing(state: State) -> None:
    shown = replace(state.step, run=RunId(5)) if isinstance(state.step, Updating) else state.step
    staff = replace(state.staff, session=CardSession(99)) if state.staff is not None else None
    old = replace(state, step=shown, visit=VisitId(99), card_session=CardSession(99), staff=staff, running={})
    for event in every_event():
        if isinstance(event, LATE):
            assert step(old, event, 1.0)[0].step == old.step


@pytest.mark.parametrize("phase", list(UpdatePhase))
def test_records_carry_no_personal_datum(phase: UpdatePhase) -> None:
    for state in (*PAGES, samples.state(Updating(phase, samples.RUN), member=samples.MEMBER, card=True)):
        for event in every_event():
            for effect in step(state, event, 10_000.0)[1]:
                if isinstance(effect, Record):
                    text = f"{effect.pseudonym} {dict(effect.fields)}"
                    assert not any(datum in text for datum in PERSONAL)
