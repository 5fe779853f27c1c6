"""Proving a signed document: a DSSE envelope of its type's role, for this kiosk or the whole fleet, never an older one.

Payload: `{type, scope, version, issued_at, not_before, not_after, min_app_version, body}`, times in seconds since 1970.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from kiosk.sync.documents_bodies import TYPES, Body, DocumentType
from kiosk.sync.fields import LATEST_S, FieldError, Fields, read
from kiosk.sync.identity import Role
from kiosk.sync.strict_json import JsonError, decode

PAYLOAD_TYPE: Final = "application/vnd.kiosk.document+json"
FLEET: Final = "*"
"""The scope of every kiosk; no kiosk can be called so."""
MAX_ENVELOPE_BYTES: Final = 64 * 1024
MAX_SIGNATURES: Final = 16
MAX_VERSION: Final = 2**31 - 1
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)
_APP_VERSION: Final = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class DocumentError:
    """Why a document is refused; what is in force stays in force. `field` names the part, no value is repeated."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Floor:
    """The last version accepted and the SHA-256 of its payload."""

    version: int
    payload_sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Document:
    """A proven document, and the very envelope it came in. `body`: the value its type's parser made."""

    type: str
    scope: str
    version: int
    not_after_s: int
    body: Body
    envelope: bytes = field(repr=False)
    payload_sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Head:
    type: str
    scope: str
    version: int
    not_before_s: int
    not_after_s: int
    min_app_version: str
    body: Mapping[str, Any] = field(repr=False)


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """The exact bytes that each key signs (DSSE v1, PAE)."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def verify_document(
    envelope: bytes,
    kind: DocumentType,
    *,
    role: Role | None,
    kiosk: str,
    floor: Callable[[str], Floor | None],
    now_s: int,
    app_version: str,
) -> Document | DocumentError:
    """Prove one envelope (JSON bytes, unauthenticated) of this type, in the order of the profile.

    Size, strict JSON, keys of the role, threshold of distinct keys over the exact payload, type and scope, version
    against the floor of its scope, dates, application version, schema. role: None when nobody may sign this type.
    """
    if role is None:
        return DocumentError("payload.type", "no keys are known for it: enrol again")
    payload = _proven_payload(envelope, role)
    if isinstance(payload, DocumentError):
        return payload
    head = _read_head(payload)
    if isinstance(head, DocumentError):
        return head
    if head.type != kind.name:
        return DocumentError("payload.type", f"{kind.name} expected")
    if head.scope not in (kiosk, FLEET):
        return DocumentError("payload.scope", "another kiosk's")
    last = floor(head.scope)
    digest = sha256(payload).digest()
    if last is not None and head.version < last.version:
        return DocumentError("payload.version", f"below {last.version}, the last accepted")
    if last is not None and head.version == last.version and digest != last.payload_sha256:
        return DocumentError("payload.version", f"{last.version} again, with another content")
    if kind.dated and now_s < head.not_before_s:
        return DocumentError("payload.not_before", "not reached yet")
    if kind.dated and now_s > head.not_after_s:
        return DocumentError("payload.not_after", "has passed")
    if _numbers(head.min_app_version) > _numbers(app_version):
        return DocumentError("payload.min_app_version", f"above {app_version}, this application")
    return _document(kind, head, envelope, digest)


def read_kept(envelope: bytes, kind: DocumentType, floor: Floor | None) -> Document | DocumentError:
    """A document as it was once accepted: the payload of its floor. Its keys were judged then, and may have changed."""
    payload = _payload(envelope)
    if floor is None or isinstance(payload, DocumentError) or sha256(payload[0]).digest() != floor.payload_sha256:
        return DocumentError("envelope", "not what was accepted")
    head = _read_head(payload[0])
    return head if isinstance(head, DocumentError) else _document(kind, head, envelope, floor.payload_sha256)


def claimed(envelope: Mapping[str, Any]) -> tuple[DocumentType | None, str]:
    """What an envelope claims to be (type, None if unknown here; scope), unproven: for choosing who may look at it."""
    try:
        payload = decode(b64decode(envelope["payload"], validate=True), MAX_ENVELOPE_BYTES)
    except (KeyError, TypeError, ValueError):
        return None, ""
    if isinstance(payload, JsonError):
        return None, ""
    name, scope = payload.get("type"), payload.get("scope")
    return TYPES.get(name) if isinstance(name, str) else None, scope if isinstance(scope, str) else ""


def _document(kind: DocumentType, head: _Head, envelope: bytes, digest: bytes) -> Document | DocumentError:
    body = kind.parse(head.body)
    if isinstance(body, FieldError):
        return DocumentError(f"payload.body.{body.field}", body.reason)
    return Document(head.type, head.scope, head.version, head.not_after_s, body, envelope, digest)


def _read_head(payload: bytes) -> _Head | DocumentError:
    body = decode(payload, MAX_ENVELOPE_BYTES)
    if isinstance(body, JsonError):
        return DocumentError("payload", str(body))
    head = read(body, _head)
    return DocumentError(f"payload.{head.field}", head.reason) if isinstance(head, FieldError) else head


def _payload(envelope: bytes) -> tuple[bytes, list[tuple[str, bytes]]] | DocumentError:
    body = decode(envelope, MAX_ENVELOPE_BYTES)
    if isinstance(body, JsonError):
        return DocumentError("envelope", str(body))
    parts = read(body, _envelope)
    return DocumentError(parts.field, parts.reason) if isinstance(parts, FieldError) else parts


def _proven_payload(envelope: bytes, role: Role) -> bytes | DocumentError:
    parts = _payload(envelope)
    if isinstance(parts, DocumentError):
        return parts
    payload, signatures = parts
    message = pre_authentication(PAYLOAD_TYPE, payload)
    valid: set[str] = set()
    for index, (keyid, signature) in enumerate(signatures):
        key = role.keys.get(keyid)
        if key is None:
            return DocumentError(f"signatures[{index}].keyid", "not a key of this role")
        if not key.verify(signature, message):
            return DocumentError(f"signatures[{index}].sig", "does not fit the payload")
        valid.add(keyid)
    if len(valid) < role.threshold:
        return DocumentError("signatures", f"{len(valid)} distinct keys, {role.threshold} needed")
    return payload


def _envelope(fields: Fields) -> tuple[bytes, list[tuple[str, bytes]]]:
    if fields.text("payloadType") != PAYLOAD_TYPE:
        fields.refuse("payloadType", f"{PAYLOAD_TYPE} expected")
    signatures = [
        (entry.text("keyid", max_chars=64), _base64(entry, "sig", 200))
        for entry in fields.objects("signatures", low=1, high=MAX_SIGNATURES)
    ]
    return _base64(fields, "payload", MAX_ENVELOPE_BYTES), signatures


def _base64(fields: Fields, name: str, max_chars: int) -> bytes:
    text = fields.text(name, pattern=_BASE64, max_chars=max_chars)
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        fields.refuse(name, "base64 expected")


def _head(fields: Fields) -> _Head:
    fields.whole("issued_at", 0, LATEST_S)
    return _Head(
        type=fields.text("type", max_chars=40),
        scope=fields.text("scope", max_chars=48),
        version=fields.whole("version", 1, MAX_VERSION),
        not_before_s=fields.whole("not_before", 0, LATEST_S),
        not_after_s=fields.whole("not_after", 0, LATEST_S),
        min_app_version=fields.text("min_app_version", pattern=_APP_VERSION),
        body=fields.object("body").raw(),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
