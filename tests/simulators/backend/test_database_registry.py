"""Keys that another process has registered: one read for all who ask, none for a while after a miss, bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, event, insert

from kiosk.sync.keys import SoftwareKey
from simulators.backend import registry, schema
from simulators.backend.database import Database
from simulators.backend.registry import MAX_UNKNOWN, UNKNOWN_FOR_S, KeyRegistry


class Clock:
    """Monotonic time that only the test moves."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "backend.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def statements(database: Database) -> list[str]:
    """What the engine was asked."""
    seen: list[str] = []
    event.listen(database._engine, "before_cursor_execute", lambda *of: seen.append(of[2].split()[0]))
    return seen


def register(database: Database, keyid: str) -> None:
    key = SoftwareKey(keyid, ec.generate_private_key(ec.SECP256R1()))
    name = keyid.partition("/")[0]

    def work(connection: Connection) -> None:
        kiosk = {"id": name, "site_kind": "agency", "quarantine": "none", "last_batch_seq": 0, "refusals": 0}
        connection.execute(insert(schema.kiosk).values(kiosk))
        row = {"keyid": keyid, "kiosk": name, "alg": key.alg, "spki": key.public_spki(), "state": "active"}
        connection.execute(insert(schema.kiosk_key).values(row))

    database.run(work)


def test_all_who_ask_at_once_share_one_read(database: Database, statements: list[str]) -> None:
    register(database, "a/1")
    statements.clear()
    keys = KeyRegistry(Clock())

    async def ask() -> list[object]:
        return list(await asyncio.gather(*(keys.find_stored(database, "a/1") for _ in range(5))))

    found = asyncio.run(ask())
    assert found == [keys.find("a/1")] * 5
    assert found[0] is not None
    assert statements.count("SELECT") == 1
    assert not {"INSERT", "UPDATE", "DELETE"} & set(statements)


@pytest.mark.parametrize(("after_s", "reads"), [(0.0, 1), (UNKNOWN_FOR_S - 0.1, 1), (UNKNOWN_FOR_S, 2)])
def test_a_miss_is_remembered_for_a_while(
    database: Database, statements: list[str], after_s: float, reads: int
) -> None:
    clock = Clock()
    keys = KeyRegistry(clock)
    assert asyncio.run(keys.find_stored(database, "a/1")) is None
    register(database, "a/1")
    clock.now_s += after_s
    statements.clear()
    found = asyncio.run(keys.find_stored(database, "a/1"))
    assert (found is not None, statements.count("SELECT")) == (reads == 2, reads - 1)


def test_an_enrolment_here_ends_the_miss(database: Database) -> None:
    keys = KeyRegistry(Clock())
    assert asyncio.run(keys.find_stored(database, "a/1")) is None
    register(database, "a/1")
    database.run(keys.load)
    assert keys.find("a/1") is not None
    assert keys._unknown_until_s == {}


def test_misses_are_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_UNKNOWN >= 100
    monkeypatch.setattr(registry, "MAX_UNKNOWN", 3)
    keys = KeyRegistry(Clock())
    for number in range(1, 6):
        asyncio.run(keys.find_stored(database, f"a/{number}"))
    assert list(keys._unknown_until_s) == ["a/3", "a/4", "a/5"]
