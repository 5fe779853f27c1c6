"""Hands at a reader with two slots: they move cards, pull the reader's cable, take the PC/SC service away.

One protocol for the embedded reader and for a real pcscd with the virtual reader; what a reader cannot stage is not in
its `can`. Any thread, the card's own too (in the middle of an APDU), but for `insert` and `remove`: a card that is in
the virtual reader cannot wait for its own end.
"""

from __future__ import annotations

import threading
from typing import Final, Protocol

from kiosk.hardware.pcsc.api import ReaderSnapshot, ReaderState, Scard
from simulators.card import SimulatedCard
from simulators.card.faults import READER_KINDS, FaultKind
from simulators.card.vpcd import VpcdCard
from simulators.reader.embedded import READERS, EmbeddedScard
from simulators.reader.private_pcscd import VPCD_PORT, VPCD_READERS, PrivatePcscd

EMPTY_WITHIN_MS: Final = 3000
"""vpcd looks for a card every 400 ms."""


class Hands(Protocol):
    """What can be done to a reader from outside. Slots are 0 and 1."""

    @property
    def can(self) -> frozenset[FaultKind]:
        """Faults of the reader that can be staged here."""
        ...

    def insert(self, slot: int, card: SimulatedCard) -> None:
        """Put a card in."""
        ...

    def remove(self, slot: int) -> None:
        """Pull the card out, if it is still there."""
        ...

    def swap(self, slot: int, card: SimulatedCard) -> bool:
        """Exchange the cards at once, in the card's own thread. False, and nothing done, where that is impossible."""
        ...

    def unplug(self, slot: int) -> None:
        """Pull the reader's cable."""
        ...

    def replug(self, slot: int) -> None:
        """Plug it in again, with the card that is in it."""
        ...

    def reset_by_other(self, slot: int) -> None:
        """Another program resets the card."""
        ...

    def kill_service(self) -> None:
        """The service dies."""
        ...

    def start_service(self) -> None:
        """It is back; the cards in the slots are found again."""
        ...


class EmbeddedHands:
    """Hands at the in-process reader: it can stage everything."""

    can = READER_KINDS

    def __init__(self) -> None:
        self.scard = EmbeddedScard()
        self.readers = READERS

    def insert(self, slot: int, card: SimulatedCard) -> None:
        """See `Hands`; ValueError when there is a card."""
        self.scard.insert(READERS[slot], card)

    def remove(self, slot: int) -> None:
        """See `Hands`."""
        self.scard.remove(READERS[slot])

    def swap(self, slot: int, card: SimulatedCard) -> bool:
        """See `Hands`."""
        self.scard.swap(READERS[slot], card)
        return True

    def unplug(self, slot: int) -> None:
        """See `Hands`."""
        self.scard.unplug(READERS[slot])

    def replug(self, slot: int) -> None:
        """See `Hands`."""
        self.scard.replug(READERS[slot])

    def reset_by_other(self, slot: int) -> None:
        """See `Hands`."""
        self.scard.reset_by_other(READERS[slot])

    def kill_service(self) -> None:
        """See `Hands`."""
        self.scard.service_down()

    def start_service(self) -> None:
        """See `Hands`."""
        self.scard.service_up()


class PcscdHands:
    """Hands at a private pcscd's virtual reader: it has no cable, and no other program may reset a card held by one."""

    can = frozenset({FaultKind.SERVICE_KILLED})

    def __init__(self, daemon: PrivatePcscd, scard: Scard) -> None:
        """`scard`: to look whether a slot is empty."""
        self._daemon = daemon
        self.scard = scard
        self.readers = VPCD_READERS
        self._moving = threading.RLock()
        self._cards: dict[int, VpcdCard] = {}
        self._up = True

    def insert(self, slot: int, card: SimulatedCard) -> None:
        """See `Hands`. The reader first sees the slot empty: it would miss a card that is back before it looks.

        While the service is down the card waits in the slot. RuntimeError when the slot does not take it.
        """
        with self._moving:
            put = VpcdCard(card, "127.0.0.1", VPCD_PORT + slot, lambda *_: self._daemon.vpcd_socket(slot))
            self._cards[slot] = put
            if not self._up:
                return
            self.wait_empty((slot,))
            problem = put.insert()
            if problem is not None and self._up:
                raise RuntimeError(problem.value)

    def remove(self, slot: int) -> None:
        """See `Hands`."""
        with self._moving:
            card = self._cards.pop(slot, None)
            if card is not None:
                card.remove()

    def swap(self, slot: int, card: SimulatedCard) -> bool:
        """See `Hands`: the virtual reader has to look in between."""
        del slot, card
        return False

    def unplug(self, slot: int) -> None:
        """Not in `can`: a plan that asks for it is refused by `plan.unstageable` before this could be called."""
        raise AssertionError("the virtual reader has no cable to pull")

    def replug(self, slot: int) -> None:
        """Not in `can`: a plan that asks for it is refused by `plan.unstageable` before this could be called."""
        raise AssertionError("the virtual reader has no cable to plug in")

    def reset_by_other(self, slot: int) -> None:
        """Not in `can`: a plan that asks for it is refused by `plan.unstageable` before this could be called."""
        raise AssertionError("the virtual reader lets no other program reset a held card")

    def kill_service(self) -> None:
        """SIGKILL. vpcd dies with it, and so does every card's connection; the cards stay in the slots."""
        self._up = False
        self._daemon.kill()

    def start_service(self) -> None:
        """See `Hands`."""
        with self._moving:
            self._daemon.start()
            self._up = True
            for slot, put in list(self._cards.items()):
                put.remove()
                self.insert(slot, put.card)

    def tidy(self) -> None:
        """Take the cards out and wait until the service, started if need be, has seen it."""
        for slot in list(self._cards):
            self.remove(slot)
        if not self._up:
            self.start_service()
        self.wait_empty(range(len(VPCD_READERS)))

    def wait_empty(self, slots: range | tuple[int, ...]) -> None:
        """Wait until the service knows that these slots are empty. RuntimeError when it does not come to know it."""
        result, context = self.scard.establish_context()
        if result != 0:  # the service died in this moment
            return
        states = [(VPCD_READERS[slot], int(ReaderState.UNAWARE)) for slot in slots]
        while True:
            result, snapshots = self.scard.get_status_change(context, EMPTY_WITHIN_MS, states)
            if result != 0 or all(_seen_empty(snapshot) for snapshot in snapshots):
                break
            states = [(snapshot.reader, snapshot.known_state) for snapshot in snapshots]
        self.scard.release_context(context)
        if result != 0 and self._up:
            raise RuntimeError(f"the service does not see the slots empty: {result & 0xFFFFFFFF:#010x}")


def _seen_empty(snapshot: ReaderSnapshot) -> bool:
    """Whether pcscd has looked and found no card: an even counter, as each arrival and each departure moves it by one.

    A disconnection that fails as the card has left shows the slot empty before that look; a card that is back by then
    would stay unseen for ever (measured).
    """
    return not snapshot.present and snapshot.counter % 2 == 0
