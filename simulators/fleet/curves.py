"""How many visits a kiosk has, hour by hour and through the year. The figures are assumptions; the mean is not.

What is given (channel reference §8.1): 20,000 kiosks tell 2 million events a day, 100 each. The mix of sites, opening
hours and the shares of the hours are ours, chosen so that the fleet's mean day gives that number.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Final

from kiosk.visit.policy import SiteKind

HOURS: Final = 24
EVENTS_PER_VISIT: Final = (4, 5, 6, 7, 9)
"""Numbers of events a visit leaves, all equally likely: from a look at the card to update, serial number and ticket."""


@dataclass(frozen=True, slots=True)
class Site:
    """One kind of site: share of the fleet in percent, visits on an ordinary day, percent of them in each hour."""

    fleet_percent: int
    visits_per_day: float
    hour_percent: tuple[int, ...]


def _hours(first: int, *percent: int) -> tuple[int, ...]:
    return (*[0] * first, *percent, *[0] * (HOURS - first - len(percent)))


SITES: Final[Mapping[SiteKind, Site]] = MappingProxyType(
    {
        SiteKind.PHARMACY: Site(80, 12.0, _hours(9, 8, 10, 11, 14, 9, 7, 8, 9, 11, 10, 3)),
        SiteKind.LABORATORY: Site(8, 14.0, _hours(7, 18, 20, 16, 11, 8, 8, 6, 5, 4, 3, 1)),
        SiteKind.HEALTH_ESTABLISHMENT: Site(6, 25.0, _hours(7, 4, 9, 12, 12, 10, 9, 10, 11, 10, 7, 4, 2)),
        SiteKind.AGENCY: Site(6, 60.0, _hours(8, 7, 12, 12, 13, 18, 15, 10, 8, 5)),
    }
)

_SEASON: Final = ((1, 1.6), (5, 2.5), (20, 2.5), (46, 1.0), (355, 1.0), (367, 1.6))
"""Day of the year and factor, linear in between: rights are renewed with the year."""


def site_kind(number: int) -> SiteKind:
    """The kind of site where kiosk `number` stands; every hundred kiosks in a row hold the fleet's mix exactly."""
    # 37 and 100 have no common divisor: the kinds are spread over the numbers, so that any slice is near the mix.
    place = number * 37 % 100
    for kind, site in SITES.items():
        place -= site.fleet_percent
        if place < 0:
            return kind
    raise ValueError("the shares of the fleet must add up to 100")


def season(day: int) -> float:
    """Factor on an ordinary day's visits; `day` 1–366 of the year."""
    for (first, low), (last, high) in pairwise(_SEASON):
        if day <= last:
            return low + (high - low) * (day - first) / (last - first)
    raise ValueError("day: 1 to 366 expected")


def visits_per_h(kind: SiteKind, hour: float, day: int) -> float:
    """Expected visits per hour at `hour` (0 ≤ hour < 24, local time)."""
    site = SITES[kind]
    return site.visits_per_day * season(day) * site.hour_percent[int(hour)] / 100


def expected_visits(kind: SiteKind, from_h: float, to_h: float, day: int) -> float:
    """Expected visits between two hours of one day, 0 ≤ from_h ≤ to_h ≤ 24."""
    site = SITES[kind]
    return site.visits_per_day * season(day) * (_share_until(kind, to_h) - _share_until(kind, from_h))


def visit_hours(kind: SiteKind, day: int, rng: random.Random) -> list[float]:
    """The hours (0–24, rising) at which the visits of one day begin: a Poisson process of that intensity."""
    total = expected_visits(kind, 0, HOURS, day)
    hours: list[float] = []
    reached = rng.expovariate(1.0)
    while reached < total:
        hours.append(_hour_of_share(kind, reached / total))
        reached += rng.expovariate(1.0)
    return hours


def _share_until(kind: SiteKind, hour: float) -> float:
    whole = min(int(hour), HOURS - 1)
    shares = _cumulated(kind)
    return shares[whole] + (shares[whole + 1] - shares[whole]) * (hour - whole)


def _hour_of_share(kind: SiteKind, share: float) -> float:
    """Inverse of `_share_until` where the site is open."""
    shares = _cumulated(kind)
    after = bisect_left(shares, share, 1)
    low, high = shares[after - 1], shares[after]
    return math.nextafter(after, 0) if high <= low else min(after - 1 + (share - low) / (high - low), after)


@cache
def _cumulated(kind: SiteKind) -> tuple[float, ...]:
    return tuple(total / 100 for total in accumulate(SITES[kind].hour_percent, initial=0))
