"""The signed listener: what is refused unsigned without a trace, what is refused signed, and exactly-once answers."""

from __future__ import annotations

import json
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from kiosk.sync import profile
from kiosk.sync.keys import SoftwareKey
from kiosk.sync.messages import Refused
from kiosk.sync.signature import sign_request, verify_response
from simulators.backend import schema
from simulators.backend.server import Ready
from tests.simulators.backend.kiosk_side import KioskSide, enrolled
from tests.simulators.backend.observer import Observer

STATE = "/v1/sync/state"
BODY: dict[str, Any] = {"batch_seq": 1}
KEY = "00" * 16


def signed(kiosk: KioskSide, raw: bytes, path: str = STATE, **options: Any) -> dict[str, str]:
    """Header fields of a well-signed request."""
    options.setdefault("created_s", kiosk.utc())
    options.setdefault("idempotency_key", KEY)
    key = options.pop("key", kiosk.identity.signing_key)
    request = sign_request(key, origin=kiosk.identity.trust.origin, path=path, body=raw, **options)
    return dict(request.headers)


@dataclass(frozen=True)
class Mutation:
    """A change of a good request that must be refused before anything is written."""

    name: str
    status: int
    change: Any


def _body(target: str, raw: bytes, fields: dict[str, str]) -> tuple[str, bytes, dict[str, str]]:
    return target, raw.replace(b"1", b"2"), fields


def _field(name: str, value: str | None) -> Any:
    def change(target: str, raw: bytes, fields: dict[str, str]) -> tuple[str, bytes, dict[str, str]]:
        rest = {key: text for key, text in fields.items() if key != name}
        return target, raw, rest if value is None else {**rest, name: value}

    return change


def _target(value: str) -> Any:
    return lambda _target, raw, fields: (value, raw, fields)


