"""A backend in memory that takes batches as the channel reference tells it to, and a network with moods."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kiosk.sync import faults
from kiosk.sync.faults import Answer, Refusal, RefusalReason
from kiosk.sync.strict_json import JsonError, decode

Mood = Callable[["Intake", bytes, str], Answer]


@dataclass
class FakeClock:
    """Time that a test moves."""

    now_s: float = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def utc_s(self) -> float:
        return 1_790_000_000.0 + self.now_s


@dataclass
class Intake:
    """Keeps every event it applied; refuses what the real one refuses. `moods` are used up one a call, then honesty."""

    moods: list[Mood] = field(default_factory=list)
    applied: list[tuple[str, str, int]] = field(default_factory=list)  # (event_id, aggregate, aggregate_seq)
    last_seq: int = 0
    stored: dict[int, tuple[str, bytes, dict[str, Any]]] = field(default_factory=dict)  # by batch_seq
    sent: list[tuple[bytes, str]] = field(default_factory=list)
    refused_types: set[str] = field(default_factory=set)
    state_asked: int = 0
    state_answers: list[Answer] = field(default_factory=list)  # used up one a question, then honesty

    def call_raw(self, route: str, body: bytes, idempotency_key: str, /) -> Answer:
        assert route == "/v1/events"
        self.sent.append((body, idempotency_key))
        return (self.moods.pop(0) if self.moods else honest)(self, body, idempotency_key)

    def call(self, route: str, body: Mapping[str, Any], /) -> Answer:
        assert route == "/v1/sync/state"
        self.state_asked += 1
        if self.state_answers:
            return self.state_answers.pop(0)
        if self.moods and self.moods[0] is lose_request:
            return self.moods.pop(0)(self, b"", "")
        return {"applied": body["batch_seq"] in self.stored, "last_seq": self.last_seq}

    def take(self, body: bytes, key: str) -> Answer:
        """The one transaction of the backend."""
        message = decode(body, 256 * 1024)
        assert not isinstance(message, JsonError)
        number = message["batch_seq"]
        if number in self.stored:
            known_key, digest, answer = self.stored[number]
            if known_key != key:
                return Refusal(409, RefusalReason.FORK, "OUT_OF_ORDER")
            assert digest == hashlib.sha256(body).digest(), "one number, two contents"
            return answer
        if number <= self.last_seq:
            return Refusal(409, RefusalReason.STALE_SEQ, "OUT_OF_ORDER")
        results = [{"event_id": event["event_id"], "status": self._judge(event)} for event in message["events"]]
        self.last_seq = number
        answer = {"results": results, "last_seq": number}
        self.stored[number] = (key, hashlib.sha256(body).digest(), answer)
        return answer

    def _judge(self, event: Mapping[str, Any]) -> str:
        if event["type"] in self.refused_types:
            return "invalid"
        if any(event["event_id"] == known for known, _, _ in self.applied):
            return "already"
        last = max((seq for _, aggregate, seq in self.applied if aggregate == event["aggregate"]), default=0)
        if event["aggregate_seq"] != last + 1:
            return "order"
        self.applied.append((event["event_id"], event["aggregate"], event["aggregate_seq"]))
        return "applied"


def honest(intake: Intake, body: bytes, key: str) -> Answer:
    """Nothing happens on the way."""
    return intake.take(body, key)


def lose_request(_: Intake, __: bytes, ___: str) -> Answer:
    """The request never arrives."""
    return faults.network("staged")


def lose_answer(intake: Intake, body: bytes, key: str) -> Answer:
    """The effect happens, the kiosk does not learn of it."""
    intake.take(body, key)
    return faults.network("staged")


def refuse(reason: RefusalReason, retry_after_s: int = 0) -> Mood:
    """A signed refusal before any effect."""
    return lambda _, __, ___: Refusal(503, reason, "STAGED", retry_after_s=retry_after_s)


def say(answer: Answer) -> Mood:
    """Exactly this."""
    return lambda _, __, ___: answer
