"""Enrolment against a scripted listener: round trip, repeat, refusals, and each malformed answer."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync.enrol import EnrolError, Ticket, parse_ticket
from kiosk.sync.enrol_record import RECORD
from kiosk.sync.identity import Identity, load_identity
from kiosk.sync.wire import RawAnswer, WireFailure
from tests.sync.enrol_listener import (
    CHANNEL_ORIGIN,
    ORIGIN,
    SECRET,
    TICKET,
    Listener,
    certificate_of,
    enrolled,
    scripted,
)


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listener:
    return scripted(tmp_path, monkeypatch)


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


def test_enrolment(tmp_path: Path, listener: Listener) -> None:
    listener.state_dir = tmp_path / "state"
    identity = enrolled(tmp_path)
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
    error = enrolled(tmp_path, **changes)
    assert isinstance(error, EnrolError)
    assert error.field == field
    assert listener.requests == []


def _other_certificate(answer: RawAnswer) -> RawAnswer:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = pkcs7.serialize_certificates([certificate_of(key.public_key(), key)], serialization.Encoding.DER)
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
    assert enrolled(tmp_path) == error
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
    assert enrolled(tmp_path) == EnrolError(*error.split(" | "))
    assert not (tmp_path / "state" / "trust.json").exists()


def test_one_key_listed_twice_does_not_reach_a_threshold(tmp_path: Path, listener: Listener) -> None:
    role = listener.trust["policy_keys"]["policy"]
    role["keys"] = [role["keys"][0]] * 2
    assert enrolled(tmp_path) == EnrolError("answer: policy_keys.policy.threshold", "more than there are keys")


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
    assert enrolled(tmp_path) == error
