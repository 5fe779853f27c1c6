"""The enrolment listener in place of the wire: answers as the real one, or as a test changes it."""

from __future__ import annotations

import datetime as dt
import json
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

from kiosk.sync import enrol as enrol_module
from kiosk.sync.csr import CsrFacts, check_csr
from kiosk.sync.enrol import EnrolError, enrol
from kiosk.sync.identity import Identity
from kiosk.sync.wire import RawAnswer, WireFailure
from tests.sync.support import p256_key

SECRET = "0123456789abcdef0123456789abcdef"
TICKET = f"borne-7:{SECRET}"
ORIGIN = "https://127.0.0.1:9443"
CHANNEL_ORIGIN = "https://127.0.0.1:8443"


def certificate_of(public: Any, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
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
        certificate = certificate_of(facts.tls_key, self.ca_key)
        pem = b64encode(pkcs7.serialize_certificates([certificate], serialization.Encoding.DER))
        return self.change(RawAnswer(200, [(b"kiosk-generation", b"3")], pem))


def scripted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Listener:
    """A listener under a CA of its own, whose certificate is in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    ca = certificate_of(key.public_key(), key)
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    made = Listener(key)
    monkeypatch.setattr(enrol_module, "Wire", made)
    return made


def enrolled(tmp_path: Path, **changes: Any) -> Identity | EnrolError:
    arguments: dict[str, Any] = {
        "origin": ORIGIN,
        "ca_file": tmp_path / "ca.pem",
        "ticket_text": TICKET + "\n",
        "state_dir": tmp_path / "state",
        "kiosk_serial": "SN-0001",
    }
    return enrol(**{**arguments, **changes})
