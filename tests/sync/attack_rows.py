"""The attack matrix as data: class, mutation, expected reason (channel reference §7). Here: bent requests.

They leave nothing behind (class Z) and are answered unsigned. `attack_plays`: what reaches a server's memory;
`attack_answers`: what a false backend tries on a kiosk. Classes 10, 13, 14, 15 live mostly below or beside the profile:
raw bytes and TLS in the backend's tests, documents in those of the documents.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from dataclasses import dataclass, replace
from hashlib import sha512

from kiosk.sync import profile
from kiosk.visit.ports import SigningKey
from tests.sync import rfc9421
from tests.sync.attacks import (
    COMPONENTS,
    DIGEST,
    HOST,
    IDEMPOTENCY,
    INPUT,
    LENGTH,
    PATH,
    SIGNATURE,
    TYPE,
    Bend,
    RequestRow,
    Scene,
    add,
    change,
    drop,
    put,
    resign,
    sub,
    then_resign,
    twice,
)
from tests.sync.rfc9421 import Message

OTHER_DIGEST = profile.content_digest(b"{}").encode("ascii")


def _target(by: bytes) -> Bend:
    return lambda message, _: replace(message, target=by)


def _method(by: str) -> Bend:
    return lambda message, _: replace(message, method=by)


def _body(by: bytes) -> Bend:
    return lambda message, _: replace(message, body=by)


def _both(first: Bend, second: Bend) -> Bend:
    return lambda message, scene: second(first(message, scene), scene)


def _long(path: str, size_bytes: int) -> Bend:
    return lambda _, scene: scene.request(b'{"x":"' + b"a" * size_bytes + b'"}', path=path)


def _signed_by(choose: str, keyid: str | None = None) -> Bend:
    """A whole request signed by another party's key, perhaps under our key identifier (`own`)."""

    def bend(_: Message, scene: Scene) -> Message:
        key: SigningKey = getattr(scene, choose)
        honest = scene.request(key=key)
        return honest if keyid is None else scene.resigned(honest, params=scene.params(scene.key), key=key)

    return bend


@dataclass
class _PublicSecret:
    """A MAC of the right length under what everybody knows, presented as the key's own signature."""

    keyid: str
    alg: str
    spki: bytes

    def public_spki(self) -> bytes:
        return self.spki

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self.spki, message, "sha512")


def _mac(message: Message, scene: Scene) -> Message:
    key = _PublicSecret(scene.key.keyid, scene.key.alg, scene.key.public_spki())
    return scene.resigned(message, params=scene.params(), key=key)


def _another_signature(message: Message, scene: Scene) -> Message:
    return message.edited(SIGNATURE, scene.request(b'{"batch_seq":2}').value(SIGNATURE))


def _hmac_for_signature(message: Message, scene: Scene) -> Message:
    """For a verifier that would let the message choose: 64 bytes that anybody can compute."""
    honest = scene.resigned(message)
    base = rfc9421.base(COMPONENTS, honest.value(INPUT)[5:].decode("ascii"), scene.origin, message)
    mac = hmac.digest(scene.key.public_spki(), base, "sha512")
    return honest.edited(SIGNATURE, b"sig1=:" + b64encode(mac) + b":")


