"""Card put into the embedded reader → *reading* page presented, against drawing that page alone."""

from __future__ import annotations

from functools import partial
from typing import Final

from bench.figures import Figure
from bench.rounds import alternate
from bench.scene import Scene, scene
from kiosk.visit.ports import ReaderRole
from simulators.card import FaultKind, PlannedFault, open_persona

HOLD_MS: Final = 300
"""The card answers its first command this late, so that the page cannot be over before it is presented."""


def figures(rounds: int) -> list[Figure]:
    """The baseline hands the page's state to the screen; the rest is reader, monitor, hub and visit."""
    with scene() as on:
        inserted_s, drawn_s = alternate(rounds, (partial(_insert, on), partial(_draw, on)))
    return [Figure("card inserted → reading page / drawing it", inserted_s * 1000, "ms", drawn_s * 1000)]


def _insert(on: Scene) -> float:
    card = open_persona("outdated", faults=[PlannedFault(FaultKind.DELAY, at=1, delay_ms=HOLD_MS)])
    taken_s = on.presented("reading", lambda: on.stage.slots.insert(ReaderRole.PATIENT, card))
    on.presented("home", lambda: None)
    on.presented("attract", lambda: on.stage.slots.remove(ReaderRole.PATIENT))
    return taken_s


def _draw(on: Scene) -> float:
    taken_s = on.presented("reading", lambda: on.screen.show(on.states["reading"]))
    on.presented("attract", lambda: on.screen.show(on.states["attract"]))
    return taken_s
