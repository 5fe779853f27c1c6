"""Signed policy: each way a document can be wrong, and a keeper whose floor never falls."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.store.thread import Store
from kiosk.store.transaction import write_meta
from kiosk.sync.documents import (
    MAX_ENVELOPE_BYTES,
    PAYLOAD_TYPE,
    DocumentError,
    Floor,
    PolicyDocument,
    PolicyKeeper,
    envelope_type,
    pre_authentication,
    verify_policy,
)
from kiosk.sync.identity import Role
from kiosk.sync.profile import KeyRecord, register_document_key
from kiosk.visit.policy import CodeIssuing, SiteKind
from kiosk.visit.ports import SigningKey
from tests.sync.support import KIOSK, NOW_S, p256_key

KEYS = [p256_key(f"policy/{number}") for number in (1, 2, 3)]
STRANGER = p256_key("policy/9")
OTHER_ROLE = p256_key("quarantine/1")


def _record(key: SigningKey) -> KeyRecord:
    record = register_document_key(key.keyid, key.alg, key.public_spki())
    assert isinstance(record, KeyRecord)
    return record


ROLE = Role(2, {key.keyid: _record(key) for key in KEYS})


def document(**changes: Any) -> dict[str, Any]:
    good = {
        "type": "policy",
        "scope": KIOSK,
        "version": 5,
        "issued_at": NOW_S,
        "not_before": NOW_S,
        "not_after": NOW_S + 1000,
        "min_app_version": "0.1.0",
        "body": {"site_kind": "agency", "issue_code": "on"},
    }
    return {**good, **changes}


def envelope(payload: bytes, *keys: SigningKey) -> dict[str, Any]:
    message = pre_authentication(PAYLOAD_TYPE, payload)
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": b64encode(payload).decode(),
        "signatures": [{"keyid": key.keyid, "sig": b64encode(key.sign(message)).decode()} for key in keys],
    }


def signed(**changes: Any) -> dict[str, Any]:
    return envelope(json.dumps(document(**changes)).encode(), *KEYS[:2])


def verify(value: dict[str, Any] | bytes, floor: Floor | None = None) -> PolicyDocument | DocumentError:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return verify_policy(raw, role=ROLE, scope=KIOSK, floor=floor, now_s=NOW_S, app_version="0.1.0")


def test_a_good_document() -> None:
    result = verify(signed())
    assert isinstance(result, PolicyDocument)
    assert result.version == 5
    assert result.policy.site_kind is SiteKind.AGENCY
    assert result.policy.issue_code is CodeIssuing.ON
    assert envelope_type(signed()) == "policy"


def test_pre_authentication_is_that_of_the_standard() -> None:
    """The example of the DSSE specification, protocol.md."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pre_authentication("http://example.com/HelloWorld", b"hello world") == expected


def _edited(**changes: Any) -> dict[str, Any]:
    return {**signed(), **changes}


def _payload(raw: bytes) -> dict[str, Any]:
    return envelope(raw, *KEYS[:2])


def _without(name: str) -> dict[str, Any]:
    value = document()
    del value[name]
    return _payload(json.dumps(value).encode())


def _swapped() -> dict[str, Any]:
    value = signed()
    first, second = value["signatures"]
    first["sig"], second["sig"] = second["sig"], first["sig"]
    return value


