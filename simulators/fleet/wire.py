"""HTTP/1.1 over TLS in asyncio, as little of it as one profile needs: thousands of connections in one process."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from kiosk.sync.messages import SignedRequest
from kiosk.sync.profile import MAX_HEADER_SECTION_BYTES, MAX_RESPONSE_BODY_BYTES
from kiosk.sync.wire import CONNECT_LIMIT_S, RawAnswer, WireFailure

HANDSHAKE_LIMIT_S: Final = 20.0
_FIXED: Final = "accept: */*\r\naccept-encoding: identity\r\nuser-agent: kiosk\r\n"
_LENGTH: Final = b"content-length"


class Connection:
    """One TLS connection. After a failure it is of no more use."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader, self._writer, self._host = reader, writer, host

    @classmethod
    async def open(cls, host: str, port: int, context: ssl.SSLContext) -> Connection | WireFailure:
        """Connect and shake hands."""
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(
                    host,
                    port,
                    ssl=context,
                    server_hostname=host,
                    limit=MAX_HEADER_SECTION_BYTES,
                    ssl_handshake_timeout=HANDSHAKE_LIMIT_S,
                    ssl_shutdown_timeout=1.0,
                ),
                CONNECT_LIMIT_S + HANDSHAKE_LIMIT_S,
            )
        except (OSError, TimeoutError) as error:
            return WireFailure(type(error).__name__)
        return cls(reader, writer, f"{host}:{port}")

    async def send(self, request: SignedRequest, body: bytes) -> WireFailure | None:
        """Write the whole request."""
        path = request.target_uri.partition(self._host)[2]
        fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
        head = f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\n{_FIXED}{fields}\r\n"
        try:
            self._writer.write(head.encode("ascii") + body)
            await self._writer.drain()
        except OSError as error:
            return WireFailure(type(error).__name__)
        return None

    async def receive(self, limit_s: float) -> RawAnswer | WireFailure:
        """The whole answer within `limit_s` seconds. Nothing of it is authenticated beyond TLS."""
        try:
            return await asyncio.wait_for(self._receive(), limit_s)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            return WireFailure(type(error).__name__)

    def is_closing(self) -> bool:
        """Whether either side has ended it."""
        return self._writer.is_closing() or self._reader.at_eof()

    def close(self) -> None:
        """Say goodbye, without waiting for the other side's."""
        self._writer.close()

    def abort(self) -> None:
        """As if the network had gone."""
        self._writer.transport.abort()

    async def _receive(self) -> RawAnswer | WireFailure:
        head = (await self._reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        version, _, status = head[0].partition(b" ")
        if version != b"HTTP/1.1" or not status[:3].isdigit():
            return WireFailure("not HTTP/1.1")
        headers: list[tuple[bytes, bytes]] = []
        length = b""
        for line in head[1:]:
            name, _, value = line.partition(b":")
            headers.append((name, value.strip()))
            if name.lower() == _LENGTH:
                length = value.strip()
        if not length.isdigit() or int(length) > MAX_RESPONSE_BODY_BYTES:
            return WireFailure("no acceptable length")
        return RawAnswer(int(status[:3]), headers, await self._reader.readexactly(int(length)))
