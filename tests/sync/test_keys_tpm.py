"""What is special to a TPM: keys never leave it, another TPM has none of them, a TPM that was reset still signs."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tpm2_pytss import ESAPI, ESYS_TR
from tpm2_pytss.constants import TPM2_CAP, TPM2_HC, TPMA_OBJECT
from tpm2_pytss.types import TPM2B_PUBLIC, TPMS_CONTEXT

from kiosk.sync.keys import KeyStoreError, KeyUnusableError
from kiosk.sync.keys_tpm import TpmKeyStore
from tests.sync.tpm import listens, software_tpm


@pytest.fixture(scope="module")
def tpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with software_tpm(tmp_path_factory.mktemp("tpm")) as tcti:
        yield tcti


@pytest.fixture
def store(tmp_path: Path, tpm: str) -> Iterator[TpmKeyStore]:
    made = TpmKeyStore(tmp_path, tpm)
    yield made
    made.close()


def _public(blob: bytes) -> TPM2B_PUBLIC:
    body = blob.removeprefix(b"kiosk-tpm2/1\n")
    private_bytes = 2 + int.from_bytes(body[:2], "big")
    return TPM2B_PUBLIC.unmarshal(body[private_bytes:])[0]


def test_a_key_is_made_inside_and_bound_to_its_tpm_and_parent(store: TpmKeyStore, tmp_path: Path) -> None:
    assert not isinstance(store.create(1), KeyStoreError)
    public = _public((tmp_path / "signing-1.tpm2").read_bytes())
    use = public.publicArea.objectAttributes
    for needed in (TPMA_OBJECT.FIXEDTPM, TPMA_OBJECT.FIXEDPARENT, TPMA_OBJECT.SENSITIVEDATAORIGIN):
        assert use & needed
    assert not use & (TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT)


def test_another_tpm_knows_nothing(
    store: TpmKeyStore, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store.create(1)
    sealed = store.seal(b"secret")
    assert isinstance(sealed, bytes)
    with software_tpm(tmp_path_factory.mktemp("other")) as tcti:
        other = TpmKeyStore(tmp_path, tcti)
        for refused in (other.load(1), other.unseal(sealed)):
            assert isinstance(refused, KeyStoreError)
            assert refused.reason.startswith("TPM: ")
        other.close()


def test_a_key_signs_on_after_its_tpm_was_restarted(tmp_path: Path) -> None:
    sockets = Path(tempfile.mkdtemp(prefix="tpm-"))
    with software_tpm(tmp_path / "tpm", sockets) as tcti:
        store = TpmKeyStore(tmp_path, tcti)
        key = store.create(1)
        assert not isinstance(key, KeyStoreError)
        first = key.sign(b"message")
    with pytest.raises(KeyUnusableError):
        key.sign(b"message")
    with software_tpm(tmp_path / "tpm", sockets):
        assert len(key.sign(b"message")) == len(first) == 64
        again = store.load(1)
        assert not isinstance(again, KeyStoreError)
        assert again.public_spki() == key.public_spki()
        store.close()
    sockets.rmdir()


def test_a_parent_that_the_tpm_has_forgotten_is_derived_again(store: TpmKeyStore, tmp_path: Path) -> None:
    key = store.create(1)
    assert not isinstance(key, KeyStoreError)
    with software_tpm(tmp_path / "other") as tcti:
        other = TpmKeyStore(tmp_path, tcti)
        assert isinstance(other.load(1), KeyStoreError)
        store._parent = other._parent or _parent_of(tcti)  # another TPM's saved context: refused as one from before
        other.close()
    assert len(key.sign(b"message")) == 64


def _parent_of(tcti: str) -> TPMS_CONTEXT:
    esys = ESAPI(tcti)
    saved = esys.context_save(esys.create_primary(None, "ecc256", ESYS_TR.OWNER)[0])
    esys.close()
    return saved


def test_a_tpm_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    absent = TpmKeyStore(tmp_path, f"swtpm:path={tmp_path}/nothing")
    assert absent.list() == []
    for refused in (absent.create(1), absent.seal(b"secret")):
        assert isinstance(refused, KeyStoreError)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""
    absent.close()


def test_a_store_holds_nothing_of_the_tpm(store: TpmKeyStore, tpm: str) -> None:
    """A TPM has room for three objects, and a kiosk that is killed must not leave one there."""
    key = store.create(1)
    assert not isinstance(key, KeyStoreError)
    store.create(2)
    sealed = store.seal(b"secret")
    assert isinstance(sealed, bytes)
    for _ in range(5):
        store.unseal(sealed)
        key.sign(b"message")
    esys = ESAPI(tpm)
    _, held = esys.get_capability(TPM2_CAP.HANDLES, TPM2_HC.TRANSIENT_FIRST, 8)
    assert len(held.data.handles) == 0
    esys.close()


def test_a_tpm_is_waited_for_until_it_accepts() -> None:
    place = Path(tempfile.mkdtemp(prefix="tpm-")) / "s"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(place))
        assert place.exists()
        assert not listens(place)
        bound.listen()
        assert listens(place)
    place.unlink()
    place.parent.rmdir()
