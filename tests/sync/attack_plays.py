"""The attack matrix, second part: what only a server with a memory can refuse, with honest turns beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.sync.attacks import IDEMPOTENCY_KEY, Play, Scene, Turn, Writes, twin
from tests.sync.rfc9421 import Message

EVENTS = "/v1/events"
Turns = Callable[[Scene], Sequence[Turn]]


def event(number: int, aggregate_seq: int, **other: object) -> dict[str, object]:
    """An event of the wire; `number` makes its identifier."""
    return {
        "event_id": f"0199c0de-0000-7000-8000-{number:012x}",
        "aggregate": "visit:0001",
        "aggregate_seq": aggregate_seq,
        "type": "visit_started",
        "schema_version": 1,
        "created_utc_ms": 1_790_000_000_000,
        "body": {},
        **other,
    }


def batch(scene: Scene, number: int, *entries: dict[str, object], key: str, **options: Any) -> Message:
    """A signed batch under an idempotency key (two hex digits, repeated)."""
    body = json.dumps({"batch_seq": number, "acked_through_seq": 0, "events": entries}).encode("ascii")
    return scene.request(body, path=EVENTS, idempotency_key=key * 16, **options)


def _ok(message: Message, *statuses: str, **options: Any) -> Turn:
    return Turn(message, "ok", Writes.EFFECT, statuses, **options)


def _no(message: Message, reason: str, writes: Writes = Writes.NONCE, **options: Any) -> Turn:
    return Turn(message, reason, writes, **options)


def _again(**options: Any) -> Turns:
    """The same bytes, twice; then the second under the options."""

    def turns(scene: Scene) -> list[Turn]:
        message = scene.request()
        return [_ok(message), _no(message, "replay", **options)]

    return turns


def _same_nonce(scene: Scene) -> list[Turn]:
    nonce = "AAAAAAAAAAAAAAAAAAAAAQ"
    first = scene.request(nonce=nonce)
    return [_ok(first), _no(scene.request(b'{"batch_seq":2}', nonce=nonce, idempotency_key="ab" * 16), "replay")]


def _late(scene: Scene, after_s: int, reason: str) -> list[Turn]:
    message = scene.request()
    return [_ok(message), _no(message, reason, after_s=after_s)]


def _fork(scene: Scene) -> list[Turn]:
    return [
        _ok(batch(scene, 1, event(1, 1), key="11"), "applied"),
        _no(batch(scene, 1, event(2, 2), key="22"), "fork", Writes.QUARANTINE),
        _no(batch(scene, 2, event(2, 2), key="33"), "quarantined"),
    ]


def _window(created: int, outcome: str) -> Turns:
    def turns(scene: Scene) -> list[Turn]:
        message = scene.request(created_s=scene.now_s + created)
        return [_ok(message) if outcome == "ok" else _no(message, outcome)]

    return turns


def _key_state(staged: str) -> Turns:
    return lambda scene: [_ok(scene.request()), _no(scene.request(), "key_state", staged=staged)]


PLAYS: tuple[Play, ...] = (
    Play(1, "same bytes", _again()),
    Play(1, "same bytes after a restart", _again(staged="restart")),
    Play(1, "same nonce, new signature", _same_nonce),
    Play(1, "the twin (r, n-s)", lambda s: [_ok(m := s.request()), _no(twin(m, s), "replay")]),
    Play(1, "one second before the end", lambda s: _late(s, 119, "replay")),
    Play(1, "at the very end", lambda s: _late(s, 120, "replay")),
    Play(1, "past the end", lambda s: _late(s, 121, "time_skew")),
    Play(1, "long past the end", lambda s: _late(s, 10_000, "time_skew")),
    Play(
        2,
        "an event before its predecessor",
        lambda s: [_ok(batch(s, 1, event(2, 2), event(1, 1), event(2, 2), key="11"), "order", "applied", "applied")],
    ),
    Play(
        2,
        "an old number",
        lambda s: [
            _ok(batch(s, 5, event(1, 1), key="11"), "applied"),
            _no(batch(s, 4, event(2, 2), key="22"), "stale_seq"),
            _ok(batch(s, 6, event(2, 2), key="33"), "applied"),
        ],
    ),
    Play(6, "key retired", _key_state("retire")),
    Play(6, "key revoked", _key_state("revoke")),
    Play(7, "created 60 s ahead", _window(60, "ok")),
    Play(7, "created 61 s ahead", _window(61, "time_skew")),
    Play(7, "expired 60 s ago", _window(-120, "ok")),
    Play(7, "expired 61 s ago", _window(-121, "time_skew")),
    Play(7, "the year 2038", lambda s: [_no(s.request(created_s=2_147_483_648), "time_skew")]),
    Play(7, "the year 2286", lambda s: [_no(s.request(created_s=9_999_999_900), "time_skew")]),
    Play(7, "the server's clock jumps back", lambda s: [_ok(m := s.request()), _no(m, "replay", after_s=-59)]),
    Play(
        11,
        "same key, other body",
        lambda s: [
            _ok(s.request()),
            _no(s.request(b'{"batch_seq":2}', idempotency_key=IDEMPOTENCY_KEY), "idem_conflict"),
            _no(batch(s, 1, key="01"), "ok", Writes.EFFECT),
            _no(s.request(path="/v1/policy/state", body=b'{"known":{}}'), "idem_conflict"),
        ],
    ),
    Play(
        11,
        "retry after the answer was lost",
        lambda s: [
            _ok(batch(s, 1, event(1, 1), key="11"), "applied"),
            _ok(batch(s, 1, event(1, 1), key="11"), "applied"),
        ],
    ),
    Play(
        11,
        "the same event under a new number",
        lambda s: [
            _ok(batch(s, 1, event(1, 1), key="11"), "applied"),
            _ok(batch(s, 2, event(1, 1), key="22"), "already"),
        ],
    ),
    Play(
        11,
        "another kiosk's key",
        lambda s: [
            _ok(batch(s, 1, event(1, 1), key="11"), "applied"),
            _ok(batch(s, 1, event(1, 1), key="11", created_s=s.now_s), "applied"),
            _ok(
                s.request(
                    b'{"batch_seq":1,"acked_through_seq":0,"events":[]}',
                    path=EVENTS,
                    key=s.other_key,
                    idempotency_key="11" * 16,
                ),
                tls="other",
            ),
        ],
    ),
    Play(11, "one number, two contents", _fork),
)
