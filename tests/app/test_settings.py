"""A settings file is taken whole or refused with one error that names field and cause."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.settings import MAX_FILE_BYTES, Settings, SettingsError, default_settings, load_settings, parse_settings

GOOD = '[kiosk]\nstate_dir = "/var/lib/kiosk"\n[readers]\npatient = "Virtual PCD 00"\n'


def test_defaults_fill_what_is_not_said(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(GOOD, encoding="utf-8")
    settings = load_settings(path)
    assert isinstance(settings, Settings)
    assert settings.kiosk.state_dir == Path("/var/lib/kiosk")
    assert settings.screen.diagonal_in == 21.5
    assert settings.staff.authority_file is None


def test_a_machine_without_a_file_keeps_its_state_where_the_service_manager_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/kiosk")
    assert default_settings().kiosk.state_dir == Path("/var/lib/kiosk")
    monkeypatch.delenv("STATE_DIRECTORY")
    assert default_settings().kiosk.state_dir.is_relative_to(Path.home())


def test_the_staff_authority_is_a_file_by_its_absolute_path(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(GOOD + '[staff]\nauthority_file = "/etc/kiosk/staff-authority.pem"\n', encoding="utf-8")
    settings = load_settings(path)
    assert isinstance(settings, Settings)
    assert settings.staff.authority_file == Path("/etc/kiosk/staff-authority.pem")


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ("", "kiosk.state_dir", "missing"),
        (GOOD.replace("patient", "patiente"), "readers.patiente", "unknown field"),
        (GOOD.replace("[readers]", "[reader]"), "reader", "unknown section"),
        (GOOD.replace("/var/lib/kiosk", "var"), "kiosk.state_dir", "absolute path"),
        (GOOD + "[screen]\ndiagonal_in = 3\n", "screen.diagonal_in", "from 7 to 60"),
        (GOOD + "[screen]\nwidth_px = 1080.5\n", "screen.width_px", "whole number"),
        (GOOD + "[screen]\nwidth_px = true\n", "screen.width_px", "whole number"),
        (GOOD + "[printer]\nport = 3\n", "printer.port", "text"),
        (GOOD + "printer = 3\n", "readers.printer", "unknown field"),
        ("screen = 3\n" + GOOD, "screen", "section"),
        ("[kiosk", "kiosk.toml", "not TOML"),
        ("a = " + "[" * 8000, "kiosk.toml", "not TOML"),
        ("a = " + "9" * 6000, "kiosk.toml", "not TOML"),
        (GOOD.replace("00", "\\u0000"), "readers.patient", "NUL"),
        (GOOD.replace("lib", "\\u0000"), "kiosk.state_dir", "absolute path"),
        (GOOD.replace("/var/lib/kiosk", ""), "kiosk.state_dir", "absolute path"),
        (GOOD + '[staff]\nauthority_file = "staff.pem"\n', "staff.authority_file", "absolute path"),
        (GOOD + '[staff]\nauthority_file = ""\n', "staff.authority_file", "absolute path"),
        (GOOD + '[staff]\nauthority_file = "/etc/\\u0000"\n', "staff.authority_file", "absolute path"),
        ("#" * (MAX_FILE_BYTES + 1), "kiosk.toml", "larger than"),
    ],
)
def test_one_clear_error(tmp_path: Path, text: str, field: str, reason: str) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(text, encoding="utf-8")
    error = load_settings(path)
    assert isinstance(error, SettingsError)
    assert error.field.endswith(field)
    assert reason in error.reason


def test_missing_file(tmp_path: Path) -> None:
    error = load_settings(tmp_path / "none.toml")
    assert isinstance(error, SettingsError)
    assert "cannot be read" in str(error)


_scalars: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 0, 1080, 21.5, float("nan"), "", "/x", "x" * 300, []]
)
_sections = st.dictionaries(
    st.sampled_from(["state_dir", "patient", "width_px", "authority_file", "x"]), _scalars, max_size=3
)


@given(st.dictionaries(st.sampled_from(["kiosk", "readers", "screen", "staff", "x"]), _scalars | _sections, max_size=4))
def test_any_table_is_settings_or_an_error(tables: dict[str, object]) -> None:
    assert isinstance(parse_settings(tables), Settings | SettingsError)
