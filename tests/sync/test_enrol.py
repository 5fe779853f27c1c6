"""Enrolment against a scripted listener: round trip, repeat, refusals, and each malformed answer."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shutil
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync import enrol as enrol_module
from kiosk.sync.csr import (
    SIGNING_KEY_OID,
    CsrError,
    CsrFacts,
    RenewalFacts,
    build_csr,
    build_renewal_csr,
    check_csr,
    check_renewal_csr,
)
from kiosk.sync.enrol import EnrolError, Ticket, enrol, parse_ticket
from kiosk.sync.enrol_record import RECORD, last_enrolment
from kiosk.sync.identity import (
    MAX_CERTIFICATES_BYTES,
    MAX_TRUST_BYTES,
    Identity,
    IdentityError,
    load_identity,
)
from kiosk.sync.keys import private_pem
from kiosk.sync.wire import RawAnswer, WireFailure
from tests.sync.support import Ed25519Key, p256_key, record

SECRET = "0123456789abcdef0123456789abcdef"
TICKET = f"borne-7:{SECRET}"
ORIGIN = "https://127.0.0.1:9443"
CHANNEL_ORIGIN = "https://127.0.0.1:8443"


@pytest.mark.parametrize("text", [TICKET, f"  {TICKET}\n", f"a:{SECRET}", "0" * 48 + ":" + SECRET])
def test_tickets(text: str) -> None:
    ticket = parse_ticket(text)
    assert isinstance(ticket, Ticket)
    assert ticket.text == text.strip()
    assert SECRET not in repr(ticket)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        (TICKET + "\n" + TICKET, "has more than one line"),
        ("a" * 49 + ":" + SECRET, "is longer than 81 characters"),
        (SECRET, "is not <kiosk name>:<32 lower-case hexadecimal digits>"),
        (TICKET.upper(), "is not <kiosk name>:<32 lower-case hexadecimal digits>"),
        (TICKET[:-1], "is not <kiosk name>:<32 lower-case hexadecimal digits>"),
        (TICKET + "0", "is not <kiosk name>:<32 lower-case hexadecimal digits>"),
        (f"srv:{SECRET}", "is not <kiosk name>:<32 lower-case hexadecimal digits>"),
        (f"borné:{SECRET}", "is not <kiosk name>:<32 lower-case hexadecimal digits>"),
        (f"borne 7:{SECRET}", "is not <kiosk name>:<32 lower-case hexadecimal digits>"),
        (f"borne-7:\x00{SECRET[1:]}", "is not <kiosk name>:<32 lower-case hexadecimal digits>"),
    ],
)
def test_malformed_tickets(text: str, reason: str) -> None:
    assert parse_ticket(text) == EnrolError("ticket", reason)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=100))
def test_any_text_is_a_ticket_or_one_error(text: str) -> None:
    assert isinstance(parse_ticket(text), EnrolError)


# --- certificate request -----------------------------------------------------------------------------------------


def _csr(**changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "kiosk": "borne-7",
        "kiosk_serial": "SN-0001",
        "tls_private": ec.generate_private_key(ec.SECP256R1()),
        "signing_key": p256_key("borne-7/1"),
        "ticket": TICKET,
    }
    return build_csr(**{**arguments, **changes})


def test_request_round_trip() -> None:
    tls, signing = ec.generate_private_key(ec.SECP256R1()), p256_key("borne-7/1")
    facts = check_csr(_csr(tls_private=tls, signing_key=signing), TICKET)
    assert isinstance(facts, CsrFacts)
    assert (facts.kiosk, facts.kiosk_serial) == ("borne-7", "SN-0001")
    assert facts.tls_key == tls.public_key()
    assert facts.signing_spki == signing.public_spki()


class _Impostor:
    """Presents another's public key with its own signature."""

    keyid, alg = "borne-7/1", "ecdsa-p256-sha256"

    def __init__(self) -> None:
        self._own, self._other = p256_key("borne-7/1"), p256_key("borne-7/1")

    def public_spki(self) -> bytes:
        return self._other.public_spki()

    def sign(self, message: bytes) -> bytes:
        return self._own.sign(message)


