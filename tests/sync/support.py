"""Keys, clocks and signed messages that the tests of the channel share. All fictional."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from kiosk.sync import profile
from kiosk.sync.keys import SoftwareKey
from kiosk.sync.messages import RequestHead, SignedRequest, VerifiedRequest
from kiosk.sync.profile import KeyRecord
from kiosk.sync.signature import sign_request, verify_request
from kiosk.visit.ports import SigningKey

ORIGIN = "https://centre.example:8443"
HOST = b"centre.example:8443"
KIOSK = "borne-7"
NOW_S = 1_795_000_000
IDEMPOTENCY_KEY = "0123456789abcdef0123456789abcdef"
PATH = "/v1/events"
BODY = b'{"batch_seq":1}'

Headers = list[tuple[bytes, bytes]]


class Ed25519Key:
    """An Ed25519 signing key; the kiosk itself makes only P-256 ones."""

    def __init__(self, keyid: str) -> None:
        self.keyid = keyid
        self.alg = profile.ALG_ED25519
        self.private = ed25519.Ed25519PrivateKey.generate()

    def public_spki(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


def p256_key(keyid: str) -> SoftwareKey:
    return SoftwareKey(keyid, ec.generate_private_key(ec.SECP256R1()))


def record(key: SigningKey) -> KeyRecord:
    registered = profile.register_key(key.keyid, key.alg, key.public_spki())
    assert isinstance(registered, KeyRecord)
    return registered


KIOSK_KEY = p256_key(f"{KIOSK}/1")
SERVER_KEY = p256_key("srv/1")
KEYS = {KIOSK_KEY.keyid: record(KIOSK_KEY)}
SERVER_KEYS = {SERVER_KEY.keyid: record(SERVER_KEY)}


def raw(headers: tuple[tuple[str, str], ...]) -> Headers:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def signed(
    body: bytes = BODY, path: str = PATH, key: SigningKey = KIOSK_KEY, created_s: int = NOW_S, lifetime_s: int = 60
) -> SignedRequest:
    return sign_request(
        key,
        origin=ORIGIN,
        path=path,
        body=body,
        idempotency_key=IDEMPOTENCY_KEY,
        created_s=created_s,
        lifetime_s=lifetime_s,
    )


def head(sent: SignedRequest, path: str = PATH) -> RequestHead:
    return RequestHead("POST", path.encode(), b"", [(b"host", HOST), *raw(sent.headers)])


def verified(sent: SignedRequest, body: bytes = BODY) -> VerifiedRequest:
    result = verify_request(head(sent), body, origin=ORIGIN, tls_kiosk=KIOSK, find_key=KEYS.get)
    assert isinstance(result, VerifiedRequest), result
    return result


@dataclass
class FakeClock:
    """Time that moves only when a test says so."""

    monotonic: float = 1000.0
    utc: float = float(NOW_S)

    def monotonic_s(self) -> float:
        return self.monotonic

    def utc_s(self) -> float:
        return self.utc

    def advance(self, seconds: float) -> None:
        self.monotonic += seconds
        self.utc += seconds
