"""Visits by the hour: what the curves promise, as properties."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.visit.policy import SiteKind
from simulators.fleet.curves import (
    EVENTS_PER_VISIT,
    HOURS,
    SITES,
    expected_visits,
    season,
    site_kind,
    visit_hours,
    visits_per_h,
)

KINDS = st.sampled_from(list(SiteKind))
DAYS = st.integers(1, 366)
ORDINARY = 100


def test_the_shares_of_the_fleet_and_of_the_hours_add_up() -> None:
    assert sum(site.fleet_percent for site in SITES.values()) == 100
    assert set(SITES) == set(SiteKind)
    assert {(sum(site.hour_percent), len(site.hour_percent)) for site in SITES.values()} == {(100, HOURS)}


def test_a_kiosk_of_the_fleet_leaves_a_hundred_events_on_an_ordinary_day() -> None:
    visits = sum(site.fleet_percent / 100 * expected_visits(kind, 0, 24, ORDINARY) for kind, site in SITES.items())
    assert visits * sum(EVENTS_PER_VISIT) / len(EVENTS_PER_VISIT) == pytest.approx(100, rel=0.05)


@given(st.integers(0, 100_000))
@settings(max_examples=30, deadline=None)
def test_a_hundred_kiosks_in_a_row_hold_the_mix(first: int) -> None:
    kinds = [site_kind(number) for number in range(first, first + 100)]
    assert {kind: kinds.count(kind) for kind in SiteKind} == {kind: site.fleet_percent for kind, site in SITES.items()}


@given(KINDS, DAYS, st.floats(0, 24), st.floats(0, 24), st.floats(0, 24))
@settings(max_examples=60, deadline=None)
def test_expected_visits_add_up_and_never_fall(kind: SiteKind, day: int, one: float, two: float, three: float) -> None:
    first, middle, last = sorted((one, two, three))
    parts = expected_visits(kind, first, middle, day) + expected_visits(kind, middle, last, day)
    assert parts == pytest.approx(expected_visits(kind, first, last, day), abs=1e-9)
    assert expected_visits(kind, first, last, day) >= -1e-12


@given(KINDS, DAYS, st.integers(0, 23))
@settings(max_examples=60, deadline=None)
def test_the_rate_of_an_hour_is_what_the_hour_expects(kind: SiteKind, day: int, hour: int) -> None:
    assert visits_per_h(kind, hour + 0.5, day) == pytest.approx(expected_visits(kind, hour, hour + 1, day))


@given(KINDS, DAYS, st.integers())
@settings(max_examples=60, deadline=None)
def test_visits_rise_and_fall_into_opening_hours(kind: SiteKind, day: int, seed: int) -> None:
    hours = visit_hours(kind, day, random.Random(seed))
    assert hours == sorted(hours)
    assert all(0 <= hour < HOURS and visits_per_h(kind, hour, day) > 0 for hour in hours)


def test_drawn_days_have_the_expected_number_of_visits_in_each_hour() -> None:
    rng, days = random.Random(1), 600
    drawn = [hour for _ in range(days) for hour in visit_hours(SiteKind.AGENCY, ORDINARY, rng)]
    for hour in range(HOURS):
        expected = expected_visits(SiteKind.AGENCY, hour, hour + 1, ORDINARY) * days
        counted = sum(int(value) == hour for value in drawn)
        assert abs(counted - expected) <= 5 * expected**0.5  # five standard deviations of a Poisson count


@pytest.mark.parametrize("kind", [SiteKind.PHARMACY, SiteKind.AGENCY])
def test_noon_is_the_peak_of_the_day(kind: SiteKind) -> None:
    rates = [visits_per_h(kind, hour, ORDINARY) for hour in range(HOURS)]
    assert max(rates) == rates[12]


def test_january_is_the_peak_of_the_year() -> None:
    assert max(range(1, 367), key=season) in range(5, 21)
    assert season(14) == 2.5
    assert season(ORDINARY) == season(300) == 1.0
    assert season(366) == pytest.approx(season(1), abs=0.1)  # no step at midnight
    assert all(abs(season(day) - season(day + 1)) < 0.25 for day in range(1, 366))


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="day: 1 to 366"):
        season(400)