def _without_proof() -> bytes:
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "borne-7"), x509.NameAttribute(NameOID.SERIAL_NUMBER, "1")]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    return request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(
        serialization.Encoding.DER
    )


def _flipped() -> bytes:
    der = bytearray(_csr())
    der[-1] ^= 1
    return bytes(der)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: _csr(ticket="borne-7:" + "0" * 32), "signing_key"),
        (lambda: _csr(signing_key=_Impostor()), "signing_key"),
        (lambda: _csr(signing_key=Ed25519Key("borne-7/1")), "signing_key"),
        (_without_proof, "signing_key"),
        (lambda: _csr(tls_private=ec.generate_private_key(ec.SECP384R1())), "tls_key"),
        (lambda: _csr(kiosk="srv"), "subject"),
        (lambda: _csr(kiosk="Borne"), "subject"),
        (_flipped, "csr"),
        (lambda: b"", "csr"),
        (lambda: b"\x30\x03\x02\x01\x00", "csr"),
        (lambda: b"\x00" * 4097, "csr"),
    ],
)
def test_requests_refused(make: Callable[[], bytes], field: str) -> None:
    error = check_csr(make(), TICKET)
    assert isinstance(error, CsrError)
    assert error.field == field


def test_the_proof_is_bound_to_the_tls_key() -> None:
    first = x509.load_der_x509_csr(_csr())
    stolen = first.extensions.get_extension_for_oid(SIGNING_KEY_OID).value
    other = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(first.subject)
        .add_extension(stolen, critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    error = check_csr(other.public_bytes(serialization.Encoding.DER), TICKET)
    assert error == CsrError("signing_key", "its proof does not fit the TLS key and the ticket")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_hostile_requests_raise_nothing(data: st.DataObject) -> None:
    der = bytearray(_HONEST)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    result = check_csr(bytes(der), TICKET)
    assert isinstance(result, CsrError) or bytes(der) == _HONEST


_HONEST = _csr()
_OLD_KEY = p256_key("borne-7/3")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_hostile_renewals_raise_nothing(data: st.DataObject) -> None:
    der = bytearray(_HONEST_RENEWAL)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    result = check_renewal_csr(bytes(der), {_OLD_KEY.keyid: record(_OLD_KEY)}.get)
    assert isinstance(result, CsrError) or bytes(der) == _HONEST_RENEWAL


_HONEST_RENEWAL = build_renewal_csr(
    kiosk="borne-7",
    kiosk_serial="SN-0001",
    tls_private=ec.generate_private_key(ec.SECP256R1()),
    signing_key=p256_key(""),
    authorised_by=_OLD_KEY,
)


def test_renewal_round_trip() -> None:
    facts = check_renewal_csr(_HONEST_RENEWAL, {_OLD_KEY.keyid: record(_OLD_KEY)}.get)
    assert isinstance(facts, RenewalFacts)
    assert (facts.facts.kiosk, facts.authorised_by) == ("borne-7", "borne-7/3")
    assert check_renewal_csr(_HONEST_RENEWAL, lambda _: None) == CsrError("authorisation", "not by a key of this kiosk")
    assert check_renewal_csr(_HONEST, lambda _: None) == CsrError("authorisation", "missing")
    assert isinstance(check_csr(_HONEST_RENEWAL, TICKET), CsrError), "a renewal is no enrolment"


# --- the walk ----------------------------------------------------------------------------------------------------


def _certificate(public: Any, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AC de test")])
    now = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=14))
        .sign(key, hashes.SHA256())
    )


def _entry(key: Any) -> dict[str, str]:
    return {"keyid": key.keyid, "alg": key.alg, "spki": b64encode(key.public_spki()).decode()}


