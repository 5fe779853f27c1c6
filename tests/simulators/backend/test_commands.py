"""The backend's command line: commands with and without a running server, and wrong use in one line."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from simulators.backend import BackendProcess, admin, enrolment, operator
from simulators.backend.__main__ import main
from simulators.backend.admin import bind_admin, command
from simulators.backend.authority import open_authority
from simulators.backend.certificates import RevocationList
from simulators.backend.clock import system_utc_s, utc
from simulators.backend.database import DatabaseBusy
from simulators.backend.files import DataDir
from simulators.backend.operator import OperatorError
from simulators.backend.server import Ready


@pytest.mark.parametrize("is_up", [True, False])
def test_commands_work_whether_the_server_runs_or_not(
    request: pytest.FixtureRequest, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], is_up: bool
) -> None:
    if is_up:
        request.getfixturevalue("ready")
    data, out = ["--data", str(data_dir), "--kiosk", "borne-0001"], tmp_path / "ticket"
    previous = os.umask(0o022)
    try:
        assert main(["ticket", *data, "--site-kind", "pharmacy", "--out", str(out)]) == 0
        assert out.read_text().startswith("borne-0001:")
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        assert main(["ticket", *data]) == 0
        assert capsys.readouterr().out.startswith("borne-0001:")
        assert main(["policy", *data, "--set", "issue_code=on", "--set", "idle_s=30"]) == 0
        shown = json.loads(capsys.readouterr().out)["policy"]
        assert (shown["version"], shown["issue_code"], shown["idle_s"]) == (2, "on", 30)
        assert shown["site_kind"] == "pharmacy"
        assert main(["quarantine", *data, "--level", "no_code"]) == 0
        assert json.loads(capsys.readouterr().out) == {"quarantine": "no_code"}
        assert main(["release", *data]) == 0
        assert json.loads(capsys.readouterr().out) == {"quarantine": "none"}
        assert main(["policy", *data, "--set", "idle_s=never"]) == 1
        assert capsys.readouterr().err.startswith("simulators.backend: idle_s: ")
    finally:
        os.umask(previous)


def test_a_socket_left_by_a_killed_server_is_no_server(data_dir: Path) -> None:
    backend = BackendProcess(data_dir)
    backend.start()
    backend.kill()
    assert backend.data.admin_socket.exists()
    assert "ticket" in command(DataDir(data_dir), {"do": "ticket", "kiosk": "borne-0001", "site_kind": "agency"})


@pytest.mark.parametrize(
    "request_", [{"do": "nothing", "kiosk": "x"}, {"do": "ticket"}, {"do": "ticket", "kiosk": "x"}, [], "x"]
)
def test_a_wrong_command_over_the_socket_is_an_error_not_a_crash(data_dir: Path, ready: Ready, request_: Any) -> None:
    assert ready.origin
    with pytest.raises(OperatorError):
        command(DataDir(data_dir), request_)
    assert "ticket" in command(DataDir(data_dir), {"do": "ticket", "kiosk": "borne-0001", "site_kind": "agency"})


@pytest.mark.parametrize("is_up", [True, False])
def test_a_command_that_the_database_cannot_do_is_one_line(
    request: pytest.FixtureRequest,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_up: bool,
) -> None:
    if is_up:
        request.getfixturevalue("ready")
    create = enrolment.create_ticket

    def refused(connection: Connection, *arguments: Any) -> str:
        connection.exec_driver_sql("PRAGMA query_only=ON")
        return create(connection, *arguments)

    monkeypatch.setattr(operator, "create_ticket", refused)
    assert main(["ticket", "--data", str(data_dir), "--kiosk", "borne-0001"]) == 1
    said = "simulators.backend: database: nothing was done: attempt to write a readonly database\n"
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("told", [b"", b'{"ticket":"borne-'], ids=["nothing", "half a line"])
def test_a_server_that_ends_without_an_answer_is_one_line(
    data_dir: Path, capsys: pytest.CaptureFixture[str], told: bytes
) -> None:
    def end(listener: socket.socket) -> None:
        listener.setblocking(True)
        connection, _ = listener.accept()
        connection.recv(1024)
        connection.sendall(told)
        connection.close()

    with bind_admin(DataDir(data_dir)) as listener, ThreadPoolExecutor(1) as pool:
        ended = pool.submit(end, listener)
        assert main(["ticket", "--data", str(data_dir), "--kiosk", "borne-0001"]) == 1
        ended.result()
    assert capsys.readouterr().err == "simulators.backend: data: the server ended before it answered; ask again\n"


def test_a_server_that_does_not_answer_is_one_line(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "ANSWER_LIMIT_S", 0.05)
    with bind_admin(DataDir(data_dir)):
        assert main(["ticket", "--data", str(data_dir), "--kiosk", "borne-0001"]) == 1
    said = "simulators.backend: data: the server has not answered; whether it was done is not known\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("error", [DatabaseBusy("OperationalError"), OSError("no descriptor")])
def test_what_is_done_is_told_as_done_though_the_revocation_list_cannot_be_read_now(
    data_dir: Path, ready: Ready, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def fail(_: RevocationList) -> bytes:
        raise error

    assert ready.origin
    command(DataDir(data_dir), {"do": "ticket", "kiosk": "borne-0001", "site_kind": "agency"})
    monkeypatch.setattr(RevocationList, "current", fail)
    told = command(DataDir(data_dir), {"do": "revoke", "kiosk": "borne-0001"})
    assert told == {"keys": 0, "certificates": 0}
    assert command(DataDir(data_dir), {"do": "keys", "kiosk": "borne-0001"})["quarantine"] == "stop"


@pytest.mark.parametrize("words", [["serve"], ["ticket", "--kiosk", "borne-0001"]])
def test_who_forgets_the_url_gets_no_empty_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    data = DataDir(tmp_path / "data")
    data.create()
    open_authority(data, utc(system_utc_s()))  # as a backend on PostgreSQL leaves the directory
    assert main([*words, "--data", str(data.root)]) == 1
    assert capsys.readouterr().err.startswith("simulators.backend: database-url: missing; ")
    assert not data.database.exists()


@pytest.mark.parametrize("option", ["--data", "--database-url"])
def test_a_variable_that_is_not_set_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--data=data", f"{option}="])
    assert ended.value.code == 2
    assert option in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_others_use_is_not_shut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "letter").write_text("")
    assert main(["serve", "--data", str(tmp_path)]) == 1
    assert "in use and open to others" in capsys.readouterr().err
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


@pytest.mark.parametrize("option", ["--port", "--enrol-port"])
@pytest.mark.parametrize("port", ["99999", "65536", "-1", "x", "", "٣", "1" * 5000])
def test_a_port_that_cannot_be_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, port: str
) -> None:
    data = tmp_path / "data"
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--data", str(data), f"{option}={port}"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"python -m simulators.backend serve: argument {option}: a port from 1 to 65535 expected, or 0\n"
    )
    assert not data.exists()


@pytest.mark.parametrize("content", [b"", b"x", b'{"port": "x"}', b'{"port": 65536}', b"[1]"])
@pytest.mark.parametrize("name", ["ports.json", "ca.key.pem", "srv-1.key.pem", "ca.pem", "pepper.bin"])
def test_a_damaged_file_is_named_and_kept(
    data_dir: Path, capsys: pytest.CaptureFixture[str], taken_port: int, name: str, content: bytes
) -> None:
    DataDir(data_dir).create()
    open_authority(DataDir(data_dir), utc(system_utc_s()))
    DataDir(data_dir).database.touch()
    (data_dir / name).write_bytes(content)
    assert main(["serve", "--data", str(data_dir), "--port", str(taken_port)]) == 1
    assert re.fullmatch(rf"simulators\.backend: data: {re.escape(name)}: .* expected\n", capsys.readouterr().err)
    assert (data_dir / name).read_bytes() == content


def test_a_ca_without_its_key_signs_nothing_with_another_one(
    data_dir: Path, capsys: pytest.CaptureFixture[str], taken_port: int
) -> None:
    (data_dir / "ca.key.pem").unlink()
    assert main(["serve", "--data", str(data_dir), "--port", str(taken_port)]) == 1
    assert capsys.readouterr().err == "simulators.backend: data: ca.pem: the certificate of ca.key.pem expected\n"


@pytest.mark.parametrize("option", ["--port", "--enrol-port", "--ops-port"])
def test_a_port_that_is_taken_is_named(
    data_dir: Path, capsys: pytest.CaptureFixture[str], taken_port: int, option: str
) -> None:
    assert main(["serve", "--data", str(data_dir), option, str(taken_port)]) == 1
    assert capsys.readouterr().err == f"simulators.backend: port {taken_port}: Address already in use\n"


def test_a_level_that_is_none_is_told_the_plain_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["quarantine", "--data", str(tmp_path), "--kiosk", "borne-0001", "--level", "zzz"])
    said = capsys.readouterr().err
    assert (ended.value.code, len(said.splitlines())) == (2, 1)
    assert "no_code" in said
    assert "Quarantine" not in said
