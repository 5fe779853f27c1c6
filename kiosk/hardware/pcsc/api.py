"""PC/SC as this kiosk uses it: a typed protocol, one choke point for results, and the only import of `smartcard`.

Numbers are those of the PC/SC workgroup's part 5 and of pcsc-lite's `pcsclite.h`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag, auto
from pathlib import Path
from typing import Final, Protocol, TypeVar

T = TypeVar("T")

SUCCESS: Final = 0
PNP_NOTIFICATION: Final = r"\\?PnP?\Notification"
"""Pseudo-reader whose state changes when a reader arrives or leaves."""


class ReaderState(IntFlag):
    """Flags of a reader state (low 16 bits); the high 16 bits hold the event counter."""

    UNAWARE = 0x0000
    CHANGED = 0x0002
    UNKNOWN = 0x0004
    UNAVAILABLE = 0x0008
    EMPTY = 0x0010
    PRESENT = 0x0020
    EXCLUSIVE = 0x0080
    INUSE = 0x0100
    MUTE = 0x0200


class CardProtocol(IntFlag):
    """Transmission protocols of ISO 7816-3, as PC/SC numbers them."""

    T0 = 1
    T1 = 2


class Disposition(IntEnum):
    """What becomes of the card when a connection ends."""

    LEAVE = 0
    RESET = 1
    UNPOWER = 2


class PcscProblem(Enum):
    """What can go wrong between kiosk and card, folded to what the kiosk tells apart."""

    SERVICE_LOST = auto()
    ACCESS_DENIED = auto()
    NO_READER = auto()
    READER_GONE = auto()
    READER_UNSEEN = auto()  # from the look at USB; PC/SC does not know of it
    READER_HUNG = auto()  # from the watchdog; PC/SC itself never says so
    HELD_BY_OTHER = auto()
    PROTOCOL_MISMATCH = auto()
    NO_CARD = auto()
    CARD_REMOVED = auto()
    CARD_RESET = auto()
    CARD_MUTE = auto()
    CARD_SILENT = auto()
    CARD_DIRTY = auto()  # from the contact counter
    CARD_MISPLACED = auto()  # from the look at the professional slot
    CARD_MALFORMED = auto()  # from the transport or the reading: an answer that cannot be understood
    EXCHANGE_FAILED = auto()  # to be resolved into CARD_REMOVED or CARD_SILENT by the reader's state
    WAIT_ENDED = auto()  # time-out or cancel of a wait: not an error
    UNKNOWN = auto()


PROBLEMS: Final[dict[int, PcscProblem]] = {
    0x8010001D: PcscProblem.SERVICE_LOST,  # no service
    0x80100013: PcscProblem.SERVICE_LOST,  # communication error: the service died under the call
    0x8010001E: PcscProblem.SERVICE_LOST,  # service stopped
    0x80100003: PcscProblem.SERVICE_LOST,  # invalid handle: the context is dead
    0x8010006A: PcscProblem.ACCESS_DENIED,
    0x8010002E: PcscProblem.NO_READER,
    0x80100009: PcscProblem.READER_GONE,
    0x80100017: PcscProblem.READER_GONE,
    0x8010000C: PcscProblem.NO_CARD,
    0x80100069: PcscProblem.CARD_REMOVED,
    0x80100068: PcscProblem.CARD_RESET,
    0x80100016: PcscProblem.EXCHANGE_FAILED,
    0x80100067: PcscProblem.CARD_MUTE,
    0x80100066: PcscProblem.CARD_MUTE,
    0x8010000F: PcscProblem.PROTOCOL_MISMATCH,
    0x8010000B: PcscProblem.HELD_BY_OTHER,
    0x8010000A: PcscProblem.WAIT_ENDED,
    0x80100002: PcscProblem.WAIT_ENDED,
}

_AUTHORISED: Final = frozenset({"SCardEstablishContext", "SCardConnect"})
"""The calls polkit may deny. From any other the same result means that the service died under it (measured)."""


@dataclass(frozen=True, slots=True)
class PcscError:
    """One failed call. `code` is the unsigned result, or SUCCESS where the call succeeded without a usable answer."""

    problem: PcscProblem
    call: str
    code: int
    reader: str = ""

    def __str__(self) -> str:
        """One line for the technician: call, result and reader; nothing of the card."""
        return f"{self.call} {self.code:#010x}" + (f" on {self.reader}" if self.reader else "")


def scard_call(call: str, reader: str, result: tuple[int, T]) -> T | PcscError:
    """The one choke point: the output of a successful call, or the named failure *without* its output.

    pyscard returns the result signed or unsigned depending on the build, hence the mask. The output of a failed call
    may hold bytes of an earlier answer, so it goes no further than here.
    """
    code = result[0] & 0xFFFFFFFF
    if code == SUCCESS:
        return result[1]
    problem = PROBLEMS.get(code, PcscProblem.UNKNOWN)
    if problem is PcscProblem.ACCESS_DENIED and call not in _AUTHORISED:
        problem = PcscProblem.SERVICE_LOST
    return PcscError(problem, call, code, reader)


@dataclass(frozen=True, slots=True)
class ReaderSnapshot:
    """State of one reader: `event_state` whole (flags and counter), ATR of the card if powered up."""

    reader: str
    event_state: int
    atr: bytes = b""

    @property
    def known_state(self) -> int:
        """What to feed back into the next wait: everything, counter included, but the CHANGED bit."""
        return self.event_state & ~int(ReaderState.CHANGED)  # an IntFlag's own complement would drop the counter

    @property
    def counter(self) -> int:
        """Event counter, 16 bits: moves at each insertion and each removal."""
        return self.event_state >> 16 & 0xFFFF

    @property
    def present(self) -> bool:
        """Whether a card is in the slot, mute or not."""
        return bool(self.event_state & ReaderState.PRESENT)

    @property
    def unavailable(self) -> bool:
        """Whether the service cannot say what is in the slot: the reader does not answer it, or is no longer there."""
        return bool(self.event_state & (ReaderState.UNAVAILABLE | ReaderState.UNKNOWN))

    @property
    def mute(self) -> bool:
        """Whether the card did not answer to reset."""
        return bool(self.event_state & ReaderState.MUTE)

    @property
    def in_use(self) -> bool:
        """Whether some program is connected to the card."""
        return bool(self.event_state & (ReaderState.INUSE | ReaderState.EXCLUSIVE))


class Scard(Protocol):
    """The calls of `smartcard.scard` in use. Each returns (result, output); results may be signed. Any thread.

    One context serves one thread at a time; only `cancel` is called from another one.
    """

    def establish_context(self) -> tuple[int, int]:
        """SCardEstablishContext, system scope → context."""
        ...

    def release_context(self, context: int) -> tuple[int, None]:
        """SCardReleaseContext."""
        ...

    def list_readers(self, context: int) -> tuple[int, tuple[str, ...]]:
        """SCardListReaders → reader names."""
        ...

    def get_status_change(
        self, context: int, timeout_ms: int, states: Sequence[tuple[str, int]]
    ) -> tuple[int, tuple[ReaderSnapshot, ...]]:
        """SCardGetStatusChange on (reader, state as last seen); the snapshots are valid at time-out, too."""
        ...

    def cancel(self, context: int) -> tuple[int, None]:
        """SCardCancel: ends a wait on this context; lost when none is going on."""
        ...

    def connect_exclusive(self, context: int, reader: str, protocols: CardProtocol) -> tuple[int, tuple[int, int]]:
        """SCardConnect, EXCLUSIVE → (card handle, protocol chosen)."""
        ...

    def transmit(self, card: int, protocol: CardProtocol, command: bytes) -> tuple[int, bytes]:
        """SCardTransmit → the answer; fewer than 2 bytes mean that the card is gone."""
        ...

    def disconnect(self, card: int, disposition: Disposition) -> tuple[int, None]:
        """SCardDisconnect."""
        ...

    def access_denied(self) -> bool:
        """Whether the service's socket exists but may not be written: a refusal looks like an absent service."""
        ...


