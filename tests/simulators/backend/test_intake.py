"""Event batches: each event once and in order; numbers that fork, that are stale, that are known."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from simulators.backend import schema
from tests.simulators.backend.kiosk_side import KioskSide
from tests.simulators.backend.observer import Observer

EVENTS, STATE = "/v1/events", "/v1/sync/state"


def event(number: int, seq: int | None = None, aggregate: str = "kiosk", **changes: Any) -> dict[str, Any]:
    return {
        "event_id": f"0199c0de-0000-7000-8000-{number:012x}",
        "aggregate": aggregate,
        "aggregate_seq": seq or number,
        "type": "visit_started",
        "schema_version": 1,
        "created_utc_ms": 1_790_000_000_000,
        "body": {"mode": "SELF"},
        **changes,
    }


def batch(number: int, *events: Any, acked: int = 0) -> dict[str, Any]:
    return {"batch_seq": number, "acked_through_seq": acked, "events": list(events)}


def send(kiosk: KioskSide, number: int, *events: Any, acked: int = 0) -> list[str]:
    answer = kiosk.good(EVENTS, batch(number, *events, acked=acked))
    assert answer["last_seq"] == number
    return [result["status"] for result in answer["results"]]


def test_events_are_applied_once_and_known_afterwards(kiosk: KioskSide, observer: Observer) -> None:
    assert send(kiosk, 1, event(1), event(2)) == ["applied", "applied"]
    assert send(kiosk, 5, event(2), event(3)) == ["already", "applied"]
    assert observer.scalar(select(func.count()).select_from(schema.event)) == 3


def test_a_known_event_is_known_whatever_it_says_of_itself(kiosk: KioskSide, observer: Observer) -> None:
    elsewhere = event(1, 1, "visit:ab")
    assert send(kiosk, 1, event(1), event(1), elsewhere) == ["applied", "already", "already"]
    assert send(kiosk, 2, elsewhere, event(2, 2)) == ["already", "applied"]
    assert observer.scalar(select(func.count()).select_from(schema.event)) == 2
    assert send(kiosk, 3, event(3, 1, "visit:ab")) == ["applied"]


def test_order_is_kept_within_an_aggregate_only(kiosk: KioskSide) -> None:
    assert send(kiosk, 1, event(3), event(1), event(2)) == ["order", "applied", "applied"]
    assert send(kiosk, 2, event(9, 1, "visit:ab"), event(3)) == ["applied", "applied"]
    assert send(kiosk, 3, event(10, 3)) == ["order"]


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (event(1, schema_version=2), "unsupported"),
        (event(1, body={"text": "a" * 65}), "invalid"),
        (event(1, body={"text": "é"}), "invalid"),
        (event(1, body={"deep": {}}), "invalid"),
        (event(1, body={"part": 1.5}), "invalid"),
        (event(1, type="Visit"), "invalid"),
        (event(1, aggregate_seq=0), "invalid"),
        (event(1, event_id="1"), "invalid"),
        (event(1, more=1), "invalid"),
        (None, "invalid"),
    ],
)
def test_one_bad_event_spoils_no_other(kiosk: KioskSide, bad: Any, status: str) -> None:
    assert send(kiosk, 1, bad, event(1)) == [status, "applied"]


def test_a_number_with_two_contents_is_a_fork_and_quarantines(kiosk: KioskSide, observer: Observer) -> None:
    send(kiosk, 1, event(1))
    assert kiosk.refused(EVENTS, batch(1, event(2))) == (409, "fork", "MISROUTED")
    assert observer.scalar(select(schema.kiosk.c.quarantine)) == "stop"
    assert observer.scalar(select(func.count()).select_from(schema.event)) == 1
    assert kiosk.refused(EVENTS, batch(2, event(2))) == (403, "quarantined", "UNAVAILABLE")
    told = kiosk.good("/v1/policy/state", {"known": {}})["latest"]
    assert told["quarantine"] == 1


def test_a_number_below_the_last_and_never_seen_is_stale_and_nothing_else(kiosk: KioskSide, observer: Observer) -> None:
    send(kiosk, 7, event(1))
    assert kiosk.refused(EVENTS, batch(6, event(2))) == (409, "stale_seq", "MISROUTED")
    assert observer.scalar(select(schema.kiosk.c.quarantine)) == "none"
    assert send(kiosk, 8, event(2)) == ["applied"]


def test_a_batch_sent_again_under_its_key_gets_its_answer_until_it_is_acknowledged(kiosk: KioskSide) -> None:
    key, body = "00" * 16, batch(1, event(1))
    first = kiosk.good(EVENTS, body, key)
    assert kiosk.good(EVENTS, body, key) == first
    send(kiosk, 2, event(2), acked=1)
    assert kiosk.refused(EVENTS, body, key) == (410, "gone", "EXPIRED")


def test_the_state_of_a_batch(kiosk: KioskSide) -> None:
    send(kiosk, 3, event(1))
    assert kiosk.good(STATE, {"batch_seq": 3}) == {"applied": True, "last_seq": 3}
    assert kiosk.good(STATE, {"batch_seq": 2}) == {"applied": False, "last_seq": 3}


def test_a_batch_has_at_most_a_thousand_events(kiosk: KioskSide) -> None:
    assert kiosk.refused(EVENTS, batch(1, *[None] * 1001)) == (422, "schema", "BAD_MESSAGE")
    assert send(kiosk, 1, *[None] * 1000) == ["invalid"] * 1000
