"""The HTTP edge by hand-made bytes: limits, deadlines and forms that the parser alone would let through."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kiosk.sync.profile import MAX_HEADER_FIELDS, MAX_HEADER_SECTION_BYTES
from simulators.backend import http_protocol, listener
from simulators.backend.http import read_body
from simulators.backend.http_protocol import BackendHttpProtocol
from simulators.backend.metrics import Metrics
from simulators.backend.process import in_thread
from simulators.backend.server import Ready
from tests.simulators.backend.kiosk_side import KioskSide


def speak(origin: str, context: ssl.SSLContext, request: bytes) -> bytes:
    """Send these bytes on a connection of their own; everything that comes back until the server closes."""
    host, _, port = origin.removeprefix("https://").partition(":")
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain, server_hostname=host) as tls,
    ):
        with suppress(ConnectionError, ssl.SSLError):  # ended while we still send: what it said is to be read
            tls.sendall(request)
        received = b""
        while True:
            try:
                part = tls.recv(65536)
            except (ConnectionError, ssl.SSLError):
                return received
            if not part:
                return received
            received += part


def head(lines: list[str], method: str = "POST", target: str = "/v1/sync/state") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([f"x-{n}: 1" for n in range(MAX_HEADER_FIELDS + 1)], 431),
        (["x: " + "a" * MAX_HEADER_SECTION_BYTES], 431),
        (["x: " + "a" * (10 * MAX_HEADER_SECTION_BYTES)], 431),
        (["x-" + "a" * (10 * MAX_HEADER_SECTION_BYTES) + ": 1"], 431),
        ([f"x-{n}: {'a' * 1000}" for n in range(20)], 431),
        (["no colon"], 400),
        (["content-length: 2", "transfer-encoding: chunked"], 400),
        (["transfer-encoding: chunked"], 400),
        (["content-length: 2", "content-length: 2"], 400),
        (["host: a", "host: b"], 400),
        (["x: a\x00b"], 400),
        (["upgrade: websocket", "connection: upgrade"], 400),
    ],
)
def test_a_head_beyond_the_limits_or_of_wrong_form_ends_the_connection(
    kiosk: KioskSide, lines: list[str], status: int
) -> None:
    answer = speak(kiosk.identity.trust.origin, kiosk.tls, head(lines))
    assert status_of(answer) == status
    assert answer.endswith(b'{"status":%d}' % status)


@pytest.mark.parametrize(
    "lines", [[f"x-{n}: 1" for n in range(MAX_HEADER_FIELDS + 1)], ["x: " + "a" * MAX_HEADER_SECTION_BYTES]]
)
def test_the_limits_hold_on_the_enrolment_listener_too(ready: Ready, lines: list[str]) -> None:
    context = ssl.create_default_context(cafile=ready.ca_file)
    assert status_of(speak(ready.enrol_origin, context, head(lines, "GET", "/.well-known/kiosk/trust"))) == 431


def test_a_field_without_end_is_not_collected(kiosk: KioskSide) -> None:
    answer = speak(kiosk.identity.trust.origin, kiosk.tls, b"POST / HTTP/1.1\r\nx: " + b"a" * 300_000)
    assert status_of(answer) in (431, 0)  # 0: reset while we were still sending


@pytest.mark.parametrize("target", ["https://127.0.0.1/v1/sync/state", "/v1/sync/state#a", "*", "//v1/sync/state"])
def test_only_the_plain_form_of_a_route_is_one(kiosk: KioskSide, target: str) -> None:
    answer = speak(kiosk.identity.trust.origin, kiosk.tls, head(["host: x", "content-length: 0"], target=target))
    assert status_of(answer) == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE"])
def test_only_post(kiosk: KioskSide, method: str) -> None:
    answer = speak(kiosk.identity.trust.origin, kiosk.tls, head(["host: x", "content-length: 0"], method))
    assert status_of(answer) == 400


@pytest.mark.parametrize("sent", [b"", b"POST /v1/sync/state HTTP/1.1\r\n", head(["host: x"])[:-2]])
def test_a_half_sent_head_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, kiosk: KioskSide, sent: bytes) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_LIMIT_S", 0.05)
    assert speak(kiosk.identity.trust.origin, kiosk.tls, sent) == b""


def test_a_half_sent_body_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, ready: Ready) -> None:
    monkeypatch.setattr(http_protocol, "BODY_LIMIT_S", 0.05)
    context = ssl.create_default_context(cafile=ready.ca_file)
    request = head(["content-length: 10", "host: x"], target="/account/redeem") + b"{"
    assert speak(ready.enrol_origin, context, request) == b""


def test_an_idle_connection_is_closed_in_peace(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setattr(listener, "KEEP_ALIVE_S", 0.05)
    dropped: list[str] = []
    monkeypatch.setattr(Metrics, "dropped", lambda _, reason: dropped.append(reason))
    with in_thread(data_dir) as ready:
        context = ssl.create_default_context(cafile=ready.ca_file)
        answer = speak(ready.enrol_origin, context, head(["host: x"], "GET", "/.well-known/kiosk/trust"))
    assert status_of(answer) == 200
    assert dropped == []


class Connection(BackendHttpProtocol):
    """Its deadlines only: on a loop whose time a test moves, noting how it ends."""

    def __init__(self) -> None:
        self.now_s, self.ended, self.timers = 0.0, "", list[tuple[float, Callable[[], None]]]()
        self.loop = self.transport = cast(Any, self)
        self.app_state = {"metrics": cast(Any, self)}

    def time(self) -> float:
        return self.now_s

    def call_at(self, when_s: float, look: Callable[[], None]) -> asyncio.TimerHandle:
        timer = (when_s, look)
        self.timers.append(timer)
        handle = SimpleNamespace(when=lambda: when_s, cancel=lambda: self.timers.remove(timer))
        return cast(asyncio.TimerHandle, handle)

    def pass_until(self, now_s: float) -> None:
        while self.timers and min(self.timers)[0] <= now_s:
            timer = min(self.timers)
            self.timers.remove(timer)
            self.now_s = timer[0]
            timer[1]()
        self.now_s = now_s

    def close(self) -> None:
        self.ended += "closed"

    def abort(self) -> None:
        self.ended += "aborted"

    def dropped(self, reason: str) -> None:
        self.ended += f"{reason} "


@pytest.mark.parametrize(
    ("armed", "ends_s", "how"),
    [
        ([(0, 10, False)], 10, "slow aborted"),
        ([(0, 10, False), (4, 75, True)], 79, "closed"),  # answered: the first timer finds that there is time
        ([(0, 75, True), (5, 10, False)], 15, "slow aborted"),  # a next request begins: its limit comes sooner
        ([(0, 10, False), (9, 10, False), (18, 10, False)], 28, "slow aborted"),
    ],
)
def test_one_timer_serves_every_deadline(armed: list[tuple[int, int, bool]], ends_s: int, how: str) -> None:
    connection = Connection()
    for at_s, limit_s, is_idle in armed:
        connection.pass_until(at_s)
        connection._arm(limit_s, is_idle=is_idle)
        assert len(connection.timers) == 1
    connection.pass_until(ends_s - 0.001)
    assert connection.ended == ""
    connection.pass_until(ends_s)
    assert (connection.ended, connection.timers) == (how, [])


def test_a_deadline_that_is_over_does_nothing_when_its_timer_wakes() -> None:
    connection = Connection()
    connection._arm(10)
    connection._disarm()
    connection.pass_until(100)
    assert (connection.ended, connection.timers) == ("", [])


def test_two_requests_in_one_packet_get_two_verdicts(ready: Ready) -> None:
    context = ssl.create_default_context(cafile=ready.ca_file)
    one = head(["host: x"], "GET", "/.well-known/kiosk/trust")
    two = head(["host: x"], "GET", "/nothing")
    answer = speak(ready.enrol_origin, context, one + two)
    assert [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]] == [200, 404]


def test_a_cut_body_is_no_body() -> None:
    messages: Iterator[dict[str, object]] = iter(
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> dict[str, object]:
        return next(messages)

    assert asyncio.run(read_body(receive, 10)) is None


@pytest.mark.parametrize(("size", "result"), [(10, b"a" * 10), (11, 413)])
def test_a_body_is_bounded(size: int, result: object) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"a" * size, "more_body": False}

    assert asyncio.run(read_body(receive, 10)) == result
