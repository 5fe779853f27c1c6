"""A general RFC 9421 client, knowing nothing of our code but the documented profile, can call the backend."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, MappingKeyResolver, algorithms
from http_message_signatures.structures import CaseInsensitiveDict

from kiosk.sync.keys import SoftwareKey
from tests.simulators.backend.kiosk_side import KioskSide

COMPONENTS = ("@method", "@target-uri", "content-type", "content-length", "content-digest", "idempotency-key")
ANSWER_COMPONENTS = (
    '"@status"',
    '"content-type"',
    '"content-digest"',
    '"@method";req',
    '"@target-uri";req',
    '"content-digest";req',
    '"signature";req;key="sig1"',
)


@dataclass
class Request:
    method: str
    url: str
    headers: Any


@dataclass
class Answer:
    status_code: int
    headers: Any
    request: Request


def fields(pairs: dict[str, str]) -> Any:
    return CaseInsensitiveDict(pairs)  # type: ignore[no-untyped-call]  # the library leaves it untyped


def digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def test_a_general_client_signs_a_call_and_proves_the_answer(kiosk: KioskSide) -> None:
    path, body = "/v1/sync/state", b'{"batch_seq":1}'
    origin, key = kiosk.identity.trust.origin, kiosk.identity.signing_key
    assert isinstance(key, SoftwareKey)
    server_keys = {keyid: record.public_key for keyid, record in kiosk.identity.trust.server_keys.items()}
    resolver = MappingKeyResolver(public_keys=server_keys, private_keys={key.keyid: key._private})
    request = Request(
        "POST",
        origin + path,
        fields(
            {
                "content-type": "application/json",
                "content-length": str(len(body)),
                "content-digest": digest(body),
                "idempotency-key": secrets.token_hex(16),
            }
        ),
    )
    now = dt.datetime.fromtimestamp(kiosk.utc(), dt.UTC)
    HTTPMessageSigner(signature_algorithm=algorithms.ECDSA_P256_SHA256, key_resolver=resolver).sign(
        request,
        key_id=key.keyid,
        created=now,
        expires=now + dt.timedelta(seconds=60),
        nonce=base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("="),
        tag="kiosk-sync/1",
        label="sig1",
        include_alg=True,
        use_existing_digest=True,
        covered_component_ids=COMPONENTS,
    )
    status, headers, answer = kiosk.send(path, body, dict(request.headers))
    assert (status, json.loads(answer)) == (200, {"applied": False, "last_seq": 0})
    received = fields({name.decode().lower(): value.decode() for name, value in headers})
    assert received["content-digest"] == digest(answer)
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ECDSA_P256_SHA256, key_resolver=resolver)
    verifier.max_clock_skew = dt.timedelta(seconds=60)
    [result] = verifier.verify(Answer(status, received, request), expect_tag="kiosk-sync/1")
    covered = [name for name in result.covered_components if name != '"@signature-params"']
    assert tuple(covered) == ANSWER_COMPONENTS
    assert result.parameters["keyid"] == "srv/1"
