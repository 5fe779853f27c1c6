"""The private pcscd: the command form, refusals with their cause, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simulators.reader import private_pcscd as module
from simulators.reader.private_pcscd import PcscdRefused, PrivatePcscd, check_machine

COMMAND = [sys.executable, "-m", "simulators.reader.private_pcscd"]
LIST_READERS = """
from smartcard import scard
import socket, sys
_, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
print(scard.SCardListReaders(context, [])[1])
socket.create_connection(("127.0.0.1", 35963)).close()
sys.exit(7)
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *command], capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.pcscd
def test_a_command_runs_beside_the_daemon_and_gives_its_exit_status() -> None:
    done = run("--", sys.executable, "-c", LIST_READERS)
    assert done.stdout == "['Virtual PCD 00 00', 'Virtual PCD 00 01']\n"
    assert done.stderr == ""
    assert done.returncode == 7


@pytest.mark.parametrize("arguments", [[], ["--"], ["ls"], ["--hold"]])
def test_wrong_use_is_told(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m simulators.reader.private_pcscd -- COMMAND")


@pytest.mark.pcscd
def test_two_at_once_and_nothing_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with PrivatePcscd() as one, PrivatePcscd() as two:
        assert one.socket_path != two.socket_path
        for daemon in (one, two):
            daemon.vpcd_socket(1).close()
            assert daemon.environment()["PCSCLITE_CSOCK_NAME"] == str(daemon.socket_path)
        one.kill()
        with pytest.raises(PcscdRefused, match="refused"):
            one.vpcd_socket(0)
        one.start()
        one.vpcd_socket(0).close()
    assert list(tmp_path.iterdir()) == []
    two.close()


def test_a_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "_PATH", str(tmp_path))
    with pytest.raises(PcscdRefused, match="pcscd is not installed"):
        check_machine()


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "_VPCD_DRIVER", tmp_path / "libifdvpcd.so")
    with pytest.raises(PcscdRefused, match="Debian package vsmartcard-vpcd"):
        check_machine()


def test_refused_namespaces_are_named_with_the_machines_own_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    unshare = tmp_path / "unshare"
    unshare.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    unshare.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(PcscdRefused, match=r"namespaces are refused here: unshare: .*Operation not permitted"):
        PrivatePcscd()


@pytest.mark.pcscd
def test_a_daemon_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pcscd = tmp_path / "pcscd"
    pcscd.write_text("#!/bin/sh\necho 'broken on purpose'\nexit 1\n")
    pcscd.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(PcscdRefused, match="pcscd does not start: broken on purpose"):
        PrivatePcscd()


@pytest.mark.pcscd
def test_the_daemon_ends_with_the_process_that_asked_for_it(private_pcscd: Callable[[], PrivatePcscd]) -> None:
    program = (
        "import os; from simulators.reader.private_pcscd import PrivatePcscd;"
        "daemon = PrivatePcscd(); print(daemon.socket_path, flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert not Path(done.stdout.strip()).exists()
    assert private_pcscd().socket_path.exists()
