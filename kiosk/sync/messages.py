"""What travels through the signature profile: unverified heads, verified messages, refusals. Shared by both ends."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from kiosk.sync import profile
from kiosk.sync.profile import KeyRecord

RawHeaders = Sequence[tuple[bytes, bytes]]


class Reason(StrEnum):
    """Internal reasons of an unsigned refusal, finer than what is told to the sender."""

    HEADER_LIMIT = "header_limit"
    METHOD = "method"
    PATH = "path"
    QUERY = "query"
    HOST = "host"
    FORBIDDEN_FIELD = "forbidden_field"
    FIELD_BYTES = "field_bytes"
    FIELD_MISSING = "field_missing"
    FIELD_DUPLICATE = "field_duplicate"
    FIELD_FORM = "field_form"
    LIFETIME = "lifetime"
    KEY_UNKNOWN = "key_unknown"
    ALG = "alg"
    TLS_IDENTITY = "tls_identity"
    TOO_LARGE = "too_large"
    LENGTH = "length"
    DIGEST = "digest"
    SIGNATURE = "signature"
    STATUS = "status"  # responses only
    STALE = "stale"  # responses only


_STATUS = {
    Reason.HEADER_LIMIT: 431,
    Reason.TOO_LARGE: 413,
    Reason.KEY_UNKNOWN: 401,
    Reason.ALG: 401,
    Reason.TLS_IDENTITY: 401,
    Reason.SIGNATURE: 401,
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that is not authentic. `field` names the header field concerned, if one."""

    reason: Reason
    field: str = ""

    @property
    def http_status(self) -> int:
        """Status of the fixed, unsigned refusal: 400, 401, 413 or 431."""
        return _STATUS.get(self.reason, 400)


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What the server received before the body: `raw_path` and `query` undecoded, header pairs as they came."""

    method: str
    raw_path: bytes
    query: bytes
    headers: RawHeaders = field(repr=False)


class CheckedHead(NamedTuple):  # half the cost of a frozen dataclass of as many fields, on every request
    """A request head that passed steps 1–4: well formed, by a known key, of the kiosk the TLS certificate names."""

    key: KeyRecord
    path: str
    target_uri: str
    content_length: int
    idempotency_key: str
    created_s: int
    expires_s: int
    nonce: str
    digest: str
    signature_params: str
    signature_member: str  # `:base64:`

    def __repr__(self) -> str:
        return f"CheckedHead({self.key.keyid} {self.path})"


class VerifiedRequest(NamedTuple):
    """A proven request: who, what, and what a response must be bound to. Time and replay are still to be judged."""

    head: CheckedHead
    body: bytes

    def __repr__(self) -> str:
        return f"VerifiedRequest({self.head!r})"

    @property
    def kiosk(self) -> str:
        """Name of the proven kiosk."""
        return self.head.key.name

    @property
    def keyid(self) -> str:
        """Key identifier; with `nonce` the key of the replay cache."""
        return self.head.key.keyid

    @property
    def nonce(self) -> str:
        """22 characters of base64url: 16 random bytes."""
        return self.head.nonce

    @property
    def body_sha256(self) -> bytes:
        """As the digest says that was found to be the body's."""
        return a2b_base64(self.head.digest[len("sha-256=:") : -1])

    def in_window(self, now_s: int) -> bool:
        """Whether the message is of now: `created ≤ now + 60` and `now ≤ expires + 60`."""
        return self.head.created_s <= now_s + profile.SKEW_S and now_s <= self.head.expires_s + profile.SKEW_S


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request ready to send, and the sender's own copy of what its answer must be bound to."""

    target_uri: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    digest: str = field(repr=False)
    signature_member: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerifiedResponse:
    """A proven response to our own request. `body` is still unparsed."""

    status: int
    created_s: int
    body: bytes = field(repr=False)
