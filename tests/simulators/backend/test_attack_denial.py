"""The attack matrix, class 15: what would exhaust time, memory or disk is bounded, and told so or cut off."""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from secrets import token_hex

import pytest
from sqlalchemy import text

from simulators.backend import http_protocol
from tests.simulators.backend.attack_stage import CLOSED, Ears, Stage, changed, connected, wire
from tests.sync.attack_plays import EVENTS, batch, event
from tests.sync.attacks import PATH
from tests.sync.rfc9421 import Message

SHORT_S = 0.2
PATIENCE_S = 10.0


def fresh(stage: Stage, body: bytes = b'{"batch_seq":1}', path: str = PATH) -> Message:
    return stage.scene.request(body, path=path, idempotency_key=token_hex(16))


def ended_while_sending(tls: ssl.SSLSocket, first: bytes, piece: bytes) -> bool:
    """Send the first bytes, then the piece again and again: whether the other side puts an end to it."""
    with suppress(ConnectionError, ssl.SSLError):  # ended already: the next piece shows it
        tls.sendall(first)
    tls.settimeout(0.02)
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        try:
            tls.sendall(piece)
            if tls.recv(4096) == b"":
                return True
        except TimeoutError:
            continue
        except (ssl.SSLError, ConnectionError):
            return True
    return False


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b"\r\n"),
        (b"POST /v1/sync/state HTTP/1.1\r\n", b"x: 1\r\n"),
        (b"POST /v1/sync/state HTTP/1.1\r\nx: ", b"a"),
    ],
    ids=["empty lines", "field after field", "a field without end"],
)
@pytest.mark.parametrize("is_first", [True, False], ids=["first request", "after an honest one"])
def test_a_head_that_trickles_is_cut_off(
    standing_stage: Stage, monkeypatch: pytest.MonkeyPatch, first: bytes, piece: bytes, is_first: bool
) -> None:
    stage = standing_stage
    if is_first:
        monkeypatch.setattr(http_protocol, "HEADER_LIMIT_S", SHORT_S)
    with connected(stage.origin, stage.own.tls) as tls:
        if not is_first:
            tls.sendall(wire(fresh(stage)))
            assert Ears(tls).hear().status == 200
            monkeypatch.setattr(http_protocol, "HEADER_LIMIT_S", SHORT_S)  # an honest one has all the time it needs
        assert ended_while_sending(tls, first, piece)


