"""After a power cut, what was begun gets the end that is true of it: uncertain, unknown; and only once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.journal.catalogue import EntryError, FieldValue, shipped_catalogue
from kiosk.journal.journal import append
from kiosk.journal.unended import unended
from kiosk.store.errors import StoreError
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction

NAME, OTHER = "a" * 32, "b" * 32
BEGUN: tuple[str, dict[str, FieldValue]] = ("update_started", {"updates": 1})
DONE: tuple[str, dict[str, FieldValue]] = (
    "update_ended",
    {"outcome": "updated", "packages": 4, "apdus": 10, "wrote": True, "detail": 1},
)
DECLINED: tuple[str, dict[str, FieldValue]] = (
    "update_ended",
    {"outcome": "declined", "packages": 0, "apdus": 0, "wrote": False},
)
QUEUED: tuple[str, dict[str, FieldValue]] = ("ticket_queued", {"kind": "code", "duplicate": False})
STARTED: tuple[str, dict[str, FieldValue]] = ("kiosk_started", {})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "kiosk.db", secrets.token_bytes(32))
    assert not isinstance(opened, StoreError)
    yield opened
    opened.close()


def write(store: Store, event: tuple[str, dict[str, FieldValue]], name: str | None = NAME) -> None:
    def work(tx: Transaction) -> None:
        pseudonym = None if event is STARTED else name
        entry = append(tx, shipped_catalogue(), event[0], event[1], utc_ms=1, pseudonym=pseudonym)
        assert not isinstance(entry, EntryError)

    store.submit(work).result()


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([], []),
        ([STARTED], []),
        ([STARTED, BEGUN], ["update_ended"]),
        ([STARTED, BEGUN, DONE], []),
        ([STARTED, DECLINED, BEGUN], ["update_ended"]),
        ([STARTED, BEGUN, DONE, DECLINED, BEGUN], ["update_ended"]),
        ([STARTED, QUEUED], ["ticket_ended"]),
        ([STARTED, BEGUN, QUEUED], ["update_ended", "ticket_ended"]),
        ([STARTED, BEGUN, STARTED], []),
    ],
)
def test_open_beginnings(store: Store, events: list[tuple[str, dict[str, FieldValue]]], found: list[str]) -> None:
    for event in events:
        write(store, event)
    ends = store.submit(unended).result()
    assert [end.event for end in ends] == found
    for end in ends:
        assert end.pseudonym == NAME
        assert shipped_catalogue().check(end.event, end.pseudonym, end.fields) is None


def test_the_open_one_keeps_its_own_pseudonym(store: Store) -> None:
    write(store, STARTED)
    write(store, BEGUN)
    write(store, BEGUN, OTHER)
    write(store, DONE)
    assert [end.pseudonym for end in store.submit(unended).result()] == [OTHER]
