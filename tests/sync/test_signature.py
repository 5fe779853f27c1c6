"""The frozen profile: what is accepted, and for each mutation the one reason of the refusal."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace

import pytest

from kiosk.sync import profile
from kiosk.sync.messages import Reason, Refused, RequestHead, SignedRequest, VerifiedRequest, VerifiedResponse
from kiosk.sync.signature import check_head, sign_response, verify_request, verify_response
from tests.sync.support import (
    BODY,
    IDEMPOTENCY_KEY,
    KEYS,
    KIOSK,
    KIOSK_KEY,
    NOW_S,
    ORIGIN,
    SERVER_KEY,
    SERVER_KEYS,
    Ed25519Key,
    Headers,
    head,
    p256_key,
    raw,
    record,
    signed,
    verified,
)

_ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _verify(request: RequestHead, body: bytes = BODY, tls_kiosk: str | None = KIOSK) -> VerifiedRequest | Refused:
    return verify_request(request, body, origin=ORIGIN, tls_kiosk=tls_kiosk, find_key=KEYS.get)


def _edit(name: bytes, change: Callable[[bytes], bytes]) -> Callable[[Headers], Headers]:
    return lambda headers: [(key, change(value) if key == name else value) for key, value in headers]


def _sub(name: bytes, pattern: bytes, by: bytes) -> Callable[[Headers], Headers]:
    def change(value: bytes) -> bytes:
        new, count = re.subn(pattern, by, value)
        assert count == 1, "the mutation must change something"
        return new

    return _edit(name, change)


INPUT, S, D = b"signature-input", b"signature", b"content-digest"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"method": "PUT"}, Reason.METHOD),
        ({"method": "post"}, Reason.METHOD),
        ({"raw_path": b"/v1/%65vents"}, Reason.PATH),
        ({"raw_path": b"/v1/events/"}, Reason.PATH),
        ({"raw_path": b"https://centre.example:8443/v1/events"}, Reason.PATH),
        ({"raw_path": b"/v1/identify"}, Reason.SIGNATURE),
        ({"query": b"a=1"}, Reason.QUERY),
    ],
)
def test_framing(change: dict[str, object], reason: Reason) -> None:
    result = _verify(replace(head(signed()), **change))  # type: ignore[arg-type]  # a table of fields
    assert isinstance(result, Refused)
    assert result.reason is reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [(BODY[:-1], Reason.LENGTH), (BODY + b" ", Reason.LENGTH), (BODY.replace(b"1", b"2"), Reason.DIGEST)],
)
def test_body_as_received(body: bytes, reason: Reason) -> None:
    assert _verify(head(signed()), body) == Refused(
        reason, {Reason.LENGTH: "content-length"}.get(reason, "content-digest")
    )


def test_relay_bodies_are_smaller() -> None:
    body = b'{"x":"' + b"a" * profile.MAX_RELAY_BODY_BYTES + b'"}'
    sent = signed(body, "/v1/relay/step")
    assert _verify(head(sent, "/v1/relay/step"), body) == Refused(Reason.TOO_LARGE, "content-length")
    assert isinstance(_verify(head(signed(body)), body), VerifiedRequest)


@pytest.mark.parametrize("tls_kiosk", [None, "borne-8", "", "srv"])
def test_tls_identity_must_be_the_kiosk_of_the_key(tls_kiosk: str | None) -> None:
    assert _verify(head(signed()), tls_kiosk=tls_kiosk) == Refused(Reason.TLS_IDENTITY)


def test_another_kiosks_key_is_no_help() -> None:
    other = p256_key(KIOSK_KEY.keyid)
    assert _verify(head(signed(key=other))) == Refused(Reason.SIGNATURE, "signature")


def test_signature_of_another_request_does_not_fit() -> None:
    first, second = head(signed()), head(signed(b"{}"))
    stolen = dict(first.headers)[b"signature"]
    mixed = _edit(b"signature", lambda _: stolen)(list(second.headers))
    assert _verify(replace(second, headers=mixed), b"{}") == Refused(Reason.SIGNATURE, "signature")


def test_malleable_twin_verifies_so_replay_is_keyed_on_the_nonce() -> None:
    sent = signed()
    signature = b64decode(sent.signature_member[1:-1])
    r, s = signature[:32], int.from_bytes(signature[32:], "big")
    twin = b64encode(r + (_ORDER_P256 - s).to_bytes(32, "big"))
    request = head(sent)
    result = _verify(replace(request, headers=_edit(S, lambda _: b"sig1=:" + twin + b":")(list(request.headers))))
    original = _verify(request)
    assert isinstance(result, VerifiedRequest)
    assert isinstance(original, VerifiedRequest)
    assert (result.keyid, result.nonce) == (original.keyid, original.nonce)


def test_field_names_of_any_case_are_legal() -> None:
    request = head(signed())
    upper = [(name.upper(), value) for name, value in request.headers]
    assert isinstance(_verify(replace(request, headers=upper)), VerifiedRequest)


@pytest.mark.parametrize("lifetime_s", [1, 60, 120])
def test_lifetimes_at_the_bounds(lifetime_s: int) -> None:
    assert isinstance(_verify(head(signed(lifetime_s=lifetime_s))), VerifiedRequest)


@pytest.mark.parametrize(
    ("now_s", "inside"),
    [
        (NOW_S - 61, False),
        (NOW_S - 60, True),
        (NOW_S, True),
        (NOW_S + 120, True),
        (NOW_S + 121, False),
        (9_999_999_999, False),
        (0, False),
    ],
)
def test_window_is_judged_on_a_proven_request(now_s: int, inside: bool) -> None:
    assert verified(signed()).in_window(now_s) is inside


def test_key_is_looked_up_only_after_the_grammar_and_the_body_is_not_needed_for_the_head() -> None:
    asked: list[str] = []

    def find(keyid: str) -> None:
        asked.append(keyid)

    request = head(signed())
    bad = replace(request, headers=_sub(INPUT, rb"kiosk-sync/1", b"kiosk-sync/2")(list(request.headers)))
    check_head(bad, origin=ORIGIN, tls_kiosk=KIOSK, find_key=find)
    assert asked == []
    check_head(request, origin=ORIGIN, tls_kiosk=KIOSK, find_key=find)
    assert asked == [KIOSK_KEY.keyid]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.HEADER_LIMIT, 431),
        (Reason.TOO_LARGE, 413),
        (Reason.KEY_UNKNOWN, 401),
        (Reason.ALG, 401),
        (Reason.TLS_IDENTITY, 401),
        (Reason.SIGNATURE, 401),
        (Reason.DIGEST, 400),
        (Reason.HOST, 400),
    ],
)
def test_unsigned_statuses(reason: Reason, status: int) -> None:
    assert Refused(reason).http_status == status


def test_base_by_hand() -> None:
    """A third opinion beside our code and the oracle: the base as a person writes it down from the RFC."""
    sent = signed(b"{}")
    params = dict(sent.headers)["signature-input"].removeprefix("sig1=")
    by_hand = (
        '"@method": POST\n'
        '"@target-uri": https://centre.example:8443/v1/events\n'
        '"content-type": application/json\n'
        '"content-length": 2\n'
        '"content-digest": sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:\n'
        f'"idempotency-key": {IDEMPOTENCY_KEY}\n'
        f'"@signature-params": {params}'
    ).encode()
    signature = b64decode(sent.signature_member[1:-1])
    key = KEYS[KIOSK_KEY.keyid]
    assert key.verify(signature, by_hand)
    assert not key.verify(signature, by_hand + b"\n")


# --- responses ---------------------------------------------------------------------------------------------------


def _answer(sent: SignedRequest, body: bytes = b'{"ok":true}', status: int = 200, sent_body: bytes = BODY) -> Headers:
    return raw(sign_response(SERVER_KEY, verified(sent, sent_body), status=status, body=body, created_s=NOW_S))


def _check(
    sent: SignedRequest, headers: Headers, body: bytes = b'{"ok":true}', status: int = 200, floor_s: int = NOW_S
) -> VerifiedResponse | Refused:
    return verify_response(sent, status=status, headers=headers, body=body, server_keys=SERVER_KEYS, floor_s=floor_s)


def test_response_to_a_is_not_one_to_b() -> None:
    first, second = signed(), signed()
    assert isinstance(_check(first, _answer(first)), VerifiedResponse)
    assert _check(second, _answer(first)) == Refused(Reason.SIGNATURE, "signature")


def test_base_of_an_answer_by_hand() -> None:
    sent = signed(b"{}")
    headers = dict(_answer(sent, b"{}", 503, sent_body=b"{}"))
    by_hand = (
        '"@status": 503\n'
        '"content-type": application/json\n'
        '"content-digest": sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:\n'
        '"@method";req: POST\n'
        '"@target-uri";req: https://centre.example:8443/v1/events\n'
        '"content-digest";req: sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:\n'
        f'"signature";req;key="sig1": {sent.signature_member}\n'
        f'"@signature-params": {headers[INPUT].decode().removeprefix("sig1=")}'
    ).encode()
    assert SERVER_KEYS[SERVER_KEY.keyid].verify(b64decode(headers[S][6:-1]), by_hand)


@pytest.mark.parametrize("status", [100, 199, 301, 302, 307, 399, 600])
def test_redirects_and_interim_answers_are_refused_unread(status: int) -> None:
    sent = signed()
    assert _check(sent, _answer(sent, status=status), status=status) == Refused(Reason.STATUS)


def test_status_and_body_are_covered() -> None:
    sent = signed()
    assert _check(sent, _answer(sent, status=200), status=201) == Refused(Reason.SIGNATURE, "signature")
    assert _check(sent, _answer(sent), body=b'{"ok":false}') == Refused(Reason.DIGEST, "content-digest")
    assert isinstance(_check(sent, _answer(sent, status=503), status=503), VerifiedResponse)


@pytest.mark.parametrize(("floor_s", "stale"), [(NOW_S + 60, False), (NOW_S + 61, True)])
def test_responses_older_than_the_floor_are_stale(floor_s: int, stale: bool) -> None:
    sent = signed()
    assert isinstance(_check(sent, _answer(sent), floor_s=floor_s), Refused) is stale


def test_ed25519_both_ways() -> None:
    kiosk, server = Ed25519Key("borne-7/1"), Ed25519Key("srv/1")
    sent = signed(key=kiosk)
    keys = {kiosk.keyid: record(kiosk)}
    proven = verify_request(head(sent), BODY, origin=ORIGIN, tls_kiosk=KIOSK, find_key=keys.get)
    assert isinstance(proven, VerifiedRequest)
    headers = raw(sign_response(server, proven, status=200, body=b"{}", created_s=NOW_S))
    answer = verify_response(
        sent, status=200, headers=headers, body=b"{}", server_keys={"srv/1": record(server)}, floor_s=0
    )
    assert isinstance(answer, VerifiedResponse)


def test_nothing_secret_or_personal_in_reprs() -> None:
    sent = signed(b'{"iccsn":"802500000200000000013"}')
    text = repr(sent) + repr(verified(sent, b'{"iccsn":"802500000200000000013"}')) + repr(head(sent))
    assert "80250000" not in text
    assert sent.digest not in text
    assert sent.signature_member not in text
