"""The channel's end on the kiosk, against a backend that verifies and signs for real but sits behind no socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiosk.sync.client import Channel
from kiosk.sync.faults import Refusal, RefusalReason
from kiosk.sync.identity import Identity, Trust
from kiosk.sync.messages import RequestHead, VerifiedRequest
from kiosk.sync.signature import sign_response, verify_request
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.sync.wire import RawAnswer, WireFailure
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import SigningKey
from tests.sync.support import (
    HOST,
    KEYS,
    KIOSK,
    KIOSK_KEY,
    NOW_S,
    ORIGIN,
    SERVER_KEY,
    SERVER_KEYS,
    FakeClock,
    p256_key,
    raw,
)

Result = RawAnswer | WireFailure
ROUTE = "/v1/identify"


def refusal(status: int, reason: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"code": "UNAVAILABLE", "reason": reason, "retryable": False, "retry_after_s": None}}


class Backend:
    """Verifies each request, judges its time, and answers what the script says."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.now_s = NOW_S
        self.seen: list[VerifiedRequest] = []
        self.script: list[tuple[int, dict[str, Any]] | Callable[[RawAnswer], Result]] = []
        self.signer: SigningKey = SERVER_KEY
        self.deadlines: list[float] = []
        self.takes_s = 0.0
        self.closed = False

    def exchange(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
        *,
        deadline_s: float,
        max_body_bytes: int,
    ) -> Result:
        assert max_body_bytes == 1024 * 1024
        self.deadlines.append(deadline_s)
        self.clock.advance(self.takes_s)
        head = RequestHead(method, url.removeprefix(ORIGIN).encode(), b"", [(b"host", HOST), *raw(headers)])
        request = verify_request(head, body, origin=ORIGIN, tls_kiosk=KIOSK, find_key=KEYS.get)
        assert isinstance(request, VerifiedRequest), request
        self.seen.append(request)
        step = self.script.pop(0) if self.script else (200, {"ok": True})
        if not request.in_window(self.now_s):
            return self._answer(request, *refusal(401, "time_skew"))
        if callable(step):
            return step(self._answer(request, 200, {"ok": True}))
        return self._answer(request, *step)

    def _answer(self, request: VerifiedRequest, status: int, value: dict[str, Any]) -> RawAnswer:
        body = json.dumps(value).encode()
        return RawAnswer(
            status, raw(sign_response(self.signer, request, status=status, body=body, created_s=self.now_s)), body
        )

    def close(self) -> None:
        self.closed = True


