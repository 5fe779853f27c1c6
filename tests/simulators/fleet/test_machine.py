"""One kiosk of the fleet against a backend made of a list of answers; keys, signatures and bytes are real."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from kiosk.chores.documents import POLICY_ROUTE, RETRY_S
from kiosk.sync import signature
from kiosk.sync.client import ATTEMPT_LIMIT_S
from kiosk.sync.messages import Refused, RequestHead, SignedRequest, VerifiedRequest
from kiosk.sync.profile import KeyRecord, register_key
from kiosk.sync.uploader import EVENTS_ROUTE
from kiosk.sync.wire import RawAnswer, WireFailure
from simulators.fleet import machine
from simulators.fleet.clock import RunClock
from simulators.fleet.identity import kiosk_id, signing_key
from simulators.fleet.machine import Backend, Kiosk
from simulators.fleet.plan import Life, Visit
from simulators.fleet.tally import KioskEnd, Tally

SECRET = bytes(32)
NAME = kiosk_id(1, 1)
PACE = 2000.0
"""A minute of the kiosk is 30 ms: no test waits for anything."""
LIMIT_S = 60.0


def _record(keyid: str, spki: bytes) -> KeyRecord:
    record = register_key(keyid, "ecdsa-p256-sha256", spki)
    assert isinstance(record, KeyRecord)
    return record


KIOSK_KEY = signing_key(SECRET, NAME)
KIOSK_RECORD = _record(KIOSK_KEY.keyid, KIOSK_KEY.public_spki())
SERVER_KEY = signing_key(SECRET, "srv")
BACKEND = Backend("127.0.0.1", 1, {"srv/1": _record("srv/1", SERVER_KEY.public_spki())})

Say = Callable[[dict[str, Any]], tuple[int, dict[str, Any]] | WireFailure]


def applied(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    results = [{"event_id": event["event_id"], "status": "applied"} for event in body["events"]]
    return 200, {"results": results, "last_seq": body["batch_seq"]}


def ordered(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    results = [{"event_id": event["event_id"], "status": "order"} for event in body["events"]]
    return 200, {"results": results, "last_seq": body["batch_seq"]}


def busy(_: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    error = {"code": "UNAVAILABLE", "reason": "busy", "retryable": True, "retry_after_s": 2}
    return 503, {"error": error}


def gone(_: dict[str, Any]) -> WireFailure:
    return WireFailure("connection reset")


@dataclass
class Script:
    """Answers to batches, in order, the last one for ever; and what was asked."""

    says: Sequence[Say]
    signs: bool = True
    batches: list[tuple[str, bytes]] = field(default_factory=list)
    limits_s: dict[str, float] = field(default_factory=dict)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, request: SignedRequest, body: bytes) -> RawAnswer | WireFailure:
        path = request.target_uri.removeprefix(BACKEND.origin)
        headers = [(name.encode(), value.encode()) for name, value in (*request.headers, ("host", "127.0.0.1:1"))]
        proven = signature.verify_request(
            RequestHead("POST", path.encode(), b"", headers),
            body,
            origin=BACKEND.origin,
            tls_kiosk=NAME,
            find_key=lambda keyid: KIOSK_RECORD if keyid == KIOSK_RECORD.keyid else None,
        )
        assert not isinstance(proven, Refused), proven
        if path == POLICY_ROUTE:
            assert json.loads(body) == {"known": {"policy": 1}}
            return self._signed(proven, 200, {"documents": [], "latest": {"policy": 1}})
        self.batches.append((proven.head.idempotency_key, body))
        if len(self.batches) > len(self.says):
            self.enough.set()
        said = self.says[min(len(self.batches), len(self.says)) - 1](json.loads(body))
        return said if isinstance(said, WireFailure) else self._signed(proven, *said)

    def _signed(self, proven: VerifiedRequest, status: int, body: dict[str, Any]) -> RawAnswer:
        raw = json.dumps(body).encode()
        fields = signature.sign_response(SERVER_KEY, proven, status=status, body=raw, created_s=proven.head.created_s)
        kept = fields if self.signs else fields[:2]
        return RawAnswer(status, [(name.encode(), value.encode()) for name, value in kept], raw)


@pytest.fixture(autouse=True)
def _loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LOST_SHARE", 0.0)


def lived(
    monkeypatch: pytest.MonkeyPatch, says: Sequence[Say], *, signs: bool = True, is_away: bool = False
) -> tuple[Script, Tally, KioskEnd]:
    """A kiosk with two visits of 60 events, until one batch more than `says` was sent or everything is told."""

    async def run() -> tuple[Script, Tally, KioskEnd]:
        script = Script(says, signs)

        class Line:
            """Stands in for `Connection`."""

            @classmethod
            async def open(cls, *_: object) -> Line:
                return cls()

            async def exchange(self, request: SignedRequest, body: bytes, limit_s: float) -> RawAnswer | WireFailure:
                script.limits_s[request.target_uri.removeprefix(BACKEND.origin)] = limit_s
                return script.answer(request, body)

            def is_closing(self) -> bool:
                return False

            def close(self) -> None:
                pass

        monkeypatch.setattr(machine, "Connection", Line)
        tally = Tally()
        life = Life(NAME, 0.0, 0.0, tuple(Visit(0.0, 60, 0) for _ in range(2)))
        kiosk = Kiosk(
            life,
            key=KIOSK_KEY,
            tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            backend=BACKEND,
            clock=RunClock(PACE, start_s=time.monotonic()),
            tally=tally,
            is_away=lambda: is_away,
            idle_limit_s=0.01,
        )
        living = asyncio.create_task(kiosk.live(LIMIT_S))
        while not (script.enough.is_set() or tally.drained_s):
            await asyncio.sleep(0)
            assert not living.done(), "the kiosk has ended by itself"
        living.cancel()
        await asyncio.wait([living])
        return script, tally, kiosk.end()

    return asyncio.run(run())


def test_it_tells_everything_in_numbered_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    script, tally, end = lived(monkeypatch, [applied, applied])
    bodies = [json.loads(body) for _, body in script.batches]
    assert [(body["batch_seq"], body["acked_through_seq"], len(body["events"])) for body in bodies] == [
        (1, 0, 100),
        (2, 1, 20),
    ]
    assert (end.made, end.acked, end.last_acked_seq, end.in_flight) == (120, 120, 2, ())
    assert (tally.waiting, tally.errors.total(), tally.calls) == (0, 0, 0)


def test_a_call_may_take_as_long_as_the_kiosks_own(monkeypatch: pytest.MonkeyPatch) -> None:
    script, _, _ = lived(monkeypatch, [busy, applied, applied])
    assert script.limits_s.keys() == {POLICY_ROUTE, EVENTS_ROUTE}
    assert 0 < script.limits_s[POLICY_ROUTE] <= RETRY_S < script.limits_s[EVENTS_ROUTE] <= ATTEMPT_LIMIT_S


@pytest.mark.parametrize(("first", "error"), [(busy, "503 busy"), (ordered, "event order"), (gone, "connection reset")])
def test_an_error_is_counted_and_the_same_bytes_go_again(
    monkeypatch: pytest.MonkeyPatch, first: Say, error: str
) -> None:
    script, tally, end = lived(monkeypatch, [first, applied, applied])
    assert script.batches[0] == script.batches[1]
    assert set(tally.errors) == {error}
    assert (end.acked, end.last_acked_seq) == (120, 2)


def test_an_unsigned_answer_is_believed_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    script, tally, end = lived(monkeypatch, [applied, applied], signs=False)
    assert len(set(script.batches)) == 1
    assert (end.acked, len(end.in_flight)) == (0, 100)
    assert set(tally.errors) == {"unproven 200 field_missing"}


def test_what_fails_while_the_backend_is_away_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    script, tally, _ = lived(monkeypatch, [gone, gone], is_away=True)
    assert len(set(script.batches)) == 1
    assert not tally.errors
    assert tally.failures["connection reset"] >= 2


def test_a_lost_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LOST_SHARE", 1.0)
    script, tally, end = lived(monkeypatch, [applied, applied])
    assert len(set(script.batches)) == 1
    assert (end.acked, len(end.in_flight)) == (0, 100)
    assert tally.lost_answers >= 2
    assert not tally.errors
