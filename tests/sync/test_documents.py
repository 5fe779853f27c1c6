"""Signed documents: each way one can be wrong."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync.documents import (
    MAX_ENVELOPE_BYTES,
    PAYLOAD_TYPE,
    Document,
    DocumentError,
    Floor,
    claimed,
    pre_authentication,
    verify_document,
)
from kiosk.sync.documents_bodies import TYPES
from kiosk.sync.identity import Role
from kiosk.sync.profile import KeyRecord, register_document_key
from kiosk.visit.policy import CodeIssuing, Policy, Quarantine, SiteKind
from kiosk.visit.ports import SigningKey
from tests.sync.support import KIOSK, NOW_S, p256_key

KEYS = [p256_key(f"policy/{number}") for number in (1, 2, 3)]
STRANGER = p256_key("policy/9")
OTHER_ROLE = p256_key("quarantine/1")


def record_of(key: SigningKey) -> KeyRecord:
    record = register_document_key(key.keyid, key.alg, key.public_spki())
    assert isinstance(record, KeyRecord)
    return record


ROLE = Role(2, {key.keyid: record_of(key) for key in KEYS})


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


def verify(
    value: dict[str, Any] | bytes, floor: Floor | None = None, *, kind: str = "policy", role: Role | None = ROLE
) -> Document | DocumentError:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return verify_document(
        raw, TYPES[kind], role=role, kiosk=KIOSK, floor=lambda _scope: floor, now_s=NOW_S, app_version="0.1.0"
    )


def test_a_good_document() -> None:
    result = verify(signed())
    assert isinstance(result, Document)
    assert result.version == 5
    assert result.body == Policy(site_kind=SiteKind.AGENCY, issue_code=CodeIssuing.ON)
    assert claimed(signed()) == (TYPES["policy"], KIOSK)


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
    "other type": (lambda: signed(type="quarantine"), "payload.type", "policy expected"),
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
    assert isinstance(good, Document)
    same = Floor(5, good.payload_sha256)
    assert isinstance(verify(signed(), same), Document)
    assert isinstance(verify(signed(version=6), same), Document)
    assert verify(signed(version=4), same) == DocumentError("payload.version", "below 5, the last accepted")
    assert verify(signed(body={}), same) == DocumentError("payload.version", "5 again, with another content")


@settings(max_examples=80, deadline=None)
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_no_changed_byte_gets_another_policy_in(at: int, byte: int) -> None:
    raw = bytearray(_GOOD)
    raw[at % len(raw)] = byte
    result = verify(bytes(raw))
    if isinstance(result, Document):
        assert result.payload_sha256 == _GOOD_DOCUMENT.payload_sha256


_GOOD = json.dumps(signed()).encode()
_verified = verify(_GOOD)
assert isinstance(_verified, Document)
_GOOD_DOCUMENT = _verified


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_has_a_role_of_its_own(kind: str) -> None:
    """A policy, well signed by the keys of policies, is nothing else; without keys nothing is anything."""
    if kind != "policy":
        assert verify(signed(), kind=kind) == DocumentError("payload.type", f"{kind} expected")
    assert verify(signed(type=kind), kind=kind, role=None) == DocumentError(
        "payload.type", "no keys are known for it: enrol again"
    )
    other = verify(signed(type=kind), kind=kind, role=Role(1, {OTHER_ROLE.keyid: record_of(OTHER_ROLE)}))
    assert other == DocumentError("signatures[0].keyid", "not a key of this role")


@pytest.mark.parametrize("value", [{}, {"payload": 1}, {"payload": "e30="}, {"payload": "!"}, {"payload": "e30"}])
def test_what_claims_nothing_is_nothing(value: dict[str, Any]) -> None:
    assert claimed(value)[0] is None


def test_a_quarantine_knows_no_dates() -> None:
    order = signed(type="quarantine", not_after=1, not_before=NOW_S + 1, body={"level": "stop"})
    result = verify(order, kind="quarantine")
    assert isinstance(result, Document)
    assert result.body is Quarantine.STOP
