"""The reader's end of the vpcd wire, as the driver speaks it: listens, talks first, asks for the ATR."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

LIMIT_S = 30.0


class VpcdReader:
    """One slot on a free loopback port."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(LIMIT_S)
        self.port: int = self._server.getsockname()[1]
        self._card: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.eject()
        self._server.close()

    def accept(self) -> None:
        """A card connects."""
        self._card, _ = self._server.accept()
        self._card.settimeout(LIMIT_S)

    def eject(self) -> None:
        """The reader goes away."""
        if self._card is not None:
            self._card.close()
            self._card = None

    def send(self, payload: bytes) -> None:
        """One frame without waiting for an answer."""
        assert self._card is not None
        self._card.sendall(len(payload).to_bytes(2, "big") + payload)

    def receive(self) -> bytes:
        """One frame; b"" when the card left."""
        head = self._exactly(2)
        return self._exactly(int.from_bytes(head, "big")) if head else b""

    def ask(self, payload: bytes) -> bytes:
        """One frame each way."""
        self.send(payload)
        return self.receive()

    def receive_raw(self, limit: int) -> bytes:
        """Whatever the next read call gives: shows whether a frame left in one piece."""
        assert self._card is not None
        return self._card.recv(limit)

    def _exactly(self, length: int) -> bytes:
        assert self._card is not None
        data = b""
        while len(data) < length:
            part = self._card.recv(length - len(data))
            if not part:
                return b""
            data += part
        return data