_Z = RequestRow
REQUEST_ROWS: tuple[RequestRow, ...] = (
    # 3 truncation
    _Z(3, "body cut", _body(b'{"batch_seq":1'), "length", socket=False),
    _Z(3, "last element cut, length fitted", _both(_body(b"{}"), put(LENGTH, b"2")), "digest"),
    _Z(3, "body longer than told", _body(b'{"batch_seq":1} '), "length", socket=False),
    # 4 substitution
    _Z(4, "body", _body(b'{"batch_seq":2}'), "digest"),
    _Z(4, "body and digest", _both(_body(b"{}"), _both(put(LENGTH, b"2"), put(DIGEST, OTHER_DIGEST))), "signature"),
    _Z(4, "digest", put(DIGEST, OTHER_DIGEST), "digest"),
    _Z(4, "method", then_resign(_method("PUT")), "method"),
    _Z(4, "method GET", then_resign(_method("GET")), "method"),
    _Z(4, "method in small letters", _method("post"), "method", socket=False),
    _Z(4, "route of the table", _target(b"/v1/identify"), "signature"),
    _Z(4, "no route", then_resign(_target(b"/v1/nothing")), "path"),
    _Z(4, "route with an end slash", _target(PATH.encode() + b"/"), "path"),
    _Z(4, "route encoded", _target(b"/v1/sync/stat%65"), "path"),
    _Z(4, "route with dots", _target(b"/v1/./sync/state"), "path"),
    _Z(4, "absolute form", lambda m, s: replace(m, target=s.origin.encode() + m.target), "path"),
    _Z(4, "query", then_resign(_target(PATH.encode() + b"?a=1")), "query"),
    _Z(4, "empty query", _target(PATH.encode() + b"?"), "path"),
    _Z(4, "authority", put(HOST, b"evil.example"), "host"),
    _Z(4, "authority without port", change(HOST, lambda v: v.partition(b":")[0]), "host"),
    _Z(4, "authority missing", drop(HOST), "host"),
    _Z(4, "type with charset", put(TYPE, b"application/json; charset=utf-8"), "field_form"),
    _Z(4, "type in capitals", put(TYPE, b"Application/json"), "field_form"),
    _Z(4, "idempotency key", change(IDEMPOTENCY, lambda v: v[:-1] + b"0"), "signature"),
    _Z(4, "idempotency key in capitals", then_resign(change(IDEMPOTENCY, bytes.upper)), "field_form"),
    _Z(4, "idempotency key short", then_resign(change(IDEMPOTENCY, lambda v: v[:-1])), "field_form"),
    _Z(4, "signature of another request", _another_signature, "signature"),
    _Z(4, "length of zeros before", then_resign(change(LENGTH, lambda v: b"0" + v)), "field_form"),
    _Z(4, "length with a sign", change(LENGTH, lambda v: b"+" + v), "field_form"),
    _Z(4, "length smaller", then_resign(put(LENGTH, b"14")), "length", socket=False),
    _Z(4, "length above the limit", then_resign(put(LENGTH, b"262145")), "too_large"),
    _Z(4, "length of eight digits", put(LENGTH, b"10000000"), "field_form"),
    _Z(4, "length in other digits", put(LENGTH, "١٥".encode()), "field_bytes"),
    # 5 algorithm
    _Z(5, "alg absent", resign(alg=""), "field_form"),
    _Z(5, "alg of another type", resign(alg='"ed25519"'), "alg"),
    _Z(5, "alg unknown", resign(alg='"rsa-v1_5-sha256"'), "field_form"),
    _Z(5, "alg HMAC", resign(alg='"hmac-sha256"'), "field_form"),
    _Z(5, "HMAC keyed with the public key", _hmac_for_signature, "signature"),
    _Z(5, "HMAC keyed with our public key", _mac, "signature"),
    _Z(5, "alg P-384", resign(alg='"ecdsa-p384-sha384"'), "field_form"),
    _Z(5, "digest by SHA-512", then_resign(lambda m, _: m.edited(DIGEST, _sha512(m.body))), "field_form"),
    _Z(5, "digest of two members", then_resign(lambda m, _: m.edited(DIGEST, _two(m))), "field_form"),
    _Z(5, "digest twice in one line", then_resign(change(DIGEST, lambda v: v + b", " + v)), "field_form"),
    _Z(5, "digest with padding bits", then_resign(change(DIGEST, lambda v: v[:-3] + b"9=:")), "field_form"),
    # 6 key confusion
    _Z(6, "key identifier of another kiosk, our key", resign(keyid='"stranger/1"'), "key_unknown"),
    _Z(6, "key not yet issued", sub(INPUT, rb'(keyid="[^/]+)/\d+', rb"\1/999999"), "key_unknown"),
    _Z(6, "our identifier, another kiosk's key", _signed_by("other_key", "own"), "signature"),
    _Z(6, "our identifier, the server's key", _signed_by("server_key", "own"), "signature"),
    _Z(6, "the server's key as a kiosk", _signed_by("server_key"), "field_form"),
    _Z(6, "TLS of another kiosk", lambda m, _: m, "tls_identity", tls="other"),
    _Z(6, "another kiosk over our TLS", _signed_by("other_key"), "tls_identity"),
    _Z(6, "generation zero", sub(INPUT, rb'(keyid="[^/]+)/\d+', rb"\1/0"), "field_form"),
    _Z(6, "generation padded", sub(INPUT, rb'(keyid="[^/]+)/\d+', rb"\1/01"), "field_form"),
    _Z(6, "generation of seven digits", sub(INPUT, rb'(keyid="[^/]+)/\d+', rb"\1/1000000"), "field_form"),
    _Z(6, "key identifier in capitals", change(INPUT, lambda v: v.replace(b'keyid="b', b'keyid="B')), "field_form"),
    # 7 time
    _Z(7, "expires equal to created", resign(expires="NOW"), "lifetime"),
    _Z(7, "expires before created", resign(expires="NOW-1"), "lifetime"),
    _Z(7, "lifetime 121", resign(expires="NOW+121"), "lifetime"),
    _Z(7, "expires in the year 9999", resign(expires="253402300799"), "field_form"),
    _Z(7, "expires in the year 2286", resign(expires="9999999999"), "lifetime"),
    _Z(7, "created decimal", resign(created="NOW.0"), "field_form"),
    _Z(7, "created as text", resign(created='"NOW"'), "field_form"),
    _Z(7, "created as date", resign(created="@NOW"), "field_form"),
    _Z(7, "created negative", resign(created="-NOW"), "field_form"),
    _Z(7, "created with a leading zero", sub(INPUT, rb"created=1", b"created=0"), "field_form"),
    _Z(7, "created in other digits", sub(INPUT, rb"created=1", "created=١".encode()), "field_bytes"),
    _Z(7, "created moved", sub(INPUT, rb"created=(\d+)\d", rb"created=\g<1>x"), "field_form"),
    _Z(7, "created absent", resign(created=""), "field_form"),
    _Z(7, "expires absent", resign(expires=""), "field_form"),
    # 8 coverage, each under a true signature where one can be made
    *(
        _Z(8, f"without {name}", resign(tuple(other for other in COMPONENTS if other != name)), "field_form")
        for name in COMPONENTS
    ),
    _Z(8, "nothing covered", resign(()), "field_form"),
    _Z(8, "component extra", resign((*COMPONENTS, '"host"')), "field_form"),
    _Z(8, "derived component extra", resign((*COMPONENTS, '"@authority"')), "field_form"),
    _Z(8, "components moved", resign((COMPONENTS[1], COMPONENTS[0], *COMPONENTS[2:])), "field_form"),
    _Z(8, "component twice", resign((COMPONENTS[0], *COMPONENTS)), "field_form"),
    _Z(8, "path for target", resign((COMPONENTS[0], '"@path"', *COMPONENTS[2:])), "field_form"),
    _Z(8, "other label", resign(label="sig2"), "field_form"),
    _Z(8, "label of the signature only", sub(SIGNATURE, rb"^sig1", b"sig2"), "field_form"),
    _Z(8, "two signatures", change(INPUT, lambda v: v + b", " + v.replace(b"sig1", b"sig2")), "field_form"),
    _Z(8, "two signature values", change(SIGNATURE, lambda v: v + b", " + v.replace(b"sig1", b"sig2")), "field_form"),
    _Z(8, "other tag", resign(tag='"kiosk-sync/2"'), "field_form"),
    _Z(8, "tag absent", resign(tag=""), "field_form"),
    _Z(8, "keyid absent", resign(keyid=""), "field_form"),
    _Z(8, "parameter extra", resign(x="1"), "field_form"),
    _Z(8, "parameters moved", resign(params=';keyid="k/1";created=NOW;tag="kiosk-sync/1"'), "field_form"),
    _Z(8, "nonce absent", resign(nonce=""), "field_form"),
    _Z(8, "nonce padded", resign(nonce='"AAAAAAAAAAAAAAAAAAAAAA=="'), "field_form"),
    _Z(8, "nonce of 15 bytes", resign(nonce='"AAAAAAAAAAAAAAAAAAAA"'), "field_form"),
    _Z(8, "nonce with padding bits", resign(nonce='"AAAAAAAAAAAAAAAAAAAAAB"'), "field_form"),
    _Z(8, "nonce replaced", sub(INPUT, rb'nonce=".{22}', b'nonce="' + b"A" * 22), "signature"),
    *(
        _Z(
            8,
            f"component with {flag}",
            resign((*COMPONENTS[:2], f'"content-type";{flag}', *COMPONENTS[3:])),
            "field_form",
        )
        for flag in ("req", "sf", "tr")
    ),
    _Z(8, "component with bs", sub(INPUT, rb'"content-type"', b'"content-type";bs'), "field_form"),
    _Z(8, "component with key", sub(INPUT, rb'"content-digest"', b'"content-digest";key="sha-256"'), "field_form"),
    # 9 fields
    *(
        _Z(9, f"{name.decode()} twice", twice(name), "field_duplicate")
        for name in (TYPE, DIGEST, IDEMPOTENCY, INPUT, SIGNATURE)
    ),
    _Z(9, "length twice", twice(LENGTH), "field_duplicate", socket=False),
    _Z(9, "digest twice, different", twice(DIGEST, OTHER_DIGEST), "field_duplicate"),
    _Z(9, "key twice in another case", add(b"Idempotency-Key", b"0" * 32), "field_duplicate"),
    _Z(9, "host twice", twice(HOST), "host"),
    *(
        _Z(9, f"{name.decode()} missing", drop(name), "field_missing")
        for name in (TYPE, DIGEST, IDEMPOTENCY, INPUT, SIGNATURE)
    ),
    _Z(9, "length missing", drop(LENGTH), "field_missing", socket=False),
    _Z(9, "blank at the end of the digest", change(DIGEST, lambda v: v + b" "), "field_form", socket=False),
    _Z(9, "blank at the start of the key", change(IDEMPOTENCY, lambda v: b" " + v), "field_form", socket=False),
    _Z(9, "folded", change(INPUT, lambda v: v.replace(b";created", b"\r\n ;created")), "field_bytes"),
    _Z(9, "line feed at the end", change(IDEMPOTENCY, lambda v: v + b"\n"), "field_bytes", socket=False),
    _Z(9, "zero byte", add(b"x-other", b"a\x00b"), "field_bytes"),
    _Z(9, "carriage return", add(b"x-other", b"a\rb"), "field_bytes"),
    _Z(9, "not ASCII", add(b"x-other", b"\xe9"), "field_bytes"),
    _Z(9, "delete character", add(b"x-other", b"\x7f"), "field_bytes"),
    _Z(9, "member twice in the input", change(INPUT, lambda v: v + b", " + v), "field_form"),
    _Z(9, "member twice in the signature", change(SIGNATURE, lambda v: v + b", " + v), "field_form"),
    _Z(9, "signature short", put(SIGNATURE, b"sig1=:" + b64encode(b"\x01" * 63) + b":"), "field_form"),
    _Z(9, "signature of zeros", put(SIGNATURE, b"sig1=:" + b64encode(bytes(64)) + b":"), "signature"),
    _Z(9, "signature with padding bits", sub(SIGNATURE, rb"[AQgw]==", b"B=="), "field_form"),
    _Z(9, "signature in the URL alphabet", sub(SIGNATURE, rb"sig1=:.", b"sig1=:_"), "field_form"),
    _Z(9, "signature of 96 bytes", put(SIGNATURE, b"sig1=:" + b64encode(b"\x01" * 96) + b":"), "field_form"),
    _Z(9, "signature as DER", put(SIGNATURE, b"sig1=:" + b64encode(bytes(70)) + b":"), "field_form"),
    _Z(9, "a field of 64 KiB", add(b"x-other", b"a" * 65536), "header_limit"),
    _Z(9, "a thousand fields", add(b"x", b"1", 1000), "header_limit"),
    # 10 framing, as far as the profile sees it
    *(
        _Z(10, f"forbidden {name.decode()}", add(name, value), "forbidden_field", socket=socket)
        for name, value, socket in (
            (b"Transfer-Encoding", b"chunked", False),
            (b"content-encoding", b"identity", True),
            (b"expect", b"100-continue", True),
            (b"upgrade", b"h2c", False),
            (b"cookie", b"a=b", True),
            (b"trailer", b"x", True),
            (b"te", b"trailers", True),
        )
    ),
    # 13 TLS, as far as the profile sees it
    _Z(13, "no client certificate", lambda m, _: m, "tls_identity", tls="none", socket=False),
    # 15 denial of service
    _Z(15, "huge signature input", change(INPUT, lambda v: v + b";x=" + b"1" * 1200), "field_form"),
    _Z(15, "relay body above its limit", _long("/v1/relay/step", profile.MAX_RELAY_BODY_BYTES), "too_large"),
    _Z(15, "body above the limit", _long("/v1/events", profile.MAX_REQUEST_BODY_BYTES), "too_large"),
)


def _sha512(body: bytes) -> bytes:
    return b"sha-512=:" + b64encode(sha512(body).digest()) + b":"


def _two(message: Message) -> bytes:
    return message.value(DIGEST) + b", " + _sha512(message.body)
