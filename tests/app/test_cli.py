"""The command line: what it refuses before it begins, with one line that names field and cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kiosk import cli
from kiosk.settings import KioskSettings, Settings
from kiosk.state import open_store
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.store.transaction import write_meta
from kiosk.sync import enrol as enrol_module
from kiosk.sync.enrol_record import EnrolmentRecord, write_record
from kiosk.sync.identity_files import TRUST
from kiosk.sync.uploader import stopped
from kiosk.ui import qt_guard, screen


def settings_file(tmp_path: Path, more: str) -> str:
    path = tmp_path / "kiosk.toml"
    path.write_text(f'[kiosk]\nstate_dir = "{tmp_path / "state"}"\n{more}', encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("command", [["run"], ["diagnose", "--json"], ["journal", "verify"]])
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[printer]\nprofile = "escpos-90mm"', "printer.profile: one of escpos-80mm, "),
        ('[readers]\npatient = "A"\nprofessional = "A"', "readers.professional: bound to the same reader as patient"),
        ('[readers]\npatient = "A 00 00"\nprofessional = "A"', "readers.professional: bound to the same reader"),
        (f'[readers]\npatient = "{"x" * 129}"', "readers.patient: the reader's name is longer than 128 characters"),
        ('[readers]\nprofessional = " "', "readers.professional: the reader's name is empty"),
    ],
)
def test_what_no_device_can_be_is_one_clear_error(
    command: list[str], more: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--settings", settings_file(tmp_path, more), *command]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"kiosk: {said}")
    assert error.count("\n") == 1
    assert not (tmp_path / "state").exists()


def test_settings_that_nobody_may_look_at(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def denied(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", denied)
    assert cli.main(["journal", "verify"]) == 2
    assert capsys.readouterr().err == "kiosk: /etc/kiosk/kiosk.toml: cannot be read: Permission denied\n"


def test_a_qt_that_does_not_last_is_refused_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[tuple[int, ...], ...]] = []

    def refused(pyside: tuple[int, ...], python: tuple[int, ...]) -> str:
        asked.append((pyside, python))
        return "this Qt does not last"

    def used() -> None:
        raise AssertionError("Qt was used")

    monkeypatch.setattr(qt_guard, "refused_qt", refused)
    monkeypatch.setattr(screen, "application", used)
    assert cli.run(Settings(KioskSettings(tmp_path))) == 2
    assert capsys.readouterr().err == "kiosk: this Qt does not last\n"
    ((pyside, python),) = asked
    assert all(isinstance(part, int) for part in (*pyside, *python))
    assert len(pyside) == len(python) == 3


def test_a_journal_that_does_not_exist_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--settings", settings_file(tmp_path, ""), "journal", "verify"]) == 2
    assert capsys.readouterr().err == "kiosk: store: absent: there is no database: this kiosk has not run yet\n"
    assert not (tmp_path / "state").exists()


@pytest.fixture
def enrolment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """`enrol`, with a centre that says yes."""
    done = SimpleNamespace(signing_key=SimpleNamespace(keyid="borne-7/2"), kiosk="borne-7", certificate_until_s=1)

    def enrol(*, state_dir: Path, **_: object) -> SimpleNamespace:
        state_dir.mkdir()
        (state_dir / TRUST).write_text('{"keyid": "borne-7/2"}', encoding="ascii")
        write_record(state_dir, EnrolmentRecord("0" * 64, 1, "borne-7/2"))
        return done

    monkeypatch.setattr(enrol_module, "enrol", enrol)
    (tmp_path / "ticket").write_text("x", encoding="ascii")
    settings = Settings(KioskSettings(tmp_path / "state"))
    return lambda: cli.enrol(settings, "https://x", tmp_path / "ca.pem", tmp_path / "ticket")


def test_an_enrolment_lets_a_stopped_upload_start_again(tmp_path: Path, enrolment: Callable[[], int]) -> None:
    store = open_store(tmp_path / "state")
    assert isinstance(store, Store)
    store.submit(lambda tx: write_meta(tx, "upload_stopped", b"fork")).result()
    assert store.submit(stopped).result() == "fork"
    store.close()
    assert enrolment() == 0
    store = open_store(tmp_path / "state")
    assert isinstance(store, Store)
    assert store.submit(stopped).result() is None
    store.close()


def test_an_enrolment_that_cannot_be_written_down_says_so(
    enrolment: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: object) -> Any:
        raise StoreFailedError(StoreError("disk", "read or write error"))

    monkeypatch.setattr(Store, "_transact", failing)
    assert enrolment() == 2
    said = "kiosk: enrolled, but not written down: store: disk: read or write error\n"
    assert capsys.readouterr().err == said
