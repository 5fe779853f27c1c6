"""Frames over a Unix socket pair between two processes of the backend: a JSON head and raw bytes.

A frame is `>II` (bytes of head and rest), head, rest. Nobody else can reach a socket pair, so what comes is trusted and
a broken frame is a bug. What is written in one turn of the loop goes in one send.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any, Final, cast

import orjson

Head = dict[str, Any]
_LENGTHS: Final = struct.Struct(">II")


class Frames(asyncio.Protocol):
    """One end; made with `over`."""

    def __init__(self, on_frame: Callable[[Head, bytes], None], on_end: Callable[[], None]) -> None:
        """`on_frame` is told each whole frame in order, `on_end` that there will be no more."""
        self._on_frame, self._on_end = on_frame, on_end
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport
        self._received = bytearray()
        self._parts: list[bytes] = []

    @classmethod
    async def over(
        cls, sock: socket.socket, on_frame: Callable[[Head, bytes], None], on_end: Callable[[], None]
    ) -> Frames:
        """On this end of a pair, which becomes its own."""
        loop = asyncio.get_running_loop()
        _, frames = await loop.create_unix_connection(lambda: cls(on_frame, on_end), sock=sock)
        return frames

    def send(self, head: Head, rest: bytes = b"") -> None:
        """At the end of this turn of the loop."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        told = orjson.dumps(head)
        self._parts += (_LENGTHS.pack(len(told), len(rest)), told, rest)

    def close(self) -> None:
        """After what is written."""
        self._flush()
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of the loop."""
        self._transport = cast(asyncio.WriteTransport, transport)  # the loop's own class does not say so

    def data_received(self, data: bytes) -> None:
        """Of the loop."""
        self._received += data
        received, at = bytes(self._received), 0
        while len(received) - at >= _LENGTHS.size:
            head_bytes, rest_bytes = _LENGTHS.unpack_from(received, at)
            rest_at = at + _LENGTHS.size + head_bytes
            end = rest_at + rest_bytes
            if end > len(received):
                break
            self._on_frame(orjson.loads(received[at + _LENGTHS.size : rest_at]), received[rest_at:end])
            at = end
        del self._received[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        """Of the loop."""
        self._on_end()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts))
