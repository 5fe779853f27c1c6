"""A directory that enrolment has written, damaged afterwards: one error that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kiosk.sync.identity import MAX_CERTIFICATES_BYTES, MAX_TRUST_BYTES, Identity, IdentityError, load_identity
from kiosk.sync.keys import private_pem
from tests.sync.enrol_listener import Listener, enrolled, scripted


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listener:
    return scripted(tmp_path, monkeypatch)


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
    assert isinstance(enrolled(tmp_path), Identity)
    path = tmp_path / "state" / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    error = load_identity(tmp_path / "state")
    assert isinstance(error, IdentityError)
    assert error.field == field
