"""The OpenAPI 3.1 document, made from what the backend itself checks and answers with.

`python -m simulators.backend openapi > docs/openapi.json`; a test compares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from kiosk.sync import profile
from simulators.backend.answers import ANSWERS, REDEEMED, TRUST, signed_refusals, unsigned_refusal
from simulators.backend.bodies import BODIES, RECOVER, REDEEM
from simulators.backend.shapes import Check, Either

VERSION: Final = "1"
_UNSIGNED: Final = (400, 401, 413, 431)
_EVERY_ROUTE: Final = (401, 403, 410, 422, 500, 503)
_OF_ONE_ROUTE: Final[Mapping[str, tuple[int, ...]]] = {"/v1/events": (409,)}
"""Statuses of signed refusals; the others are everybody's (state, time, idempotency, shape)."""

_SUMMARIES: Final[Mapping[str, str]] = {
    "/v1/relay/flags": "Standing of a card and its pending orders",
    "/v1/relay/start": "Open a conversation about one order",
    "/v1/relay/step": "Answers of the card; the next package or the close",
    "/v1/identify": "Check the holder's birth date and post code",
    "/v1/code/issue": "Issue a provisional code",
    "/v1/events": "Take a batch of events",
    "/v1/sync/state": "Whether a batch has taken effect",
    "/v1/policy/state": "Signed documents newer than those held",
}
_REQUEST_FIELDS: Final[Mapping[str, bytes]] = {
    "Content-Digest": rb"sha-256=:[A-Za-z0-9+/]{43}=:",
    "Idempotency-Key": profile.IDEMPOTENCY_KEY.pattern,
    "Signature-Input": profile.REQUEST_INPUT.pattern,
    "Signature": profile.SIGNATURE.pattern,
}
_RESPONSE_FIELDS: Final[Mapping[str, bytes]] = {
    "Content-Digest": _REQUEST_FIELDS["Content-Digest"],
    "Signature-Input": profile.RESPONSE_INPUT.pattern,
    "Signature": profile.SIGNATURE.pattern,
}
_BASE64: Final = {"type": "string", "contentEncoding": "base64"}
_PKCS7: Final[dict[str, Any]] = {"application/pkcs7-mime": {"schema": _BASE64}}


def document() -> dict[str, Any]:
    """The whole document, as JSON values."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kiosk reference backend",
            "version": VERSION,
            "description": "Signed listener: TLS 1.3 with a client certificate, every message signed both ways under "
            "the profile kiosk-sync/1 (RFC 9421, RFC 9530; docs/protocol.md). Enrolment listener: server TLS only. "
            "Whole numbers are written without a fraction.",
        },
        "paths": {**{path: {"post": _signed(path)} for path in profile.ROUTES}, **_open_paths()},
        "components": {
            "parameters": {name: _parameter(name, pattern) for name, pattern in _REQUEST_FIELDS.items()},
            "headers": {name: {"required": True, "schema": _pattern(text)} for name, text in _RESPONSE_FIELDS.items()},
            "responses": {str(status): _refusal(status) for status in sorted({*_UNSIGNED, *_EVERY_ROUTE, 409})},
            "securitySchemes": {
                "kioskCertificate": {"type": "mutualTLS", "description": "URI name urn:kiosk:<kiosk>, client usage"},
                "ticket": {"type": "http", "scheme": "basic", "description": "one-time ticket <kiosk>:<32 hex>"},
            },
        },
    }


def text() -> str:
    """The document as it is kept in `docs/`."""
    return json.dumps(document(), ensure_ascii=False, indent=1) + "\n"


def _signed(path: str) -> dict[str, Any]:
    statuses = sorted({*_UNSIGNED, *_EVERY_ROUTE, *_OF_ONE_ROUTE.get(path, ())})
    return {
        "operationId": _operation(path),
        "summary": _SUMMARIES[path],
        "tags": ["signed"],
        "security": [{"kioskCertificate": []}],
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in _REQUEST_FIELDS],
        "requestBody": {
            "required": True,
            "description": f"At most {profile.ROUTES[path]} bytes.",
            "content": _json(BODIES[path]),
        },
        "responses": {
            "200": {
                "description": "Done, or done before under this idempotency key",
                "headers": _signature_headers(),
                "content": _json(ANSWERS[path]),
            },
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses},
        },
    }


def _refusal(status: int) -> dict[str, Any]:
    """A status may be refused both ways: only a signed refusal may be acted on."""
    signed = signed_refusals().get(status) if status in (*_EVERY_ROUTE, 409) else None
    if signed is None:
        return {"description": f"{HTTPStatus(status).phrase}; not signed", "content": _json(unsigned_refusal(status))}
    check: Check = Either((signed, unsigned_refusal(status))) if status in _UNSIGNED else signed
    how = "signed, or not" if status in _UNSIGNED else "signed"
    answer: dict[str, Any] = {"description": f"{HTTPStatus(status).phrase}; {how}", "content": _json(check)}
    return answer if status in _UNSIGNED else {**answer, "headers": _signature_headers()}


def _open_paths() -> dict[str, Any]:
    """Outside the message signature: the listener without client certificates, and renewal on the other one."""
    csr = {"application/pkcs10": {"schema": _BASE64}}
    issuing: dict[str, Any] = {"content": _PKCS7, "statuses": (400, 401, 403, 413, 431, 503)}
    return {
        "/.well-known/est/simplereenroll": {
            "post": {
                **_open("simplereenroll", "Certify the next keys", body=csr, **issuing),
                "security": [{"kioskCertificate": []}],
            }
        },
        "/.well-known/est/cacerts": {"get": _open("cacerts", "The CA to pin", content=_PKCS7)},
        "/.well-known/est/simpleenroll": {
            "post": {
                **_open("simpleenroll", "Enrol with a ticket", body=csr, **issuing),
                "security": [{"ticket": []}],
            }
        },
        "/.well-known/kiosk/recover": {
            "post": _open("recover", "Renew after the certificate has expired", body=_json(RECOVER), **issuing)
        },
        "/.well-known/kiosk/trust": {"get": _open("trust", "Origin and public keys to pin", content=_json(TRUST))},
        "/account/redeem": {
            "post": _open(
                "redeem",
                "Use a provisional code",
                content=_json(REDEEMED),
                body=_json(REDEEM),
                statuses=(400, 413, 431, 503),
            )
        },
    }


def _open(
    name: str,
    summary: str,
    *,
    content: Mapping[str, Any],
    body: Mapping[str, Any] | None = None,
    statuses: tuple[int, ...] = (400, 431),
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["enrolment"],
        "security": [],
        **({"requestBody": {"required": True, "content": dict(body)}} if body is not None else {}),
        "responses": {
            "200": {"description": "Done", "content": dict(content)},
            **{
                str(status): {
                    "description": HTTPStatus(status).phrase,
                    "content": _json(unsigned_refusal(status)),
                }
                for status in statuses
            },
        },
    }


def _json(check: Check) -> dict[str, Any]:
    return {"application/json": {"schema": check.schema()}}


def _parameter(name: str, pattern: bytes) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "schema": _pattern(pattern)}


def _pattern(pattern: bytes) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^(?:{pattern.decode('ascii')})$"}


def _signature_headers() -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _RESPONSE_FIELDS}


def _operation(path: str) -> str:
    return "_".join(path.removeprefix("/v1/").split("/"))
