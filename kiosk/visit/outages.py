"""Announced outages of the card update: for whom, from when to when. Values; the time is always the caller's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kiosk.card.values import Organisation

ANNOUNCED_S = 7 * 86_400
"""How long before it begins an outage is shown to those who pass by."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One announced cut: `[from, until)` in seconds since 1970 (UTC). Serial number and rights stay available.

    regimes: 2 digits each; caisses: `regime/caisse`, as `91/999`. Neither: everybody. who: whom it concerns, in words
    that follow « pour »; empty when nobody wrote them.
    """

    outage_id: str
    from_utc_s: int
    until_utc_s: int
    regimes: tuple[str, ...] = ()
    caisses: tuple[str, ...] = ()
    who: str = ""

    @property
    def for_all(self) -> bool:
        """Whether it concerns every card."""
        return not self.regimes and not self.caisses

    def concerns(self, organisation: Organisation | None) -> bool:
        """Whether it concerns a card of this organisation. A card that does not tell is not turned away."""
        if self.for_all:
            return True
        if organisation is None:
            return False
        return organisation.regime in self.regimes or f"{organisation.regime}/{organisation.caisse}" in self.caisses


@dataclass(frozen=True, slots=True)
class Outages:
    """What is closed now, and what soon will be, by a time that may be believed; earliest end, earliest start first."""

    now: tuple[Outage, ...] = ()
    soon: tuple[Outage, ...] = ()

    def closing(self, organisation: Organisation | None) -> Outage | None:
        """The running outage for a card of this organisation that lasts longest, or None."""
        return next((outage for outage in reversed(self.now) if outage.concerns(organisation)), None)

    def closing_all(self) -> Outage | None:
        """The running outage for every card that lasts longest, or None."""
        return next((outage for outage in reversed(self.now) if outage.for_all), None)


NO_OUTAGES: Final = Outages()


def outages_at(calendar: Iterable[Outage], now_s: int | None) -> Outages:
    """The calendar at a moment. now_s: seconds since 1970, or None when no time may be believed: then all is open."""
    if now_s is None:
        return NO_OUTAGES
    alive = [outage for outage in calendar if now_s < outage.until_utc_s]
    running = [outage for outage in alive if outage.from_utc_s <= now_s]
    coming = [outage for outage in alive if now_s < outage.from_utc_s <= now_s + ANNOUNCED_S]
    return Outages(
        tuple(sorted(running, key=lambda outage: outage.until_utc_s)),
        tuple(sorted(coming, key=lambda outage: outage.from_utc_s)),
    )
