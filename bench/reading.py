"""Card put into the embedded reader → *reading* page presented, against drawing that page alone."""

from __future__ import annotations

import threading
from functools import partial
from time import perf_counter
from typing import Final

from bench.figures import Figure
from bench.rounds import alternate
from bench.scene import Scene, scene
from kiosk.hardware.pcsc.contacts import BACK_WITHIN_S
from kiosk.visit.ports import ReaderRole
from simulators.card import SimulatedCard, open_persona
from simulators.screen import wait_until

LIMIT_S: Final = 10.0


class _Held:
    """A card that answers once it may: the page must not be over before it is presented."""

    def __init__(self, card: SimulatedCard) -> None:
        self._card = card
        self.may_answer = threading.Event()
        self.power_on, self.power_off, self.cut_power = card.power_on, card.power_off, card.cut_power

    def transmit(self, command: bytes) -> bytes:
        """See `Chip`."""
        self.may_answer.wait(LIMIT_S)
        return self._card.transmit(command)


def figures(rounds: int) -> list[Figure]:
    """The baseline hands the page's state to the screen; the rest is reader, monitor, hub and visit."""
    with scene() as on:
        inserted_s, drawn_s = alternate(rounds, (partial(_insert, on), partial(_draw, on)))
    return [Figure("card inserted → reading page / drawing it", inserted_s * 1000, "ms", drawn_s * 1000)]


def _insert(on: Scene) -> float:
    card = _Held(open_persona("outdated"))
    taken_s = on.presented("reading", lambda: on.hands.scard.insert(on.hands.names[0], card))
    on.presented("home", card.may_answer.set)
    on.presented("attract", lambda: on.hands.remove(ReaderRole.PATIENT))
    out_s = perf_counter()  # a card that is back at once, time and again, would be one with dirty contacts
    wait_until(lambda: perf_counter() > out_s + BACK_WITHIN_S, "the time that a hand takes")
    return taken_s


def _draw(on: Scene) -> float:
    taken_s = on.presented("reading", lambda: on.screen.show(on.states["reading"]))
    on.presented("attract", lambda: on.screen.show(on.states["attract"]))
    return taken_s
