"""Registering public keys, and the limits that are part of the profile."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kiosk.sync import profile
from kiosk.sync.profile import ALG_ED25519, ALG_P256, KeyRecord, KeyRefusal, register_document_key, register_key
from tests.sync.support import KIOSK_KEY, Ed25519Key

_DER = serialization.Encoding.DER
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo

SMALL_ORDER_POINTS = [
    "0100000000000000000000000000000000000000000000000000000000000000",  # identity
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # order 2
    "0000000000000000000000000000000000000000000000000000000000000000",  # order 4
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  # order 8
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # the same, not canonically encoded
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize("point", SMALL_ORDER_POINTS)
def test_points_of_small_order_are_refused(point: str) -> None:
    key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(point))
    spki = key.public_bytes(_DER, _SPKI)
    assert register_key("borne-7/1", ALG_ED25519, spki) is KeyRefusal.SMALL_ORDER


def test_ordinary_ed25519_keys_are_not_of_small_order() -> None:
    for _ in range(30):
        key = Ed25519Key("borne-7/1")
        assert isinstance(register_key(key.keyid, key.alg, key.public_spki()), KeyRecord)


@pytest.mark.parametrize(
    ("keyid", "ok"),
    [
        ("borne-7/1", True),
        ("srv/1", True),
        ("a/999999", True),
        ("0" * 48 + "/1", True),
        ("0" * 49 + "/1", False),
        ("-a/1", False),
        ("Borne/1", False),
        ("borne/0", False),
        ("borne/1000000", False),
        ("borne", False),
        ("borne/1\n", False),
        ("bórne/1", False),
        ("borne/١", False),
        ("", False),
    ],
)
def test_key_identifiers(keyid: str, ok: bool) -> None:
    result = register_key(keyid, ALG_P256, KIOSK_KEY.public_spki())
    assert isinstance(result, KeyRecord) is ok
    assert ok or result is KeyRefusal.KEYID


def _spki(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(_DER, _SPKI)


def test_key_types_must_be_what_alg_names() -> None:
    p384 = _spki(ec.generate_private_key(ec.SECP384R1()))
    assert register_key("a/1", ALG_P256, p384) is KeyRefusal.TYPE
    assert register_key("a/1", ALG_P256, _spki(rsa.generate_private_key(65537, 2048))) is KeyRefusal.TYPE
    assert register_key("a/1", ALG_P256, Ed25519Key("a/1").public_spki()) is KeyRefusal.TYPE
    assert register_key("a/1", ALG_ED25519, KIOSK_KEY.public_spki()) is KeyRefusal.TYPE
    assert register_key("a/1", "hmac-sha256", KIOSK_KEY.public_spki()) is KeyRefusal.ALG
    assert register_key("a/1", ALG_P256, b"") is KeyRefusal.SPKI
    assert register_key("a/1", ALG_P256, KIOSK_KEY.public_spki()[:-1]) is KeyRefusal.SPKI


def test_document_keys_have_their_own_names() -> None:
    spki = KIOSK_KEY.public_spki()
    assert isinstance(register_document_key("policy/1", ALG_P256, spki), KeyRecord)
    assert register_document_key("policy 1", ALG_P256, spki) is KeyRefusal.KEYID


@pytest.mark.parametrize("kiosk", ["srv", "", "-a", "A", "a" * 49, "a\n"])
def test_names_that_no_kiosk_may_have(kiosk: str) -> None:
    assert not profile.KIOSK_ID.fullmatch(kiosk)


def test_kiosk_names_may_begin_like_the_server() -> None:
    assert profile.KIOSK_ID.fullmatch("srv-1")
    assert profile.KIOSK_KEYID.fullmatch("srv-1/1")
    assert not profile.KIOSK_KEYID.fullmatch("srv/1")


def test_signatures_of_a_wrong_length_do_not_verify() -> None:
    record = register_key(KIOSK_KEY.keyid, KIOSK_KEY.alg, KIOSK_KEY.public_spki())
    assert isinstance(record, KeyRecord)
    signature = KIOSK_KEY.sign(b"m")
    assert record.verify(signature, b"m")
    assert not record.verify(signature, b"n")
    assert not record.verify(signature[:-1], b"m")
    assert not record.verify(signature + b"\x00", b"m")


def test_the_grammar_bounds_the_signature_input() -> None:
    """The limit of 1 KiB needs no check of its own: the longest accepted text is far below it."""

    def text(name: str, generation: str, nonce: str) -> bytes:
        return (
            f'sig1={profile.REQUEST_COMPONENTS};created=9999999999;keyid="{name}/{generation}";alg="{ALG_P256}"'
            f';expires=9999999999;nonce="{nonce}";tag="{profile.TAG}"'
        ).encode("ascii")

    longest = text("k" * 48, "999999", "A" * 22)
    assert profile.REQUEST_INPUT.fullmatch(longest)
    assert len(longest) < 512
    for longer in (("k" * 49, "9", "A" * 22), ("k", "9999999", "A" * 22), ("k", "9", "A" * 23)):
        assert not profile.REQUEST_INPUT.fullmatch(text(*longer))
