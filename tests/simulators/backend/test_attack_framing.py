"""The attack matrix, class 10: honest, truly signed requests in a frame that two parsers might read in two ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from secrets import token_hex

import pytest

from tests.simulators.backend.attack_stage import CLOSED, Stage, speak, wire
from tests.sync.attacks import LENGTH, drop
from tests.sync.rfc9421 import Message

Probe = Callable[[bytes], bytes]
BODY = b'{"batch_seq":1}'
CHUNKED = b'f\r\n{"batch_seq":1}\r\n0\r\n\r\n'


@pytest.fixture
def stage(standing_stage: Stage) -> Stage:
    """One backend for all: nothing here may change it."""
    return standing_stage


def _line(text: bytes) -> Probe:
    """A further field line at the end of the head."""
    return lambda raw: raw.replace(b"\r\n\r\n", b"\r\n" + text + b"\r\n\r\n", 1)


def _length(text: bytes) -> Probe:
    return lambda raw: raw.replace(b"content-length: 15", text, 1)


def _start(text: bytes) -> Probe:
    """Another request line."""
    return lambda raw: text + raw[raw.index(b"\r\n") :]


def _chunked(line: bytes, body: bytes = CHUNKED) -> Probe:
    """No length but these words, and a chunked body."""
    return lambda raw: raw.replace(b"content-length: 15", line, 1).removesuffix(BODY) + body


PROBES: dict[str, Probe] = {
    "length and chunked": lambda raw: _line(b"transfer-encoding: chunked")(raw).removesuffix(BODY) + CHUNKED,
    "length and chunked, body plain": _line(b"transfer-encoding: chunked"),
    "chunked": _chunked(b"transfer-encoding: chunked"),
    "chunked twice": _chunked(b"transfer-encoding: chunked, chunked"),
    "chunked under another word": _chunked(b"transfer-encoding: xchunked"),
    "chunked after a tab": _chunked(b"transfer-encoding:\tchunked"),
    "chunked, then identity": _chunked(b"transfer-encoding: chunked, identity"),
    "chunked with a blank before the colon": _line(b"transfer-encoding : chunked"),
    "chunk with an extension": _chunked(b"transfer-encoding: chunked", b"f;x=1" + CHUNKED[1:]),
    "chunk with a sign": _chunked(b"transfer-encoding: chunked", b"+" + CHUNKED),
    "chunks and a trailer": _chunked(b"transfer-encoding: chunked", CHUNKED[:-2] + b"x: 1\r\n\r\n"),
    "identity": _line(b"transfer-encoding: identity"),
    "length twice": _line(b"content-length: 15"),
    "two lengths": _line(b"content-length: 0"),
    "length as a list": _length(b"content-length: 15, 15"),
    "length with a sign": _length(b"content-length: +15"),
    "length in hexadecimal": _length(b"content-length: 0x0f"),
    "length negative": _length(b"content-length: -1"),
    "length of twenty digits": _length(b"content-length: 18446744073709551631"),
    "length empty": _length(b"content-length:"),
    "lines end with LF": lambda raw: raw.replace(b"\r\n", b"\n"),
    "one line ends with LF": lambda raw: raw.replace(b"\r\n", b"\n", 1),
    "one line ends with CR": lambda raw: raw.replace(b"\r\ncontent-type", b"\rcontent-type", 1),
    "CR in a value": _line(b"x: a\rb"),
    "folded": _line(b"x: a\r\n b"),
    "field line before its first": lambda raw: raw.replace(b"\r\n", b"\r\n \r\n", 1),
    "no colon": _line(b"x"),
    "empty name": _line(b": x"),
    "blank in a name": _line(b"x y: 1"),
    "blank before the colon": _line(b"x : 1"),
    "NUL in a name": _line(b"x\x00y: 1"),
    "NUL in a value": _line(b"x: \x00"),
    "version 1.0": _start(b"POST /v1/sync/state HTTP/1.0"),
    "version 1.2": _start(b"POST /v1/sync/state HTTP/1.2"),
    "version 2.0": _start(b"POST /v1/sync/state HTTP/2.0"),
    "version in small letters": _start(b"POST /v1/sync/state http/1.1"),
    "no version": _start(b"POST /v1/sync/state"),
    "preface of HTTP/2": lambda raw: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + raw,
    "tab in the request line": _start(b"POST\t/v1/sync/state HTTP/1.1"),
    "asterisk": _start(b"POST * HTTP/1.1"),
    "authority form": _start(b"CONNECT 127.0.0.1:443 HTTP/1.1"),
    "another scheme": _start(b"POST http://127.0.0.1/v1/sync/state HTTP/1.1"),
    "NUL in the target": _start(b"POST /v1/sync/state\x00 HTTP/1.1"),
    "fragment": _start(b"POST /v1/sync/state#x HTTP/1.1"),
    "upgrade": _line(b"connection: upgrade\r\nupgrade: h2c"),
    "TLS again": lambda raw: b"\x16\x03\x01\x00\x05hello" + raw,
}


@pytest.mark.parametrize("name", PROBES)
def test_a_frame_of_two_readings_has_none(stage: Stage, name: str) -> None:
    raw = PROBES[name](wire(stage.scene.request()))
    before = stage.changes()
    stage.quiet()
    heard = speak(stage.origin, stage.own.tls, raw, answers=2)
    assert heard[0].status in (CLOSED, 400)
    assert heard[1].status == CLOSED
    assert not heard[0].is_signed
    assert stage.quiet() == []
    assert stage.changes() == before


def fresh(stage: Stage, body: bytes = BODY) -> Message:
    return stage.scene.request(body, idempotency_key=token_hex(16))


@pytest.mark.parametrize(
    ("bend", "second"),
    [
        (lambda message: message, 200),
        (lambda message: replace(message, body=b'{"batch_seq":2}'), 400),
        (lambda message: replace(message, target=b"/v1/nothing"), 400),
        (lambda message: message.edited(LENGTH, b"-1"), 400),
        (lambda message: replace(message, headers=(*message.headers, (b"x", b"a" * 40_000))), 431),
        (lambda message: replace(message, headers=(*message.headers, *((b"x", b"1"),) * 99)), 431),
    ],
    ids=["honest", "body bent", "no route", "of wrong form", "field too long", "too many fields"],
)
def test_two_requests_in_one_packet_have_two_verdicts(
    stage: Stage, bend: Callable[[Message], Message], second: int
) -> None:
    one, two = fresh(stage), bend(fresh(stage))
    heard = speak(stage.origin, stage.own.tls, wire(one) + wire(two), answers=2)
    assert [answer.status for answer in heard] == [200, second]
    assert stage.proven(one, heard[0]) == {"applied": False, "last_seq": 0}
    if second == 200:
        stage.proven(two, heard[1])


def test_nothing_behind_a_refused_request_is_read(stage: Stage) -> None:
    bent = replace(fresh(stage), body=b'{"batch_seq":2}')
    stage.quiet()
    heard = speak(stage.origin, stage.own.tls, wire(bent) + wire(fresh(stage)), answers=2)
    assert [answer.status for answer in heard] == [400, CLOSED]
    assert stage.quiet() == []


def test_a_byte_too_many_is_another_request(stage: Stage) -> None:
    message = fresh(stage)
    heard = speak(stage.origin, stage.own.tls, wire(message) + b"x\r\n", answers=2)
    assert [answer.status for answer in heard] == [200, 400]
    stage.proven(message, heard[0])


def test_a_request_inside_a_body_is_only_a_body(stage: Stage) -> None:
    hidden = wire(fresh(stage))
    bent = drop(LENGTH)(fresh(stage), stage.scene)
    heard = speak(stage.origin, stage.own.tls, wire(replace(bent, body=hidden)), answers=2)
    assert [answer.status for answer in heard] == [400, CLOSED]
    outer = fresh(stage, b'{"batch_seq":1,"x":"' + hidden.replace(b'"', b"'").replace(b"\r\n", b" ") + b'"}')
    heard = speak(stage.origin, stage.own.tls, wire(outer), answers=1)
    assert stage.proven(outer, heard[0])["error"]["code"] == "BAD_MESSAGE"


@pytest.mark.parametrize(
    "probe",
    [lambda raw: b"\r\n\r\n" + raw, _start(b"POST /v1/sync/state  HTTP/1.1")],
    ids=["empty lines before a request", "two blanks before the version"],
)
def test_a_frame_of_one_reading_is_taken(stage: Stage, probe: Probe) -> None:
    message = fresh(stage)
    [heard] = speak(stage.origin, stage.own.tls, probe(wire(message)))
    stage.proven(message, heard)