MUTATIONS = (
    Mutation("body", 400, _body),
    Mutation("other route", 401, _target("/v1/events")),
    Mutation("no route", 400, _target("/v1/nothing")),
    Mutation("query", 400, _target(f"{STATE}?a=1")),
    Mutation("empty query", 400, _target(f"{STATE}?")),
    Mutation("encoded path", 400, _target("/v1/sync/stat%65")),
    Mutation("host", 400, _field("host", "localhost")),
    Mutation("content type", 400, _field("content-type", "application/json; charset=utf-8")),
    Mutation("digest", 400, _field("content-digest", profile.content_digest(b"{}"))),
    Mutation("no idempotency key", 400, _field("idempotency-key", None)),
    Mutation("other idempotency key", 401, _field("idempotency-key", "11" * 16)),
    Mutation("no signature", 400, _field("signature", None)),
    Mutation("signature", 401, _field("signature", f"sig1=:{'A' * 86}==:")),
    Mutation("expect", 400, _field("expect", "100-continue")),
    Mutation("content encoding", 400, _field("content-encoding", "identity")),
    Mutation("cookie", 400, _field("cookie", "a=b")),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_what_is_not_authentic_is_refused_unsigned_and_leaves_no_trace(
    kiosk: KioskSide, observer: Observer, mutation: Mutation
) -> None:
    raw = json.dumps(BODY).encode()
    target, body, fields = mutation.change(STATE, raw, signed(kiosk, raw))
    before = observer.changes()
    status, headers, answer = kiosk.send(target, body, fields)
    assert status == mutation.status
    assert json.loads(answer) == {"status": status}
    assert not any(name.lower().startswith(b"signature") for name, _ in headers)
    assert observer.changes() == before


def test_a_key_the_backend_does_not_know_is_refused_unsigned(kiosk: KioskSide) -> None:
    unknown = SoftwareKey("borne-0001/9", kiosk.identity.signing_key._private)  # type: ignore[attr-defined]  # its key
    status, headers, _ = kiosk.send(STATE, b"{}", signed(kiosk, b"{}", key=unknown))
    assert status == 401
    assert not any(name.lower() == b"signature" for name, _ in headers)


def test_the_certificate_must_be_that_of_the_signing_kiosk(kiosk: KioskSide, ready: Ready, tmp_path: Path) -> None:
    other = enrolled(kiosk.data.root, ready, kiosk.utc, tmp_path / "other", kiosk="borne-0002")
    raw = json.dumps(BODY).encode()
    assert kiosk.send(STATE, raw, signed(kiosk, raw), tls=other.tls)[0] == 401
    assert kiosk.send(STATE, raw, signed(kiosk, raw))[0] == 200


def test_without_a_client_certificate_there_is_no_connection(kiosk: KioskSide, ready: Ready) -> None:
    bare = ssl.create_default_context(cafile=ready.ca_file)
    raw = json.dumps(BODY).encode()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        kiosk.send(STATE, raw, signed(kiosk, raw), tls=bare)


def test_tls_1_2_is_refused(kiosk: KioskSide) -> None:
    old = kiosk.identity.tls()
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        kiosk.send(STATE, b"{}", signed(kiosk, b"{}"), tls=old)


def test_an_answer_is_bound_to_its_request(kiosk: KioskSide) -> None:
    raw = json.dumps(BODY).encode()
    sent = [
        sign_request(
            kiosk.identity.signing_key,
            origin=kiosk.identity.trust.origin,
            path=STATE,
            body=raw,
            idempotency_key=secrets.token_hex(16),
            created_s=kiosk.utc(),
        )
        for _ in range(2)
    ]
    status, headers, answer = kiosk.send(STATE, raw, dict(sent[0].headers))
    judged = [
        verify_response(
            request,
            status=status,
            headers=headers,
            body=answer,
            server_keys=kiosk.identity.trust.server_keys,
            floor_s=0,
        )
        for request in sent
    ]
    assert not isinstance(judged[0], Refused)
    assert isinstance(judged[1], Refused)
    assert not any(name.lower() in (b"date", b"server") for name, _ in headers)


@pytest.mark.parametrize(("offset_s", "taken"), [(-120, True), (-121, False), (60, True), (61, False)])
def test_the_window_is_sixty_seconds_around_a_lifetime_of_sixty(kiosk: KioskSide, offset_s: int, taken: bool) -> None:
    status, answer = kiosk.call(STATE, BODY, created_s=kiosk.utc() + offset_s)
    assert (status == 200) is taken
    assert taken or (status, answer["error"]["reason"]) == (401, "time_skew")


def test_a_nonce_works_once_even_under_another_signature(kiosk: KioskSide, observer: Observer) -> None:
    nonce = "A" * 21 + "Q"
    assert kiosk.call(STATE, BODY, nonce=nonce)[0] == 200
    assert kiosk.refused(STATE, BODY, nonce=nonce) == (401, "replay", "REPLAY")
    assert kiosk.refused(STATE, BODY, nonce=nonce) == (401, "replay", "REPLAY")
    assert observer.scalar(select(schema.kiosk.c.refusals)) == 2


def test_a_nonce_is_kept_past_the_last_moment_of_its_message_then_forgotten(
    kiosk: KioskSide, observer: Observer
) -> None:
    nonce = "A" * 21 + "Q"
    created_s = kiosk.utc()
    kiosk.call(STATE, BODY, nonce=nonce)
    kiosk.utc.now_s += 120
    assert kiosk.refused(STATE, BODY, nonce=nonce, created_s=created_s) == (401, "replay", "REPLAY")
    kiosk.utc.now_s += 61
    kiosk.good(STATE, BODY)
    kept = select(func.count()).select_from(schema.nonce).where(schema.nonce.c.keyid != "")
    assert observer.scalar(kept) == 1


def test_the_same_key_and_body_give_the_stored_answer_and_another_body_a_conflict(kiosk: KioskSide) -> None:
    first = kiosk.good("/v1/relay/start", START, KEY)
    assert kiosk.good("/v1/relay/start", START, KEY) == first
    assert kiosk.refused("/v1/relay/start", {**START, "update_id": "ff"}, KEY) == (422, "idem_conflict", "BAD_MESSAGE")
    assert kiosk.refused(STATE, BODY, KEY) == (422, "idem_conflict", "BAD_MESSAGE")


START = {
    "card": {"generation": "vitale2", "iccsn": "802500000204671322631"},
    "update_id": "f1c700000001",
    "actor": {"mode": "SELF"},
}


def test_an_idempotency_key_belongs_to_its_kiosk(kiosk: KioskSide, ready: Ready, tmp_path: Path) -> None:
    other = enrolled(kiosk.data.root, ready, kiosk.utc, tmp_path / "other", kiosk="borne-0002")
    ours = kiosk.good("/v1/relay/start", START, KEY)
    assert other.good("/v1/relay/start", START, KEY) != ours


def test_an_answer_with_card_commands_ends_with_their_life(kiosk: KioskSide, observer: Observer) -> None:
    kiosk.good("/v1/relay/start", START, KEY)
    kiosk.utc.now_s += 59
    assert kiosk.call("/v1/relay/start", START, KEY)[0] == 200
    kiosk.utc.now_s += 1
    assert kiosk.refused("/v1/relay/start", START, KEY) == (410, "gone", "EXPIRED")
    assert observer.scalar(select(schema.response.c.body)) is None


@pytest.mark.parametrize("state", ["retired", "revoked"])
def test_a_key_that_is_no_longer_active_gets_an_authentic_answer(
    kiosk: KioskSide, observer: Observer, state: str
) -> None:
    observer.execute(schema.kiosk_key.update().values(state=state))
    assert kiosk.refused(STATE, BODY) == (403, "key_state", "BAD_SIGNATURE")


BODIES: dict[str, dict[str, Any]] = {
    "/v1/relay/flags": {"card": START["card"], "mode": "SELF"},
    "/v1/relay/start": START,
    "/v1/relay/step": {"conversation_id": "x", "counter": 0, "responses": [], "abort": None},
    "/v1/identify": {"iccsn": "802500000204671322631", "birth_date": "19840517", "postcode": "75020"},
    "/v1/code/issue": {"iccsn": "802500000204671322631", "proof": KEY},
    "/v1/events": {"batch_seq": 1, "acked_through_seq": 0, "events": []},
    "/v1/sync/state": BODY,
    "/v1/policy/state": {"known": {}},
}


@pytest.mark.parametrize(
    ("level", "closed"),
    [
        ("no_code", {"/v1/code/issue"}),
        ("no_relay", {"/v1/code/issue", "/v1/relay/start", "/v1/relay/step"}),
        ("report_only", set(BODIES) - {"/v1/events", "/v1/sync/state", "/v1/policy/state"}),
        ("stop", set(BODIES) - {"/v1/policy/state"}),
    ],
)
def test_a_quarantine_closes_what_its_level_says_and_a_release_opens_it(
    kiosk: KioskSide, level: str, closed: set[str]
) -> None:
    def closed_now(batch_seq: int) -> set[str]:
        BODIES["/v1/events"]["batch_seq"] = batch_seq  # a number used again would be a fork
        answers = {path: kiosk.call(path, body)[1] for path, body in BODIES.items()}
        return {path for path, body in answers.items() if body.get("error", {}).get("reason") == "quarantined"}

    kiosk.operate("quarantine", level=level)
    assert closed_now(1) == closed
    kiosk.operate("quarantine", level="none")
    assert closed_now(2) == set()


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{", b'{"batch_seq":1,"batch_seq":1}', b'{"batch_seq":NaN}', b'{"batch_seq":true}',
     b'{"batch_seq":0}', b'{"batch_seq":1,"more":1}', b"{}", b'{"batch_seq":1.0}',
     b'{"batch_seq":' + b"[" * 17 + b"]" * 17 + b"}"],
)  # fmt: skip
def test_a_body_of_another_shape_is_a_signed_refusal(kiosk: KioskSide, raw: bytes) -> None:
    fields = signed(kiosk, raw)
    status, headers, answer = kiosk.send(STATE, raw, fields)
    assert (status, json.loads(answer)["error"]["code"]) == (422, "BAD_MESSAGE")
    assert any(name.lower() == b"signature" for name, _ in headers)


def test_a_bug_in_a_route_is_a_signed_internal_error_that_keeps_nothing(kiosk: KioskSide, observer: Observer) -> None:
    observer.execute(schema.card.update().values(content_json="not JSON"))
    nonces = observer.scalar(select(func.count()).select_from(schema.nonce))
    assert kiosk.refused("/v1/relay/flags", BODIES["/v1/relay/flags"]) == (500, "internal", "INTERNAL")
    assert observer.scalar(select(func.count()).select_from(schema.nonce)) == nonces
