"""The check of the database finds what it is there to find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, update

from simulators.backend import schema
from simulators.backend.database import Database
from simulators.fleet.check import Check, check
from simulators.fleet.identity import kiosk_id
from simulators.fleet.outbox import FleetOutbox
from simulators.fleet.tally import KioskEnd

SEED = 5
KIOSK = kiosk_id(SEED, 0)
EVENT = schema.event


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "backend.sqlite")
    yield database
    database.close()


@pytest.fixture
def outbox(database: Database) -> FleetOutbox:
    """Six events applied and acknowledged: a visit of four, one of two."""
    outbox = FleetOutbox()
    row = {"id": KIOSK, "site_kind": "agency", "quarantine": "none", "last_batch_seq": 0, "refusals": 0}
    database.run(lambda connection: connection.execute(insert(schema.kiosk).values(**row)))
    for events in (4, 2):
        outbox.add_visit(events, 0)
        _apply(database, outbox, f"visit:{events}")
        outbox.acknowledge()
    return outbox


def _apply(database: Database, outbox: FleetOutbox, aggregate: str) -> None:
    """As the backend applies the batch in flight."""
    batch = outbox.batch()
    assert batch is not None
    rows = [
        {
            "kiosk": KIOSK,
            "event_id": event_id,
            "aggregate": aggregate,
            "aggregate_seq": place + 1,
            "type": "card_read",
            "created_utc_ms": 0,
            "body_json": "{}",
        }
        for place, event_id in enumerate(batch.event_ids)
    ]

    def work(connection: Connection) -> None:
        connection.execute(insert(EVENT), rows)
        connection.execute(update(schema.kiosk).values(last_batch_seq=batch.batch_seq))

    database.run(work)


def _end(outbox: FleetOutbox) -> KioskEnd:
    in_flight = () if outbox.in_flight is None else outbox.in_flight.event_ids
    return KioskEnd(KIOSK, outbox.made, outbox.acked, outbox.acked_id_sum, outbox.last_acked_seq, in_flight)


def _checked(database: Database, outbox: FleetOutbox) -> Check:
    return database.run(lambda connection: check(connection, SEED, [_end(outbox)]))


def test_all_is_well(database: Database, outbox: FleetOutbox) -> None:
    found = _checked(database, outbox)
    assert found.is_good
    assert (found.acknowledged, found.applied, found.unknown, found.gaps) == (6, 6, 0, 0)


def test_a_lost_event_is_found(database: Database, outbox: FleetOutbox) -> None:
    lost = EVENT.c.aggregate == "visit:2", EVENT.c.aggregate_seq == 2
    database.run(lambda connection: connection.execute(delete(EVENT).where(*lost)))
    found = _checked(database, outbox)
    assert found.violations == (f"{KIOSK}: 6 events acknowledged, 5 applied",)
    assert found.gaps == 0  # the last of its aggregate: the count alone tells
    assert not found.is_good


def test_an_event_applied_twice_under_another_name_is_found(database: Database, outbox: FleetOutbox) -> None:
    twice = {"aggregate": "visit:9", "aggregate_seq": 1, "type": "card_read", "created_utc_ms": 0, "body_json": "{}"}
    database.run(lambda connection: connection.execute(insert(EVENT).values(kiosk=KIOSK, event_id="0" * 32, **twice)))
    assert _checked(database, outbox).violations == (f"{KIOSK}: 6 events acknowledged, 7 applied",)


def test_another_event_in_place_of_one_is_found(database: Database, outbox: FleetOutbox) -> None:
    first = EVENT.c.aggregate == "visit:2", EVENT.c.aggregate_seq == 1
    database.run(lambda connection: connection.execute(update(EVENT).where(*first).values(event_id="0" * 32)))
    assert _checked(database, outbox).violations == (f"{KIOSK}: other events applied than were acknowledged",)


def test_a_gap_is_found(database: Database, outbox: FleetOutbox) -> None:
    last = EVENT.c.aggregate == "visit:4", EVENT.c.aggregate_seq == 4
    database.run(lambda connection: connection.execute(update(EVENT).where(*last).values(aggregate_seq=5)))
    found = _checked(database, outbox)
    assert (found.gaps, found.wrong_kiosks, found.is_good) == (1, 0, False)


def test_a_batch_number_that_was_forgotten_is_found(database: Database, outbox: FleetOutbox) -> None:
    database.run(lambda connection: connection.execute(update(schema.kiosk).values(last_batch_seq=1)))
    assert _checked(database, outbox).violations == (f"{KIOSK}: last batch 1, acknowledged 2",)


@pytest.mark.parametrize("is_applied", [False, True])
def test_what_is_in_flight_at_the_end_may_be_applied_or_not(
    database: Database, outbox: FleetOutbox, *, is_applied: bool
) -> None:
    outbox.add_visit(3, 0)
    outbox.batch()
    if is_applied:
        _apply(database, outbox, "visit:3")
    found = _checked(database, outbox)
    assert found.is_good
    assert (found.acknowledged, found.applied, found.unknown) == ((6, 9, 3) if is_applied else (6, 6, 0))


def test_a_stranger_is_found(database: Database, outbox: FleetOutbox) -> None:
    found = database.run(lambda connection: check(connection, SEED, []))
    assert found.violations == (f"{KIOSK}: events of a kiosk that is not of this run",)
    assert database.run(lambda connection: check(connection, SEED + 1, [])).is_good  # another fleet's are not read