class Listener:
    """The enrolment listener, in place of the wire."""

    def __init__(self, ca_key: ec.EllipticCurvePrivateKey) -> None:
        self.ca_key = ca_key
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.keys_on_disk: list[bool] = []
        self.state_dir: Path | None = None
        self.enrolled: CsrFacts | None = None
        self.change: Callable[[RawAnswer], RawAnswer | WireFailure] = lambda answer: answer
        self.change_trust: Callable[[RawAnswer], RawAnswer | WireFailure] = lambda answer: answer
        self.trust: dict[str, Any] = {
            "origin": CHANNEL_ORIGIN,
            "server_keys": [_entry(p256_key("srv/1"))],
            "policy_keys": {
                "policy": {"threshold": 2, "keys": [_entry(p256_key("policy/1")), _entry(p256_key("policy/2"))]}
            },
        }

    def __call__(self, *_: object) -> Listener:
        return self

    def close(self) -> None:
        """Nothing is held."""

    def exchange(
        self, method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes, **_: object
    ) -> RawAnswer | WireFailure:
        self.requests.append((method, url, dict(headers), body))
        if url.endswith("/trust"):
            return self.change_trust(RawAnswer(200, [], json.dumps(self.trust).encode()))
        if self.state_dir is not None:
            names = {path.name for path in self.state_dir.rglob("*.pem")}
            self.keys_on_disk.append({"signing-1.pem", "tls.key.pem"} <= names)
        ticket = b64decode(dict(headers)["authorization"].removeprefix("Basic ")).decode()
        facts = check_csr(b64decode(body), ticket)
        assert isinstance(facts, CsrFacts)
        if self.enrolled not in (None, facts):
            return RawAnswer(401, [], b"")
        self.enrolled = facts
        certificate = _certificate(facts.tls_key, self.ca_key)
        pem = b64encode(pkcs7.serialize_certificates([certificate], serialization.Encoding.DER))
        return self.change(RawAnswer(200, [(b"kiosk-generation", b"3")], pem))


