"""The virtual reader's wire: a simulated card in a slot of vpcd, the reader driver that `pcscd` loads.

vpcd listens, the card connects; connecting is inserting, closing is removing. Frames are a 2-byte big-endian length
and a payload. A payload of one byte is control (power off, on, reset: no answer; ATR: answer); anything else is an APDU
and gets exactly one frame. The kernel's delayed acknowledgement would cost 44 ms an APDU: TCP_QUICKACK is set before
each receive, and each answer leaves in one call.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import Final

from simulators.card.card import SimulatedCard
from simulators.card.faults import CardGoneError, CardHangsError

SLOT_LIVE_S: Final = 1.5
"""vpcd asks for the ATR every 0.4 s. A second card on a busy port connects and hears nothing."""
_CLOSE_EVERY_S: Final = 0.05
_CLOSE_TRIES: Final = 100

Connect = Callable[[tuple[str, int], float], socket.socket]
"""Address and seconds to a connected socket, or OSError."""


class Control(IntEnum):
    """A payload of one byte. Only the question for the ATR is answered."""

    POWER_OFF = 0x00
    POWER_ON = 0x01
    RESET = 0x02
    ATR = 0x04


class SlotProblem(StrEnum):
    """Why a card could not be inserted."""

    NO_READER = "nothing listens at this address"
    SLOT_TAKEN = "the slot does not speak: another card is in it"


class VpcdCard:
    """A card that can be put into one vpcd slot and pulled out, served by a thread of its own.

    `gone` is set whenever the card is not in the slot: pulled out, vanished as planned, or the reader closed.
    """

    def __init__(self, card: SimulatedCard, host: str, port: int, connect: Connect = socket.create_connection) -> None:
        """`connect` makes the connection; a reader in another network namespace needs its own way."""
        self.card = card
        self._connect = connect
        self.gone = threading.Event()
        self.gone.set()
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._live = threading.Event()

    def insert(self, live_within_s: float = SLOT_LIVE_S) -> SlotProblem | None:
        """Connect and wait until the reader asks for the ATR. The card is not in the slot after a problem."""
        self.remove()
        try:
            connection = self._connect(self._address, live_within_s)
        except OSError:
            return SlotProblem.NO_READER
        connection.settimeout(None)
        self._live.clear()
        self.gone.clear()
        self._socket = connection
        self._thread = threading.Thread(target=self._serve, args=(connection,), name="vpcd-card", daemon=True)
        self._thread.start()
        if self._live.wait(live_within_s):
            return None
        self.remove()
        return SlotProblem.SLOT_TAKEN

    def remove(self) -> None:
        """Close the connection, in the middle of an APDU if need be. Does nothing without a card in the slot."""
        connection, thread = self._socket, self._thread
        self._socket = self._thread = None
        if connection is None or thread is None:
            return
        _shut(connection)
        # The card may be late with an answer, as planned, or begin to be: nobody waits for that.
        for _ in range(_CLOSE_TRIES):
            self.card.cut_power()
            thread.join(_CLOSE_EVERY_S)
            if not thread.is_alive():
                return

    def _serve(self, connection: socket.socket) -> None:
        try:
            while (payload := _receive_frame(connection)) is not None:
                answer = self._answer(payload)
                if answer:
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)
                if payload == bytes([Control.ATR]):
                    self._live.set()
        except (OSError, CardGoneError):
            pass  # reader closed, or card pulled as planned: both end the session
        finally:
            _shut(connection)
            connection.close()
            self.card.power_off()
            self.gone.set()

    def _answer(self, payload: bytes) -> bytes:
        """The frame to send, b"" for none. Raises `CardGoneError` for a card that leaves."""
        match payload[0] if len(payload) == 1 else None:
            case Control.POWER_OFF:
                self.card.power_off()
            case Control.POWER_ON:
                self.card.power_on()
            case Control.RESET:
                self.card.power_on(cold=False)
            case Control.ATR:
                return self.card.atr
            case None:
                return self._exchange(payload)
        return b""

    def _exchange(self, apdu: bytes) -> bytes:
        try:
            answer = self.card.transmit(apdu)
        except CardHangsError:
            return b""  # silence: the reader waits until the card is pulled
        if not answer:
            raise CardGoneError  # no power: an empty frame would hang the slot for ever
        return answer


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was faster
        connection.shutdown(socket.SHUT_RDWR)


def _receive_frame(connection: socket.socket) -> bytes | None:
    """The next payload; None at the end of the connection. A frame without payload is skipped."""
    while True:
        head = _receive(connection, 2)
        if head is None:
            return None
        length = int.from_bytes(head, "big")
        if length:
            return _receive(connection, length)


def _receive(connection: socket.socket, length: int) -> bytes | None:
    data = b""
    while len(data) < length:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = connection.recv(length - len(data))
        if not part:
            return None
        data += part
    return data
