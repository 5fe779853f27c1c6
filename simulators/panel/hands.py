"""What hands do around a kiosk on its stage: move cards, cut the network, take the paper. No Qt.

Each place has one thread of its own: what one hand waits for (a reader that takes its time, a backend that starts)
delays no other. What is true now is a `Scene`, given to `changed` from whichever thread changed it.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from kiosk.visit.ports import ReaderRole
from simulators.card import FaultKind, ImageError, PlannedFault, SimulatedCard, open_card
from simulators.personas import Persona
from simulators.printer.engine import PrinterFault
from simulators.stage import Stage

TICKET_LOOK_S: Final = 0.5
_EXPECTED: Final = (OSError, RuntimeError, ValueError, subprocess.SubprocessError)
"""How the simulators say that something cannot be done; told in the panel, never fatal."""


class Place(StrEnum):
    """Where a hand is at work."""

    PATIENT = "patient"
    PROFESSIONAL = "professional"
    NETWORK = "network"
    PAPER = "paper"


@dataclass(frozen=True, slots=True)
class Scene:
    """What is where. `slots`: persona by slot. `ticket`: picture of the last one, `tickets` how many came out.

    `busy`: places where a hand is at work. `problem`: what could not be done, in French; empty when all is well.
    """

    chosen: str
    slots: Mapping[ReaderRole, str] = field(default_factory=lambda: MappingProxyType({}))
    turned: frozenset[str] = frozenset()
    network: bool = True
    paper: bool = True
    ticket: Path | None = None
    tickets: int = 0
    busy: frozenset[Place] = frozenset()
    problem: str = ""

    def place_of(self, persona: str) -> ReaderRole | None:
        """The slot that this card is in."""
        return next((role for role, held in self.slots.items() if held == persona), None)


class Hands:
    """Moves things on one stage. Every method returns at once; `close` puts the hands down."""

    def __init__(self, stage: Stage, deck: Sequence[Persona], changed: Callable[[Scene], None]) -> None:
        """The first card of the deck is in the hand."""
        self._stage = stage
        self._deck = {persona.name: persona for persona in deck}
        self._changed = changed
        self._lock = threading.Lock()
        self._scene = Scene(deck[0].name)
        self._cards: dict[str, SimulatedCard] = {}
        self._workers = {place: ThreadPoolExecutor(1, f"hand-{place}") for place in Place}
        self._closing = False
        self._watch = threading.Thread(target=self._watch_tickets, name="hand-ticket", daemon=True)
        self._watch.start()

    @property
    def scene(self) -> Scene:
        """What is true now."""
        with self._lock:
            return self._scene

    def close(self) -> None:
        """Finish what is being done, pull out what is in the slots, end every thread."""
        for role in ReaderRole:
            self.remove(role)
        self._closing = True
        for worker in self._workers.values():
            worker.shutdown()
        self._watch.join()

    # --- in the hand ---------------------------------------------------------------------------------------------

    def choose(self, persona: str) -> None:
        """Take this card in the hand."""
        self._now(lambda scene: replace(scene, chosen=persona))

    def turn(self) -> None:
        """Turn the card in the hand; one that is in a slot cannot be turned."""
        self._now(lambda scene: scene if scene.place_of(scene.chosen) else _turned(scene))

    def forget_problem(self) -> None:
        """The message has been read."""
        self._now(lambda scene: replace(scene, problem=""))

    # --- slots ---------------------------------------------------------------------------------------------------

    def insert(self, role: ReaderRole) -> None:
        """Put the card in the hand into this slot; nothing if it is in a slot already, or the slot is taken."""
        with self._lock:
            scene = self._scene
            persona = scene.chosen
            if role in scene.slots or scene.place_of(persona) is not None:
                return
            self._scene = _with(scene, role, persona)
        self._work(Place(role), lambda: self._insert(role, persona))

    def remove(self, role: ReaderRole) -> None:
        """Pull the card out, at any moment; it is in the hand then."""
        self._work(Place(role), lambda: self._remove(role))

    def _insert(self, role: ReaderRole, persona: str) -> None:
        try:
            card = self._card(persona)
            card.plan([PlannedFault(FaultKind.MUTE)] if persona in self.scene.turned else [])
            self._stage.slots.insert(role, card)
        except _EXPECTED:
            self._now(lambda scene: _without(scene, role))
            raise

    def _remove(self, role: ReaderRole) -> None:
        self._stage.slots.remove(role)
        self._now(lambda scene: _without(replace(scene, chosen=scene.slots.get(role, scene.chosen)), role))

    def _card(self, persona: str) -> SimulatedCard:
        """The one card of this persona; it keeps what was written on it."""
        card = self._cards.get(persona)
        if card is None:
            opened = open_card(self._deck[persona], self._stage.folder / f"{persona}.image")
            if isinstance(opened, ImageError):
                raise ValueError(str(opened))
            card = self._cards[persona] = opened
        return card

    # --- network and paper ---------------------------------------------------------------------------------------

    def network(self, *, up: bool) -> None:
        """Cut the way to the backend, in the middle of an answer if need be, or restore it at the same origin."""
        self._work(Place.NETWORK, lambda: self._network(up=up))

    def paper(self, *, present: bool) -> None:
        """Take the printer's paper away, or give it back."""
        self._work(Place.PAPER, lambda: self._paper(present=present))

    def _network(self, *, up: bool) -> None:
        if up == self.scene.network:
            return
        if up:
            self._stage.backend.start()
        else:
            self._stage.backend.kill()  # no last answers, as when a cable is pulled; what it has stored is durable
        self._now(lambda scene: replace(scene, network=up))

    def _paper(self, *, present: bool) -> None:
        self._stage.printer.fault(PrinterFault.PAPER_OUT, not present)
        self._now(lambda scene: replace(scene, paper=present))

    def _watch_tickets(self) -> None:
        printer, folder = self._stage.printer, self._stage.folder / "tickets"
        seen = 0
        while not self._closing:
            if printer.wait_for_tickets(seen + 1, TICKET_LOOK_S):
                seen += 1
                self._now(partial(replace, ticket=folder / f"ticket-{seen}.png", tickets=seen))

    # --- scene ---------------------------------------------------------------------------------------------------

    def _work(self, place: Place, action: Callable[[], None]) -> None:
        self._now(lambda scene: replace(scene, busy=scene.busy | {place}))
        self._workers[place].submit(self._do, place, action)

    def _do(self, place: Place, action: Callable[[], None]) -> None:
        problem = ""
        try:
            action()
        except _EXPECTED as error:
            problem = f"{_WORDS[place]} : {error}"
        self._now(lambda scene: replace(scene, busy=scene.busy - {place}, problem=problem or scene.problem))

    def _now(self, change: Callable[[Scene], Scene]) -> None:
        with self._lock:
            self._scene = change(self._scene)
            self._changed(self._scene)


_WORDS: Final = {
    Place.PATIENT: "Fente de l’assuré",
    Place.PROFESSIONAL: "Fente du professionnel",
    Place.NETWORK: "Réseau",
    Place.PAPER: "Papier",
}


def _turned(scene: Scene) -> Scene:
    return replace(scene, turned=scene.turned ^ {scene.chosen})


def _with(scene: Scene, role: ReaderRole, persona: str) -> Scene:
    return replace(scene, slots=MappingProxyType({**scene.slots, role: persona}))


def _without(scene: Scene, role: ReaderRole) -> Scene:
    return replace(scene, slots=MappingProxyType({key: held for key, held in scene.slots.items() if key is not role}))
