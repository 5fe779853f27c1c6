"""The command line: what it refuses before it begins, with one line that names field and cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk import cli
from kiosk.settings import KioskSettings, Settings
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
