"""The sealed key of the database: made sealed, or moved there from a plain file without ever being lost."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.state import DATABASE, DATABASE_KEY, IDENTITY, open_existing_store, open_store
from kiosk.store.errors import StoreError
from kiosk.store.thread import Store
from kiosk.sync import keys_store
from kiosk.sync.keys import KeyStoreError
from kiosk.sync.keys_file import FileKeyStore
from kiosk.sync.keys_store import load_or_create_sealed_key, sealed_key_file
from tests.sync.tpm import software_tpm

SEAL_KEY = bytes(range(32))


class Place:
    """A state directory; `load` as a kiosk with or without a sealing key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plain, self.sealed = folder / "store.key", sealed_key_file(folder / "store.key")
        self.database = folder / "kiosk.db"

    def load(self, seal_key: bytes | KeyStoreError | None = SEAL_KEY) -> bytes | StoreError:
        return load_or_create_sealed_key(self.plain, self.database, FileKeyStore(self.folder, seal_key))

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_where_nothing_can_seal_the_plain_file_is_all(place: Place) -> None:
    key = place.load(None)
    assert isinstance(key, bytes)
    assert place.load(None) == key
    assert place.files() == {"store.key"}


def test_a_new_key_is_never_on_disk_in_plain(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []

    def write(path: Path, content: bytes) -> None:
        written.append(content)
        _write(path, content)

    monkeypatch.setattr(keys_store, "write_private", write)
    key = place.load()
    assert isinstance(key, bytes)
    assert place.load() == key
    assert place.files() == {"store.key.sealed"}
    assert stat.S_IMODE(place.sealed.stat().st_mode) == 0o600
    assert len(written) == 1
    assert key not in written[0]


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def test_a_plain_key_is_sealed_once_the_machine_can(place: Place) -> None:
    key = place.load(None)
    assert place.load() == key
    assert place.files() == {"store.key.sealed"}
    assert place.load() == key


def test_a_power_cut_at_any_step_of_the_move_leaves_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    for cut_at in range(1, 20):
        place = Place(tmp_path / str(cut_at))
        place.folder.mkdir()
        key = place.load(None)
        place.database.touch()
        with monkeypatch.context() as patched:
            ticks = _cut_at(patched, cut_at)
            try:
                assert place.load() == key
            except _PowerCutError:
                steps += 1
        assert place.load() == key, f"lost at step {cut_at}"
        assert place.files() == {"store.key.sealed", "kiosk.db"}
        if ticks[0] < cut_at:
            break
    assert steps == 5, "write, make room for its name, read back, remove, make the removal durable"


class _PowerCutError(Exception):
    """Nothing after this happens."""


def _cut_at(patched: pytest.MonkeyPatch, step: int) -> list[int]:
    """Power goes just before the step of that number."""
    ticks = [0]

    def counted(name: str, owner: object) -> None:
        real: Callable[..., object] = getattr(owner, name)

        def wrapped(*arguments: object, **options: object) -> object:
            ticks[0] += 1
            if ticks[0] == step:
                raise _PowerCutError
            return real(*arguments, **options)

        patched.setattr(owner, name, wrapped)

    for name in ("write_private", "read_private", "sync_directory"):
        counted(name, keys_store)
    counted("unlink", Path)
    return ticks


def test_a_look_changes_nothing(place: Place) -> None:
    key = place.load(None)
    keys = FileKeyStore(place.folder, SEAL_KEY)
    assert load_or_create_sealed_key(place.plain, place.database, keys, look_only=True) == key
    assert place.files() == {"store.key"}


def test_where_sealing_fails_the_plain_key_stays(place: Place) -> None:
    key = place.load(None)
    assert place.load(KeyStoreError("seal", "only by the service")) == key
    assert place.files() == {"store.key"}
    refused = Place(place.folder / "new")
    refused.folder.mkdir()
    assert refused.load(KeyStoreError("seal", "no")) == StoreError("key", "seal: no")
    assert refused.files() == set()


def test_a_sealed_key_that_cannot_be_unsealed_is_said_and_kept(place: Place) -> None:
    assert isinstance(place.load(), bytes)
    before = place.sealed.read_bytes()
    for wrong in (b"\0" * 32, None, KeyStoreError("seal", "only by the service")):
        refused = place.load(wrong)
        assert isinstance(refused, StoreError)
        assert refused.field == "key"
        assert refused.reason.startswith("store.key.sealed: ")
    assert place.sealed.read_bytes() == before


def test_a_damaged_sealed_copy_beside_the_plain_key_is_made_anew(place: Place) -> None:
    key = place.load(None)
    _write(place.sealed, b"half of a")
    assert place.load() == key
    assert place.files() == {"store.key.sealed"}
    assert place.load() == key


def test_two_keys_that_differ_are_somebody_elses_decision(place: Place) -> None:
    place.load()
    _write(place.plain, b"x" * 32)
    assert place.load() == StoreError("key", "store.key and store.key.sealed differ")
    assert place.files() == {"store.key", "store.key.sealed"}


def test_a_lost_key_is_never_replaced_beside_a_database(place: Place) -> None:
    place.database.touch()
    assert place.load() == StoreError("key", "missing, and there is a database that needs it")


def test_what_is_sealed_must_be_a_key(place: Place) -> None:
    sealed = FileKeyStore(place.folder, SEAL_KEY).seal(b"short")
    assert isinstance(sealed, bytes)
    _write(place.sealed, sealed)
    assert place.load() == StoreError("key", "store.key.sealed: 32 bytes expected")


def test_a_kiosk_with_a_tpm_opens_its_database(tmp_path: Path) -> None:
    """Made by a version without sealing, moved to the TPM; useless without it."""
    state = tmp_path / "state"
    first = open_store(state)
    assert isinstance(first, Store)
    first.close()
    with software_tpm(tmp_path / "tpm") as tcti:
        for opening in (open_existing_store, open_store, open_store, open_existing_store):
            store = opening(state, f"tpm2:{tcti}")
            assert isinstance(store, Store)
            store.close()
        assert not (state / DATABASE_KEY).exists()
        assert not (state / IDENTITY).exists()
    for uri in (f"tpm2:{tcti}", "file:"):
        refused = open_existing_store(state, uri)
        assert isinstance(refused, StoreError)
        assert refused.field == "key"
    assert (state / DATABASE).exists()
