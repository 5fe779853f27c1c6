"""The channel's signatures, as both ends make and prove them, against bare P-256 over a message of the same kind."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.figures import Figure
from bench.rounds import alternate, timed
from kiosk.sync.keys import SoftwareKey
from kiosk.sync.messages import RequestHead, SignedRequest, VerifiedRequest, VerifiedResponse
from kiosk.sync.profile import KeyRecord, KeyRefusal, register_key
from kiosk.sync.signature import sign_request, sign_response, verify_request, verify_response

ORIGIN: Final = "https://localhost:8443"
KIOSK: Final = "borne-0999"
ROUTE: Final = "/v1/relay/step"
BODY: Final = b'{"responses":["' + b"ab" * 200 + b'"]}'
NOW_S: Final = 1_795_000_000
REPEAT: Final = 50
SIGN_BAR: Final = 1.5
VERIFY_BAR: Final = 1.25
FIXED_FIELDS: Final = (
    (b"host", b"localhost:8443"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", b"kiosk"),
)
"""Those of the kiosk's HTTP client, beside the signed ones."""
_ECDSA: Final = ec.ECDSA(hashes.SHA256())

Pairs = list[tuple[bytes, bytes]]


def figures(rounds: int) -> list[Figure]:
    """Both messages, made and proven. Goals: 1.5 × and 1.25 × bare P-256 of the same run."""
    kiosk_private, server_private = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    kiosk_key, server_key = SoftwareKey(f"{KIOSK}/1", kiosk_private), SoftwareKey("srv/1", server_private)
    kiosk_keys, server_keys = {kiosk_key.keyid: _record(kiosk_key)}, {server_key.keyid: _record(server_key)}
    sent = _signed(kiosk_key)
    head = RequestHead("POST", ROUTE.encode("ascii"), b"", [*FIXED_FIELDS, *_raw(sent.headers)])

    def prove_request() -> VerifiedRequest:
        proven = verify_request(head, BODY, origin=ORIGIN, tls_kiosk=KIOSK, find_key=kiosk_keys.get)
        assert isinstance(proven, VerifiedRequest)
        return proven

    request = prove_request()

    def answer() -> tuple[tuple[str, str], ...]:
        return sign_response(server_key, request, status=200, body=BODY, created_s=NOW_S)

    headers = _raw(answer())

    def prove_answer() -> None:
        proven = verify_response(
            sent, status=200, headers=headers, body=BODY, server_keys=server_keys, floor_s=NOW_S - 60
        )
        assert isinstance(proven, VerifiedResponse)

    bare_public, bare_signature = server_private.public_key(), server_private.sign(BODY, _ECDSA)
    sign_s, answer_s, bare_sign_s, prove_request_s, prove_answer_s, bare_verify_s = alternate(
        rounds,
        [
            timed(work, REPEAT)
            for work in (
                lambda: _signed(kiosk_key),
                answer,
                lambda: kiosk_private.sign(BODY, _ECDSA),
                prove_request,
                prove_answer,
                lambda: bare_public.verify(bare_signature, BODY, _ECDSA),
            )
        ],
    )
    return [
        Figure("sign a request / bare P-256", sign_s * 1e6, "µs", bare_sign_s * 1e6, SIGN_BAR),
        Figure("sign an answer / bare P-256", answer_s * 1e6, "µs", bare_sign_s * 1e6, SIGN_BAR),
        Figure("prove a request / bare P-256", prove_request_s * 1e6, "µs", bare_verify_s * 1e6, VERIFY_BAR),
        Figure("prove an answer / bare P-256", prove_answer_s * 1e6, "µs", bare_verify_s * 1e6, VERIFY_BAR),
    ]


def _signed(key: SoftwareKey) -> SignedRequest:
    return sign_request(key, origin=ORIGIN, path=ROUTE, body=BODY, idempotency_key="0" * 32, created_s=NOW_S)


def _record(key: SoftwareKey) -> KeyRecord:
    record = register_key(key.keyid, key.alg, key.public_spki())
    assert not isinstance(record, KeyRefusal)
    return record


def _raw(headers: tuple[tuple[str, str], ...]) -> Pairs:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers]
