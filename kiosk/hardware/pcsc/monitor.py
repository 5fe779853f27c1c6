"""The monitor: one thread with its own PC/SC context that watches readers and slots and publishes what changed.

It never talks to a card. Rules and codes: hardware reference, "The monitor".
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from kiosk.hardware.pcsc.api import (
    PNP_NOTIFICATION,
    PcscError,
    PcscProblem,
    ReaderSnapshot,
    ReaderState,
    Scard,
    denied_or_died,
    scard_call,
)
from kiosk.hardware.pcsc.bounded import within

T = TypeVar("T")

WAIT_MS = 2000
FIRST_RETRY_S = 0.1
LAST_RETRY_S = 2.0
CANCEL_EVERY_S = 0.05
CANCEL_LIMIT_S = 0.5
STOP_LIMIT_S = 3.0
"""Longer than one wait: without a working cancel the thread still ends by itself, unless the service holds it."""
SETTLE_S = 0.02
SETTLE_TRIES = 100
"""pcscd writes flags, ATR and counter one after the other, and its clients may read them in between."""
MUTE_AGAIN_S = 0.1
"""Before the second look at a mute card. The first is 0.41 s old when libpcsclite hands it out, and pcscd says the same
of a card that was pulled while it was powered up, until it looks at the slot again: after 0.4 s (measured)."""


@dataclass(frozen=True, slots=True)
class ServiceLost:
    """The PC/SC service cannot be used, or could not for a while; every reader and card known so far is void."""

    error: PcscError


@dataclass(frozen=True, slots=True)
class ReadersChanged:
    """The readers there are now, in the service's order; perhaps none. First event after the service (re)appears."""

    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlotFilled:
    """A card was inserted. `counter`: the reader's event counter with this card in, 16 bits."""

    reader: str
    atr: bytes
    mute: bool
    counter: int


@dataclass(frozen=True, slots=True)
class SlotEmptied:
    """That card has left."""

    reader: str


MonitorEvent = ServiceLost | ReadersChanged | SlotFilled | SlotEmptied


