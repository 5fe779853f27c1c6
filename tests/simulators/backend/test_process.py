"""The backend as a process: ready line, one owner of a directory, restart, kill, log, cards of files."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from simulators import personas
from simulators.backend import running, schema
from simulators.backend.admin import command
from simulators.backend.cards import find_card, seed
from simulators.backend.database import Database
from simulators.backend.files import DataDir, write_private
from simulators.backend.log import log
from simulators.backend.server import Ready
from simulators.personas import Persona, load, load_file
from tests.simulators.backend.kiosk_side import LIMIT_S, KioskSide, RealUtc, enrolled

STATE, BODY = "/v1/sync/state", {"batch_seq": 1}


def run(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulators.backend", *arguments, "--data", str(data_dir)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_one_line_when_ready_and_a_graceful_stop(new_dir: Path) -> None:
    with running(new_dir) as backend:
        assert set(json.loads(backend.ready.to_json())) == {"origin", "enrol_origin", "ca_file"}
        assert Path(backend.ready.ca_file).is_absolute()
        assert backend.stop() == 0
        assert not backend.data.admin_socket.exists()


def test_a_killed_backend_comes_back_at_the_same_origin_with_what_it_had_acknowledged(
    data_dir: Path, tmp_path: Path
) -> None:
    event = {
        "event_id": "0199c0de-0000-7000-8000-000000000001",
        "aggregate": "kiosk",
        "aggregate_seq": 1,
        "type": "kiosk_started",
        "schema_version": 1,
        "created_utc_ms": 0,
        "body": {},
    }
    with running(data_dir) as backend:
        kiosk = enrolled(data_dir, backend.ready, RealUtc(0), tmp_path / "kiosk")
        raw = {"batch_seq": 1, "acked_through_seq": 0, "events": [event]}
        assert kiosk.good("/v1/events", raw)["results"][0]["status"] == "applied"
        before = backend.ready
        assert backend.kill() != 0
        assert backend.start() == before
        assert kiosk.good(STATE, BODY) == {"applied": True, "last_seq": 1}


def test_a_directory_has_one_backend(data_dir: Path, ready: Ready) -> None:
    assert ready.origin
    second = run(data_dir, "serve")
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == "simulators.backend: data: another backend runs on this directory\n"


def test_every_file_is_private(data_dir: Path, kiosk: KioskSide) -> None:
    kiosk.good(STATE, BODY)
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in data_dir.iterdir()}
    secret = {name for name in modes if name.endswith((".pem", ".bin", ".sock"))}
    assert len(secret) >= 10
    assert all(modes[name] == 0 for name in secret)


def test_a_file_that_cannot_be_written_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_private(tmp_path / "key.pem", b"x")
    assert list(tmp_path.iterdir()) == []


@contextmanager
def _not_inherited(number: signal.Signals) -> Iterator[None]:
    """Whoever runs the tests may have been told to ignore it; what is started here is not."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_a_terminal_that_closes_ends_a_backend_in_order_unless_it_was_told_to_stay(new_dir: Path) -> None:
    with _not_inherited(signal.SIGHUP), running(new_dir) as backend:
        os.kill(backend.pid, signal.SIGHUP)
        assert psutil.Process(backend.pid).wait(LIMIT_S) in (0, None)
        assert not backend.data.admin_socket.exists()
    staying = subprocess.Popen(
        ["nohup", sys.executable, "-m", "simulators.backend", "serve", "--data", str(new_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert staying.stdout is not None
    with staying.stdout:
        assert staying.stdout.readline()
        staying.send_signal(signal.SIGHUP)
        assert "ticket" in command(DataDir(new_dir), {"do": "ticket", "kiosk": "borne-0001", "site_kind": "agency"})
        staying.terminate()
        assert staying.wait(LIMIT_S) == 0


def test_what_a_library_says_is_a_fact_of_the_log_too(data_dir: Path) -> None:
    with running(data_dir) as backend:
        authority = backend.ready.enrol_origin.removeprefix("https://")
        host, _, port = authority.partition(":")
        with (
            socket.create_connection((host, int(port)), LIMIT_S) as plain,
            ssl.create_default_context(cafile=backend.ready.ca_file).wrap_socket(plain, server_hostname=host) as tls,
        ):
            tls.sendall(b"a person's name\r\n\r\n")
            assert tls.recv(1024).startswith(b"HTTP/1.1 400 ")
        assert backend.stop() == 0
        facts = [json.loads(line) for line in backend.log.splitlines()]
    assert [fact["detail"] for fact in facts if fact["event"] == "library"] == ["Invalid HTTP request received."]
    assert "person" not in str(facts)


def test_a_log_that_nobody_reads_disturbs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    complaints: list[dict[str, Any]] = []

    async def tell() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
        log("test")
        await asyncio.sleep(0)

    with open(theirs, "w", encoding="utf-8", closefd=False) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        asyncio.run(tell())
        monkeypatch.undo()
        with suppress(BrokenPipeError):
            stream.close()
    os.close(theirs)
    assert complaints == []


def test_a_port_that_is_taken_is_said_in_one_line(data_dir: Path, ready: Ready, tmp_path: Path) -> None:
    port = ready.origin.rpartition(":")[2]
    result = run(tmp_path / "second", "serve", "--port", port)
    assert result.returncode == 1
    assert "Address already in use" in result.stderr
    assert len(result.stderr.splitlines()) == 1


# --- cards of files ----------------------------------------------------------------------------------------------


def copied(folder: Path, name: str, **chip: object) -> Path:
    """What a newcomer does first: a copy of `outdated.json` with fields of the chip changed."""
    document = json.loads((Path(personas.__file__).parent / "outdated.json").read_text("utf-8"))
    document["card"]["chip"].update(chip)
    document["centre"]["postcode"] = "13002"
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_file_takes_the_place_of_the_card_it_was_copied_from(tmp_path: Path) -> None:
    mine = copied(tmp_path, "mine.json")
    with running(tmp_path / "data", [mine]) as backend:
        assert backend.stop() == 0
        database = Database(backend.data.database)
        rows = database.run(lambda c: c.execute(select(schema.card.c.serial, schema.card.c.postcode)).all())
        database.close()
    chip = load("outdated").card.chip
    assert chip is not None
    assert [row.postcode for row in rows if row.serial == chip.serial] == ["13002"]
    assert len(rows) == len([name for name in personas.names() if load(name).centre is not None])


@pytest.mark.parametrize(
    ("second", "path"),
    [({}, "$.card.chip.serial"), ({"serial": "802500000277777777777"}, "$.card.chip.beneficiaries[0].nir")],
)
def test_two_files_of_one_card_are_an_error_that_names_the_field(
    tmp_path: Path, second: dict[str, object], path: str
) -> None:
    files = [copied(tmp_path, "one.json"), copied(tmp_path, "two.json", **second)]
    result = run(tmp_path / "data", "serve", *(f"--persona={file}" for file in files))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"simulators.backend: two.json: {path}: the same as in one.json\n"


def test_an_error_of_the_database_shows_no_person(tmp_path: Path) -> None:
    database = Database(tmp_path / "backend.sqlite")
    persona = load("outdated")
    with pytest.raises(IntegrityError) as refused:
        database.run(lambda connection: seed(connection, [persona, persona], 0))
    database.close()
    assert persona.card.chip is not None
    shown = str(refused.value)
    for value in (persona.card.chip.serial, persona.card.chip.beneficiaries[0].nir[:13], "JEANNE", "75020"):
        assert value not in shown


def test_twenty_digits_of_two_cards_are_nobodys(tmp_path: Path) -> None:
    paths = [copied(tmp_path, f"{digit}.json", serial=f"80250000027777777777{digit}") for digit in (1, 2)]
    database = Database(tmp_path / "backend.sqlite")
    with_chip = [persona for path in paths if isinstance(persona := load_file(path), Persona)]
    database.run(lambda connection: seed(connection, with_chip, 0))
    both = database.run(lambda connection: find_card(connection, "80250000027777777777"))
    one = database.run(lambda connection: find_card(connection, "802500000277777777772"))
    database.close()
    assert len(with_chip) == 2
    assert both is None
    assert one is not None
