"""« Ce qui va changer » : the difference between what the chip holds and what it will hold, in words a member understands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kiosk.card.values import Exemption, Organisation, RightsPeriod
from kiosk.visit.values import PreviewEffect
from simulators.backend.simfiles import Content

_MONTHS: Final = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip
_REGIMES: Final = {"01": "Régime général", "02": "Régime agricole", "91": "MGEN"}
_EXEMPTIONS: Final = {
    Exemption.NONE: "aucune",
    Exemption.ALD: "affection de longue durée",
    Exemption.MATERNITE: "maternité",
    Exemption.INVALIDITE: "invalidité",
    Exemption.AT_MP: "accident du travail ou maladie professionnelle",
    Exemption.C2S: "Complémentaire santé solidaire",
}
_NO_RIGHTS: Final = "aucune période enregistrée"


@dataclass(frozen=True, slots=True)
class Line:
    """One change; `sensitive` ones say something about health."""

    label: str = field(repr=False)
    before: str = field(repr=False)
    after: str = field(repr=False)
    effect: PreviewEffect
    sensitive: bool = False

    def to_json(self) -> dict[str, Any]:
        """The wire form (`preview` of `/v1/relay/flags`)."""
        return {
            "field": self.label,
            "before": self.before,
            "after": self.after,
            "effect": str(self.effect),
            "sensitive": self.sensitive,
        }


def preview(before: Content, after: Content, first_names: Sequence[str]) -> tuple[Line, ...]:
    """Every difference, organisation first, then person by person in the order of the card.

    A person's rights count as one span: from the earliest start to the latest end of her periods.
    """
    lines: list[Line] = []
    if before.organisation != after.organisation:
        lines.append(
            Line("Caisse", _caisse(before.organisation), _caisse(after.organisation), PreviewEffect.NEUTRAL)
        )
    for index, first_name in enumerate(first_names):
        lines += _person(first_name, _of(before.rights, index), _of(after.rights, index))
    return tuple(lines)


def _person(name: str, before: tuple[RightsPeriod, ...], after: tuple[RightsPeriod, ...]) -> Iterator[Line]:
    old_end, new_end = _last_day(before), _last_day(after)
    if old_end != new_end:
        effect = PreviewEffect.GAIN if _is_later(new_end, old_end) else PreviewEffect.LOSS
        yield Line(f"Droits de {name} jusqu’au", _day(old_end), _day(new_end), effect)
    old_start, new_start = _first_day(before), _first_day(after)
    if old_start != new_start and old_start is not None and new_start is not None:
        effect = PreviewEffect.GAIN if new_start < old_start else PreviewEffect.NEUTRAL
        yield Line(f"Droits de {name} à partir du", _day(old_start), _day(new_start), effect)
    old, new = _exemption(before), _exemption(after)
    if old != new:
        yield Line(f"Exonération de {name}", _EXEMPTIONS[old], _EXEMPTIONS[new], _exemption_effect(old, new), True)


def _exemption_effect(old: Exemption, new: Exemption) -> PreviewEffect:
    if old is Exemption.NONE:
        return PreviewEffect.GAIN
    return PreviewEffect.LOSS if new is Exemption.NONE else PreviewEffect.NEUTRAL


def _of(rights: tuple[RightsPeriod, ...], index: int) -> tuple[RightsPeriod, ...]:
    return tuple(period for period in rights if period.beneficiary == index)


def _last_day(periods: tuple[RightsPeriod, ...]) -> dt.date | None:
    return max((period.end for period in periods), default=None)


def _first_day(periods: tuple[RightsPeriod, ...]) -> dt.date | None:
    return min((period.start for period in periods), default=None)


def _exemption(periods: tuple[RightsPeriod, ...]) -> Exemption:
    """That of the latest period."""
    return max(periods, key=lambda period: period.end).exemption if periods else Exemption.NONE


def _is_later(new: dt.date | None, old: dt.date | None) -> bool:
    return new is not None and (old is None or new > old)


def _day(day: dt.date | None) -> str:
    if day is None:
        return _NO_RIGHTS
    return f"{'1er' if day.day == 1 else day.day} {_MONTHS[day.month - 1]} {day.year}"


def _caisse(organisation: Organisation) -> str:
    regime = _REGIMES.get(organisation.regime, f"Régime {organisation.regime}")
    return f"{regime}, caisse {organisation.caisse}, centre {organisation.centre}"
