"""One EXCLUSIVE dialogue with one card: connect, exchange, end with an explicit disposition. Never reconnects."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from kiosk.card.apdu import CommandApdu, ResponseApdu
from kiosk.card.transport import TransportError, TransportProblem, complete_t0, complete_t1
from kiosk.hardware.pcsc.api import (
    CardProtocol,
    Disposition,
    PcscError,
    PcscProblem,
    ReaderSnapshot,
    ReaderState,
    Scard,
    denied_or_died,
    scard_call,
)

ANY_PROTOCOL: Final = CardProtocol.T0 | CardProtocol.T1
LOOK_AGAIN_MS: Final = 1000
"""pcscd looks at a slot every 400 ms: so long may a card that has left still be said to be there."""
_NEVER_SENT: Final = frozenset({PcscProblem.CARD_REMOVED, PcscProblem.CARD_RESET})
"""Results the resource manager gives before it passes the command to the driver.

"No card" is not one of them: libccid says so, too, of a card that left in the middle of the command (read in source).
"""
_OR_HAS_LEFT: Final = frozenset({PcscProblem.EXCHANGE_FAILED, PcscProblem.CARD_MUTE, PcscProblem.PROTOCOL_MISMATCH})
"""What is said, too, of a card that has left a slot the service has not looked at since: it gives no ATR, or half."""

Trace = Callable[[str], None]
"""Receives one redacted line per APDU: header, lengths, status word, duration."""


@dataclass(frozen=True, slots=True)
class LinkError:
    """Why an exchange has no answer. `command_sent` is False only if the command certainly never left the kiosk."""

    problem: PcscProblem
    detail: str
    command_sent: bool = True


class Guard(Protocol):
    """Limits one blocking call at a time; the watchdog looks at it from outside."""

    def enter(self, call: str, limit_s: float) -> None:
        """The card thread is about to block in `call`."""
        ...

    def leave(self) -> LinkError | None:
        """The call returned. An error: too late, the thread has been abandoned and must send nothing more."""
        ...


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Limits of single calls, monotonic seconds. libccid gives a silent card 3 s, extended by the card's own wish."""

    connect_s: float = 5.0
    apdu_s: float = 10.0
    idle_s: float = 7.0  # the monitor's own calls, waits included
    watch_every_s: float = 0.1
    stuck_s: float = 3.0  # an abandoned call that has not ended after this long needs the service restarted


@dataclass(frozen=True, slots=True)
class CardLine:
    """What a dialogue needs besides the card."""

    scard: Scard
    guard: Guard
    deadlines: Deadlines
    trace: Trace | None = None


class CardConnection:
    """Made by `open_connection`; used by one thread. After the first error every exchange repeats that error."""

    def __init__(
        self, line: CardLine, context: int, reader: str, card: int, protocol: CardProtocol, *, counter: int
    ) -> None:
        self._line = line
        self._context = context
        self._reader = reader
        self._counter = counter
        self._card = card
        self._protocol = protocol
        self._sent = False
        self.broken: LinkError | None = None

    def exchange(self, command: CommandApdu) -> ResponseApdu | LinkError:
        """One command under the protocol the card was connected with; completed as `kiosk.card.transport` says."""
        if self.broken is not None:
            return LinkError(self.broken.problem, self.broken.detail, command_sent=False)
        self._sent = False
        complete = complete_t0 if self._protocol is CardProtocol.T0 else complete_t1
        answer = complete(self._send, command)
        if isinstance(answer, TransportError):
            if answer.problem is TransportProblem.EXTENDED_ON_T0:
                return LinkError(PcscProblem.UNKNOWN, answer.problem, command_sent=False)
            answer = LinkError(PcscProblem.CARD_MALFORMED, answer.problem)
        if isinstance(answer, LinkError):
            self.broken = answer
        return answer

    def close(self, disposition: Disposition) -> None:
        """End the dialogue. What the service says to it changes nothing."""
        if self.broken is not None and self.broken.problem is PcscProblem.SERVICE_LOST:
            return  # the handle died with the service
        self._line.guard.enter("SCardDisconnect", self._line.deadlines.apdu_s)
        self._line.scard.disconnect(self._card, disposition)
        self._line.guard.leave()

    def _send(self, wire: bytes) -> bytes | LinkError:
        began_s = time.perf_counter()
        self._line.guard.enter("SCardTransmit", self._line.deadlines.apdu_s)
        answer = self._transmit(wire)
        late = self._line.guard.leave()
        self._sent = True
        if late is not None:
            answer = late
        if self._line.trace is not None:
            duration_ms = (time.perf_counter() - began_s) * 1000
            self._line.trace(f"{_redacted(wire)} -> {_outcome(answer)} in {duration_ms:.2f} ms")
        return answer

    def _transmit(self, wire: bytes) -> bytes | LinkError:
        """One SCardTransmit. Fewer than two bytes mean that the card left during it."""
        result = self._line.scard.transmit(self._card, self._protocol, wire)
        answer = scard_call("SCardTransmit", self._reader, result)
        if isinstance(answer, PcscError):
            sent = self._sent or answer.problem not in _NEVER_SENT
            return LinkError(_resolve(self._line, self._context, answer, self._counter), str(answer), sent)
        if len(answer) < 2:
            return LinkError(PcscProblem.CARD_REMOVED, f"SCardTransmit answered {len(answer)} bytes on {self._reader}")
        return answer


