"""Set-up's pure parts, and the promises of the files it reads."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kiosk_setup", ROOT / "tools" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_package_list_ignores_comments_and_blank_lines(setup: ModuleType) -> None:
    assert setup.wanted_packages("# why\npcscd\n\nlibccid \n") == ["pcscd", "libccid"]


def test_locked_cuts_whole_entries(setup: ModuleType) -> None:
    lock = "# h\nab==1 \\\n    --hash=sha256:1\n    # via x\nabc==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n"
    assert setup.locked(lock, ("abc",)) == "abc==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n"
    assert setup.locked(lock, ("ab", "abc")).count("--hash") == 3


def test_the_lock_holds_the_build_tools_and_no_address(setup: ModuleType) -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    tools = [line.split("==")[0] for line in setup.locked(lock, setup.BUILD_TOOLS).splitlines() if "==" in line]
    assert sorted(tools) == sorted(setup.BUILD_TOOLS)
    assert "://" not in lock
    assert "--index-url" not in lock
    assert "--find-links" not in lock


def test_every_asked_for_version_is_the_locked_one(setup: ModuleType) -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").lower()
    asked = [line for line in (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines() if "==" in line]
    assert asked
    for line in asked:
        assert f"\n{line.lower()} \\\n" in f"\n{lock}"


def test_missing_packages_are_those_dpkg_does_not_know(setup: ModuleType) -> None:
    assert setup.missing_packages(["dpkg", "no-such-package-999"]) == ["no-such-package-999"]


def test_without_root_or_sudo_the_line_to_type_is_said(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit) as stop:
        setup.install_packages(["pcscd", "swig"])
    assert "sudo apt-get update && sudo apt-get install --yes --no-install-recommends pcscd swig" in str(stop.value)


def test_a_failing_command_stops_with_its_name(setup: ModuleType) -> None:
    with pytest.raises(SystemExit) as stop:
        setup.run([sys.executable, "-c", "raise SystemExit(3)"])
    assert "code 3" in str(stop.value)
