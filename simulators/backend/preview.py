"""« Ce qui va changer » : the difference between what the chip holds and what it will hold, in a member's words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kiosk.card.values import Exemption, Organisation, RightsPeriod
from kiosk.visit.values import PreviewEffect
from simulators.backend.simfiles import Content

_MONTHS: Final = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip
_REGIMES: Final = {"01": "Régime général", "02": "Régime agricole", "91": "MGEN"}
_EXEMPTIONS: Final = {
    Exemption.ALD: "affection de longue durée",
    Exemption.MATERNITE: "maternité",
    Exemption.INVALIDITE: "invalidité",
    Exemption.AT_MP: "accident du travail ou maladie professionnelle",
    Exemption.C2S: "Complémentaire santé solidaire",
}
_WORST_FIRST: Final = (PreviewEffect.LOSS, PreviewEffect.GAIN, PreviewEffect.NEUTRAL)
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


def preview(before: Content, after: Content, first_names: Sequence[str], today: dt.date) -> tuple[Line, ...]:
    """Every difference, organisation first, then person by person in the order of the card.

    A person's rights count as one span, from the earliest start to the latest end of her periods; exemptions are told
    one by one. What had already ended by `today` is no loss.
    """
    lines: list[Line] = []
    if before.organisation != after.organisation:
        lines.append(Line("Caisse", _caisse(before.organisation), _caisse(after.organisation), PreviewEffect.NEUTRAL))
    for index, first_name in enumerate(first_names):
        lines += _person(first_name, _of(before.rights, index), _of(after.rights, index), today)
    return tuple(lines)


def _person(
    first_name: str, before: tuple[RightsPeriod, ...], after: tuple[RightsPeriod, ...], today: dt.date
) -> Iterator[Line]:
    name = first_name.title()
    whose = f"d’{name}" if name[0] in "AEIOUY" else f"de {name}"
    old_end, new_end = _last_day(before), _last_day(after)
    if old_end != new_end:
        yield Line(f"Droits {whose} jusqu’au", _day(old_end), _day(new_end), _effect(old_end, new_end, today))
    old_start, new_start = _first_day(before), _first_day(after)
    if old_start is not None and new_start is not None and old_start != new_start:
        effect = PreviewEffect.GAIN if new_start < old_start else PreviewEffect.NEUTRAL
        yield Line(f"Droits {whose} à partir du", _day(old_start), _day(new_start), effect)
    old, new = _exemptions(before), _exemptions(after)
    if old != new:
        effects = {_effect(old.get(kind), new.get(kind), today) for kind in old.keys() | new.keys()}
        worst = next(effect for effect in _WORST_FIRST if effect in effects)
        yield Line(f"Exonération {whose}", _list(old), _list(new), worst, True)


def _effect(old_end: dt.date | None, new_end: dt.date | None, today: dt.date) -> PreviewEffect:
    if new_end is not None and (old_end is None or new_end > old_end):
        return PreviewEffect.GAIN
    if old_end is not None and old_end >= today and old_end != new_end:
        return PreviewEffect.LOSS
    return PreviewEffect.NEUTRAL


def _exemptions(periods: tuple[RightsPeriod, ...]) -> dict[Exemption, dt.date]:
    """Each exemption with its last day, in the order of the list."""
    ends: dict[Exemption, dt.date] = {}
    for kind in Exemption:
        days = [period.end for period in periods if period.exemption is kind]
        if days and kind is not Exemption.NONE:
            ends[kind] = max(days)
    return ends


def _list(exemptions: dict[Exemption, dt.date]) -> str:
    return ", ".join(f"{_EXEMPTIONS[kind]} jusqu’au {_day(end)}" for kind, end in exemptions.items()) or "aucune"


def _of(rights: tuple[RightsPeriod, ...], index: int) -> tuple[RightsPeriod, ...]:
    return tuple(period for period in rights if period.beneficiary == index)


def _last_day(periods: tuple[RightsPeriod, ...]) -> dt.date | None:
    return max((period.end for period in periods), default=None)


def _first_day(periods: tuple[RightsPeriod, ...]) -> dt.date | None:
    return min((period.start for period in periods), default=None)


def _day(day: dt.date | None) -> str:
    if day is None:
        return _NO_RIGHTS
    return f"{'1er' if day.day == 1 else day.day} {_MONTHS[day.month - 1]} {day.year}"


def _caisse(organisation: Organisation) -> str:
    regime = _REGIMES.get(organisation.regime, f"Régime {organisation.regime}")
    return f"{regime}, caisse {organisation.caisse}, centre {organisation.centre}"