DENIED_AGAIN_S: Final = (0.0, 0.05, 0.2)
"""Pauses before it is asked again: a service that is being killed refuses for as long as the kernel takes to end it."""


def denied_or_died(scard: Scard, error: PcscError) -> PcscError:
    """The error again; a denial is one only if the service is still there to deny, and still does.

    pcsc-lite says "denied" as well when the service is killed under SCardEstablishContext (measured: once in a while
    twice in a row).
    """
    if error.problem is not PcscProblem.ACCESS_DENIED:
        return error
    for pause_s in DENIED_AGAIN_S:
        time.sleep(pause_s)
        again = scard_call("SCardEstablishContext", error.reader, scard.establish_context())
        if not isinstance(again, PcscError):
            scard.release_context(again)
            if error.call != "SCardEstablishContext":
                return error
            return PcscError(PcscProblem.SERVICE_LOST, error.call, error.code, error.reader)  # nobody denies it
        if again.problem is not PcscProblem.ACCESS_DENIED:
            return PcscError(again.problem, error.call, error.code, error.reader)
    return error


class PyscardScard:
    """`Scard` over the installed PC/SC service."""

    def __init__(self) -> None:
        from smartcard import scard  # noqa: PLC0415  # loads libpcsclite: only when this adapter is chosen

        self._scard = scard

    def establish_context(self) -> tuple[int, int]:
        result, context = self._scard.SCardEstablishContext(self._scard.SCARD_SCOPE_SYSTEM)
        return result, context

    def release_context(self, context: int) -> tuple[int, None]:
        return self._scard.SCardReleaseContext(context), None

    def list_readers(self, context: int) -> tuple[int, tuple[str, ...]]:
        result, names = self._scard.SCardListReaders(context, [])
        return result, tuple(names)

    def get_status_change(
        self, context: int, timeout_ms: int, states: Sequence[tuple[str, int]]
    ) -> tuple[int, tuple[ReaderSnapshot, ...]]:
        result, rows = self._scard.SCardGetStatusChange(context, timeout_ms, list(states))
        return result, tuple(ReaderSnapshot(name, state, bytes(atr)) for name, state, atr in rows)

    def cancel(self, context: int) -> tuple[int, None]:
        return self._scard.SCardCancel(context), None

    def connect_exclusive(self, context: int, reader: str, protocols: CardProtocol) -> tuple[int, tuple[int, int]]:
        result, card, protocol = self._scard.SCardConnect(
            context, reader, self._scard.SCARD_SHARE_EXCLUSIVE, int(protocols)
        )
        return result, (card, protocol)

    def transmit(self, card: int, protocol: CardProtocol, command: bytes) -> tuple[int, bytes]:
        pci = self._scard.SCARD_PCI_T0 if protocol is CardProtocol.T0 else self._scard.SCARD_PCI_T1
        result, answer = self._scard.SCardTransmit(card, pci, list(command))
        return result, bytes(answer) if result == SUCCESS else b""

    def disconnect(self, card: int, disposition: Disposition) -> tuple[int, None]:
        return self._scard.SCardDisconnect(card, int(disposition)), None

    def access_denied(self) -> bool:
        socket = Path(os.environ.get("PCSCLITE_CSOCK_NAME", "/run/pcscd/pcscd.comm"))
        return socket.exists() and not os.access(socket, os.W_OK)