class Kiosk:
    """A channel with its clock, backend and the pauses it made."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.backend = Backend(self.clock)
        self.time = TimeKeeper(self.clock, keep_floor=lambda _: None)
        self.pauses: list[float] = []
        identity = Identity(
            kiosk=KIOSK,
            trust=Trust(ORIGIN, SERVER_KEYS, {}),
            signing_key=KIOSK_KEY,
            certificate_from_s=NOW_S - 100,
            certificate_until_s=NOW_S + 1000,
            directory=Path("/nonexistent"),
        )
        self.channel = Channel(identity, self.time, self.clock, wire=self.backend, pause=self._pause)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)


@pytest.fixture
def kiosk() -> Kiosk:
    return Kiosk()


def _cut(_: RawAnswer) -> Result:
    return WireFailure("ReadTimeout")


def _unsigned(_: RawAnswer) -> Result:
    return RawAnswer(503, [(b"content-type", b"text/html")], b"<html>")


def test_a_call(kiosk: Kiosk) -> None:
    assert kiosk.channel.call(ROUTE, {"é": 1}) == {"ok": True}
    assert kiosk.backend.seen[0].body == '{"é":1}'.encode()
    assert kiosk.time.trusted
    kiosk.channel.close()
    assert kiosk.backend.closed


def test_each_call_has_its_own_idempotency_key_and_nonce(kiosk: Kiosk) -> None:
    kiosk.channel.call(ROUTE, {})
    kiosk.channel.call(ROUTE, {})
    first, second = kiosk.backend.seen
    assert first.head.idempotency_key != second.head.idempotency_key
    assert first.nonce != second.nonce


@pytest.mark.parametrize("trouble", [_cut, _unsigned])
def test_unknown_outcome_is_asked_again_under_the_same_key(
    kiosk: Kiosk, trouble: Callable[[RawAnswer], Result]
) -> None:
    kiosk.backend.script = [trouble, trouble]
    assert kiosk.channel.call(ROUTE, {"a": 1}) == {"ok": True}
    assert len({request.head.idempotency_key for request in kiosk.backend.seen}) == 1
    assert len({request.body for request in kiosk.backend.seen}) == 1
    assert len({request.nonce for request in kiosk.backend.seen}) == 3
    assert kiosk.pauses == [0.2, 0.4]


def test_asking_again_ends_at_the_deadline(kiosk: Kiosk) -> None:
    kiosk.backend.script = [_cut] * 100
    kiosk.backend.takes_s = 1.0
    start_s = kiosk.clock.monotonic_s()
    assert kiosk.channel.call(ROUTE, {}, deadline_s=10) == Fault(Cause.NETWORK, "ReadTimeout")
    assert kiosk.clock.monotonic_s() - start_s <= 10
    assert max(kiosk.backend.deadlines) == 10
    assert sorted(kiosk.backend.deadlines, reverse=True) == kiosk.backend.deadlines


def test_raw_bytes_are_sent_once_and_unchanged(kiosk: Kiosk) -> None:
    kiosk.backend.script = [_cut]
    body = b'{"batch_seq": 7 }'
    assert kiosk.channel.call_raw("/v1/events", body, "ab" * 16) == Fault(Cause.NETWORK, "ReadTimeout")
    assert kiosk.channel.call_raw("/v1/events", body, "ab" * 16) == {"ok": True}
    assert [request.body for request in kiosk.backend.seen] == [body, body]
    assert {request.head.idempotency_key for request in kiosk.backend.seen} == {"ab" * 16}


def test_a_wrong_clock_learns_the_time_and_asks_again_once(kiosk: Kiosk) -> None:
    kiosk.clock.utc = float(NOW_S + 86_400 * 300)
    assert kiosk.channel.call(ROUTE, {}) == {"ok": True}
    assert len(kiosk.backend.seen) == 2
    assert kiosk.time.now_s() == NOW_S
    assert kiosk.pauses == []


def test_time_that_cannot_be_learnt_is_a_fault(kiosk: Kiosk) -> None:
    kiosk.backend.script = [refusal(401, "time_skew")] * 2
    fault = kiosk.channel.call(ROUTE, {})
    assert isinstance(fault, Fault)
    assert fault.cause is Cause.CLOCK_WRONG
    assert len(kiosk.backend.seen) == 2


def test_replay_is_signed_anew_once(kiosk: Kiosk) -> None:
    kiosk.backend.script = [refusal(401, "replay")] * 2
    answer = kiosk.channel.call(ROUTE, {})
    assert isinstance(answer, Refusal)
    assert answer.reason is RefusalReason.REPLAY
    assert len({request.nonce for request in kiosk.backend.seen}) == 2


def test_signed_refusals_are_known_outcomes(kiosk: Kiosk) -> None:
    kiosk.backend.script = [
        (
            503,
            {"error": {"code": "UNAVAILABLE", "reason": "service_closed", "retryable": True, "retry_after_s": 600}},
        )
    ]
    assert kiosk.channel.call(ROUTE, {}) == Refusal(503, RefusalReason.SERVICE_CLOSED, "UNAVAILABLE", True, 600)
    assert kiosk.pauses == []


def _error(**changes: Any) -> dict[str, Any]:
    error = {"code": "X", "reason": "busy", "retryable": False, "retry_after_s": None, **changes}
    return {"error": {name: value for name, value in error.items() if value is not ...}}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "error: missing"),
        (_error(code=...), "error.code: missing"),
        (_error(reason=...), "error.reason: missing"),
        (_error(retryable=1), "error.retryable: true or false expected"),
        (_error(retry_after_s=...), "error.retry_after_s: missing"),
        (_error(retry_after_s=-1), "error.retry_after_s: a whole number from 0 to 2678400 expected"),
    ],
)
def test_malformed_refusals_name_the_field(kiosk: Kiosk, body: dict[str, Any], detail: str) -> None:
    kiosk.backend.script = [(503, body)]
    assert kiosk.channel.call(ROUTE, {}) == Fault(Cause.BAD_ANSWER, detail)


def test_reasons_are_a_closed_list(kiosk: Kiosk) -> None:
    kiosk.backend.script = [(418, _error(reason="teapot"))]
    fault = kiosk.channel.call(ROUTE, {})
    assert isinstance(fault, Fault)
    assert fault.detail.startswith("error.reason: one of time_skew, replay,")


def test_signed_but_not_json(kiosk: Kiosk) -> None:
    body = b'{"a":1,"a":2}'

    def twice(_: RawAnswer) -> Result:
        headers = raw(sign_response(SERVER_KEY, kiosk.backend.seen[-1], status=200, body=body, created_s=NOW_S))
        return RawAnswer(200, headers, body)

    kiosk.backend.script = [twice]
    assert kiosk.channel.call(ROUTE, {}) == Fault(Cause.BAD_ANSWER, "body: a duplicate key")


def _compressed(answer: RawAnswer) -> Result:
    return RawAnswer(answer.status, [*answer.headers, (b"content-encoding", b"gzip")], answer.body)


def _changed(answer: RawAnswer) -> Result:
    return RawAnswer(answer.status, answer.headers, answer.body.replace(b"true", b"null"))


def _redirect(answer: RawAnswer) -> Result:
    return RawAnswer(307, [*answer.headers, (b"location", b"https://evil.example/")], answer.body)


@pytest.mark.parametrize(
    ("trouble", "detail"),
    [
        (_unsigned, "status 503: field_missing content-digest"),
        (_compressed, "status 200: forbidden_field content-encoding"),
        (_changed, "status 200: digest content-digest"),
        (_redirect, "status 307: status"),
    ],
)
def test_unproven_answers_are_not_read(kiosk: Kiosk, trouble: Callable[[RawAnswer], Result], detail: str) -> None:
    kiosk.backend.script = [trouble]
    assert kiosk.channel.call_raw(ROUTE, b"{}", "ab" * 16) == Fault(Cause.UNSIGNED_ANSWER, detail)
    assert not kiosk.time.trusted


def test_an_answer_by_a_key_that_is_not_pinned(kiosk: Kiosk) -> None:
    kiosk.backend.signer = p256_key("srv/1")
    assert kiosk.channel.call_raw(ROUTE, b"{}", "ab" * 16) == Fault(
        Cause.UNSIGNED_ANSWER, "status 200: signature signature"
    )


def test_an_answer_to_an_earlier_request_is_refused(kiosk: Kiosk) -> None:
    kept: list[RawAnswer] = []

    def keep(answer: RawAnswer) -> Result:
        kept.append(answer)
        return answer

    kiosk.backend.script = [keep, lambda _: kept[0]]
    assert kiosk.channel.call_raw(ROUTE, b"{}", "ab" * 16) == {"ok": True}
    fault = kiosk.channel.call_raw(ROUTE, b"{}", "ab" * 16)
    assert isinstance(fault, Fault)
    assert fault.cause is Cause.UNSIGNED_ANSWER


@pytest.mark.parametrize(("behind_s", "is_stale"), [(60, False), (61, True), (86_400, True)])
@pytest.mark.parametrize("status", [200, 503])
def test_a_backend_whose_time_is_before_our_floor_is_a_matter_of_clocks_and_not_asked_again(
    kiosk: Kiosk, behind_s: int, status: int, *, is_stale: bool
) -> None:
    assert kiosk.channel.call(ROUTE, {}) == {"ok": True}
    kiosk.backend.now_s = NOW_S - behind_s
    kiosk.backend.script = [(status, {"ok": True} if status == 200 else _error())]
    answer = kiosk.channel.call(ROUTE, {})
    stale = Fault(Cause.CLOCK_WRONG, "the backend's time is before one that it has signed earlier")
    assert (answer == stale) is is_stale
    assert len(kiosk.backend.seen) == 2
    assert kiosk.time.floor_s == NOW_S


def test_our_own_expired_certificate_is_named_before_the_network_is_asked(kiosk: Kiosk) -> None:
    assert kiosk.channel.call(ROUTE, {}) == {"ok": True}
    kiosk.clock.advance(1001)
    fault = kiosk.channel.call(ROUTE, {})
    assert fault == Fault(Cause.NOT_ENROLLED, "the TLS certificate has expired")
    assert len(kiosk.backend.seen) == 1
