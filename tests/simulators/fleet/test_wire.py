"""What the thin client takes for an answer, and how a connection comes to its end, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync.profile import MAX_HEADER_SECTION_BYTES, MAX_RESPONSE_BODY_BYTES
from kiosk.sync.signature import sign_request
from kiosk.sync.uploader import EVENTS_ROUTE
from kiosk.sync.wire import RawAnswer, WireFailure
from simulators.backend.authority import open_authority
from simulators.backend.clock import system_utc_s, utc
from simulators.backend.files import DataDir
from simulators.backend.tls import ServerCertificate, ServerTls
from simulators.fleet import wire
from simulators.fleet.identity import Purpose, TlsIdentities, private_key, signing_key
from simulators.fleet.wire import Connection, parse

HOST = "127.0.0.1"
KIOSK = "fleet-1-00001"
SECRET = bytes(32)
LIMIT_S = 20.0
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"


@given(
    st.integers(100, 599),
    st.lists(st.sampled_from([(b"content-type", b"application/json"), (b"x-odd", b"a: b")]), max_size=3),
    st.binary(max_size=200),
    st.integers(0, 400),
)
@settings(max_examples=60, deadline=None)
def test_a_whole_answer_comes_back_as_it_was_sent(
    status: int, fields: list[tuple[bytes, bytes]], body: bytes, cut: int
) -> None:
    fields = [*fields, (b"Content-Length", str(len(body)).encode())]
    head = b"".join(b"%s: %s\r\n" % field for field in fields)
    sent = b"HTTP/1.1 %d Any\r\n%s\r\n%s" % (status, head, body)
    assert parse(sent) == RawAnswer(status, fields, body)
    if cut < len(sent):
        assert parse(sent[:cut]) is None
    assert parse(sent + b"H") == wire.UNASKED


@pytest.mark.parametrize(
    ("sent", "failure"),
    [
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", wire.NOT_HTTP),
        (b"HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n", wire.NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\n\r\n", wire.NO_LENGTH),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", wire.NO_LENGTH),
        (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (MAX_RESPONSE_BODY_BYTES + 1), wire.NO_LENGTH),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * MAX_HEADER_SECTION_BYTES, wire.TOO_LONG),
    ],
)
def test_anything_else_is_an_unknown_outcome(sent: bytes, failure: WireFailure) -> None:
    assert parse(sent) == failure


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Ask = Callable[[int], Awaitable[object]]


class House:
    """A CA, what a server and a client of it need, and a server that does as it is told."""

    def __init__(self, folder: Path) -> None:
        data = DataDir(folder)
        data.create()
        now = utc(system_utc_s())
        authority = open_authority(data, now)
        ServerCertificate(data, authority, system_utc_s)
        self._server_tls = ServerTls(data).signed
        certificate = authority.issue_client(KIOSK, private_key(SECRET, KIOSK, Purpose.TLS).public_key(), now)
        identities = TlsIdentities(SECRET, data.ca_file.read_text("ascii"))
        self.tls = identities.context(KIOSK, certificate.public_bytes(Encoding.DER))
        identities.close()

    def run(self, serve: Serve, ask: Ask, *, tls: bool = True) -> object:
        """What `ask(port)` returns while `serve` serves each connection; both share one loop, nobody waits long."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            except asyncio.IncompleteReadError:
                pass  # the client has left
            finally:
                writer.transport.abort()

        async def run() -> object:
            server = await asyncio.start_server(handle, HOST, 0, ssl=self._server_tls if tls else None)
            try:
                return await ask(server.sockets[0].getsockname()[1])
            finally:
                server.close()

        return asyncio.run(run())

    async def open(self, port: int, limit_s: float = LIMIT_S) -> Connection | WireFailure:
        return await Connection.open(HOST, port, self.tls, limit_s)

    def asking(self, *bodies: bytes, limit_s: float = LIMIT_S) -> Ask:
        """One request after the other on one connection; the last answer, and whether the connection is over."""

        async def ask(port: int) -> object:
            connection = await self.open(port)
            assert isinstance(connection, Connection), connection
            answer: object = None
            for body in bodies:
                request = sign_request(
                    signing_key(SECRET, KIOSK),
                    origin=f"https://{HOST}:{port}",
                    path=EVENTS_ROUTE,
                    body=body,
                    idempotency_key="0" * 32,
                    created_s=system_utc_s(),
                )
                answer = await connection.exchange(request, body, limit_s)
            is_over = connection.is_closing()
            connection.close()
            connection.close()
            assert connection.is_closing()
            return answer, is_over

        return ask


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("house"))


