"""The closed grammar, limits and key records of the message-signature profile `kiosk-sync/1`.

RFC 9421 and RFC 9530 narrowed to one exact form a direction: component order, parameter order and every field's text
are fixed, so a verifier matches bytes against one pattern and rebuilds the signature base from checked values. Nothing
here parses structured fields, opens a socket or reads a clock.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Final, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

TAG: Final = "kiosk-sync/1"
ALG_P256: Final = "ecdsa-p256-sha256"
ALG_ED25519: Final = "ed25519"
CONTENT_TYPE: Final = "application/json"
SIGNATURE_BYTES: Final = 64

MAX_REQUEST_BODY_BYTES: Final = 256 * 1024
MAX_RELAY_BODY_BYTES: Final = 64 * 1024
MAX_RESPONSE_BODY_BYTES: Final = 1024 * 1024
MAX_HEADER_SECTION_BYTES: Final = 16 * 1024
MAX_HEADER_FIELDS: Final = 64
MAX_LIFETIME_S: Final = 120
LIFETIME_S: Final = 60
SKEW_S: Final = 60

ROUTES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "/v1/relay/flags": MAX_RELAY_BODY_BYTES,
        "/v1/relay/start": MAX_RELAY_BODY_BYTES,
        "/v1/relay/step": MAX_RELAY_BODY_BYTES,
        "/v1/identify": MAX_REQUEST_BODY_BYTES,
        "/v1/code/issue": MAX_REQUEST_BODY_BYTES,
        "/v1/events": MAX_REQUEST_BODY_BYTES,
        "/v1/sync/state": MAX_REQUEST_BODY_BYTES,
        "/v1/policy/state": MAX_REQUEST_BODY_BYTES,
    }
)
"""Every signed route and the most bytes its request body may have."""

FORBIDDEN_REQUEST_FIELDS: Final = frozenset(
    {b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"trailer", b"te", b"cookie"}
)
FORBIDDEN_RESPONSE_FIELDS: Final = frozenset(
    {b"transfer-encoding", b"content-encoding", b"upgrade", b"trailer", b"set-cookie"}
)

REQUEST_COMPONENTS: Final = (
    '("@method" "@target-uri" "content-type" "content-length" "content-digest" "idempotency-key")'
)
RESPONSE_COMPONENTS: Final = (
    '("@status" "content-type" "content-digest" '
    '"@method";req "@target-uri";req "content-digest";req "signature";req;key="sig1")'
)

_SECONDS = r"[1-9][0-9]{9}"
_GENERATION = r"[1-9][0-9]{0,5}"
_KIOSK_KEYID = rf"(?!srv/)[a-z0-9][a-z0-9-]{{0,47}}/{_GENERATION}"
_ALG = "|".join((ALG_P256, ALG_ED25519))

KIOSK_ID: Final = re.compile(r"(?!srv\Z)[a-z0-9][a-z0-9-]{0,47}", re.ASCII)
"""A kiosk's name, as in its key identifier and its TLS certificate. `srv` is the server's."""
KIOSK_KEYID: Final = re.compile(_KIOSK_KEYID, re.ASCII)
SERVER_KEYID: Final = re.compile(rf"srv/{_GENERATION}", re.ASCII)
DOCUMENT_KEYID: Final = re.compile(r"[a-z0-9][a-z0-9/-]{0,63}", re.ASCII)

MEDIA_TYPE: Final = re.compile(re.escape(CONTENT_TYPE.encode("ascii")))
CONTENT_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,6}")
CONTENT_DIGEST: Final = re.compile(rb"sha-256=:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=:")
IDEMPOTENCY_KEY: Final = re.compile(rb"[0-9a-f]{32}")
SIGNATURE: Final = re.compile(rb"sig1=(:([A-Za-z0-9+/]{85}[AQgw]==):)")
REQUEST_INPUT: Final = re.compile(
    (
        rf'sig1=({re.escape(REQUEST_COMPONENTS)};created=({_SECONDS});keyid="({_KIOSK_KEYID})";alg="({_ALG})"'
        rf';expires=({_SECONDS});nonce="([A-Za-z0-9_-]{{21}}[AQgw])";tag="{TAG}")'
    ).encode("ascii")
)
RESPONSE_INPUT: Final = re.compile(
    (
        rf'sig1=({re.escape(RESPONSE_COMPONENTS)};created=({_SECONDS});keyid="(srv/{_GENERATION})";alg="({_ALG})"'
        rf';tag="{TAG}")'
    ).encode("ascii")
)
REQUEST_FORMS: Final[Mapping[bytes, re.Pattern[bytes]]] = MappingProxyType(
    {
        b"content-type": MEDIA_TYPE,
        b"content-length": CONTENT_LENGTH,
        b"content-digest": CONTENT_DIGEST,
        b"idempotency-key": IDEMPOTENCY_KEY,
        b"signature-input": REQUEST_INPUT,
        b"signature": SIGNATURE,
    }
)
"""The fields of a request and the only form of each."""
RESPONSE_FORMS: Final[Mapping[bytes, re.Pattern[bytes]]] = MappingProxyType(
    {
        b"content-type": MEDIA_TYPE,
        b"content-digest": CONTENT_DIGEST,
        b"signature-input": RESPONSE_INPUT,
        b"signature": SIGNATURE,
    }
)
"""The fields of a response and the only form of each."""


def _in_one(forms: Mapping[bytes, re.Pattern[bytes]]) -> re.Pattern[str]:
    """All forms, one a line: one match instead of one for each field. No form can match a line feed."""
    return re.compile("\n".join(f"({form.pattern.decode('ascii')})" for form in forms.values()), re.ASCII)


REQUEST_LINES: Final = _in_one(REQUEST_FORMS)
RESPONSE_LINES: Final = _in_one(RESPONSE_FORMS)
FIELD_BYTES: Final = bytes((0x09, *range(0x20, 0x7F)))
"""What names and values of header fields may consist of."""

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


def owner_of(keyid: str) -> str:
    """The kiosk, or `srv`, that a key identifier names."""
    return keyid.partition("/")[0]


def generation_of(keyid: str) -> int:
    """Which of its owner's keys it is, as the backend counts."""
    return int(keyid.partition("/")[2])