def test_a_body_that_trickles_is_cut_off_and_writes_nothing(
    standing_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = standing_stage
    monkeypatch.setattr(http_protocol, "BODY_LIMIT_S", SHORT_S)
    raw = wire(fresh(stage, b'{"batch_seq":1' + b" " * 100_000 + b"}"))
    stage.quiet()
    with connected(stage.origin, stage.own.tls) as tls:
        assert ended_while_sending(tls, raw[:-50_000], b" ")
    assert stage.quiet() == []


@pytest.mark.parametrize(("path", "limit"), [("/v1/relay/step", 64 * 1024), (EVENTS, 256 * 1024), (PATH, 256 * 1024)])
def test_a_body_too_large_is_refused_before_a_byte_of_it_is_sent(standing_stage: Stage, path: str, limit: int) -> None:
    stage = standing_stage
    raw = wire(fresh(stage, b" " * (limit + 1), path))
    stage.quiet()
    with connected(stage.origin, stage.own.tls) as tls:
        tls.sendall(raw[: raw.index(b"\r\n\r\n") + 4])
        ears = Ears(tls)
        assert [ears.hear().status for _ in range(2)] == [413, CLOSED]
    assert stage.quiet() == []


HOSTILE = {
    "a number of 200,000 digits": b'{"batch_seq":' + b"9" * 200_000 + b"}",
    "an exponent": b'{"batch_seq":1e999}',
    "100,000 brackets": b'{"batch_seq":' + b"[" * 100_000,
    "100,000 objects": b'{"a":' * 50_000,
    "100,000 entries": b'{"batch_seq":[' + b"1," * 100_000 + b"1]}",
    "20,000 names": b"{" + b",".join(b'"%d":1' % number for number in range(20_000)) + b"}",
    "a text without end": b'{"batch_seq":"' + b"a" * 200_000,
    "half a surrogate": b'{"batch_seq":"\\ud800"}',
    "UTF-16": '{"batch_seq":1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + b'{"batch_seq":1}',
    "bytes that are no UTF-8": b'{"batch_seq":"\xff"}',
    "a name of 200,000 characters": b'{"' + b"a" * 200_000 + b'":1}',
    "minus nothing": b'{"batch_seq":-0}',
    "a batch of 1,001": b'{"batch_seq":1,"acked_through_seq":0,"events":[' + b"0," * 1000 + b"0]}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_json_is_a_signed_refusal_and_soon(stage: Stage, name: str) -> None:
    message = fresh(stage, HOSTILE[name], EVENTS if name == "a batch of 1,001" else PATH)
    before, started_s = stage.rows(), time.monotonic()
    heard = stage.send(message)
    assert time.monotonic() - started_s < PATIENCE_S
    assert (heard.status, stage.proven(message, heard)["error"]["code"]) == (422, "BAD_MESSAGE")
    assert set(changed(before, stage.rows())) == {"nonce", "kiosk"}


def test_a_full_disk_is_signed_busy_keeps_nothing_and_loses_nothing(stage: Stage) -> None:
    entries = [event(number, number, body={f"f{n}": "x" * 64 for n in range(30)}) for number in range(1, 101)]
    message = batch(stage.scene, 1, *entries, key="11")
    stage.execute(text("PRAGMA max_page_count = 1"))  # as many as there are, and no more
    before = stage.rows()
    heard = stage.send(message)
    body = stage.proven(message, heard)["error"]
    assert (heard.status, body["reason"], body["retryable"]) == (503, "busy", True)
    assert body["retry_after_s"] > 0
    assert stage.rows() == before
    stage.execute(text("PRAGMA max_page_count = 1000000"))
    again = batch(stage.scene, 1, *entries, key="11")
    results = stage.proven(again, stage.send(again))["results"]
    assert {result["status"] for result in results} == {"applied"}
    assert len(stage.rows()["event"]) == len(entries)


def test_fifty_requests_in_one_packet_have_fifty_verdicts_in_order(standing_stage: Stage) -> None:
    stage = standing_stage
    messages = [fresh(stage, b'{"batch_seq":%d}' % number) for number in range(1, 51)]
    with connected(stage.origin, stage.own.tls) as tls:
        tls.sendall(b"".join(map(wire, messages)))
        ears = Ears(tls)
        for message in messages:
            stage.proven(message, ears.hear())  # signed for this one and no other


def test_keys_that_nobody_has_cost_a_read_and_no_memory(standing_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = standing_stage
    monkeypatch.setattr("simulators.backend.registry.MAX_UNKNOWN", 4)
    stage.quiet()
    for generation in range(900_000, 900_020):
        honest = fresh(stage)
        params = stage.scene.params(keyid=f'"borne-0001/{generation}"')
        heard = stage.send(stage.scene.resigned(honest, params=params))
        assert heard.status == 401
    assert stage.quiet() == []


def test_a_client_that_leaves_in_the_middle_leaves_nothing(standing_stage: Stage) -> None:
    stage = standing_stage
    raw = wire(fresh(stage))
    stage.quiet()
    for cut in (1, 40, raw.index(b"\r\n\r\n") + 4, len(raw) - 1):
        with connected(stage.origin, stage.own.tls) as tls:
            tls.sendall(raw[:cut])
    honest = fresh(stage)
    with connected(stage.origin, stage.own.tls) as tls:
        tls.sendall(wire(honest))
        assert Ears(tls).hear().status == 200
    assert len([statement for statement in stage.quiet() if "INTO nonce" in statement]) == 1
