"""Planned faults in pairs, one in the reading and one in the update: every pair on the embedded reader, and through
pcscd each kind once with the traces, outcomes and card of the embedded one. (Two at one APDU: `test_faults`.)"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import product
from typing import Any

import pytest

from simulators.reader.private_pcscd import PrivatePcscd
from tests.hardware.pcsc.hands import EmbeddedHands, PcscdHands, private_pcscd
from tests.hardware.pcsc.test_plans import DONE, at, play

__all__ = ["private_pcscd"]

READING = 6
"""An APDU of the reading, whichever reader: SELECT of a file."""


class Next(Enum):
    NONE = auto()
    BACK = auto()  # the same, with the rest of its plan
    OTHER = auto()  # one without a plan


@dataclass(frozen=True)
class Fault:
    """One entry of a plan, and what the kiosk calls it. `next_card`: what comes into the slot by itself."""

    entry: dict[str, Any]
    outcome: str | None
    next_card: Next = Next.NONE


EARLY = {
    "delay": Fault(at("delay", READING, delay_ms=5), None),
    "removed before": Fault(at("removed_before", READING), "CARD_REMOVED"),
    "removed after": Fault(at("removed_after", READING), "CARD_REMOVED"),
    "wrong word": Fault(at("wrong_sw", READING, sw="6f00"), "CARD_MALFORMED"),
    "one byte": Fault(at("truncated", READING, keep_bytes=1), "CARD_REMOVED"),
    "flaky": Fault(at("flaky", READING, times=1, for_ms=40), "CARD_REMOVED", Next.BACK),
    "swapped": Fault(at("swapped", READING, persona="corsican"), "CARD_REMOVED", Next.OTHER),
}
LATE = {
    "delay": Fault(at("delay", 2, ins="d6", delay_ms=5), DONE),
    "removed before": Fault(at("removed_before", 2, ins="d6"), "CARD_REMOVED"),
    "removed after": Fault(at("removed_after", 2, ins="d6"), "CARD_REMOVED"),
    "wrong word": Fault(at("wrong_sw", 2, ins="d6", sw="6985"), "SW 6985"),
    "one byte": Fault(at("truncated", 2, ins="d6", keep_bytes=1), "CARD_REMOVED"),
    "torn page": Fault(at("torn_write", 3, byte=7, rest="erased"), "CARD_REMOVED"),
    "removed in a write": Fault(at("removed_in_write", 2, byte=70), "CARD_REMOVED"),
}
THROUGH_PCSCD = [*zip(EARLY, LATE, strict=True), ("delay", "torn page"), ("flaky", "wrong word")]


def expected(early: Fault, late: Fault) -> list[str]:
    """The first one ends its card's dialogue, if it does; what comes after meets the second, or nothing."""
    assert late.outcome is not None
    if early.outcome is None:
        return [late.outcome]
    return [early.outcome, *{Next.NONE: [], Next.BACK: [late.outcome], Next.OTHER: [DONE]}[early.next_card]]


def plan(early: str, late: str) -> dict[str, Any]:
    return {"seed": 7, "faults": [EARLY[early].entry, LATE[late].entry]}


@pytest.mark.parametrize(("early", "late"), [*product(EARLY, LATE)])
def test_every_pair_in_process(early: str, late: str) -> None:
    outcomes = expected(EARLY[early], LATE[late])
    assert play(EmbeddedHands(), plan(early, late), len(outcomes)).outcomes == outcomes


@pytest.mark.pcscd
@pytest.mark.parametrize(("early", "late"), THROUGH_PCSCD)
def test_a_pair_through_pcscd_leaves_the_traces_of_the_embedded_reader(
    early: str, late: str, private_pcscd: Callable[[], PrivatePcscd]
) -> None:
    insertions = len(expected(EARLY[early], LATE[late]))
    embedded = play(EmbeddedHands(), plan(early, late), insertions)
    hands = PcscdHands(private_pcscd())
    through_pcscd = play(hands, plan(early, late), insertions)
    hands.tidy()
    assert through_pcscd == embedded


@pytest.mark.pcscd
@pytest.mark.parametrize("early", ["delay", "flaky"])
def test_a_card_fault_and_a_killed_service_through_pcscd(early: str, private_pcscd: Callable[[], PrivatePcscd]) -> None:
    document = {"seed": 7, "faults": [EARLY[early].entry], "reader": [at("service_killed", 2, ins="d6", for_ms=50)]}
    before = [EARLY[early].outcome] if EARLY[early].outcome is not None else []
    outcomes = [*before, "SERVICE_LOST", DONE]
    embedded = play(EmbeddedHands(), document, len(outcomes))
    hands = PcscdHands(private_pcscd())
    through_pcscd = play(hands, document, len(outcomes))
    hands.tidy()
    assert embedded.outcomes == outcomes
    assert through_pcscd == embedded
