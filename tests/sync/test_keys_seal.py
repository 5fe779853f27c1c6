"""Where the sealing key comes from: the service manager's credential, `systemd-creds` for root, or nowhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kiosk.sync import keys_seal
from kiosk.sync.keys import KeyStoreError
from kiosk.sync.keys_seal import CREDENTIAL, find_seal_key

KEY = bytes(range(32))


def test_a_machine_without_one(tmp_path: Path) -> None:
    assert find_seal_key({}, tmp_path) is None
    assert find_seal_key({"CREDENTIALS_DIRECTORY": str(tmp_path)}, tmp_path) is None
    assert find_seal_key({}, tmp_path / "missing") is None


def test_a_service_is_handed_the_key(tmp_path: Path) -> None:
    (tmp_path / CREDENTIAL).write_bytes(KEY)
    assert find_seal_key({"CREDENTIALS_DIRECTORY": str(tmp_path)}, tmp_path / "store") == KEY


@pytest.mark.parametrize("content", [b"", KEY[:31], KEY + b"\n"])
def test_another_size_is_no_key(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CREDENTIAL).write_bytes(content)
    refused = find_seal_key({"CREDENTIALS_DIRECTORY": str(tmp_path)}, tmp_path / "store")
    assert refused == KeyStoreError("seal", "kiosk.seal: 32 bytes expected")


def test_the_machines_own_tool_is_asked(tmp_path: Path) -> None:
    """The real `systemd-creds`, with a machine secret of the test's own."""
    environment = {**os.environ, "SYSTEMD_CREDENTIAL_SECRET": str(tmp_path / "secret")}
    environment.pop("CREDENTIALS_DIRECTORY", None)
    store = tmp_path / "store"
    store.mkdir()
    encrypt = ["systemd-creds", "encrypt", "--with-key=host", f"--name={CREDENTIAL}", "-", str(store / CREDENTIAL)]
    subprocess.run(encrypt, input=KEY, env=environment, check=True, capture_output=True, timeout=20)
    assert KEY not in (store / CREDENTIAL).read_bytes()
    assert find_seal_key(environment, store) == KEY
    (tmp_path / "secret").unlink()
    refused = find_seal_key(environment, store)
    assert refused == KeyStoreError("seal", "systemd-creds cannot decrypt kiosk.seal here")


def _tool(folder: Path, script: str) -> dict[str, str]:
    """An environment whose `systemd-creds` is this shell script."""
    tool = folder / "systemd-creds"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o700)
    (folder / CREDENTIAL).write_bytes(b"encrypted")
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_a_tool_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_seal, "_LIMIT_S", 0.2)
    monkeypatch.setenv("PATH", _tool(tmp_path, "exec sleep 60")["PATH"])
    refused = find_seal_key(dict(os.environ), tmp_path)
    assert refused == KeyStoreError("seal", "systemd-creds has not answered within 0.2 s")


def test_a_machine_without_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / CREDENTIAL).write_bytes(b"encrypted")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_seal_key({"PATH": str(tmp_path)}, tmp_path) == KeyStoreError(
        "seal", "kiosk.seal: No such file or directory"
    )
