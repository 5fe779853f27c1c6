"""One slot of the embedded reader: the card in it, its power, and the state a PC/SC service would report."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final, Protocol

from kiosk.card.atr import ATR_MAX_BYTES, AtrError, parse_atr
from kiosk.hardware.pcsc.api import CardProtocol, Disposition, ReaderSnapshot, ReaderState


class Chip(Protocol):
    """What is put into a reader."""

    def power_on(self, cold: bool = True) -> bytes:
        """Reset the card; returns its ATR."""
        ...

    def power_off(self) -> None:
        """Take the power away."""
        ...

    def cut_power(self) -> None:
        """The power goes in the middle of `transmit`; any thread. `power_off` or `power_on` follows."""
        ...

    def transmit(self, command: bytes) -> bytes:
        """One TPDU; fewer than 2 bytes mean that no answer came."""
        ...


_insertions: Final = itertools.count(1)


@dataclass(slots=True, eq=False)
class Slot:
    """Guarded by the service's lock. `counter` also tells one insertion from another."""

    name: str
    chip: Chip | None = None
    atr: bytes = b""
    insertion: int = 0  # of the card, whatever becomes of reader and service meanwhile
    counter: int = 0
    powered: bool = False
    handle: int | None = None
    exchanging: bool = False
    held: bool = False  # by another program, EXCLUSIVE
    locked: bool = False  # by another program's transaction: connecting waits
    hanging: bool = False  # the driver does not come back from a command
    reset_wanted: bool = False  # by another program
    handle_reset: bool = False  # the connection has to hear of that reset

    @property
    def mute(self) -> bool:
        """Whether the card did not answer to reset, or with more bytes than an ATR has."""
        return self.chip is not None and not 1 <= len(self.atr) <= ATR_MAX_BYTES

    @property
    def event_state(self) -> int:
        """Flags and counter, without the CHANGED bit."""
        flags = ReaderState.EMPTY if self.chip is None else ReaderState.PRESENT
        if self.mute:
            flags |= ReaderState.MUTE
        if self.held or self.handle is not None:
            flags |= ReaderState.EXCLUSIVE
        elif self.locked:
            flags |= ReaderState.INUSE
        return int(flags) | (self.counter & 0xFFFF) << 16

    def differs(self, known: int) -> bool:
        """Whether a wait that knows this state ends at once. A known counter of zero is not compared."""
        now = self.event_state
        flags_differ = (known ^ now) & 0xFFFF & ~int(ReaderState.CHANGED) != 0
        return known == ReaderState.UNAWARE or flags_differ or known >> 16 not in (0, now >> 16)

    def snapshot(self, known: int) -> ReaderSnapshot:
        """What a wait that knows this state reports."""
        changed = int(ReaderState.CHANGED) if self.differs(known) else 0
        atr = self.atr if self.chip is not None and not self.mute else b""
        return ReaderSnapshot(self.name, self.event_state | changed, atr)

    def power_on(self) -> None:
        """Cold reset, unless the card has power."""
        if self.chip is not None and not self.powered:
            self.atr = self.chip.power_on(True)
            self.powered = True

    def power_off(self) -> None:
        """Take the power away, in the middle of a command if need be."""
        if self.chip is not None and self.powered:
            self._let_go(self.chip)
        self.powered = False

    def fill(self, chip: Chip) -> None:
        """A card is put in."""
        self.chip, self.insertion = chip, next(_insertions)
        self.power_on()
        self.counter += 1

    def empty(self) -> None:
        """The card is pulled out, in the middle of a command if need be."""
        chip, self.chip = self.chip, None
        if chip is None:
            return
        self.counter += 1
        self.powered = False
        self._let_go(chip)

    def _let_go(self, chip: Chip) -> None:
        """A command under way ends first, at once if it only waits; whoever sent it then says `power_off`."""
        if self.exchanging:
            chip.cut_power()
        else:
            chip.power_off()

    def reset(self) -> None:
        """The warm reset that another program wanted; nothing without a card under power."""
        self.reset_wanted = False
        if self.chip is not None and self.powered:
            self.atr = self.chip.power_on(False)
            self.handle_reset = self.handle is not None

    def end(self, disposition: Disposition) -> None:
        """What a disconnection does to the card."""
        if self.chip is None or not self.powered:
            return
        if disposition is Disposition.UNPOWER:
            self.power_off()
        elif disposition is Disposition.RESET:
            self.atr = self.chip.power_on(False)

    def choose_protocol(self, accepted: CardProtocol) -> CardProtocol | None:
        """The first protocol of the card's that is accepted; None: there is none, or the ATR is nonsense."""
        answer_to_reset = parse_atr(self.atr)
        if isinstance(answer_to_reset, AtrError):
            return None
        offered = [CardProtocol(1 << t) for t in answer_to_reset.protocols if t < 2]
        return next((protocol for protocol in offered if protocol & accepted), None)

    def fresh(self) -> Slot:
        """The same slot as a service sees it for the first time."""
        slot = Slot(self.name, self.chip, insertion=self.insertion)
        slot.power_on()
        return slot
