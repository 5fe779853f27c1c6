"""The fleet's outbox against the backend's own rules for a batch."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync import profile, strict_json
from simulators.backend.bodies import BODIES, EVENT
from simulators.fleet.outbox import Batch, FleetOutbox, id_sum


def _drained(outbox: FleetOutbox) -> list[Batch]:
    batches = []
    while (batch := outbox.batch()) is not None:
        batches.append(batch)
        outbox.acknowledge()
    return batches


@given(st.lists(st.integers(0, 130), max_size=12))
@settings(max_examples=40, deadline=None)
def test_batches_hold_every_event_once_in_order(visits: list[int]) -> None:
    outbox = FleetOutbox()
    for events in visits:
        outbox.add_visit(events, 1_800_000_000_000)
    assert outbox.waiting == outbox.made == sum(visits)
    batches = _drained(outbox)
    numbers = defaultdict(list)
    ids: list[str] = []
    for place, batch in enumerate(batches):
        body = strict_json.decode(batch.body, profile.MAX_REQUEST_BODY_BYTES)
        assert not isinstance(body, strict_json.JsonError)
        assert BODIES["/v1/events"](body, "") is None
        assert (body["batch_seq"], body["acked_through_seq"]) == (place + 1, place)
        assert 1 <= len(body["events"]) <= 100
        for event in body["events"]:
            assert EVENT(event, "event") is None
            numbers[event["aggregate"]].append(event["aggregate_seq"])
        assert batch.event_ids == tuple(event["event_id"] for event in body["events"])
        ids += batch.event_ids
    assert all(told == list(range(1, len(told) + 1)) for told in numbers.values())
    assert len(set(ids)) == len(ids) == outbox.acked == sum(visits)
    assert outbox.waiting == 0
    assert outbox.acked_id_sum == id_sum(tuple(ids))
    assert outbox.last_acked_seq == len(batches)


def test_a_batch_is_the_same_until_it_is_acknowledged() -> None:
    outbox = FleetOutbox()
    outbox.add_visit(3, 0)
    first = outbox.batch()
    outbox.add_visit(4, 0)
    assert outbox.batch() is first
    assert outbox.in_flight is first
    assert outbox.waiting == 7
    outbox.acknowledge()
    assert outbox.waiting == 4
    second = outbox.batch()
    assert first is not None
    assert second is not None
    assert second.idem_key != first.idem_key


def test_nothing_in_flight_cannot_be_acknowledged() -> None:
    with pytest.raises(ValueError, match="nothing is in flight"):
        FleetOutbox().acknowledge()


@given(st.lists(st.uuids(), min_size=2, max_size=5, unique=True))
@settings(max_examples=30, deadline=None)
def test_another_set_has_another_sum(uuids: list[object]) -> None:
    ids = tuple(str(uuid) for uuid in uuids)
    assert id_sum(ids) == id_sum(ids[::-1])
    assert id_sum(ids[:-1]) != id_sum(ids) or int(ids[-1].replace("-", ""), 16) == 0
