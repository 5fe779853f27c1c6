"""The channel's signatures, as the kiosk makes and proves them, against bare P-256 over a message of the same kind."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.figures import Figure
from bench.rounds import alternate, timed
from kiosk.sync.keys import SoftwareKey
from kiosk.sync.messages import Refused, RequestHead, SignedRequest, VerifiedResponse
from kiosk.sync.profile import KeyRecord, KeyRefusal, register_key
from kiosk.sync.signature import sign_request, sign_response, verify_request, verify_response

ORIGIN: Final = "https://localhost:8443"
KIOSK: Final = "borne-0999"
ROUTE: Final = "/v1/relay/step"
BODY: Final = b'{"responses":["' + b"ab" * 200 + b'"]}'
NOW_S: Final = 1_795_000_000
REPEAT: Final = 50
_ECDSA: Final = ec.ECDSA(hashes.SHA256())

Pairs = list[tuple[bytes, bytes]]


def figures(rounds: int) -> list[Figure]:
    """One request signed, one response proven. No bar yet: the goals are 1.5 and 1.25."""
    kiosk_private, server_private = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    kiosk_key, server_key = SoftwareKey(f"{KIOSK}/1", kiosk_private), SoftwareKey("srv/1", server_private)
    server_keys = {server_key.keyid: _record(server_key)}
    sent = _signed(kiosk_key)
    headers = _answer(sent, kiosk_key, server_key)
    bare_public, bare_signature = server_private.public_key(), server_private.sign(BODY, _ECDSA)

    def prove() -> None:
        proven = verify_response(
            sent, status=200, headers=headers, body=BODY, server_keys=server_keys, floor_s=NOW_S - 60
        )
        assert isinstance(proven, VerifiedResponse)

    sign_s, bare_sign_s, prove_s, bare_verify_s = alternate(
        rounds,
        (
            timed(lambda: _signed(kiosk_key), REPEAT),
            timed(lambda: kiosk_private.sign(BODY, _ECDSA), REPEAT),
            timed(prove, REPEAT),
            timed(lambda: bare_public.verify(bare_signature, BODY, _ECDSA), REPEAT),
        ),
    )
    return [
        Figure("sign a request / bare P-256", sign_s * 1e6, "µs", bare_sign_s * 1e6),
        Figure("prove a response / bare P-256", prove_s * 1e6, "µs", bare_verify_s * 1e6),
    ]


def _signed(key: SoftwareKey) -> SignedRequest:
    return sign_request(key, origin=ORIGIN, path=ROUTE, body=BODY, idempotency_key="0" * 32, created_s=NOW_S)


def _answer(sent: SignedRequest, kiosk_key: SoftwareKey, server_key: SoftwareKey) -> Pairs:
    """The header fields of a server's answer to this request."""
    head = RequestHead("POST", ROUTE.encode(), b"", [(b"host", b"localhost:8443"), *_raw(sent.headers)])
    keys = {kiosk_key.keyid: _record(kiosk_key)}
    request = verify_request(head, BODY, origin=ORIGIN, tls_kiosk=KIOSK, find_key=keys.get)
    assert not isinstance(request, Refused), request
    return _raw(sign_response(server_key, request, status=200, body=BODY, created_s=NOW_S))


def _record(key: SoftwareKey) -> KeyRecord:
    record = register_key(key.keyid, key.alg, key.public_spki())
    assert not isinstance(record, KeyRefusal)
    return record


def _raw(headers: tuple[tuple[str, str], ...]) -> Pairs:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers]
