"""What the thin client takes for an answer, fed byte by byte, without a socket."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync.profile import MAX_HEADER_SECTION_BYTES, MAX_RESPONSE_BODY_BYTES
from kiosk.sync.wire import RawAnswer, WireFailure
from simulators.fleet.wire import Connection


class _NoWriter(asyncio.StreamWriter):
    def __init__(self) -> None:
        """Of no use: nothing is sent."""

    def __del__(self) -> None:
        """The base class would close a transport."""


def received(*pieces: bytes) -> RawAnswer | WireFailure:
    """What these bytes, then the end of the connection, are taken for."""

    async def run() -> RawAnswer | WireFailure:
        reader = asyncio.StreamReader(limit=MAX_HEADER_SECTION_BYTES)
        for piece in pieces:
            reader.feed_data(piece)
        reader.feed_eof()
        return await Connection(reader, _NoWriter(), "127.0.0.1:1").receive(10)

    return asyncio.run(run())


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
    assert received(sent[:cut], sent[cut:]) == RawAnswer(status, fields, body)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "IncompleteReadError"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfour", "IncompleteReadError"),
        (b"HTTP/1.1 200 OK\r\ncontent-len", "IncompleteReadError"),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "no acceptable length"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "no acceptable length"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (MAX_RESPONSE_BODY_BYTES + 1), "no acceptable length"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * MAX_HEADER_SECTION_BYTES + b"\r\n\r\n", "LimitOverrunError"),
    ],
)
def test_anything_else_is_an_unknown_outcome(sent: bytes, reason: str) -> None:
    assert received(sent) == WireFailure(reason)
