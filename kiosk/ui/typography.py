"""French typography: no-break spaces, apostrophes, dates, times and durations as a member reads them."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Final

NBSP: Final = "\u00a0"
_BEFORE: Final = re.compile(r" (?=[:;?!»–])")
_AFTER: Final = re.compile(r"(?<=[«–]) ")
_HYPHEN: Final = re.compile(r"(?<=\be-)(?=mail)")
_DASH: Final = re.compile(rf"(?<=–)(?={NBSP})")  # a line may break after a dash even before a no-break space
JOINER: Final = "\u2060"
_BETWEEN_DIGITS: Final = re.compile(r"(?<=\d) (?=\d)")
_HOUR: Final = re.compile(r"(?<=\d) (?=h\b)|(?<=\bh) (?=\d)")
_MONTHS: Final = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip
_DAYS: Final = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")


def typeset(text: str) -> str:
    """The same text with the no-break spaces and apostrophes that French asks for. Idempotent."""
    for pattern in (_BEFORE, _AFTER, _BETWEEN_DIGITS, _HOUR):
        text = pattern.sub(NBSP, text)
    text = _DASH.sub(JOINER, _HYPHEN.sub(JOINER, text))
    return text.replace("'", "’")


def plain(text: str) -> str:
    """The inverse for comparing: ordinary spaces, straight apostrophes, nothing invisible."""
    return text.replace(NBSP, " ").replace(JOINER, "").replace("’", "'")


def day(value: date) -> str:
    """« 1er mars 2025 »."""
    number = "1er" if value.day == 1 else str(value.day)
    return f"{number}{NBSP}{_MONTHS[value.month - 1]}{NBSP}{value.year}"


def date_words(value: date) -> str:
    """« vendredi 1er mai »."""
    number = "1er" if value.day == 1 else str(value.day)
    return f"{_DAYS[value.weekday()]} {number}{NBSP}{_MONTHS[value.month - 1]}"


def short_hour(value: datetime) -> str:
    """« 14 h », « 14 h 05 »."""
    return hour(value) if value.minute else f"{value.hour}{NBSP}h"


def hour(value: datetime) -> str:
    """« 14 h 05 »."""
    return f"{value.hour}{NBSP}h{NBSP}{value.minute:02d}"


def moment(utc_s: int, now: datetime) -> str:
    """Wall time of `utc_s` in the zone of `now`: the hour alone today, the day with it otherwise."""
    value = datetime.fromtimestamp(utc_s, now.tzinfo)
    return short_hour(value) if _is_today(utc_s, now) else f"{day(value.date())} à {short_hour(value)}"


def until(utc_s: int, now: datetime) -> str:
    """What follows « jusqu' »: « à 14 h 05 » today, « au 1er mars 2025 à 14 h 05 » on another day."""
    return f"{'à' if _is_today(utc_s, now) else 'au'} {moment(utc_s, now)}"


def after(utc_s: int, now: datetime) -> str:
    """What follows « après »: « 14 h 05 » today, « le 1er mars 2025 à 14 h 05 » on another day."""
    return moment(utc_s, now) if _is_today(utc_s, now) else f"le {moment(utc_s, now)}"


def _is_today(utc_s: int, now: datetime) -> bool:
    return datetime.fromtimestamp(utc_s, now.tzinfo).date() == now.date()
