"""The contract of a key store, run over every store that is shipped, and what is special to files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.store.files import write_private
from kiosk.sync.keys import KeyStore, KeyStoreError, SoftwareKey, private_pem
from kiosk.sync.keys_file import FileKeyStore
from kiosk.sync.keys_open import check_uri, open_key_store
from kiosk.sync.keys_seal import seal_with, unseal_with
from kiosk.sync.keys_tpm import TpmKeyStore
from kiosk.sync.profile import ALG_P256, KeyRecord, register_key
from tests.sync.tpm import software_tpm

SEAL_KEY = bytes(range(32))
Opened = Callable[[], KeyStore]
"""The same store, opened once more."""


@pytest.fixture(scope="module")
def tpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with software_tpm(tmp_path_factory.mktemp("tpm")) as tcti:
        yield tcti


@pytest.fixture(params=["file", "file, sealed", "tpm2"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Every store that is shipped."""
    stores: list[KeyStore] = []

    def open_it() -> KeyStore:
        store: KeyStore
        if request.param == "tpm2":
            store = TpmKeyStore(tmp_path, request.getfixturevalue("tpm"))
        else:
            store = FileKeyStore(tmp_path, SEAL_KEY if "sealed" in request.param else None)
        stores.append(store)
        return store

    yield open_it
    for store in stores:
        store.close()


def test_keys_survive_and_sign(opened: Opened) -> None:
    made = opened().create(1)
    assert not isinstance(made, KeyStoreError)
    assert made.keyid == ""
    again = opened().load(1, "borne-7/3")
    assert not isinstance(again, KeyStoreError)
    assert (again.keyid, again.alg) == ("borne-7/3", ALG_P256)
    assert again.public_spki() == made.public_spki()
    record = register_key(again.keyid, again.alg, again.public_spki())
    assert isinstance(record, KeyRecord)
    for key in (made, again):
        signature = key.sign(b"message")
        assert len(signature) == 64
        assert record.verify(signature, b"message")
        assert not record.verify(signature, b"other")


def test_slots(opened: Opened) -> None:
    store = opened()
    assert store.list() == []
    keys = {slot: store.create(slot) for slot in (10, 2, 999_999)}
    assert store.list() == opened().list() == [2, 10, 999_999]
    assert len({key.public_spki() for key in keys.values() if not isinstance(key, KeyStoreError)}) == 3
    assert store.create(2) == KeyStoreError("slot 2", "taken already")
    for slot in (0, 1_000_000):
        assert store.create(slot) == KeyStoreError(f"slot {slot}", "1 to 999999 expected")


def test_destroy(opened: Opened) -> None:
    store = opened()
    store.create(1)
    store.create(2)
    assert store.destroy(1) is None
    assert store.list() == [2]
    for gone in (store.load(1), store.destroy(1), opened().load(1)):
        assert isinstance(gone, KeyStoreError)
        assert gone.field == "slot 1"


def test_everything_on_disk_is_private_and_nothing_else_remains(opened: Opened, tmp_path: Path) -> None:
    opened().create(1)
    [path] = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_sealed_store_writes_no_private_key(opened: Opened, tmp_path: Path) -> None:
    store = opened()
    store.create(1)
    [path] = tmp_path.iterdir()
    assert (b"PRIVATE KEY" in path.read_bytes()) is (store.sealed_by == "")


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\xff" * 5000])
def test_damaged_keys(opened: Opened, tmp_path: Path, content: bytes) -> None:
    opened().create(1)
    [path] = tmp_path.iterdir()
    path.write_bytes(content)
    refused = opened().load(1)
    assert isinstance(refused, KeyStoreError)
    path.chmod(0o640)
    assert opened().load(1) == KeyStoreError("slot 1", "readable by others; mode 0600 expected")


