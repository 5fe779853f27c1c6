"""Plans: reproducible, complete, and within the run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.chores.documents import AWAY_POLL_S, RETRY_S
from kiosk.sync import turn
from kiosk.sync.profile import KIOSK_ID
from kiosk.sync.wire import IDLE_LIMIT_S
from simulators.fleet.plan import (
    AWAY_S,
    LEAD_EVERY,
    LEAD_S,
    RETURN_EVENTS,
    WEEKS_OFFLINE_EVENTS,
    WEEKS_OFFLINE_EVERY,
    WINDOW_S,
    Plan,
    Scenario,
)

POLL_S = 60.0
PLANS = st.builds(
    Plan, st.sampled_from(Scenario), st.just(1000), st.floats(0.05, 60).map(lambda value: round(value, 2)),
    st.integers(0, 999_999),
)  # fmt: skip


@given(PLANS, st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_a_life_is_reproducible_and_within_the_run(plan: Plan, number: int) -> None:
    life = plan.life(number, POLL_S)
    assert life == plan.life(number, POLL_S)
    assert KIOSK_ID.fullmatch(life.kiosk)
    times_s = [visit.at_s for visit in life.visits]
    assert times_s == sorted(times_s)
    assert all(0 <= at_s <= plan.last_visit_s for at_s in times_s)
    assert 0 <= life.first_poll_in_s <= POLL_S
    assert life.online_from_s < plan.last_visit_s < plan.last_visit_s + plan.drain_limit_s < plan.end_s
    assert all(visit.utc_ms > 0 and visit.events > 0 for visit in life.visits)


@given(PLANS.filter(lambda plan: plan.scenario is Scenario.OUTAGE), st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_every_kiosk_comes_back_from_an_outage_with_a_hundred_events(plan: Plan, number: int) -> None:
    life = plan.life(number, POLL_S)
    assert life.events == RETURN_EVENTS
    assert plan.killed_s is not None
    before = sum(visit.at_s < plan.killed_s for visit in life.visits)
    assert before == (1 if number % LEAD_EVERY == 0 else 0)


@given(PLANS, st.lists(st.floats(0, 1e5), min_size=2, max_size=2))
@settings(max_examples=60, deadline=None)
def test_a_kiosks_clock_goes_forward_and_tells_the_second_of_the_run(plan: Plan, seconds: list[float]) -> None:
    clock = plan.clock
    early_s, late_s = sorted(seconds)
    assert clock.kiosk_s(early_s) <= clock.kiosk_s(late_s)
    for run_s in seconds:
        assert clock.run_at_s(clock.kiosk_s(run_s)) == pytest.approx(run_s, rel=1e-9, abs=1e-6)
    assert clock.kiosk_s(plan.return_s) == pytest.approx(LEAD_S + AWAY_S if plan.return_s else 0.0)
    assert clock.kiosk_s(plan.return_s + 1) - clock.kiosk_s(plan.return_s) == pytest.approx(plan.pace)


def test_a_kiosk_that_does_all_as_late_as_it_may_has_ten_seconds_left_for_its_upload() -> None:
    assert Plan(Scenario.OUTAGE, 1, WINDOW_S / 60, 1).drain_limit_s - 10 == AWAY_POLL_S + RETRY_S + turn.WINDOW_S


def test_five_minutes_of_return_are_the_real_pace() -> None:
    plan = Plan(Scenario.OUTAGE, 1, WINDOW_S / 60, 1)
    assert plan.pace == 1.0
    assert plan.drain_limit_s == WINDOW_S + 60
    assert Plan(Scenario.OUTAGE, 1, 2, 1).pace == 2.5


def test_a_day_compresses_visits_and_not_polls() -> None:
    plan = Plan(Scenario.DAY, 1, 16, 1)
    assert (plan.pace, plan.visits_factor, plan.killed_s, plan.return_s) == (1.0, 60.0, None, 0.0)
    assert plan.idle_limit_s == IDLE_LIMIT_S > POLL_S, "a kiosk that polls keeps its connection"


def test_some_kiosks_were_weeks_offline() -> None:
    plan = Plan(Scenario.DAY, 200, 2, 7)
    lives = [plan.life(number, POLL_S) for number in range(200)]
    late = [number for number, life in enumerate(lives) if life.online_from_s > 0]
    assert late == list(range(WEEKS_OFFLINE_EVERY - 1, 200, WEEKS_OFFLINE_EVERY))
    for number in late:
        old = sum(visit.events for visit in lives[number].visits if visit.at_s == 0)
        assert WEEKS_OFFLINE_EVENTS[0] - 5 < old <= WEEKS_OFFLINE_EVENTS[1]


def test_another_seed_is_another_fleet() -> None:
    one, two = (Plan(Scenario.DAY, 1, 2, seed).life(0, POLL_S) for seed in (1, 2))
    assert one.kiosk != two.kiosk
    assert one.visits != two.visits


def test_the_fleet_is_busiest_at_lunch() -> None:
    plan = Plan(Scenario.DAY, 300, 16, 3)  # a minute of the run is an hour
    hours = [6 + int(visit.at_s // 60) for number in range(40) for visit in plan.life(number, POLL_S).visits]
    assert max(set(hours), key=hours.count) == 12
    assert pytest.approx(1.0, rel=0.25) == hours.count(12) / (0.135 * len(hours))