@pytest.fixture
def ca(tmp_path: Path) -> tuple[Path, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "ca.pem"
    path.write_bytes(_certificate(key.public_key(), key).public_bytes(serialization.Encoding.PEM))
    return path, key


@pytest.fixture
def listener(ca: tuple[Path, ec.EllipticCurvePrivateKey], monkeypatch: pytest.MonkeyPatch) -> Listener:
    scripted = Listener(ca[1])
    monkeypatch.setattr(enrol_module, "Wire", scripted)
    return scripted


def _enrol(tmp_path: Path, **changes: Any) -> Identity | EnrolError:
    arguments: dict[str, Any] = {
        "origin": ORIGIN,
        "ca_file": tmp_path / "ca.pem",
        "ticket_text": TICKET + "\n",
        "state_dir": tmp_path / "state",
        "kiosk_serial": "SN-0001",
    }
    return enrol(**{**arguments, **changes})


def test_enrolment(tmp_path: Path, listener: Listener) -> None:
    listener.state_dir = tmp_path / "state"
    identity = _enrol(tmp_path)
    assert isinstance(identity, Identity)
    assert identity.kiosk == "borne-7"
    assert identity.signing_key.keyid == "borne-7/3"
    assert listener.enrolled is not None
    assert identity.signing_key.public_spki() == listener.enrolled.signing_spki
    assert identity.trust.origin == CHANNEL_ORIGIN
    assert identity.trust.roles["policy"].threshold == 2
    assert list(identity.trust.server_keys) == ["srv/1"]
    assert identity.certificate_until_s - identity.certificate_from_s == 14 * 86_400
    assert listener.keys_on_disk == [True]
    assert [(method, url) for method, url, *_ in listener.requests] == [
        ("POST", f"{ORIGIN}/.well-known/est/simpleenroll"),
        ("GET", f"{ORIGIN}/.well-known/kiosk/trust"),
    ]
    assert listener.requests[0][2]["content-type"] == "application/pkcs10"
    again = load_identity(tmp_path / "state")
    assert isinstance(again, Identity)
    assert again.signing_key.keyid == "borne-7/3"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").rglob("*") if path.is_file()}
    assert set(modes.values()) == {0o600}
    assert set(modes) == {"signing-1.pem", "tls.key.pem", "tls.cert.pem", "ca.pem", "trust.json", RECORD}
    assert SECRET not in repr(identity)
    assert all(SECRET.encode() not in path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())


def test_a_repeat_after_a_lost_answer_uses_the_same_keys(tmp_path: Path, listener: Listener) -> None:
    listener.change = lambda _: WireFailure("ReadTimeout")
    assert _enrol(tmp_path) == EnrolError("network", "ReadTimeout")
    first = listener.enrolled
    listener.change = lambda answer: answer
    assert isinstance(_enrol(tmp_path), Identity)
    assert listener.enrolled == first


def test_an_enrolled_kiosk_is_left_alone(tmp_path: Path, listener: Listener) -> None:
    assert isinstance(_enrol(tmp_path), Identity)
    before = {path: path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()}
    other = _enrol(tmp_path, ticket_text=f"borne-7:{'1' * 32}")
    assert other == EnrolError("state_dir", "this kiosk is enrolled already")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("again", [False, True])
def test_a_ticket_that_has_brought_the_keys_in_force_changes_nothing(
    tmp_path: Path, listener: Listener, again: bool
) -> None:
    first = _enrol(tmp_path)
    assert isinstance(first, Identity)
    before = {path: path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()}
    listener.requests.clear()
    repeated = _enrol(tmp_path, again=again)
    assert isinstance(repeated, Identity)
    assert repeated.signing_key.public_spki() == first.signing_key.public_spki()
    assert {path: path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()} == before
    assert listener.requests == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not JSON"),
        (b"{}", "ticket_sha256"),
        (b'{"ticket_sha256":"0","slot":1,"keyid":"borne-7/3","settled":true}', "ticket_sha256"),
        (b" " * 1025, "1024 bytes"),
    ],
)
def test_a_record_that_cannot_be_read_is_one_error(
    tmp_path: Path, listener: Listener, content: bytes, reason: str
) -> None:
    assert isinstance(_enrol(tmp_path), Identity)
    (tmp_path / "state" / RECORD).write_bytes(content)
    error = last_enrolment(tmp_path / "state")
    assert isinstance(error, IdentityError)
    assert error.field == RECORD
    assert reason in error.reason


def test_an_enrolled_kiosk_may_be_enrolled_again_under_its_own_name(tmp_path: Path, listener: Listener) -> None:
    first = _enrol(tmp_path)
    assert isinstance(first, Identity)
    listener.enrolled = None
    again = _enrol(tmp_path, ticket_text=f"borne-7:{'1' * 32}", again=True)
    assert isinstance(again, Identity)
    assert again.slot == 3
    assert again.signing_key.public_spki() != first.signing_key.public_spki()
    listener.enrolled = None
    other = _enrol(tmp_path, ticket_text=f"borne-8:{'1' * 32}", again=True)
    assert other == EnrolError("ticket", "is for another kiosk than the one enrolled here")
    third = _enrol(tmp_path, ticket_text=f"borne-7:{'2' * 32}", again=True)
    assert isinstance(third, Identity)
    assert third.slot == 5


