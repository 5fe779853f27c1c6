"""Announced outages: who is concerned, when they count, and what a visit makes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.card.values import Organisation
from kiosk.visit import events as ev
from kiosk.visit.availability import Service, closed_until_s, refusal
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.machine import step
from kiosk.visit.model import Member, State
from kiosk.visit.outages import ANNOUNCED_S, NO_OUTAGES, Outage, Outages, outages_at
from kiosk.visit.pages import Attract, Home, Problem
from kiosk.visit.values import CardStanding
from simulators import samples

NOW_S = 1_795_000_000
MGEN, OTHER = Organisation("91", "999", "9999"), Organisation("01", "999", "9999")
ALL = Outage("tous", NOW_S, NOW_S + 100)
REGIME = replace(ALL, outage_id="regime", regimes=("91", "93"))
CAISSE = replace(ALL, outage_id="caisse", caisses=("01/999",))


@pytest.mark.parametrize(
    ("outage", "organisation", "concerned"),
    [(ALL, MGEN, True), (ALL, None, True), (REGIME, MGEN, True), (REGIME, OTHER, False), (REGIME, None, False),
     (CAISSE, OTHER, True), (CAISSE, MGEN, False), (CAISSE, replace(OTHER, caisse="998"), False),
     (replace(CAISSE, regimes=("91",)), MGEN, True)],
)  # fmt: skip
def test_whom_an_outage_concerns(outage: Outage, organisation: Organisation | None, concerned: bool) -> None:
    assert outage.concerns(organisation) is concerned


@pytest.mark.parametrize(
    ("now_s", "running", "soon"),
    [(None, 0, 0), (NOW_S - ANNOUNCED_S - 1, 0, 0), (NOW_S - ANNOUNCED_S, 0, 1), (NOW_S - 1, 0, 1), (NOW_S, 1, 0),
     (NOW_S + 99, 1, 0), (NOW_S + 100, 0, 0)],
)  # fmt: skip
def test_when_an_outage_is_announced_runs_and_is_over(now_s: int | None, running: int, soon: int) -> None:
    """Without a time that may be believed all is open: the server knows better."""
    outages = outages_at((ALL,), now_s)
    assert (len(outages.now), len(outages.soon)) == (running, soon)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=6), st.integers(0, 110))
def test_at_any_moment_an_outage_is_in_one_place_at_most(spans: list[tuple[int, int]], now_s: int) -> None:
    calendar = [Outage(f"n{i}", start, start + length) for i, (start, length) in enumerate(spans)]
    outages = outages_at(calendar, now_s)
    assert set(outages.now) == {o for o in calendar if o.from_utc_s <= now_s < o.until_utc_s}
    assert set(outages.soon) == {o for o in calendar if now_s < o.from_utc_s}
    assert [o.until_utc_s for o in outages.now] == sorted(o.until_utc_s for o in outages.now)
    assert [o.from_utc_s for o in outages.soon] == sorted(o.from_utc_s for o in outages.soon)


def test_the_longest_of_those_that_concern_a_card_counts() -> None:
    longer = replace(REGIME, outage_id="longer", until_utc_s=NOW_S + 200)
    outages = outages_at((longer, ALL, CAISSE), NOW_S)
    assert outages.closing(MGEN) == longer
    found = outages.closing(OTHER)
    assert found is not None
    assert found.until_utc_s == NOW_S + 100
    assert outages.closing_all() == ALL
    assert outages_at((longer,), NOW_S).closing_all() is None


def at(state: State, *outages: Outage) -> State:
    return step(state, ev.OutagesChanged(Outages(now=outages)), 0.0)[0]


def test_before_a_card_only_an_outage_for_everybody_closes_the_update() -> None:
    attract = samples.state(Attract())
    assert refusal(Service.UPDATE, at(attract, REGIME)) is None
    fault = refusal(Service.UPDATE, at(attract, REGIME, ALL))
    assert fault is not None
    assert fault.cause is Cause.SERVICE_CLOSED
    assert refusal(Service.UPDATE, at(at(attract, ALL))) is None


def member(standing: CardStanding | None, organisation: Organisation | None = MGEN) -> Member:
    return replace(samples.MEMBER, standing=standing, card=replace(samples.CARD, organisation=organisation))


OPEN, CLOSED = CardStanding(orders=(samples.ORDER,)), CardStanding(orders=(), outage_until_utc_s=NOW_S + 7)


@pytest.mark.parametrize(
    ("who", "until_s"),
    [(member(None), NOW_S + 100), (member(None, OTHER), None), (member(None, None), None),
     (member(OPEN), None), (member(CLOSED), NOW_S + 7), (member(CLOSED, OTHER), NOW_S + 7)],
)  # fmt: skip
def test_with_a_card_the_centre_has_the_newest_word_and_the_calendar_stands_in(
    who: Member, until_s: int | None
) -> None:
    home = at(samples.state(Home(), member=who, card=True), REGIME)
    assert closed_until_s(home) == until_s
    assert (refusal(Service.UPDATE, home) is None) is (until_s is None)
    assert refusal(Service.SERIAL, home) is None
    assert refusal(Service.CODE, home) is None


def test_a_card_whose_caisse_is_closed_is_told_so_though_the_centre_is_silent() -> None:
    """Its number is still to be had: serial and rights are on the card."""
    home = at(samples.state(Home(), member=replace(member(None), level=1), card=True), REGIME)
    asking, _ = step(home, ev.Chosen(ev.Choice.UPDATE), 1.0)
    known, _ = step(asking, ev.StandingUnknown(asking.visit, Fault(Cause.NETWORK)), 2.0)
    assert isinstance(known.step, Problem)
    serial, effects = step(home, ev.Chosen(ev.Choice.SERIAL), 1.0)
    assert serial.step.page == "wait"
    assert effects


def test_a_calendar_that_changes_moves_nobody() -> None:
    for shown in samples.every_page():
        after = at(shown, ALL)
        assert after.step == shown.step
        assert at(after).world.outages == NO_OUTAGES
