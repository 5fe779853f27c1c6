"""Signed documents pushed to a kiosk: DSSE envelopes by role, versions that only rise, kept with their floor.

Payload: `{type, scope, version, issued_at, not_before, not_after, min_app_version, body}`, times in seconds since 1970.
An expired policy is kept in force (`keep`); an older one never comes back.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction, read_meta, write_meta
from kiosk.sync.fields import FieldError, Fields, read
from kiosk.sync.identity import POLICY_ROLE, Role
from kiosk.sync.strict_json import JsonError, decode, encode
from kiosk.visit.policy import Policy, PolicyError, parse_policy

PAYLOAD_TYPE: Final = "application/vnd.kiosk.document+json"
POLICY: Final = POLICY_ROLE
MAX_ENVELOPE_BYTES: Final = 64 * 1024
MAX_SIGNATURES: Final = 16
MAX_VERSION: Final = 2**31 - 1
_LATEST_S: Final = 9_999_999_999
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
class PolicyDocument:
    """A proven policy document, and the very envelope it came in."""

    version: int
    scope: str
    policy: Policy
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


def verify_policy(
    envelope: bytes, *, role: Role, scope: str, floor: Floor | None, now_s: int | None, app_version: str
) -> PolicyDocument | DocumentError:
    """Prove one policy envelope (JSON bytes, unauthenticated), in the order of the profile.

    Size, strict JSON, keys of the role, threshold of distinct keys over the exact payload, type and scope, version
    against the floor, dates, application version, schema. now_s: None skips the dates, for a document accepted before.
    """
    payload = _proven_payload(envelope, role)
    if isinstance(payload, DocumentError):
        return payload
    body = decode(payload, MAX_ENVELOPE_BYTES)
    if isinstance(body, JsonError):
        return DocumentError("payload", str(body))
    head = read(body, _head)
    if isinstance(head, FieldError):
        return DocumentError(f"payload.{head.field}", head.reason)
    if head.type != POLICY:
        return DocumentError("payload.type", "not a policy")
    if head.scope != scope:
        return DocumentError("payload.scope", "another kiosk's")
    digest = sha256(payload).digest()
    if floor is not None and head.version < floor.version:
        return DocumentError("payload.version", f"below {floor.version}, the last accepted")
    if floor is not None and head.version == floor.version and digest != floor.payload_sha256:
        return DocumentError("payload.version", f"{floor.version} again, with another content")
    if now_s is not None and now_s < head.not_before_s:
        return DocumentError("payload.not_before", "not reached yet")
    if now_s is not None and now_s > head.not_after_s:
        return DocumentError("payload.not_after", "has passed")
    if _numbers(head.min_app_version) > _numbers(app_version):
        return DocumentError("payload.min_app_version", f"above {app_version}, this application")
    policy = parse_policy(head.body)
    if isinstance(policy, PolicyError):
        return DocumentError(f"payload.body.{policy.field}", policy.reason)
    return PolicyDocument(head.version, head.scope, policy, envelope, digest)


class PolicyKeeper:
    """The policy in force for one kiosk: proven, stored with its floor in one transaction, then applied."""

    def __init__(self, store: Store, *, role: Role, scope: str, app_version: str) -> None:
        self._store, self._role, self._scope, self._app_version = store, role, scope, app_version

    def adopt(self, envelope: Mapping[str, Any], now_s: int) -> Future[PolicyDocument | DocumentError]:
        """Prove a newer envelope and keep it; once the future has resolved it survives a power cut."""
        raw = encode(envelope)
        return self._store.submit(lambda tx: self._adopt(tx, raw, now_s))

    def in_force(self) -> Future[PolicyDocument | DocumentError | None]:
        """What was kept, proven again; None if nothing ever was. Its dates are not asked: expiry means `keep`."""
        return self._store.submit(self._kept)

    def _adopt(self, tx: Transaction, raw: bytes, now_s: int) -> PolicyDocument | DocumentError:
        floor = _read_floor(tx, self._scope)
        document = verify_policy(
            raw, role=self._role, scope=self._scope, floor=floor, now_s=now_s, app_version=self._app_version
        )
        if isinstance(document, PolicyDocument):
            write_meta(tx, _document_key(self._scope), document.envelope)
            write_meta(
                tx, _floor_key(self._scope), b"%d %s" % (document.version, document.payload_sha256.hex().encode())
            )
        return document

    def _kept(self, tx: Transaction) -> PolicyDocument | DocumentError | None:
        raw = read_meta(tx, _document_key(self._scope))
        if raw is None:
            return None
        return verify_policy(
            raw,
            role=self._role,
            scope=self._scope,
            floor=_read_floor(tx, self._scope),
            now_s=None,
            app_version=self._app_version,
        )


def envelope_type(envelope: Mapping[str, Any]) -> str | None:
    """What type an envelope claims to be, unproven: for choosing who may look at it."""
    try:
        payload = decode(b64decode(envelope["payload"], validate=True), MAX_ENVELOPE_BYTES)
    except (KeyError, TypeError, ValueError):
        return None
    claimed = None if isinstance(payload, JsonError) else payload.get("type")
    return claimed if isinstance(claimed, str) else None


def _proven_payload(envelope: bytes, role: Role) -> bytes | DocumentError:
    body = decode(envelope, MAX_ENVELOPE_BYTES)
    if isinstance(body, JsonError):
        return DocumentError("envelope", str(body))
    parts = read(body, _envelope)
    if isinstance(parts, FieldError):
        return DocumentError(parts.field, parts.reason)
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
    fields.whole("issued_at", 0, _LATEST_S)
    return _Head(
        type=fields.text("type", max_chars=40),
        scope=fields.text("scope", max_chars=48),
        version=fields.whole("version", 1, MAX_VERSION),
        not_before_s=fields.whole("not_before", 0, _LATEST_S),
        not_after_s=fields.whole("not_after", 0, _LATEST_S),
        min_app_version=fields.text("min_app_version", pattern=_APP_VERSION),
        body=fields.object("body").raw(),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _document_key(scope: str) -> str:
    return f"document:{POLICY}:{scope}"


def _floor_key(scope: str) -> str:
    return f"document_floor:{POLICY}:{scope}"


def _read_floor(tx: Transaction, scope: str) -> Floor | None:
    raw = read_meta(tx, _floor_key(scope))
    if raw is None:
        return None
    version, _, digest = raw.decode("ascii").partition(" ")
    return Floor(int(version), bytes.fromhex(digest))
