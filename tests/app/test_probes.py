"""`diagnose` looks and touches nothing: what is not there is said, not made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kiosk import probes
from kiosk.diagnostics.report import Check, CheckState
from kiosk.settings import KioskSettings, ReaderSettings, Settings
from kiosk.state import DATABASE, DATABASE_KEY, open_store
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.visit.failures import Cause
from simulators.reader.embedded import READERS, EmbeddedScard


def look(state_dir: Path) -> dict[str, Check]:
    settings = Settings(KioskSettings(state_dir), ReaderSettings(READERS[0]))
    return {check.part: check for check in probes.look(settings, EmbeddedScard()).checks}


def test_a_machine_on_which_nothing_ran_stays_as_it_was(tmp_path: Path) -> None:
    checks = look(tmp_path / "state")
    assert checks["store"].state is CheckState.UNKNOWN
    assert "not run yet" in checks["store"].facts["reason"]
    assert checks["channel"].fault is not None
    assert checks["channel"].fault.cause is Cause.NOT_ENROLLED
    assert checks["reader patient"].state is CheckState.OK
    assert list(tmp_path.iterdir()) == []


def test_a_key_without_a_database_gets_none(tmp_path: Path) -> None:
    (tmp_path / DATABASE_KEY).write_bytes(bytes(32))
    assert look(tmp_path)["store"].state is CheckState.UNKNOWN
    assert [path.name for path in tmp_path.iterdir()] == [DATABASE_KEY]


def test_a_database_without_its_key_is_a_fault(tmp_path: Path) -> None:
    opened = open_store(tmp_path)
    assert isinstance(opened, Store)
    opened.close()
    (tmp_path / DATABASE_KEY).unlink()
    check = look(tmp_path)["store"]
    assert check.fault is not None
    assert (check.state, check.fault.cause) == (CheckState.FAULT, Cause.STORE_FAILED)
    assert not (tmp_path / DATABASE_KEY).exists()


def test_a_store_that_fails_while_it_is_looked_at_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_store(tmp_path)
    assert isinstance(opened, Store)
    opened.close()

    def failing(*_: object) -> Any:
        raise StoreFailedError(StoreError("disk", "read or write error"))

    monkeypatch.setattr(Store, "_transact", failing)
    check = look(tmp_path)["store"]
    assert check.fault is not None
    assert check.fault.detail == "disk: read or write error"
    assert (tmp_path / DATABASE).exists()
