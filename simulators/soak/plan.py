"""What happens in one visit: who comes, what for, and what goes wrong. Drawn from the seed and the visit's number."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kiosk.card.layout import EEPROM_PAGE_BYTES
from simulators.personas import load

PERSONAS: Mapping[str, int] = {
    "outdated": 8,
    "losing-rights": 6,
    "corsican": 4,
    "nineteen-beneficiaries": 3,
    "torn": 5,
    "up-to-date": 2,
    "no-bank-details": 1,
    "opposed": 1,
    "vitale1": 1,
    "bank-card": 1,
    "mute": 1,
}
"""Who comes, and how often among all."""
LAST_APDU = 18
LAST_READING_APDU = 30
LAST_WRITE = 12
LAST_PAGE = 7
LAST_EXCHANGE = 7
WRONG_SW = (0x6F00, 0x6581, 0x6982, 0x6985, 0x6988, 0x6A82, 0x6700)


class Goal(StrEnum):
    """What a member came for."""

    UPDATE = "update"
    SERIAL = "serial"
    CODE = "code"
    GUIDE = "guide"


class Kind(StrEnum):
    """What goes wrong."""

    NONE = "none"
    PULLED_READING = "card pulled while read"
    PULLED_BEFORE = "card pulled before an APDU of the update"
    PULLED_AFTER = "card pulled after an APDU of the update"
    TORN_WRITE = "card pulled at a page write"
    PULLED_AT_PAGE = "card pulled at a page"
    SWAPPED = "card swapped"
    WRONG_SW = "wrong status word"
    ANSWER_LOST = "one answer lost"
    REQUEST_LOST = "one request lost"
    NETWORK_CUT = "network cut"
    BACKEND_STOPPED = "backend stopped"
    BACKEND_KILLED = "backend killed"
    READER_UNPLUGGED = "reader unplugged at an APDU"
    READER_UNPLUGGED_AT_PAGE = "reader unplugged at a page"
    SERVICE_DOWN = "card service killed at an APDU"
    SERVICE_DOWN_AT_PAGE = "card service killed at a page"
    PAPER_OUT = "printer without paper"
    PRINTER_SILENT = "printer silent"
    PRINTER_UNPLUGGED = "printer unplugged"
    IDLE = "member away"
    STOPPED = "member stops"


WEIGHTS: Mapping[Kind, int] = {
    Kind.NONE: 6,
    Kind.PULLED_READING: 4,
    Kind.PULLED_BEFORE: 6,
    Kind.PULLED_AFTER: 6,
    Kind.TORN_WRITE: 6,
    Kind.PULLED_AT_PAGE: 3,
    Kind.SWAPPED: 3,
    Kind.WRONG_SW: 4,
    Kind.ANSWER_LOST: 4,
    Kind.REQUEST_LOST: 4,
    Kind.NETWORK_CUT: 5,
    Kind.BACKEND_STOPPED: 2,
    Kind.BACKEND_KILLED: 2,
    Kind.READER_UNPLUGGED: 3,
    Kind.READER_UNPLUGGED_AT_PAGE: 2,
    Kind.SERVICE_DOWN: 3,
    Kind.SERVICE_DOWN_AT_PAGE: 2,
    Kind.PAPER_OUT: 2,
    Kind.PRINTER_SILENT: 1,
    Kind.PRINTER_UNPLUGGED: 2,
    Kind.IDLE: 3,
    Kind.STOPPED: 3,
}
PRINTER_KINDS = frozenset({Kind.PAPER_OUT, Kind.PRINTER_SILENT, Kind.PRINTER_UNPLUGGED})
ON_THE_WIRE = frozenset({Kind.ANSWER_LOST, Kind.REQUEST_LOST, Kind.NETWORK_CUT})
IN_AN_UPDATE = frozenset(
    {
        Kind.PULLED_BEFORE,
        Kind.PULLED_AFTER,
        Kind.TORN_WRITE,
        Kind.WRONG_SW,
        Kind.READER_UNPLUGGED,
        Kind.SERVICE_DOWN,
    }
)
"""What needs an update to happen in."""
WITH_ORDERS = tuple(name for name in PERSONAS if (centre := load(name).centre) is not None and centre.orders)
AT_PAGE = frozenset(
    {
        Kind.PULLED_AT_PAGE,
        Kind.SWAPPED,
        Kind.READER_UNPLUGGED_AT_PAGE,
        Kind.SERVICE_DOWN_AT_PAGE,
        Kind.IDLE,
        Kind.STOPPED,
    }
)


@dataclass(frozen=True, slots=True)
class Plan:
    """One visit. `at`: APDU, page write, exchange or page, from 1, where `kind` happens; beyond the end it does not.

    comes_back: an interrupted card is put back. another_first: another person's card before it. waits: only once the
    relay has said its last word. leaves_silently: the card is pulled at the end instead of « Arrêter ».
    """

    persona: str
    goals: tuple[Goal, ...]
    kind: Kind
    at: int = 1
    byte: int = 0  # of a torn page, so many are programmed
    sw: int = 0x6F00
    after_send: bool = False
    accepts: bool = True
    tickets: bool = False
    comes_back: bool = True
    another_first: bool = False
    waits: bool = False
    leaves_silently: bool = True
    other: str = "up-to-date"


def plan_of(seed: int, visit: int) -> Plan:
    """The plan of this visit: the same whatever came before."""
    draw = random.Random(f"{seed}:{visit}")  # noqa: S311  a drawing that must be repeatable
    kind = draw.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    updates = kind in IN_AN_UPDATE
    names = WITH_ORDERS if updates else tuple(PERSONAS)
    goals = [Goal.UPDATE] * (draw.random() < 0.85 or updates)
    goals += [goal for goal, share in _OTHER_GOALS if draw.random() < share]
    if kind in PRINTER_KINDS and not {Goal.SERIAL, Goal.CODE} & set(goals):
        goals.append(Goal.SERIAL)
    return Plan(
        persona=draw.choices(names, [PERSONAS[name] for name in names])[0],
        goals=tuple(goals),
        kind=kind,
        at=draw.randint(1, _last(kind)),
        byte=draw.randint(0, EEPROM_PAGE_BYTES),
        sw=draw.choice(WRONG_SW),
        after_send=draw.random() < 0.5,
        accepts=draw.random() < 0.9 or updates,
        tickets=kind in PRINTER_KINDS or draw.random() < 0.25,
        comes_back=draw.random() < 0.8,
        another_first=draw.random() < 0.15,
        waits=draw.random() < 0.5,
        leaves_silently=draw.random() < 0.7,
        other=draw.choice(("up-to-date", "two-ribs", "bank-card")),
    )


_OTHER_GOALS = ((Goal.SERIAL, 0.25), (Goal.CODE, 0.3), (Goal.GUIDE, 0.1))


def _last(kind: Kind) -> int:
    match kind:
        case Kind.TORN_WRITE:
            return LAST_WRITE
        case Kind.PULLED_READING:
            return LAST_READING_APDU
        case Kind.ANSWER_LOST | Kind.REQUEST_LOST | Kind.NETWORK_CUT | Kind.BACKEND_STOPPED | Kind.BACKEND_KILLED:
            return LAST_EXCHANGE
        case _:
            return LAST_PAGE if kind in AT_PAGE else LAST_APDU