ROWS: dict[str, tuple[Callable[[], dict[str, Any] | bytes], str, str]] = {
    "too long": (lambda: b" " * (MAX_ENVELOPE_BYTES + 1), "envelope", "longer than 65536 bytes"),
    "not JSON": (lambda: b"{", "envelope", "not JSON at 1"),
    "duplicate key": (lambda: b'{"payload":"","payload":""}', "envelope", "a duplicate key"),
    "no payload type": (lambda: _edited(payloadType="text/plain"), "payloadType", f"{PAYLOAD_TYPE} expected"),
    "no signature": (lambda: _edited(signatures=[]), "signatures", "a list of 1 to 16 expected"),
    "payload not base64": (lambda: _edited(payload="A"), "payload", "base64 expected"),
    "payload type number": (lambda: _edited(payload=1), "payload", "a text expected"),
    "one key": (lambda: envelope(json.dumps(document()).encode(), KEYS[0]), "signatures", "1 distinct keys, 2 needed"),
    "one key twice": (
        lambda: envelope(json.dumps(document()).encode(), KEYS[0], KEYS[0]),
        "signatures",
        "1 distinct keys, 2 needed",
    ),
    "stranger": (
        lambda: envelope(json.dumps(document()).encode(), KEYS[0], STRANGER),
        "signatures[1].keyid",
        "not a key of this role",
    ),
    "other role": (
        lambda: envelope(json.dumps(document()).encode(), KEYS[0], KEYS[1], OTHER_ROLE),
        "signatures[2].keyid",
        "not a key of this role",
    ),
    "signatures swapped": (_swapped, "signatures[0].sig", "does not fit the payload"),
    "payload exchanged": (
        lambda: _edited(payload=b64encode(json.dumps(document(version=6)).encode()).decode()),
        "signatures[0].sig",
        "does not fit the payload",
    ),
    "payload with a duplicate": (lambda: _payload(b'{"type":"policy","type":"policy"}'), "payload", "a duplicate key"),
    **{f"without {name}": (partial(_without, name), f"payload.{name}", "missing") for name in document()},
    "other type": (lambda: signed(type="quarantine"), "payload.type", "not a policy"),
    "other scope": (lambda: signed(scope="borne-8"), "payload.scope", "another kiosk's"),
    "version zero": (
        lambda: signed(version=0),
        "payload.version",
        "a whole number from 1 to 2147483647 expected",
    ),
    "too early": (lambda: signed(not_before=NOW_S + 1), "payload.not_before", "not reached yet"),
    "too late": (lambda: signed(not_after=NOW_S - 1), "payload.not_after", "has passed"),
    "newer application": (
        lambda: signed(min_app_version="0.10.0"),
        "payload.min_app_version",
        "above 0.1.0, this application",
    ),
    "unknown field": (lambda: signed(body={"colour": "red"}), "payload.body.colour", "unknown field"),
    "bad value": (
        lambda: signed(body={"idle_s": 0}),
        "payload.body.idle_s",
        "a number of seconds from 1 to 3600 expected",
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_each_wrong_document_names_field_and_cause(row: str) -> None:
    make, field, reason = ROWS[row]
    assert verify(make()) == DocumentError(field, reason)


def test_versions_against_the_floor() -> None:
    good = verify(signed())
    assert isinstance(good, PolicyDocument)
    same = Floor(5, good.payload_sha256)
    assert isinstance(verify(signed(), same), PolicyDocument)
    assert isinstance(verify(signed(version=6), same), PolicyDocument)
    assert verify(signed(version=4), same) == DocumentError("payload.version", "below 5, the last accepted")
    assert verify(signed(body={}), same) == DocumentError("payload.version", "5 again, with another content")


@settings(max_examples=80, deadline=None)
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_no_changed_byte_gets_another_policy_in(at: int, byte: int) -> None:
    raw = bytearray(_GOOD)
    raw[at % len(raw)] = byte
    result = verify(bytes(raw))
    if isinstance(result, PolicyDocument):
        assert result.payload_sha256 == _GOOD_DOCUMENT.payload_sha256


_GOOD = json.dumps(signed()).encode()
_verified = verify(_GOOD)
assert isinstance(_verified, PolicyDocument)
_GOOD_DOCUMENT = _verified


# --- keeper ------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "kiosk.db", bytes(range(32)))
    assert isinstance(opened, Store)
    yield opened
    opened.close()


def keeper(store: Store) -> PolicyKeeper:
    return PolicyKeeper(store, role=ROLE, scope=KIOSK, app_version="0.1.0")


def test_nothing_kept_yet(store: Store) -> None:
    assert keeper(store).in_force().result() is None


def test_adopted_documents_survive_and_the_floor_with_them(store: Store, tmp_path: Path) -> None:
    adopted = keeper(store).adopt(signed(), NOW_S).result()
    assert isinstance(adopted, PolicyDocument)
    store.close()
    again = Store.open(tmp_path / "kiosk.db", bytes(range(32)))
    assert isinstance(again, Store)
    try:
        kept = keeper(again).in_force().result()
        assert isinstance(kept, PolicyDocument)
        assert kept.policy == adopted.policy
        assert isinstance(keeper(again).adopt(signed(version=4), NOW_S).result(), DocumentError)
    finally:
        again.close()


def test_a_refused_document_changes_nothing(store: Store) -> None:
    keeper(store).adopt(signed(), NOW_S).result()
    before = keeper(store).in_force().result()
    for wrong in (signed(version=4), signed(version=6, body={"idle_s": 0}), signed(version=6, scope="borne-8")):
        assert isinstance(keeper(store).adopt(wrong, NOW_S).result(), DocumentError)
    assert keeper(store).in_force().result() == before
    assert isinstance(keeper(store).adopt(signed(version=6), NOW_S).result(), PolicyDocument)
    assert isinstance(keeper(store).adopt(signed(), NOW_S).result(), DocumentError)


def test_an_expired_policy_stays_in_force(store: Store) -> None:
    keeper(store).adopt(signed(), NOW_S).result()
    later = keeper(store).in_force().result()
    assert isinstance(later, PolicyDocument)
    assert later.version == 5


def test_document_and_floor_are_written_together(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper(store).adopt(signed(), NOW_S).result()

    def fails_on_the_floor(tx: Any, key: str, value: bytes) -> None:
        if "floor" in key:
            raise RuntimeError("power cut")
        write_meta(tx, key, value)

    monkeypatch.setattr("kiosk.sync.documents.write_meta", fails_on_the_floor)
    with pytest.raises(RuntimeError, match="power cut"):
        keeper(store).adopt(signed(version=6), NOW_S).result()
    kept = keeper(store).in_force().result()
    assert isinstance(kept, PolicyDocument)
    assert kept.version == 5
