"""A PC/SC service in the same process, behind the product's own `Scard` protocol: no daemon, same monitor, same hub.

Results, states and counters are those measured on pcscd with the virtual reader (hardware reference, PC/SC on Linux):
removal during a command is success with 0 bytes; a context outlives its service but stays dead; a cancel before the
wait is lost; the counter moves at each insertion and removal.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from kiosk.hardware.pcsc.api import PNP_NOTIFICATION, SUCCESS, CardProtocol, Disposition, ReaderSnapshot, ReaderState
from simulators.card.faults import CardGoneError, CardHangsError, PowerCutError
from simulators.reader.slot import Chip, Slot

READERS: Final = ("Embedded Reader 00 00", "Embedded Reader 00 01")

CANCELLED: Final = 0x80100002
INVALID_HANDLE: Final = 0x80100003
UNKNOWN_READER: Final = 0x80100009
TIMEOUT: Final = 0x8010000A
SHARING_VIOLATION: Final = 0x8010000B
NO_SMARTCARD: Final = 0x8010000C
PROTO_MISMATCH: Final = 0x8010000F
COMM_ERROR: Final = 0x80100013
READER_UNAVAILABLE: Final = 0x80100017
NO_SERVICE: Final = 0x8010001D
NO_READERS: Final = 0x8010002E
UNPOWERED_CARD: Final = 0x80100067
RESET_CARD: Final = 0x80100068
REMOVED_CARD: Final = 0x80100069


@dataclass(slots=True)
class _Context:
    service: int  # which start of the service it belongs to
    waiting: bool = False
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class _Handle:
    context: int
    reader: Slot
    counter: int


class EmbeddedScard:
    """`kiosk.hardware.pcsc.api.Scard` over simulated cards, and the hands that move them."""

    def __init__(self, readers: Sequence[str] = READERS) -> None:
        self._changed = threading.Condition()
        self._readers = {name: Slot(name) for name in readers}
        self._unplugged: dict[str, Slot] = {}
        self._service: int | None = 0
        self._starts = 0
        self._numbers = itertools.count(0x1000)
        self._contexts: dict[int, _Context] = {}
        self._handles: dict[int, _Handle] = {}

    # --- hands ----------------------------------------------------------------------------------------------------

    def insert(self, reader_name: str, chip: Chip) -> None:
        """Put a card in; ValueError when there is one already."""
        with self._changed:
            reader = self._readers.get(reader_name) or self._unplugged[reader_name]
            if reader.chip is not None:
                raise ValueError(f"there is a card in {reader_name}")
            reader.fill(chip)
            self._changed.notify_all()

    def remove(self, reader_name: str) -> None:
        """Pull the card out, at any moment, from any thread (from the card's own code, too); nothing if empty."""
        with self._changed:
            reader = self._readers.get(reader_name) or self._unplugged[reader_name]
            reader.empty()
            self._changed.notify_all()

    def swap(self, reader_name: str, chip: Chip) -> None:
        """Another card in its place, faster than any wait can see the slot empty; otherwise as `remove`."""
        with self._changed:
            reader = self._readers.get(reader_name) or self._unplugged[reader_name]
            reader.empty()
            reader.fill(chip)
            self._changed.notify_all()

    def reset_by_other(self, reader_name: str) -> None:
        """Another program resets the card, when the command that is under way has ended."""
        with self._changed:
            reader = self._readers[reader_name]
            reader.reset_wanted = True
            if not reader.exchanging:
                reader.reset()

    def unplug(self, reader_name: str) -> None:
        """Pull the reader's cable; a card stays in it, without power."""
        with self._changed:
            reader = self._unplugged[reader_name] = self._readers.pop(reader_name)
            reader.handle = None
            reader.counter += 1
            reader.power_off()
            self._changed.notify_all()

    def replug(self, reader_name: str) -> None:
        """Plug it in again: a new reader to the service, with the card that is in it."""
        with self._changed:
            self._readers[reader_name] = self._unplugged.pop(reader_name).fresh()
            self._changed.notify_all()

    def service_down(self) -> None:
        """The service dies: every context and connection is dead for ever, every wait ends."""
        with self._changed:
            self._service = None
            for reader in self._readers.values():
                reader.power_off()
            self._changed.notify_all()

    def service_up(self) -> None:
        """The service comes back with new counters and finds the cards that are in the slots."""
        with self._changed:
            self._starts += 1
            self._service = self._starts
            self._readers = {name: reader.fresh() for name, reader in self._readers.items()}
            self._changed.notify_all()

    @contextmanager
    def held_by_other(self, reader_name: str) -> Iterator[None]:
        """Another program is connected EXCLUSIVE meanwhile."""
        return self._while(reader_name, "held")

    @contextmanager
    def in_foreign_transaction(self, reader_name: str) -> Iterator[None]:
        """Another program holds a transaction meanwhile: connecting waits for its end."""
        return self._while(reader_name, "locked")

    @contextmanager
    def hanging(self, reader_name: str) -> Iterator[None]:
        """The driver swallows commands meanwhile: they end with the card's removal or the service's death only."""
        return self._while(reader_name, "hanging")

    def _while(self, reader_name: str, flag: str) -> Iterator[None]:
        with self._changed:
            reader = self._readers[reader_name]
            setattr(reader, flag, True)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                setattr(reader, flag, False)
                self._changed.notify_all()

    # --- the service ----------------------------------------------------------------------------------------------

    def establish_context(self) -> tuple[int, int]:
        with self._changed:
            if self._service is None:
                return NO_SERVICE, 0
            number = next(self._numbers)
            self._contexts[number] = _Context(self._service)
            return SUCCESS, number

    def release_context(self, context: int) -> tuple[int, None]:
        with self._changed:
            refused = self._refusal(context)
            self._contexts.pop(context, None)
            for number in [number for number, handle in self._handles.items() if handle.context == context]:
                self._end(number, Disposition.RESET)
            return refused, None

    def list_readers(self, context: int) -> tuple[int, tuple[str, ...]]:
        with self._changed:
            if refused := self._refusal(context):
                return refused, ()
            return (SUCCESS, tuple(self._readers)) if self._readers else (NO_READERS, ())

    def get_status_change(
        self, context: int, timeout_ms: int, states: Sequence[tuple[str, int]]
    ) -> tuple[int, tuple[ReaderSnapshot, ...]]:
        with self._changed:
            if refused := self._refusal(context):
                return refused, ()
            if any(name != PNP_NOTIFICATION and name not in self._readers for name, _ in states):
                return UNKNOWN_READER, ()
            own = self._contexts[context]
            readers_before = len(self._readers)
            own.waiting, own.cancelled = True, False

            def ended() -> bool:
                return (
                    own.cancelled
                    or own.service != self._service
                    or any(self._differs(name, known, readers_before) for name, known in states)
                )

            woken = self._changed.wait_for(ended, timeout_ms / 1000)
            own.waiting = False
            if own.service != self._service:
                return COMM_ERROR, ()
            if own.cancelled:
                return CANCELLED, ()
            snapshots = tuple(self._snapshot(name, known, readers_before) for name, known in states)
            return SUCCESS if woken else TIMEOUT, snapshots

    def cancel(self, context: int) -> tuple[int, None]:
        with self._changed:
            own = self._contexts.get(context)
            if own is not None and own.waiting:
                own.cancelled = True
                self._changed.notify_all()
            return SUCCESS, None

    def connect_exclusive(self, context: int, reader: str, protocols: CardProtocol) -> tuple[int, tuple[int, int]]:
        nothing = (0, 0)
        with self._changed:
            if refused := self._refusal(context):
                return refused, nothing
            service = self._service
            slot = self._readers.get(reader)
            if slot is None:
                return UNKNOWN_READER, nothing
            self._changed.wait_for(lambda: not slot.locked or self._service != service)
            if self._service != service:
                return COMM_ERROR, nothing
            if slot.chip is None:
                return NO_SMARTCARD, nothing
            if slot.held or slot.handle is not None:
                return SHARING_VIOLATION, nothing
            if slot.mute:
                return UNPOWERED_CARD, nothing
            slot.power_on()
            chosen = slot.choose_protocol(protocols)
            if chosen is None:
                return PROTO_MISMATCH, nothing
            number = next(self._numbers)
            self._handles[number] = _Handle(context, slot, slot.counter)
            slot.handle = number
            slot.handle_reset = False
            self._changed.notify_all()
            return SUCCESS, (number, int(chosen))

    def transmit(self, card: int, protocol: CardProtocol, command: bytes) -> tuple[int, bytes]:
        with self._changed:
            handle = self._handles.get(card)
            if handle is None:
                return INVALID_HANDLE, b""
            if refused := self._refusal(handle.context):
                return refused, b""
            reader, service = handle.reader, self._service
            if self._readers.get(reader.name) is not reader:
                return UNKNOWN_READER, b""
            chip = reader.chip
            if chip is None or reader.counter != handle.counter:
                return REMOVED_CARD, b""
            if reader.handle_reset:
                return RESET_CARD, b""

            def gone() -> bool:
                return reader.counter != handle.counter or self._service != service

            self._changed.wait_for(lambda: not reader.hanging or gone())
            reader.exchanging = True
            insertion = reader.insertion
        answer = b""
        try:
            if not gone():
                answer = chip.transmit(command)
        except PowerCutError:
            pass  # by the hand that moves the card, the reader or the service
        except CardGoneError:
            self._card_left(reader.name, insertion)
        except CardHangsError:
            with self._changed:
                self._changed.wait_for(gone)
        finally:
            with self._changed:
                reader.exchanging = False
                current = self._readers.get(reader.name)
                if gone() and (current is None or current.chip is not chip):
                    chip.power_off()
                if reader.reset_wanted:
                    reader.reset()
        if self._service != service:
            return COMM_ERROR, b""
        if current is not reader:
            return READER_UNAVAILABLE, b""
        return SUCCESS, b"" if gone() else answer

    def disconnect(self, card: int, disposition: Disposition) -> tuple[int, None]:
        with self._changed:
            handle = self._handles.get(card)
            if handle is None:
                return INVALID_HANDLE, None
            refused = self._refusal(handle.context)
            self._end(card, disposition)
            return refused, None

    def access_denied(self) -> bool:
        return False

    def _card_left(self, reader_name: str, insertion: int) -> None:
        """It left by itself, unless a hand was faster and it is in again."""
        with self._changed:
            reader = self._readers.get(reader_name) or self._unplugged[reader_name]
            if reader.insertion == insertion:
                self.remove(reader_name)

    def _refusal(self, context: int) -> int:
        """SUCCESS, or why this context cannot be used."""
        if self._service is None:
            return NO_SERVICE
        own = self._contexts.get(context)
        if own is None:
            return INVALID_HANDLE
        return SUCCESS if own.service == self._service else NO_SERVICE

    def _end(self, card: int, disposition: Disposition) -> None:
        handle = self._handles.pop(card)
        reader = handle.reader
        if reader.handle != card:
            return
        reader.handle = None
        if reader.counter == handle.counter:
            reader.end(disposition)
        self._changed.notify_all()

    def _differs(self, name: str, known: int, readers_before: int) -> bool:
        if name == PNP_NOTIFICATION:
            return len(self._readers) != readers_before
        reader = self._readers.get(name)
        return reader is None or reader.differs(known)

    def _snapshot(self, name: str, known: int, readers_before: int) -> ReaderSnapshot:
        reader = self._readers.get(name)
        if reader is not None:
            return reader.snapshot(known)
        if name == PNP_NOTIFICATION:
            return ReaderSnapshot(name, int(ReaderState.CHANGED) * (len(self._readers) != readers_before))
        return ReaderSnapshot(name, int(ReaderState.UNKNOWN | ReaderState.UNAVAILABLE | ReaderState.CHANGED))