class Monitor:
    """Publishes `MonitorEvent`s from its own thread. `start` once; `stop` in bounded time."""

    def __init__(
        self, scard: Scard, publish: Callable[[MonitorEvent], None], wait: Callable[[float], bool] | None = None
    ) -> None:
        """`wait(seconds)` pauses between attempts and says whether to stop; tests replace it."""
        self._scard = scard
        self._publish = publish
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._context: int | None = None
        self._readers: tuple[str, ...] | None = None
        self._slots: dict[str, ReaderSnapshot] = {}
        self._arriving: dict[str, int] = {}  # looks at a card that has no ATR yet
        self._muted: dict[str, int] = {}  # counter with a mute card that was looked at once
        self._lost: PcscProblem | None = None
        self._calls = 0
        self._inside = False
        self._given_up = False
        self._thread = threading.Thread(target=self.run, name="pcsc-monitor", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, whatever it waits for; one that the service holds is left behind.

        A cancel before the wait is lost, so it is repeated, as long as the service takes cancels at all.
        """
        self._stopping.set()
        cancels = True
        for _ in range(round(STOP_LIMIT_S / CANCEL_EVERY_S)):
            if not self._thread.is_alive():
                return
            context = self._context
            if context is not None and cancels:
                cancels = within(CANCEL_LIMIT_S, partial(self._scard.cancel, context)) is not None
            self._thread.join(CANCEL_EVERY_S)

    @property
    def alive(self) -> bool:
        """Whether the thread is there; it may be inside the service for as long as that hangs."""
        return self._thread.is_alive()

    @property
    def call(self) -> int | None:
        """Number of the call that is inside the service now; None between two. The waits are as long as `WAIT_MS`."""
        return self._calls if self._inside else None

    def give_up(self) -> None:
        """The call inside the service takes too long: whoever looked has told so. Once it ends, begin anew."""
        self._given_up = True

    def run(self) -> None:
        """The thread's body: watch for as long as the service lives, then pause and begin again."""
        retry_s = FIRST_RETRY_S
        while not self._stopping.is_set():
            context = scard_call("SCardEstablishContext", "", self._ask(self._scard.establish_context))
            if isinstance(context, PcscError):
                error = denied_or_died(self._scard, context)
            else:
                self._context = context
                error = self._watch(context)
                self._context = None
                self._ask(
                    partial(self._scard.release_context, context)
                )  # its result tells nothing when the service is gone
            if self._stopping.is_set():
                return
            if self._readers is not None:
                retry_s = FIRST_RETRY_S
            self._lose(error)
            if self._wait(retry_s):
                return
            retry_s = min(2 * retry_s, LAST_RETRY_S)

    def _ask(self, call: Callable[[], T]) -> T:
        self._calls += 1
        self._inside = True
        try:
            return call()
        finally:
            self._inside = False

    def _lose(self, error: PcscError) -> None:
        """Publish the loss once per cause; a refused socket looks like an absent service."""
        if error.problem is PcscProblem.SERVICE_LOST and self._scard.access_denied():
            error = PcscError(PcscProblem.ACCESS_DENIED, error.call, error.code)
        if self._readers is not None or error.problem is not self._lost:
            self._publish(ServiceLost(error))
        self._lost = error.problem
        self._readers = None
        self._slots.clear()

    def _watch(self, context: int) -> PcscError:
        """List, compare, wait, again; returns the error that ended it."""
        pnp_state = int(ReaderState.UNAWARE)
        while True:
            listed = scard_call("SCardListReaders", "", self._ask(partial(self._scard.list_readers, context)))
            if isinstance(listed, PcscError):
                if listed.problem is not PcscProblem.NO_READER:
                    return listed
                listed = ()
            unchanged = listed == self._readers
            self._compare_readers(listed)
            known = {name: slot.known_state for name, slot in self._slots.items()}
            states = [(name, known.get(name, int(ReaderState.UNAWARE))) for name in listed]
            states.append((PNP_NOTIFICATION, pnp_state))
            result, snapshots = self._ask(partial(self._scard.get_status_change, context, WAIT_MS, states))
            if self._given_up:
                self._given_up = False
                return PcscError(PcscProblem.READER_HUNG, "SCardGetStatusChange", result)
            waited = scard_call("SCardGetStatusChange", "", (result, None))
            if isinstance(waited, PcscError):
                if self._stopping.is_set():
                    return waited
                if waited.problem is PcscProblem.READER_GONE:
                    if unchanged and self._wait(FIRST_RETRY_S):  # still listed and already unknown: no busy loop
                        return waited
                    continue
                if waited.problem is not PcscProblem.WAIT_ENDED:
                    return waited
            elif self._stopping.is_set():
                return PcscError(PcscProblem.WAIT_ENDED, "SCardGetStatusChange", result)
            settle_s = 0.0
            for snapshot in snapshots:
                if snapshot.reader == PNP_NOTIFICATION:
                    pnp_state = snapshot.known_state
                elif not snapshot.event_state & ReaderState.UNKNOWN:
                    settle_s = max(settle_s, self._compare_slot(snapshot))
            if settle_s and self._wait(settle_s):
                return PcscError(PcscProblem.WAIT_ENDED, "SCardGetStatusChange", result)

    def _compare_readers(self, listed: tuple[str, ...]) -> None:
        for name in [name for name in self._slots if name not in listed]:
            if self._slots.pop(name).present:
                self._publish(SlotEmptied(name))
        if listed != self._readers:
            self._readers = listed
            self._lost = None
            self._muted.clear()
            self._publish(ReadersChanged(listed))

    def _compare_slot(self, new: ReaderSnapshot) -> float:
        """Publish what happened between two snapshots; a moved counter with a card before and after is a swap.

        Not 0: so long should pass before the next look, as the card is still arriving (neither ATR nor MUTE) or nobody
        knows yet whether a mute one is still in; nothing is published and the old state stays known.
        """
        if settle_s := self._settle_s(new):
            return settle_s
        self._arriving.pop(new.reader, None)
        self._muted.pop(new.reader, None)
        old = self._slots.get(new.reader)
        self._slots[new.reader] = new
        was_present = old is not None and old.present
        swapped = was_present and new.present and old is not None and old.counter != new.counter
        if was_present and (not new.present or swapped):
            self._publish(SlotEmptied(new.reader))
        if new.present and (not was_present or swapped):
            self._publish(SlotFilled(new.reader, new.atr, new.mute, new.counter))
        return 0.0

    def _settle_s(self, new: ReaderSnapshot) -> float:
        """How long to wait for the rest of what there is to know of this slot; 0 when that is all."""
        if not new.present or new.atr:
            return 0.0
        if not new.mute:
            looks = self._arriving[new.reader] = self._arriving.get(new.reader, 0) + 1
            return SETTLE_S if looks <= SETTLE_TRIES else 0.0
        known = self._slots.get(new.reader)
        if (known is not None and known.mute and known.counter == new.counter) or (
            self._muted.get(new.reader) == new.counter
        ):
            return 0.0
        self._muted[new.reader] = new.counter
        return MUTE_AGAIN_S