def test_enrolling_again_is_no_moment_without_keys(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at every write: the old keys stay in force, and a repeat with the ticket goes on with the same new ones."""
    first = _enrol(tmp_path)
    assert isinstance(first, Identity)
    cut: list[str] = []
    was_cut = True
    while was_cut:
        listener.enrolled = None
        place = tmp_path / f"cut-{len(cut)}"
        shutil.copytree(tmp_path / "state", place)
        request = {"ticket_text": f"borne-7:{'1' * 32}", "again": True, "state_dir": place}
        with monkeypatch.context() as patched:
            renames = _cut_at_rename(patched, len(cut) + 1)
            with contextlib.suppress(_CutError):
                _enrol(tmp_path, **request)
        held = load_identity(place)
        assert isinstance(held, Identity), renames[-1]
        was_cut = len(renames) > len(cut)
        if was_cut:
            cut.append(renames[-1])
            assert held.signing_key.public_spki() == first.signing_key.public_spki(), renames[-1]
            assert isinstance(_enrol(tmp_path, **request), Identity), renames[-1]
            held = load_identity(place)
        assert isinstance(held, Identity), renames[-1]
        assert (held.slot, held.signing_key.keyid) == (3, "borne-7/3")
        assert held.signing_key.public_spki() != first.signing_key.public_spki()
    assert cut == [
        "ledger.json", "signing-3.pem", "tls-3.key.pem", "ca.pem", "tls-3.cert.pem", RECORD, "trust.json",
        "ledger.json",
    ]  # fmt: skip


class _CutError(Exception):
    """Power has gone."""


def _cut_at_rename(patched: pytest.MonkeyPatch, step: int) -> list[str]:
    renames: list[str] = []
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        renames.append(target.name)
        if len(renames) == step:
            raise _CutError
        return real(self, target)

    patched.setattr(Path, "rename", rename)
    return renames


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ticket_text": ""}, "ticket"),
        ({"origin": "http://127.0.0.1:9443"}, "origin"),
        ({"origin": ORIGIN + "/"}, "origin"),
        ({"origin": "https://user@host"}, "origin"),
        ({"kiosk_serial": ""}, "serial"),
        ({"kiosk_serial": "a b"}, "serial"),
        ({"kiosk_serial": "x" * 65}, "serial"),
        ({"ca_file": Path("/nonexistent/ca.pem")}, "ca_file"),
        ({"ca_file": Path("/dev/null")}, "ca_file"),
        ({"state_dir": Path("/proc/nowhere")}, "state_dir"),
    ],
)
def test_bad_arguments(tmp_path: Path, listener: Listener, changes: dict[str, Any], field: str) -> None:
    error = _enrol(tmp_path, **changes)
    assert isinstance(error, EnrolError)
    assert error.field == field
    assert listener.requests == []


def _other_certificate(answer: RawAnswer) -> RawAnswer:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = pkcs7.serialize_certificates([_certificate(key.public_key(), key)], serialization.Encoding.DER)
    return RawAnswer(200, answer.headers, b64encode(pem))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            lambda _: RawAnswer(401, [], b""),
            EnrolError("ticket", "refused: unknown, used, expired, or for another kiosk"),
        ),
        (
            lambda _: RawAnswer(202, [], b""),
            EnrolError("ticket", "waits for approval: repeat later with the same ticket"),
        ),
        (lambda _: RawAnswer(302, [], b""), EnrolError("answer", "status 302")),
        (lambda _: RawAnswer(200, [], b"%%%"), EnrolError("answer", "not a base64 certs-only PKCS#7")),
        (lambda _: RawAnswer(200, [], b64encode(b"x")), EnrolError("answer", "not a base64 certs-only PKCS#7")),
        (_other_certificate, EnrolError("answer", "holds no certificate for this kiosk's TLS key")),
        (
            lambda answer: RawAnswer(200, [], answer.body),
            EnrolError("answer", "kiosk-generation is not one number from 1 to 999999"),
        ),
        (
            lambda answer: RawAnswer(200, [(b"kiosk-generation", b"0")], answer.body),
            EnrolError("answer", "kiosk-generation is not one number from 1 to 999999"),
        ),
    ],
)
def test_answers_to_the_request(
    tmp_path: Path, listener: Listener, change: Callable[[RawAnswer], RawAnswer], error: EnrolError
) -> None:
    listener.change = change
    assert _enrol(tmp_path) == error
    assert not (tmp_path / "state" / "trust.json").exists()


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (["origin"], "http://x", "answer: origin | the form https://[a-z0-9.-]{1,253}(:[1-9][0-9]{0,4})? expected"),
        (["server_keys"], [], "answer: server_keys | a list of 1 to 8 expected"),
        (
            ["server_keys", 0, "keyid"],
            "borne-7/1",
            "answer: server_keys[0].keyid | the form srv/[1-9][0-9]{0,5} expected",
        ),
        (["server_keys", 0, "spki"], "AA==", "answer: server_keys[0].spki | spki is not a DER SubjectPublicKeyInfo"),
        (["server_keys", 0, "spki"], "%", "answer: server_keys[0].spki | spki is not a DER SubjectPublicKeyInfo"),
        (["server_keys", 0, "alg"], "rsa", "answer: server_keys[0].spki | alg is not one of the profile"),
        (["policy_keys"], None, "answer: policy_keys | an object expected"),
        (["policy_keys"], {}, "answer: policy_keys.policy | missing"),
        (["policy_keys", "policy", "threshold"], 3, "answer: policy_keys.policy.threshold | more than there are keys"),
        (
            ["policy_keys", "policy", "threshold"],
            0,
            "answer: policy_keys.policy.threshold | a whole number from 1 to 16 expected",
        ),
        (["policy_keys", "policy", "keys"], [], "answer: policy_keys.policy.keys | a list of 1 to 16 expected"),
    ],
)
def test_trust_bundles(tmp_path: Path, listener: Listener, path: list[Any], value: Any, error: str) -> None:
    inner: Any = listener.trust
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    assert _enrol(tmp_path) == EnrolError(*error.split(" | "))
    assert not (tmp_path / "state" / "trust.json").exists()


def test_one_key_listed_twice_does_not_reach_a_threshold(tmp_path: Path, listener: Listener) -> None:
    role = listener.trust["policy_keys"]["policy"]
    role["keys"] = [role["keys"][0]] * 2
    assert _enrol(tmp_path) == EnrolError("answer: policy_keys.policy.threshold", "more than there are keys")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (WireFailure("ConnectError"), EnrolError("network", "ConnectError")),
        (RawAnswer(404, [], b""), EnrolError("answer", "status 404")),
        (RawAnswer(200, [], b"[]"), EnrolError("answer", "an object expected at 0")),
    ],
)
def test_no_trust_bundle(
    tmp_path: Path, listener: Listener, answer: RawAnswer | WireFailure, error: EnrolError
) -> None:
    listener.change_trust = lambda _: answer
    assert _enrol(tmp_path) == error


def _foreign_key() -> bytes:
    return private_pem(ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize(
    ("name", "content", "field"),
    [
        ("trust.json", None, "trust.json"),
        ("trust.json", b"{", "trust.json"),
        ("trust.json", b"{}", "trust.json: server_keys"),
        ("tls.cert.pem", None, "tls.cert.pem"),
        ("trust.json", b" " * (MAX_TRUST_BYTES + 1), "trust.json"),
        ("tls.cert.pem", b"x", "tls.cert.pem"),
        ("tls.cert.pem", b"x" * (MAX_CERTIFICATES_BYTES + 1), "tls.cert.pem"),
        ("ca.pem", None, "ca.pem"),
        ("ca.pem", b"", "ca.pem"),
        ("ca.pem", b"x", "ca.pem"),
        ("ca.pem", b"\n" * (MAX_CERTIFICATES_BYTES + 1), "ca.pem"),
        ("tls.key.pem", None, "tls.key.pem"),
        ("tls.key.pem", _foreign_key(), "tls.cert.pem"),
        ("keys/signing-1.pem", None, "signing key, slot 1"),
        ("keys/signing-1.pem", b"x", "signing key, slot 1"),
    ],
)
def test_damaged_directories(tmp_path: Path, listener: Listener, name: str, content: bytes | None, field: str) -> None:
    assert isinstance(_enrol(tmp_path), Identity)
    path = tmp_path / "state" / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    error = load_identity(tmp_path / "state")
    assert isinstance(error, IdentityError)
    assert error.field == field
