"""A reader hub with one seeded card in the patient slot, and the hands to put the card back to what it was."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kiosk.card.values import CardContent
from kiosk.clock import SystemClock
from kiosk.hardware.pcsc.connection import CardConnection
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.events import CardInserted
from kiosk.visit.failures import Fault
from kiosk.visit.ports import CardSession, ReaderRole
from simulators.card import open_persona
from simulators.card.timing import Exchange
from simulators.stage import ROLES, Slots

PERSONA: Final = "outdated"
SEED: Final = b"bench"
LIMIT_S: Final = 20.0


class Rig:
    """Everything between the relay and the card, as in the kiosk."""

    def __init__(self, hands: Slots, image: Path | None) -> None:
        """`image`: the card's file; None keeps it in memory."""
        self.card = open_persona(PERSONA, image, challenge_seed=SEED)
        self._before = self.card.image_bytes()
        self._events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.hub = ReaderHub(hands.scard, dict(zip(ROLES, hands.names, strict=True)), self._events.put, SystemClock())
        self.hub.start()
        hands.insert(ReaderRole.PATIENT, self.card)
        self.session = self._session()
        self.content = self.read()

    def restore(self) -> None:
        """The card as it was at first, reset, its challenges rewound. The reader's connection stays."""
        if (error := self.card.restore(self._before)) is not None:
            raise RuntimeError(str(error))
        self.card.power_on()

    def exchanges(self, work: Callable[[], object]) -> list[Exchange]:
        """What passes between reader and card meanwhile."""
        found: list[Exchange] = []
        self.card.note = found.append
        work()
        self.card.note = None
        return found

    @property
    def connection(self) -> CardConnection:
        """The hub's own connection: for the bare replay, while the hub has nothing to do."""
        connection = self.hub._slots[ReaderRole.PATIENT].worker._dialogue._connection
        if connection is None:
            raise RuntimeError("the hub holds no connection")
        return connection

    def _session(self) -> CardSession:
        while True:
            event = self._events.get(timeout=LIMIT_S)
            if isinstance(event, CardInserted):
                return event.card_session

    def read(self) -> CardContent:
        """Read the card through the hub."""
        outcomes: queue.SimpleQueue[CardContent | Fault] = queue.SimpleQueue()
        self.hub.read(self.session, outcomes.put)
        content = outcomes.get(timeout=LIMIT_S)
        if isinstance(content, Fault):
            raise TypeError(f"the card cannot be read: {content}")
        return content


@contextmanager
def rig(hands: Slots, image: Path | None) -> Iterator[Rig]:
    """A rig; at the end the card is taken out and every thread ended."""
    made = Rig(hands, image)
    try:
        yield made
    finally:
        hands.remove(ReaderRole.PATIENT)
        made.hub.stop()
