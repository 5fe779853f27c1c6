"""Keys derived from the run's secret."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from kiosk.sync.profile import KeyRecord, register_key
from simulators.backend.authority import open_authority
from simulators.backend.files import DataDir
from simulators.fleet.identity import Purpose, TlsIdentities, kiosk_id, private_key, signing_key

SECRET, OTHER = bytes(32), bytes(31) + b"\x01"


def test_a_key_is_that_of_its_secret_kiosk_and_purpose() -> None:
    numbers = [
        private_key(secret, kiosk, purpose).private_numbers().private_value
        for secret in (SECRET, OTHER)
        for kiosk in (kiosk_id(1, 1), kiosk_id(1, 2))
        for purpose in Purpose
    ]
    assert len(set(numbers)) == 8
    assert numbers[0] == private_key(SECRET, kiosk_id(1, 1), Purpose.SIGNING).private_numbers().private_value


def test_what_it_signs_the_profile_verifies() -> None:
    key = signing_key(SECRET, kiosk_id(1, 7))
    record = register_key(key.keyid, key.alg, key.public_spki())
    assert isinstance(record, KeyRecord)
    assert record.verify(key.sign(b"message"), b"message")
    assert not record.verify(signing_key(SECRET, kiosk_id(1, 8)).sign(b"message"), b"message")


def test_a_context_holds_this_kiosks_certificate_and_leaves_no_file(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.create()
    now = dt.datetime.now(dt.UTC)
    authority = open_authority(data, now)
    before = set(tmp_path.rglob("*"))
    kiosk = kiosk_id(1, 0)
    certificate = authority.issue_client(kiosk, private_key(SECRET, kiosk, Purpose.TLS).public_key(), now)
    tls = TlsIdentities(SECRET, data.ca_file.read_text())
    try:
        context = tls.context(kiosk, certificate.public_bytes(Encoding.DER))
    finally:
        tls.close()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert set(tmp_path.rglob("*")) == before
