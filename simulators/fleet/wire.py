"""HTTP/1.1 over TLS, as little of it as one profile needs: ten thousand connections in one process.

OpenSSL reads and writes the socket itself and the event loop only says when: a connection has no stream, no protocol
and no buffer of its own between two answers. As the kiosk's own pool it ends a connection without a word of TLS.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from typing import Final, TypeVar

from kiosk.sync.messages import SignedRequest
from kiosk.sync.profile import MAX_HEADER_SECTION_BYTES, MAX_RESPONSE_BODY_BYTES
from kiosk.sync.wire import CONNECT_LIMIT_S, RawAnswer, WireFailure

READ_BYTES: Final = 16 * 1024
"""One TLS record: OpenSSL gives no more at once."""
REFUSED: Final = WireFailure("connection refused")
RESET: Final = WireFailure("connection reset")
ENDED: Final = WireFailure("ended before the answer")
NO_CONNECTION: Final = WireFailure("no connection in time")
NO_HANDSHAKE: Final = WireFailure("no handshake in time")
NO_ANSWER: Final = WireFailure("no answer in time")
NOT_HTTP: Final = WireFailure("not HTTP/1.1")
NO_LENGTH: Final = WireFailure("no acceptable length")
TOO_LONG: Final = WireFailure("header section too long")
UNASKED: Final = WireFailure("more than was asked for")
_FIXED: Final = "accept: */*\r\naccept-encoding: identity\r\nuser-agent: kiosk\r\n"
T = TypeVar("T")


class Connection:
    """One TLS connection, for one exchange at a time. After a failure it is of no more use."""

    def __init__(self, tls: ssl.SSLSocket, host: str) -> None:
        """`tls`: non-blocking, its handshake done. host: with the port, as it is signed."""
        self._loop = asyncio.get_running_loop()
        self._tls, self._host = tls, host
        self._unsent = memoryview(b"")
        self._received = b""
        self._ended: WireFailure | None = None
        self._waiting: asyncio.Future[RawAnswer | WireFailure] | None = None
        self._loop.add_reader(tls.fileno(), self._read)

    @classmethod
    async def open(cls, host: str, port: int, context: ssl.SSLContext, limit_s: float) -> Connection | WireFailure:
        """Connect and shake hands within `limit_s` seconds."""
        end_s = time.monotonic() + limit_s
        tls: socket.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        is_open = False
        try:
            tls.setblocking(False)
            tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not await _connect(tls, (host, port), min(limit_s, CONNECT_LIMIT_S)):
                return NO_CONNECTION
            tls = context.wrap_socket(tls, server_hostname=host, do_handshake_on_connect=False)
            if not await _shake_hands(tls, end_s):
                return NO_HANDSHAKE
            is_open = True
            return cls(tls, f"{host}:{port}")
        except OSError as error:
            return _failure(error)
        finally:
            if not is_open:
                tls.close()

    async def exchange(self, request: SignedRequest, body: bytes, limit_s: float) -> RawAnswer | WireFailure:
        """Send the request and take its answer within `limit_s` seconds. Nothing of it is authenticated beyond TLS."""
        if self._ended is not None:
            return self._ended
        self._waiting = self._loop.create_future()
        late = self._loop.call_later(limit_s, self._end, NO_ANSWER)
        try:
            self._unsent = memoryview(self._head(request) + body)
            self._write()
            return await self._waiting
        finally:
            late.cancel()
            self._waiting = None

    def is_closing(self) -> bool:
        """Whether either side has ended it."""
        return self._ended is not None

    def close(self) -> None:
        """End it, if that has not happened yet."""
        self._end(ENDED)

    def _head(self, request: SignedRequest) -> bytes:
        path = request.target_uri.partition(self._host)[2]
        fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
        return f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\n{_FIXED}{fields}\r\n".encode("ascii")

    def _write(self) -> None:
        """As much as the socket takes; the rest when it takes more."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self._tls.send(self._unsent) :]
            self._loop.remove_writer(self._tls.fileno())
        except ssl.SSLWantWriteError:
            self._loop.add_writer(self._tls.fileno(), self._write)
        except OSError as error:
            self._end(_failure(error))

    def _read(self) -> None:
        """The socket has something: collect it until an answer is whole."""
        try:
            data = self._tls.recv(READ_BYTES)
            while data and self._tls.pending():
                data += self._tls.recv(READ_BYTES)
        except ssl.SSLWantReadError:
            return
        except OSError as error:
            self._end(_failure(error))
            return
        self._received += data
        answer = parse(self._received) if data else ENDED
        if isinstance(answer, WireFailure):
            self._end(answer)
        elif self._waiting is None:
            self._end(UNASKED)
        elif answer is not None:
            self._received = b""
            _tell(self._waiting, answer)

    def _end(self, failure: WireFailure) -> None:
        if self._ended is None:
            self._ended = failure
            self._loop.remove_reader(self._tls.fileno())
            self._loop.remove_writer(self._tls.fileno())
            self._tls.close()
            if self._waiting is not None:
                _tell(self._waiting, failure)


def parse(received: bytes) -> RawAnswer | WireFailure | None:
    """A whole answer of known length and nothing after it; None while something is missing."""
    head, end, body = received.partition(b"\r\n\r\n")
    if len(head) > MAX_HEADER_SECTION_BYTES:
        return TOO_LONG
    if not end:
        return None
    first, *lines = head.split(b"\r\n")
    version, _, status = first.partition(b" ")
    if version != b"HTTP/1.1" or not status[:3].isdigit():
        return NOT_HTTP
    headers: list[tuple[bytes, bytes]] = []
    length = b""
    for line in lines:
        name, _, value = line.partition(b":")
        headers.append((name, value.strip()))
        if name.lower() == b"content-length":
            length = value.strip()
    if not length.isdigit() or int(length) > MAX_RESPONSE_BODY_BYTES:
        return NO_LENGTH
    if len(body) < int(length):
        return None
    return UNASKED if len(body) > int(length) else RawAnswer(int(status[:3]), headers, body)


async def _connect(sock: socket.socket, address: tuple[str, int], limit_s: float) -> bool:
    try:
        sock.connect(address)
    except BlockingIOError:
        if not await _is_ready(sock, limit_s, to_write=True):
            return False
        if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(number, os.strerror(number)) from None
    return True


async def _shake_hands(tls: ssl.SSLSocket, end_s: float) -> bool:
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            if not await _is_ready(tls, end_s - time.monotonic(), to_write=False):
                return False
        else:
            return True


async def _is_ready(sock: socket.socket, limit_s: float, *, to_write: bool) -> bool:
    """Wait until the socket can be read, or written; False when that took too long."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[bool] = loop.create_future()
    late = loop.call_later(limit_s, _tell, ready, False)
    (loop.add_writer if to_write else loop.add_reader)(sock.fileno(), _tell, ready, True)
    try:
        return await ready
    finally:
        late.cancel()
        (loop.remove_writer if to_write else loop.remove_reader)(sock.fileno())


def _tell(waiting: asyncio.Future[T], what: T) -> None:
    if not waiting.done():
        waiting.set_result(what)


def _failure(error: OSError) -> WireFailure:
    """The kind of failure; the text of a library is for nobody."""
    match error:
        case ConnectionRefusedError():
            return REFUSED
        case ConnectionResetError() | BrokenPipeError() | ssl.SSLEOFError():
            return RESET
        case ssl.SSLError():
            return WireFailure(f"TLS: {error.reason or 'refused'}")
    return WireFailure(type(error).__name__)
