"""The contract of a key store, run over every store that is shipped, and what is special to files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kiosk.sync.files import write_private
from kiosk.sync.keys import KeyStore, KeyStoreError, SoftwareKey, open_key_store, private_pem
from kiosk.sync.profile import ALG_P256, KeyRecord, register_key

STORES = ["file"]


def opened(scheme: str, directory: Path) -> KeyStore:
    store = open_key_store(f"{scheme}:{directory}", "borne-7")
    assert not isinstance(store, KeyStoreError)
    return store


@pytest.fixture(params=STORES)
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_keys_survive_and_sign(scheme: str, tmp_path: Path) -> None:
    made = opened(scheme, tmp_path).create(1)
    assert not isinstance(made, KeyStoreError)
    again = opened(scheme, tmp_path).load(1)
    assert not isinstance(again, KeyStoreError)
    assert (again.keyid, again.alg) == ("borne-7/1", ALG_P256)
    assert again.public_spki() == made.public_spki()
    record = register_key(again.keyid, again.alg, again.public_spki())
    assert isinstance(record, KeyRecord)
    signature = again.sign(b"message")
    assert len(signature) == 64
    assert record.verify(signature, b"message")


def test_generations(scheme: str, tmp_path: Path) -> None:
    store = opened(scheme, tmp_path)
    assert store.list() == []
    keys = {generation: store.create(generation) for generation in (10, 2, 999_999)}
    assert store.list() == [2, 10, 999_999]
    assert len({key.public_spki() for key in keys.values() if not isinstance(key, KeyStoreError)}) == 3
    assert store.create(2) == KeyStoreError("generation 2", "exists already")
    for generation in (0, 1_000_000):
        assert store.create(generation) == KeyStoreError(f"generation {generation}", "1 to 999999 expected")


def test_destroy(scheme: str, tmp_path: Path) -> None:
    store = opened(scheme, tmp_path)
    store.create(1)
    assert store.destroy(1) is None
    assert store.list() == []
    assert isinstance(store.load(1), KeyStoreError)
    assert isinstance(store.destroy(1), KeyStoreError)


@pytest.mark.parametrize(
    ("uri", "kiosk", "field"),
    [
        ("tpm2:/x", "borne-7", "uri"),
        ("file:relative", "borne-7", "uri"),
        ("", "borne-7", "uri"),
        ("file:/proc/nowhere/keys", "borne-7", "uri"),
        ("file:/x", "srv", "kiosk"),
        ("file:/x", "Borne", "kiosk"),
    ],
)
def test_stores_that_cannot_be_opened(uri: str, kiosk: str, field: str) -> None:
    error = open_key_store(uri, kiosk)
    assert isinstance(error, KeyStoreError)
    assert error.field == field


def test_files_are_private_and_nothing_else_remains(tmp_path: Path) -> None:
    opened("file", tmp_path / "keys").create(1)
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["signing-1.pem"]
    assert (tmp_path / "keys" / "signing-1.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def _p384() -> bytes:
    return private_pem(ec.generate_private_key(ec.SECP384R1()))


def _locked() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (b"", 0o600, "not a PEM private key"),
        (b"\xff" * 100, 0o600, "not a PEM private key"),
        (_p384(), 0o600, "a P-256 key expected"),
        (_locked(), 0o600, "not a PEM private key"),
        (b"", 0o640, "readable by others; mode 0600 expected"),
        (b"", 0o604, "readable by others; mode 0600 expected"),
    ],
)
def test_files_that_are_no_usable_key(tmp_path: Path, content: bytes, mode: int, reason: str) -> None:
    path = tmp_path / "signing-1.pem"
    path.write_bytes(content)
    path.chmod(mode)
    assert opened("file", tmp_path).load(1) == KeyStoreError("generation 1", reason)


def test_a_missing_key(tmp_path: Path) -> None:
    assert opened("file", tmp_path).load(3) == KeyStoreError("generation 3", "No such file or directory")


def test_a_key_is_never_shown() -> None:
    key = SoftwareKey("borne-7/1", ec.generate_private_key(ec.SECP256R1()))
    assert "PrivateKey" not in repr(key)


def test_write_is_durable_before_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order of the calls that a power cut depends on: content, then name, then directory."""
    calls: list[str] = []
    real_sync, real_rename = os.fsync, Path.rename

    def sync(handle: int) -> None:
        calls.append("directory" if Path(f"/proc/self/fd/{handle}").resolve().is_dir() else "file")
        real_sync(handle)

    def rename(self: Path, target: Path) -> Path:
        calls.append("rename")
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "rename", rename)
    path = tmp_path / "file"
    path.write_bytes(b"old")
    (tmp_path / ".file.new").write_bytes(b"left over by a power cut")
    write_private(path, b"new")
    assert calls == ["file", "rename", "directory"]
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