async def _request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
    return head, await reader.readexactly(int(length))


def answers(*pieces: bytes, ends: bool = False) -> Serve:
    """Reads each request and sends the pieces, one TLS record each; then waits for more, or ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = False
        while not ended:
            head, _ = await _request(reader)
            assert head.startswith(b"POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1:")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            ended = ends

    return serve


GOOD = RawAnswer(200, [(b"content-length", b"4")], b"body")
LARGE = b"HTTP/1.1 200 OK\r\ncontent-length: 40000\r\n\r\n" + bytes(40_000)


@pytest.mark.parametrize(
    ("serve", "bodies", "answer"),
    [
        (answers(ANSWER), [b"{}", b"{}"], GOOD),
        (answers(*(ANSWER[place : place + 1] for place in range(len(ANSWER)))), [b"{}"], GOOD),
        (answers(LARGE), [b"{}"], RawAnswer(200, [(b"content-length", b"40000")], bytes(40_000))),
        (answers(ANSWER), [bytes(6_000_000)], GOOD),  # more than the socket takes at once
    ],
    ids=["twice", "byte by byte", "several records", "a large request"],
)
def test_an_exchange(house: House, serve: Serve, bodies: list[bytes], answer: RawAnswer) -> None:
    assert house.run(serve, house.asking(*bodies)) == (answer, False)


@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (answers(ends=True), wire.ENDED),
        (answers(ANSWER[:30], ends=True), wire.ENDED),
        (answers(b"HTTP/2 200\r\n\r\n"), wire.NOT_HTTP),
        (answers(ANSWER + ANSWER), wire.UNASKED),
    ],
)
def test_a_failure_ends_the_connection(house: House, serve: Serve, failure: WireFailure) -> None:
    assert house.run(serve, house.asking(b"{}")) == (failure, True)
    assert house.run(serve, house.asking(b"{}", b"{}")) == (failure, True)


def test_an_answer_may_take_so_long_and_no_longer(house: House) -> None:
    assert house.run(answers(), house.asking(b"{}", limit_s=0.01)) == (wire.NO_ANSWER, True)


def test_a_connection_that_the_other_side_ends_is_seen_to_be_over(house: House) -> None:
    async def ask(port: int) -> object:
        connection = await house.open(port)
        assert isinstance(connection, Connection), connection
        while not connection.is_closing():
            await asyncio.sleep(0)
        return True

    async def serve(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        pass

    assert house.run(serve, ask)


def test_a_handshake_may_take_so_long_and_no_longer(house: House) -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async def ask(port: int) -> object:
        return await house.open(port, 0.01)

    assert house.run(serve, ask, tls=False) == wire.NO_HANDSHAKE


def test_what_is_no_tls_is_no_connection(house: House) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.drain()

    refused = house.run(serve, house.open, tls=False)
    assert isinstance(refused, WireFailure)
    assert refused.reason == "TLS: WRONG_VERSION_NUMBER"


def test_nobody_there_and_no_room_there(house: House) -> None:
    with socket.create_server((HOST, 0), backlog=0) as full:
        port = full.getsockname()[1]
        with socket.create_connection((HOST, port)):  # the kernel drops who comes after this one
            assert asyncio.run(house.open(port, 0.01)) == wire.NO_CONNECTION
    with socket.socket() as bound:  # so that nobody else gets this port meanwhile
        bound.bind((HOST, 0))
        assert asyncio.run(house.open(bound.getsockname()[1])) == wire.REFUSED