def open_connection(line: CardLine, context: int, reader: str, counter: int) -> CardConnection | LinkError:
    """Connect EXCLUSIVE with either protocol; the card's own choice is used. Errors never have `command_sent`.

    `counter`: the reader's event counter with the card that is meant. Connecting takes whatever card is in; another
    one put in since nobody has looked is told by the counter, and gets no command.
    """
    line.guard.enter("SCardConnect", line.deadlines.connect_s)
    result = line.scard.connect_exclusive(context, reader, ANY_PROTOCOL)
    connected = scard_call("SCardConnect", reader, result)
    if isinstance(connected, PcscError):
        connected = denied_or_died(line.scard, connected)
        failed = LinkError(_resolve(line, context, connected, counter), str(connected), command_sent=False)
        return line.guard.leave() or failed
    late = line.guard.leave()
    card, protocol = connected
    connection = CardConnection(line, context, reader, card, CardProtocol(protocol), counter=counter)
    refused = late or _other_card(line, context, reader, counter)
    if refused is not None:
        connection.close(Disposition.UNPOWER)
        return refused
    return connection


def _other_card(line: CardLine, context: int, reader: str, counter: int) -> LinkError | None:
    """Whether the card connected to is not the one meant; asked once the connection ends with any later removal."""
    line.guard.enter("SCardGetStatusChange", line.deadlines.connect_s)
    looked = _look(line.scard, context, reader, 0, int(ReaderState.UNAWARE))
    late = line.guard.leave()
    if late is not None:
        return late
    if isinstance(looked, PcscError):
        return LinkError(looked.problem, str(looked), command_sent=False)
    gone = _gone(looked, counter)
    return None if gone is None else LinkError(gone, f"another card in {reader}, or none", command_sent=False)


def _resolve(line: CardLine, context: int, error: PcscError, counter: int) -> PcscProblem:
    """Why the call failed: because the card has left, if the reader's state says so once it is fresh.

    The limit begins anew: the call may have used most of it.
    """
    if error.problem not in _OR_HAS_LEFT:
        return error.problem
    line.guard.enter(error.call, line.deadlines.apdu_s + LOOK_AGAIN_MS / 1000)
    looked = _look(line.scard, context, error.reader, 0, int(ReaderState.UNAWARE))
    while not isinstance(looked, PcscError):
        gone = _gone(looked, counter)
        if gone is not None:
            return gone
        looked = _look(line.scard, context, error.reader, LOOK_AGAIN_MS, looked.known_state)
    if looked.problem is not PcscProblem.WAIT_ENDED:
        return looked.problem
    return PcscProblem.CARD_SILENT if error.problem is PcscProblem.EXCHANGE_FAILED else error.problem


def _gone(looked: ReaderSnapshot, counter: int) -> PcscProblem | None:
    """What is missing for this to be the slot with the card that was put in when the counter stood so."""
    if looked.unavailable:
        return PcscProblem.READER_GONE
    return None if looked.present and looked.counter == counter else PcscProblem.CARD_REMOVED


def card_in_use(scard: Scard, reader: str) -> bool:
    """Whether some program is connected. Asked on a context of its own: a blocked thread's would wait as well."""
    context = scard_call("SCardEstablishContext", reader, scard.establish_context())
    if isinstance(context, PcscError):
        return False
    looked = _look(scard, context, reader, 0, int(ReaderState.UNAWARE))
    scard.release_context(context)
    return not isinstance(looked, PcscError) and looked.in_use


def _look(scard: Scard, context: int, reader: str, timeout_ms: int, known_state: int) -> ReaderSnapshot | PcscError:
    """The reader's state once it is not the known one; WAIT_ENDED if that is still so after the time."""
    result = scard.get_status_change(context, timeout_ms, [(reader, known_state)])
    snapshots = scard_call("SCardGetStatusChange", reader, result)
    return snapshots if isinstance(snapshots, PcscError) else snapshots[0]


def _redacted(wire: bytes) -> str:
    """Header and length of a command; never its data."""
    return f"{wire[:4].hex(' ').upper()} +{len(wire) - 4} bytes"


def _outcome(answer: bytes | LinkError) -> str:
    """Length and status word of an answer, or what went wrong; never its data."""
    if isinstance(answer, LinkError):
        return f"{answer.problem.name} ({answer.detail})"
    return f"{len(answer) - 2} bytes SW {answer[-2:].hex().upper()}"
