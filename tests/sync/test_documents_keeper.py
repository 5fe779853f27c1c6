"""The keeper of signed documents: what was accepted stays, whatever happens, and its floors never fall."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.store.thread import Store
from kiosk.store.transaction import write_meta
from kiosk.sync.documents import Document, DocumentError
from kiosk.sync.documents_bodies import TYPES
from kiosk.sync.documents_keeper import DocumentKeeper, Unreadable
from kiosk.sync.identity import Role
from kiosk.visit.policy import Quarantine
from tests.sync.support import KIOSK, NOW_S, p256_key
from tests.sync.test_documents import ROLE, document, envelope, record_of, signed

ROLES = dict.fromkeys(TYPES, ROLE)
QUARANTINE = {"type": "quarantine", "body": {"level": "no_relay"}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "kiosk.db", bytes(range(32)))
    assert isinstance(opened, Store)
    yield opened
    opened.close()


def keeper(store: Store, roles: dict[str, Role] | None = None) -> DocumentKeeper:
    return DocumentKeeper(store, roles=ROLES if roles is None else roles, kiosk=KIOSK, app_version="0.1.0")


def adopt(store: Store, **changes: Any) -> Document | DocumentError:
    return keeper(store).adopt(signed(**changes), NOW_S).result()


def versions(store: Store) -> dict[tuple[str, str], int]:
    kept = keeper(store).kept().result()
    assert all(isinstance(document, Document) for document in kept)
    return {(document.type, document.scope): document.version for document in kept if isinstance(document, Document)}


def test_nothing_kept_yet(store: Store) -> None:
    assert keeper(store).kept().result() == []


def test_adopted_documents_survive_and_their_floors_with_them(store: Store, tmp_path: Path) -> None:
    assert isinstance(adopt(store), Document)
    assert isinstance(adopt(store, scope="*", version=9), Document)
    assert isinstance(adopt(store, **QUARANTINE, version=2), Document)
    store.close()
    again = Store.open(tmp_path / "kiosk.db", bytes(range(32)))
    assert isinstance(again, Store)
    try:
        assert versions(again) == {("policy", KIOSK): 5, ("policy", "*"): 9, ("quarantine", KIOSK): 2}
        below = [adopt(again, version=4), adopt(again, scope="*", version=8), adopt(again, **QUARANTINE, version=1)]
        assert [error.reason for error in below if isinstance(error, DocumentError)] == [
            "below 5, the last accepted",
            "below 9, the last accepted",
            "below 2, the last accepted",
        ]
    finally:
        again.close()


def test_floors_are_counted_by_type_and_scope(store: Store) -> None:
    assert isinstance(adopt(store), Document)
    assert isinstance(adopt(store, scope="*", version=1), Document)
    assert isinstance(adopt(store, **QUARANTINE, version=1), Document)


def test_a_refused_document_changes_nothing(store: Store) -> None:
    adopt(store)
    before = keeper(store).kept().result()
    for wrong in ({"version": 4}, {"version": 6, "body": {"idle_s": 0}}, {"version": 6, "scope": "borne-8"}):
        assert isinstance(adopt(store, **wrong), DocumentError)
    assert keeper(store).kept().result() == before
    assert isinstance(adopt(store, version=6), Document)
    assert isinstance(adopt(store), DocumentError)


def test_a_type_that_nobody_knows_is_ignored_and_said(store: Store) -> None:
    assert adopt(store, type="weather") == DocumentError("payload.type", "unknown to this application: ignored")
    assert keeper(store).kept().result() == []


def test_what_was_accepted_stays_in_force_under_new_keys_and_after_its_time(store: Store) -> None:
    """Re-enrolment brings other document keys: an order does not end by that, and no older one comes in."""
    adopt(store, **QUARANTINE, version=2)
    new = p256_key("quarantine/7")
    renewed = keeper(store, {"quarantine": Role(1, {new.keyid: record_of(new)})})
    (kept,) = renewed.kept().result()
    assert isinstance(kept, Document)
    assert kept.body is Quarantine.NO_RELAY
    older = envelope(json.dumps(document(**QUARANTINE, version=1)).encode(), new)
    assert renewed.adopt(older, NOW_S).result() == DocumentError("payload.version", "below 2, the last accepted")


def test_a_document_that_is_not_the_one_of_its_floor_is_not_believed(store: Store) -> None:
    adopt(store)
    forged = json.dumps(signed(version=5, body={"issue_code": "off"})).encode()
    store.submit(lambda tx: write_meta(tx, f"document:policy:{KIOSK}", forged)).result()
    (kept,) = keeper(store).kept().result()
    assert kept == Unreadable("policy", KIOSK, DocumentError("envelope", "not what was accepted"))


def test_document_and_floor_are_written_together(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    adopt(store)

    def fails_on_the_floor(tx: Any, key: str, value: bytes) -> None:
        if "floor" in key:
            raise RuntimeError("power cut")
        write_meta(tx, key, value)

    monkeypatch.setattr("kiosk.sync.documents_keeper.write_meta", fails_on_the_floor)
    with pytest.raises(RuntimeError, match="power cut"):
        adopt(store, version=6)
    assert versions(store) == {("policy", KIOSK): 5}
