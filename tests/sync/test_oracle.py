"""An independent RFC 9421 implementation agrees: it verifies what we sign, and we verify what it signs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver

from kiosk.sync import profile
from kiosk.sync.keys import SoftwareKey
from kiosk.sync.messages import Refused, RequestHead, VerifiedRequest, VerifiedResponse
from kiosk.sync.signature import new_nonce, sign_response, verify_request, verify_response
from kiosk.visit.ports import SigningKey
from tests.sync.oracle import ALGORITHMS, Oracle, Reply, Request, as_request, fields_of, stop_the_clock
from tests.sync.rfc9421 import Message
from tests.sync.support import (
    HOST,
    IDEMPOTENCY_KEY,
    KIOSK,
    NOW_S,
    ORIGIN,
    PATH,
    Ed25519Key,
    head,
    p256_key,
    raw,
    record,
    signed,
)

REQUEST_COMPONENTS = (
    "@method",
    "@target-uri",
    "content-type",
    "content-length",
    "content-digest",
    "idempotency-key",
)
RESPONSE_COMPONENTS = (
    "@status",
    "content-type",
    "content-digest",
    '"@method";req',
    '"@target-uri";req',
    '"content-digest";req',
    '"signature";req;key="sig1"',
)
KEYS = [
    pytest.param(p256_key("borne-7/1"), p256_key("srv/1"), id="p256"),
    pytest.param(Ed25519Key("borne-7/1"), Ed25519Key("srv/1"), id="ed25519"),
]


@pytest.fixture(autouse=True)
def _moment(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_the_clock(monkeypatch)


def _private(key: SigningKey) -> Any:
    if isinstance(key, Ed25519Key):
        return key.private
    assert isinstance(key, SoftwareKey)
    return key._private


def _signer(key: SigningKey) -> HTTPMessageSigner:
    resolver = MappingKeyResolver(public_keys={}, private_keys={key.keyid: _private(key)})
    return HTTPMessageSigner(signature_algorithm=ALGORITHMS[key.alg], key_resolver=resolver)


def _as_message(request: RequestHead) -> Request:
    return as_request(Message(request.method, request.raw_path, tuple(request.headers), b""), ORIGIN)


@pytest.mark.parametrize(("kiosk", "server"), KEYS)
def test_oracle_verifies_what_we_sign(kiosk: SigningKey, server: SigningKey) -> None:
    body = b'{"a":1}'
    sent = signed(body, key=kiosk)
    request = _as_message(head(sent))
    assert Oracle(kiosk).accepts(request, body)
    proven = verify_request(head(sent), body, origin=ORIGIN, tls_kiosk=KIOSK, find_key={kiosk.keyid: record(kiosk)}.get)
    assert isinstance(proven, VerifiedRequest)
    headers = dict(sign_response(server, proven, status=403, body=b"{}", created_s=NOW_S))
    reply = Reply(403, fields_of(headers), request)
    assert Oracle(server).accepts(reply, b"{}")
    reply.status_code = 200
    assert not Oracle(server).accepts(reply, b"{}")


@pytest.mark.parametrize(("kiosk", "server"), KEYS)
def test_we_verify_what_the_oracle_signs(kiosk: SigningKey, server: SigningKey) -> None:
    body = b'{"b":2}'
    fields = fields_of(
        {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "content-digest": profile.content_digest(body),
            "idempotency-key": IDEMPOTENCY_KEY,
        }
    )
    request = Request("POST", ORIGIN + PATH, fields)
    moment = dt.datetime.fromtimestamp(NOW_S, tz=dt.UTC)
    _signer(kiosk).sign(
        request,
        key_id=kiosk.keyid,
        created=moment,
        expires=moment + dt.timedelta(seconds=60),
        nonce=new_nonce(),
        label="sig1",
        tag=profile.TAG,
        use_existing_digest=True,
        covered_component_ids=REQUEST_COMPONENTS,
    )
    headers = [(b"host", HOST), *[(n.lower().encode(), v.encode()) for n, v in fields.items()]]
    proven = verify_request(
        RequestHead("POST", PATH.encode(), b"", headers),
        body,
        origin=ORIGIN,
        tls_kiosk=KIOSK,
        find_key={kiosk.keyid: record(kiosk)}.get,
    )
    assert isinstance(proven, VerifiedRequest), proven

    sent = signed(body, key=kiosk)
    answer = b'{"ok":true}'
    reply = Reply(
        200,
        fields_of({"content-type": "application/json", "content-digest": profile.content_digest(answer)}),
        _as_message(head(sent)),
    )
    _signer(server).sign(
        reply,
        key_id=server.keyid,
        created=moment,
        label="sig1",
        tag=profile.TAG,
        use_existing_digest=True,
        covered_component_ids=RESPONSE_COMPONENTS,
    )
    result = verify_response(
        sent,
        status=200,
        headers=[(n.lower().encode(), v.encode()) for n, v in reply.headers.items()],
        body=answer,
        server_keys={server.keyid: record(server)},
        floor_s=NOW_S,
    )
    assert isinstance(result, VerifiedResponse), result


def test_responses_bind_the_request_for_the_oracle_too() -> None:
    kiosk, server = p256_key("borne-7/1"), p256_key("srv/1")
    first, second = signed(key=kiosk), signed(key=kiosk)
    proven = verify_request(
        head(first), b'{"batch_seq":1}', origin=ORIGIN, tls_kiosk=KIOSK, find_key={kiosk.keyid: record(kiosk)}.get
    )
    assert isinstance(proven, VerifiedRequest)
    headers = sign_response(server, proven, status=200, body=b"{}", created_s=NOW_S)
    oracle = Oracle(server)
    fields = fields_of(dict(headers))
    assert oracle.accepts(Reply(200, fields, _as_message(head(first))), b"{}")
    assert not oracle.accepts(Reply(200, fields, _as_message(head(second))), b"{}")
    assert isinstance(
        verify_response(
            second, status=200, headers=raw(headers), body=b"{}", server_keys={"srv/1": record(server)}, floor_s=0
        ),
        Refused,
    )