@pytest.mark.parametrize("secret", [b"", b"k" * 32, bytes(range(256)) * 16], ids=len)
def test_sealing(opened: Opened, secret: bytes) -> None:
    store = opened()
    sealed = store.seal(secret)
    if not store.sealed_by:
        assert sealed == store.unseal(b"") == KeyStoreError("seal", "this machine has nothing to seal with")
        return
    assert isinstance(sealed, bytes)
    assert secret == b"" or secret not in sealed
    assert opened().unseal(sealed) == secret
    assert store.seal(secret) != sealed
    for spoilt in (b"", sealed[:-1], sealed + b"x", sealed[1:], bytes([sealed[0] ^ 1]) + sealed[1:], sealed * 100):
        assert isinstance(store.unseal(spoilt), KeyStoreError)
    for at in range(0, len(sealed), 41):
        flipped = sealed[:at] + bytes([sealed[at] ^ 0x10]) + sealed[at + 1 :]
        assert isinstance(store.unseal(flipped), KeyStoreError), at


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["file:", "file:/x/y", "tpm2:", "tpm2:device:/dev/tpm0", "tpm2:swtpm:path=/x"])
def test_settings(uri: str) -> None:
    assert check_uri(uri) is None


@pytest.mark.parametrize("uri", ["", "file", "file:relative", "tpm2", "tpm2:x", "tpm2:swtpm:\n", "pkcs11:", "/x"])
def test_settings_refused(uri: str, tmp_path: Path) -> None:
    error = open_key_store(uri, tmp_path)
    assert error == check_uri(uri)
    assert isinstance(error, KeyStoreError)
    assert error.field == "key_store"


def test_opening(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for uri, kind in (("file:", "file"), (f"file:{tmp_path}/other", "file"), ("tpm2:", "tpm2")):
        store = open_key_store(uri, tmp_path / "keys")
        assert not isinstance(store, KeyStoreError)
        assert store.kind == kind
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert isinstance(open_key_store("file:", Path("/proc/nowhere")), KeyStoreError)
    assert isinstance(open_key_store("file:/proc/nowhere", tmp_path), KeyStoreError)


# --- files -------------------------------------------------------------------------------------------------------


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
        (b"\n" * 4097, 0o600, "larger than 4096 bytes"),
        (b"", 0o640, "readable by others; mode 0600 expected"),
        (b"", 0o604, "readable by others; mode 0600 expected"),
    ],
)
def test_files_that_are_no_usable_key(tmp_path: Path, content: bytes, mode: int, reason: str) -> None:
    path = tmp_path / "signing-1.pem"
    path.write_bytes(content)
    path.chmod(mode)
    assert FileKeyStore(tmp_path).load(1) == KeyStoreError("slot 1", reason)


def test_a_missing_key(tmp_path: Path) -> None:
    assert FileKeyStore(tmp_path).load(3) == KeyStoreError("slot 3", "No such file or directory")


def test_a_plain_key_stays_usable_once_the_machine_can_seal(tmp_path: Path) -> None:
    plain = FileKeyStore(tmp_path).create(1)
    assert not isinstance(plain, KeyStoreError)
    sealing = FileKeyStore(tmp_path, SEAL_KEY)
    kept = sealing.load(1)
    assert not isinstance(kept, KeyStoreError)
    assert kept.public_spki() == plain.public_spki()
    assert not isinstance(sealing.create(2), KeyStoreError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["signing-1.pem", "signing-2.sealed"]
    assert sealing.list() == [1, 2]
    assert sealing.destroy(1) is None
    assert sealing.list() == [2]


@pytest.mark.parametrize("key", [None, b"\0" * 32, KeyStoreError("seal", "only by the service")], ids=repr)
def test_a_sealed_key_is_nothing_without_its_machine(tmp_path: Path, key: bytes | KeyStoreError | None) -> None:
    FileKeyStore(tmp_path, SEAL_KEY).create(1)
    refused = FileKeyStore(tmp_path, key).load(1)
    assert isinstance(refused, KeyStoreError)
    assert refused.field == "seal"


def test_a_machine_whose_sealing_key_cannot_be_had_makes_no_plain_key(tmp_path: Path) -> None:
    refused = KeyStoreError("seal", "only by the service")
    assert FileKeyStore(tmp_path, refused).create(1) == refused
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60, deadline=None)
@given(secret=st.binary(max_size=300), noise=st.binary(max_size=200))
def test_only_what_was_sealed_is_unsealed(secret: bytes, noise: bytes) -> None:
    sealed = seal_with(SEAL_KEY, secret)
    assert unseal_with(SEAL_KEY, sealed) == secret
    for other in (noise, sealed + noise + b"x", sealed[: len(noise) % len(sealed)]):
        assert isinstance(unseal_with(SEAL_KEY, other), KeyStoreError)


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