class KeyRefusal(StrEnum):
    """Why a public key is not registered."""

    KEYID = "keyid is not of the form <name>/<generation>"
    ALG = "alg is not one of the profile"
    SPKI = "spki is not a DER SubjectPublicKeyInfo"
    TYPE = "the key is not of the type alg names"
    SMALL_ORDER = "the key is a point of small order"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A registered public key of the type `alg` names: a fact of the record, which a message never selects."""

    keyid: str
    alg: str
    public_key: PublicKey = field(repr=False)

    @property
    def name(self) -> str:
        """The kiosk (or `srv`) the key belongs to."""
        return owner_of(self.keyid)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (64 bytes, r‖s or Ed25519) is one of this key over `message`."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            if self.alg == ALG_P256:
                r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
                key = cast(ec.EllipticCurvePublicKey, self.public_key)
                key.verify(encode_dss_signature(r, s), message, _ECDSA_SHA256)
            else:
                cast(ed25519.Ed25519PublicKey, self.public_key).verify(signature, message)
        except InvalidSignature:
            return False
        return True


_ECDSA_SHA256: Final = ec.ECDSA(hashes.SHA256())

_P25519: Final = 2**255 - 19
_D25519: Final = -121665 * pow(121666, -1, _P25519) % _P25519


def register_key(keyid: str, alg: str, spki: bytes) -> KeyRecord | KeyRefusal:
    """Check a public key (DER SubjectPublicKeyInfo) before it is trusted; `keyid` of a kiosk or of the server.

    Small-order Ed25519 points are refused here: under the identity one signature fits every message.
    """
    if not (KIOSK_KEYID.fullmatch(keyid) or SERVER_KEYID.fullmatch(keyid)):
        return KeyRefusal.KEYID
    return _record(keyid, alg, spki)


def register_document_key(keyid: str, alg: str, spki: bytes) -> KeyRecord | KeyRefusal:
    """As `register_key` for a key that signs documents: `keyid` is 1–64 of `a-z0-9-/`."""
    if not DOCUMENT_KEYID.fullmatch(keyid):
        return KeyRefusal.KEYID
    return _record(keyid, alg, spki)


def _record(keyid: str, alg: str, spki: bytes) -> KeyRecord | KeyRefusal:
    if alg not in (ALG_P256, ALG_ED25519):
        return KeyRefusal.ALG
    try:
        key = serialization.load_der_public_key(spki)
    except Exception:  # noqa: BLE001  # the library documents no closed list of errors for hostile DER
        return KeyRefusal.SPKI
    if alg == ALG_P256:
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            return KeyRefusal.TYPE
        return KeyRecord(keyid, alg, key)
    if not isinstance(key, ed25519.Ed25519PublicKey):
        return KeyRefusal.TYPE
    return KeyRefusal.SMALL_ORDER if _is_small_order(key.public_bytes_raw()) else KeyRecord(keyid, alg, key)


def _is_small_order(encoded: bytes) -> bool:
    """Whether the 32-byte Ed25519 point has order 1, 2, 4 or 8, in a canonical or a non-canonical encoding.

    On -x² + y² = 1 + dx²y² doubling gives y' = (y² + x²) / (2 - y² + x²) with x² = (y² - 1) / (dy² + 1); 8·P is the
    identity iff y after three doublings is 1 (x is then 0). The sign of x plays no part.
    """
    y = (int.from_bytes(encoded, "little") & ((1 << 255) - 1)) % _P25519
    for _ in range(3):
        yy = y * y % _P25519
        xx = (yy - 1) * pow(_D25519 * yy + 1, -1, _P25519) % _P25519
        denominator = (2 - yy + xx) % _P25519
        if denominator == 0:
            return False
        y = (yy + xx) * pow(denominator, -1, _P25519) % _P25519
    return y == 1


def content_digest(body: bytes) -> str:
    """The only accepted `Content-Digest` of these bytes (RFC 9530)."""
    return f"sha-256=:{b2a_base64(sha256(body).digest(), newline=False).decode('ascii')}:"


def request_base(
    target_uri: str, content_length: int, digest: str, idempotency_key: str, signature_params: str
) -> bytes:
    """Signature base of a request: six component lines and `@signature-params`, joined by LF (RFC 9421 §2.5)."""
    return (
        f'"@method": POST\n"@target-uri": {target_uri}\n"content-type": {CONTENT_TYPE}\n'
        f'"content-length": {content_length}\n"content-digest": {digest}\n"idempotency-key": {idempotency_key}\n'
        f'"@signature-params": {signature_params}'
    ).encode("ascii")


def response_base(
    *, status: int, digest: str, target_uri: str, request_digest: str, request_signature: str, signature_params: str
) -> bytes:
    """Signature base of a response; `request_signature` is the request's `:base64:` member value."""
    return (
        f'"@status": {status}\n"content-type": {CONTENT_TYPE}\n"content-digest": {digest}\n'
        f'"@method";req: POST\n"@target-uri";req: {target_uri}\n"content-digest";req: {request_digest}\n'
        f'"signature";req;key="sig1": {request_signature}\n"@signature-params": {signature_params}'
    ).encode("ascii")
