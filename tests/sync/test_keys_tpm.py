"""What is special to a TPM: keys never leave it, another TPM has none of them, a TPM that was reset still signs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tpm2_pytss import ESAPI
from tpm2_pytss.constants import TPM2_CAP, TPM2_HC, TPMA_OBJECT
from tpm2_pytss.types import TPM2B_PUBLIC

from kiosk.sync.keys import KeyStoreError, KeyUnusableError
from kiosk.sync.keys_tpm import TpmKeyStore
from tests.sync.tpm import software_tpm


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
    with software_tpm(tmp_path / "tpm") as tcti:
        first = TpmKeyStore(tmp_path, tcti)
        assert not isinstance(first.create(1), KeyStoreError)
        first.close()
    with software_tpm(tmp_path / "tpm") as tcti:
        again = TpmKeyStore(tmp_path, tcti)
        key = again.load(1)
        assert not isinstance(key, KeyStoreError)
        _forget_everything(tcti)
        assert len(key.sign(b"message")) == 64
        again.close()
    with pytest.raises(KeyUnusableError):
        key.sign(b"message")


def _forget_everything(tcti: str) -> None:
    """What a reset does to transient objects: the handles that a store holds mean nothing any more."""
    esys = ESAPI(tcti)
    _, handles = esys.get_capability(TPM2_CAP.HANDLES, TPM2_HC.TRANSIENT_FIRST, 8)
    for handle in handles.data.handles:
        esys.flush_context(esys.tr_from_tpmpublic(handle))
    esys.close()


def test_a_tpm_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    absent = TpmKeyStore(tmp_path, f"swtpm:path={tmp_path}/nothing")
    assert absent.list() == []
    for refused in (absent.create(1), absent.seal(b"secret")):
        assert isinstance(refused, KeyStoreError)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""
    absent.close()


def test_a_store_holds_one_object_of_the_tpm(store: TpmKeyStore, tpm: str) -> None:
    """A TPM has room for three, and `diagnose` needs two beside a running kiosk."""
    key = store.create(1)
    assert not isinstance(key, KeyStoreError)
    store.create(2)
    sealed = store.seal(b"secret")
    assert isinstance(sealed, bytes)
    store.unseal(sealed)
    for _ in range(5):
        key.sign(b"message")
    esys = ESAPI(tpm)
    _, held = esys.get_capability(TPM2_CAP.HANDLES, TPM2_HC.TRANSIENT_FIRST, 8)
    assert len(held.data.handles) == 1
    esys.close()
