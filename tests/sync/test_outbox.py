"""Queueing and sealing: numbers, quotas, order, limits."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync import batches
from kiosk.sync.batches import Batch, EventStatus
from kiosk.sync.outbox import Outbox, OutboxFull, Quota, dead, pending, store_failed, store_full, uuid7
from kiosk.visit.failures import Cause
from tests.sync.intake import FakeClock

T = TypeVar("T")
UTC_MS = 1_790_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "kiosk.db", bytes(32))
    assert isinstance(opened, Store)
    yield opened
    opened.close()


def run(store: Store, work: Callable[[Transaction], T]) -> T:
    return store.submit(work).result()


def outbox(quota: Quota | None = None) -> Outbox:
    return Outbox(FakeClock(12.3456), quota=quota, boot_id="boot")


def queue(store: Store, *aggregates: str, box: Outbox | None = None, size: int = 0) -> list[OutboxFull | None]:
    used = box or outbox()

    def work(tx: Transaction) -> list[OutboxFull | None]:
        return [used.enqueue(tx, name, "fact", {"text": "x" * size}, utc_ms=UTC_MS) for name in aggregates]

    return run(store, work)


def sealed(store: Store, now_ms: int = 0) -> tuple[Batch, dict[str, Any]]:
    batch = run(store, lambda tx: batches.seal(tx, now_ms))
    assert batch is not None
    return batch, json.loads(batch.body)


def names(message: dict[str, Any]) -> list[tuple[str, int]]:
    return [(event["aggregate"], event["aggregate_seq"]) for event in message["events"]]


def settle(store: Store, batch: Batch, *statuses: EventStatus, due_ms: int = 5000) -> None:
    results = dict(zip(batch.event_ids, statuses, strict=True))
    run(store, lambda tx: batches.settle(tx, batch, results, lambda _: due_ms))


@given(st.integers(0, 2**48 - 1))
def test_uuid7(utc_ms: int) -> None:
    text = uuid7(utc_ms)
    value = UUID(text)
    assert (str(value), value.version, value.variant) == (text, 7, "specified in RFC 4122")
    assert value.int >> 80 == utc_ms
    assert uuid7(utc_ms) != text


def test_an_event_is_kept_as_given(store: Store) -> None:
    queue(store, "kiosk", "visit:00ff", "kiosk")
    columns = "aggregate, aggregate_seq, type, schema_version, body, created_utc_ms, created_boot_ms, boot_id, state"
    rows = run(store, lambda tx: tx.execute(f"SELECT {columns} FROM event ORDER BY seq"))  # noqa: S608
    common = ("fact", 1, b'{"text":""}', UTC_MS, 12346, "boot", "pending")
    assert rows == [("kiosk", 1, *common), ("visit:00ff", 1, *common), ("kiosk", 2, *common)]
    assert run(store, pending) == 3


def test_the_boot_is_known(store: Store) -> None:
    box = Outbox(FakeClock())
    queue(store, "kiosk", box=box)
    ((boot,),) = run(store, lambda tx: tx.execute("SELECT boot_id FROM event"))
    assert re.fullmatch(r"[0-9a-f-]{36}", str(boot))


def test_a_number_is_never_given_twice(store: Store) -> None:
    queue(store, "kiosk")
    batch, _ = sealed(store)
    settle(store, batch, EventStatus.APPLIED)
    assert run(store, pending) == 0
    assert run(store, batches.purge) == 1
    assert run(store, lambda tx: tx.execute("SELECT * FROM event")) == []
    queue(store, "kiosk")
    assert names(sealed(store)[1]) == [("kiosk", 2)]


@pytest.mark.parametrize(
    ("quota", "reason"),
    [(Quota(events=4, reserve_share=0.5), "2 events wait"), (Quota(body_bytes=44, reserve_share=0.5), "22 bytes wait")],
)
def test_quotas_refuse_new_work_and_drop_nothing(quota: Quota, reason: str, store: Store) -> None:
    box = outbox(quota)
    assert queue(store, "kiosk", "kiosk", "kiosk", box=box) == [None, None, OutboxFull(reason)]
    assert run(store, pending) == 2
    reserved = run(store, lambda tx: box.enqueue(tx, "kiosk", "fact", {"text": ""}, utc_ms=UTC_MS, reserved=True))
    assert reserved is None
    batch, message = sealed(store)
    assert names(message) == [("kiosk", 1), ("kiosk", 2), ("kiosk", 3)]
    settle(store, batch, *[EventStatus.APPLIED] * 3)
    assert queue(store, "kiosk", box=box) != [None]  # acknowledged, not yet deleted
    run(store, batches.purge)
    assert queue(store, "kiosk", box=box) == [None]
    assert names(sealed(store)[1]) == [("kiosk", 4)]


@pytest.mark.parametrize(("events", "room"), [(2, True), (1, False)])
def test_whether_there_is_room_can_be_asked(events: int, room: bool, store: Store) -> None:
    box = outbox(Quota(events=events, reserve_share=0.0))
    queue(store, "kiosk", box=box)
    assert (run(store, box.refusal) is None) is room
    assert run(store, pending) == 1


@pytest.mark.parametrize(("aggregate", "size"), [("", 0), ("Kiosk", 0), ("k" * 97, 0), ("kiosk\n", 0), ("kiosk", 4096)])
def test_bugs_are_told(aggregate: str, size: int, store: Store) -> None:
    with pytest.raises(ValueError, match="event fact"):
        queue(store, aggregate, size=size)
    assert run(store, pending) == 0


def test_faults() -> None:
    assert store_failed("x").cause is Cause.STORE_FAILED
    assert store_full("x").cause is Cause.STORE_FULL


def test_the_sealed_form(store: Store) -> None:
    queue(store, "kiosk")
    batch, message = sealed(store)
    (event,) = message.pop("events")
    assert message == {"batch_seq": 1, "acked_through_seq": 0}
    assert event == {
        "event_id": batch.event_ids[0],
        "aggregate": "kiosk",
        "aggregate_seq": 1,
        "type": "fact",
        "schema_version": 1,
        "created_utc_ms": UTC_MS,
        "body": {"text": ""},
    }
    ((digest,),) = run(store, lambda tx: tx.execute("SELECT body_sha256 FROM batch"))
    assert digest == hashlib.sha256(batch.body).digest()
    assert re.fullmatch(r"[0-9a-f]{32}", batch.idem_key)
    assert run(store, batches.current) == batch


def test_heads_go_first(store: Store) -> None:
    queue(store, "a", "a", "a", "b", "c", "b")
    assert names(sealed(store)[1]) == [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2), ("a", 3)]


def test_a_dead_event_blocks_its_aggregate_only(store: Store) -> None:
    queue(store, "a", "b")
    batch, _ = sealed(store)
    queue(store, "a", "b", "c")
    settle(store, batch, EventStatus.INVALID, EventStatus.APPLIED)
    assert (run(store, dead), run(store, pending)) == (1, 4)
    assert names(sealed(store)[1]) == [("b", 2), ("c", 1)]


def test_a_delayed_event_delays_its_aggregate_only(store: Store) -> None:
    queue(store, "a", "a", "b")
    batch, _ = sealed(store)
    settle(store, batch, EventStatus.RETRY, EventStatus.ORDER, EventStatus.RETRY, due_ms=5000)
    queue(store, "b", "c")
    assert run(store, lambda tx: batches.next_due_ms(tx, 4999)) == 5000
    assert run(store, lambda tx: batches.next_due_ms(tx, 5000)) is None
    batch, message = sealed(store, now_ms=4999)
    assert names(message) == [("c", 1)]
    assert (message["batch_seq"], message["acked_through_seq"]) == (2, 1)
    settle(store, batch, EventStatus.ALREADY)
    assert names(sealed(store, now_ms=5000)[1]) == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_limits_of_a_batch(store: Store) -> None:
    queue(store, *["kiosk"] * 150)
    batch, message = sealed(store)
    assert names(message) == [("kiosk", seq) for seq in range(1, 101)]
    settle(store, batch, *[EventStatus.APPLIED] * 100)
    run(store, lambda tx: tx.execute("DELETE FROM event"))
    queue(store, *["big"] * 100, size=4000)
    batch, message = sealed(store)
    assert 252 * 1024 < len(batch.body) <= 256 * 1024
    assert names(message) == [("big", seq) for seq in range(1, len(batch.event_ids) + 1)]


def test_dissolving_gives_a_new_number_and_halves(store: Store) -> None:
    queue(store, *["kiosk"] * 7)
    sizes = []
    for number in (1, 2, 3, 4):
        batch, message = sealed(store)
        assert message["batch_seq"] == number
        sizes.append(len(batch.event_ids))
        run(store, lambda tx, batch=batch: batches.dissolve_and_halve(tx, batch))  # type: ignore[misc]  # default
        assert run(store, batches.current) is None
    assert sizes == [7, 3, 1, 1]
    batch, _ = sealed(store)
    settle(store, batch, EventStatus.APPLIED)
    assert names(sealed(store)[1]) == [("kiosk", 2), ("kiosk", 3)]  # taken: twice as many again


def test_recovery_makes_everything_due(store: Store) -> None:
    queue(store, "a", "b")
    batch, _ = sealed(store)
    settle(store, batch, EventStatus.RETRY, EventStatus.APPLIED, due_ms=10**9)
    queue(store, "b")
    batch, _ = sealed(store)
    run(store, lambda tx: batches.lease(tx, batch, 10**9))
    run(store, batches.recover)
    again = run(store, batches.current)
    assert again is not None
    assert (again.lease_until_ms, again.next_at_ms, again.attempts) == (0, 0, 1)
    assert (again.body, again.idem_key) == (batch.body, batch.idem_key)
    assert run(store, lambda tx: batches.next_due_ms(tx, 0)) is None
