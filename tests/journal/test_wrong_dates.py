"""Tries that were used are known after a restart: which refusals count, for whom, and that the visit is told."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from kiosk.facts import Facts
from kiosk.journal.catalogue import FieldValue, shipped_catalogue
from kiosk.journal.wrong_dates import NEWEST, wrong_dates
from kiosk.last_run import end_last_run
from kiosk.store.errors import StoreError
from kiosk.store.thread import Store
from kiosk.sync.outbox import Outbox
from kiosk.visit.events import WrongDatesBefore
from tests.hardware.pcsc.support import FakeClock

NAME, OTHER = "a" * 32, "b" * 32
DATE: dict[str, FieldValue] = {"question": "birth_date", "tries_left": 2}
POSTCODE: dict[str, FieldValue] = {"question": "postcode", "tries_left": 2}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "kiosk.db", secrets.token_bytes(32))
    assert not isinstance(opened, StoreError)
    yield opened
    opened.close()


@pytest.fixture
def facts(store: Store) -> Facts:
    return Facts(store, Outbox(FakeClock()), lambda: 1)


def test_birth_dates_count_by_card_and_postcodes_do_not(store: Store, facts: Facts) -> None:
    assert store.submit(wrong_dates).result() == {}
    for fields, name in ((DATE, NAME), (POSTCODE, NAME), (DATE, OTHER), (DATE, NAME), (DATE, None)):
        facts.commit("identity_refused", fields, name)
    facts.commit("identified", {"level": 1}, NAME).result()
    assert store.submit(wrong_dates).result() == {NAME: 2, OTHER: 1}


def test_a_refusal_of_a_version_that_did_not_say_of_what_counts(store: Store) -> None:
    row = (1, 1, "identity_refused", NAME, json.dumps({"tries_left": 1}), bytes(32))
    store.submit(lambda tx: tx.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", row)).result()
    assert store.submit(wrong_dates).result() == {NAME: 1}


def test_only_the_newest_are_looked_at(store: Store, facts: Facts) -> None:
    facts.commit("identity_refused", DATE, OTHER)
    for _ in range(NEWEST):
        facts.commit("identity_refused", DATE, NAME)
    assert store.submit(wrong_dates).result() == {NAME: NEWEST}


def test_the_visit_is_told_at_the_start(store: Store, facts: Facts) -> None:
    posted: SimpleQueue[object] = SimpleQueue()
    end_last_run(store, facts, None, posted.put, 1)
    facts.commit("identity_refused", DATE, NAME).result()
    assert posted.empty()
    end_last_run(store, facts, None, posted.put, 1)
    assert posted.get(timeout=10.0) == WrongDatesBefore({NAME: 1})


def test_the_question_is_always_told() -> None:
    rule = shipped_catalogue().events["identity_refused"].fields["question"]
    assert (rule.optional, rule.values) == (False, ("birth_date", "postcode"))
