"""`python -m kiosk …` as a technician types it: success, and one clear line for each bad input, with nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiosk.state import DATABASE, IDENTITY, open_store
from kiosk.store.thread import Store
from simulators.reader.embedded import READERS
from simulators.stage import KIOSK_ID
from tests.e2e.theatre import Centre, centre

Done = subprocess.CompletedProcess[str]
LIMIT_S = 60.0
POLL_S = 0.02


@dataclass(frozen=True)
class Machine:
    """A kiosk's machine: its settings file and its state directory, before or after enrolment."""

    folder: Path
    environment: dict[str, str]

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.folder / "kiosk.toml"

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.folder / "state"

    def run(self, *arguments: str, settings: Path | None = None) -> Done:
        """`python -m kiosk --settings FILE …`."""
        return subprocess.run(
            [sys.executable, "-m", "kiosk", "--settings", str(settings or self.settings), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def enrol(self, backend: Centre, ticket: Path, *, origin: str = "", ca: str = "") -> Done:
        """`enrol` with these arguments, the right ones by default."""
        return self.run(
            "enrol",
            *("--origin", origin or backend.ready.enrol_origin),
            *("--ca", ca or backend.ready.ca_file),
            *("--ticket-file", str(ticket)),
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without any PC/SC service, printer or display."""
    environment = {
        **os.environ,
        "PCSCLITE_CSOCK_NAME": str(tmp_path / "no-such-service"),
        "QT_QPA_PLATFORM": "offscreen",
        "QT_QUICK_BACKEND": "software",
    }
    (tmp_path / "kiosk.toml").write_text(
        f'[kiosk]\nstate_dir = "{tmp_path}/state"\nserial = "K-0999"\n[readers]\npatient = "{READERS[0]}"\n',
        encoding="utf-8",
    )
    return Machine(tmp_path, environment)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A backend for all tests of this file."""
    with centre(tmp_path_factory.mktemp("commands") / "backend", "outdated") as started:
        yield started


@pytest.fixture
def ticket(machine: Machine, backend: Centre) -> Path:
    """A fresh ticket file."""
    path = machine.folder / "ticket"
    path.write_text(backend.command("ticket", KIOSK_ID, site_kind="agency")["ticket"] + "\n", encoding="ascii")
    return path


def refused(done: Done, *told: str) -> None:
    """One line on stderr that says what was wrong with which field; nothing on stdout; exit status 2."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("kiosk: ")
    for text in told:
        assert text in line


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, ("kiosk.toml", "cannot be read")),
        ("[kiosk\n", ("kiosk.toml", "is not TOML")),
        ("[readers]\npatient = 'x'\n", ("kiosk.state_dir", "is missing")),
        ("[kiosk]\nstate_dir = 'here'\n", ("kiosk.state_dir", "an absolute path expected")),
        ("[kiosk]\nstate_dir = '/x'\nserail = 'y'\n", ("kiosk.serail", "unknown field")),
        ("[kiosk]\nstate_dir = '/x'\n[readers]\npatient = 'x'\n[screen]\nwidth_px = 3\n", ("screen.width_px", "480")),
        ("[kiosks]\n", ("kiosks", "unknown section")),
    ],
)
def test_settings_that_cannot_be_used(machine: Machine, content: str | None, told: tuple[str, ...]) -> None:
    machine.settings.unlink()
    if content is not None:
        machine.settings.write_text(content, encoding="utf-8")
    refused(machine.run("journal", "verify"), *told)
    assert not machine.state.exists()


# --- enrol -------------------------------------------------------------------------------------------------------


def test_enrol_then_verify_the_journal(machine: Machine, backend: Centre, ticket: Path) -> None:
    done = machine.enrol(backend, ticket)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["kiosk"] == KIOSK_ID
    journal = machine.run("journal", "verify")
    assert (journal.returncode, journal.stderr) == (0, "")
    assert json.loads(journal.stdout) == {"ok": True, "entries": 1, "pruned": 0, "reason": ""}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, ("ticket file", "cannot be read")),
        (b"", ("ticket", "is empty")),
        (b"\xff\xfe", ("ticket file", "is not ASCII text")),
        (b"borne-0999:xyz\n", ("ticket", "<kiosk name>:<32")),
        (b"a\nb\n", ("ticket", "more than one line")),
        (b"borne-0999:" + b"0" * 32, ("ticket", "unknown, used, expired")),
    ],
    ids=["missing", "empty", "not ascii", "garbage", "two lines", "unknown"],
)
def test_a_ticket_that_cannot_be_used(
    machine: Machine, backend: Centre, ticket: Path, content: bytes | None, told: tuple[str, ...]
) -> None:
    good = ticket.read_bytes()
    ticket.unlink() if content is None else ticket.write_bytes(content)
    refused(machine.enrol(backend, ticket), *told)
    ticket.write_bytes(good)
    assert machine.enrol(backend, ticket).returncode == 0, "nothing was lost"


def test_a_used_ticket_enrols_nobody_else(machine: Machine, backend: Centre, ticket: Path) -> None:
    assert machine.enrol(backend, ticket).returncode == 0
    (machine.folder / "other").mkdir()
    other = Machine(machine.folder / "other", machine.environment)
    other.settings.write_text(machine.settings.read_text().replace("/state", "/other/state"), encoding="utf-8")
    refused(other.enrol(backend, ticket), "ticket", "used")


def test_an_enrolled_kiosk_is_not_enrolled_over(machine: Machine, backend: Centre, ticket: Path) -> None:
    assert machine.enrol(backend, ticket).returncode == 0
    before = {path: path.read_bytes() for path in (machine.state / IDENTITY).rglob("*") if path.is_file()}
    assert machine.enrol(backend, ticket).returncode == 0, "a repeat with its own ticket changes nothing"
    ticket.write_bytes(KIOSK_ID.encode("ascii") + b":" + b"0" * 32)
    refused(machine.enrol(backend, ticket), "state_dir", "enrolled already")
    assert {path: path.read_bytes() for path in (machine.state / IDENTITY).rglob("*") if path.is_file()} == before


def test_wrong_ca_and_wrong_origin_use_no_ticket_up(machine: Machine, backend: Centre, ticket: Path) -> None:
    foreign = machine.folder / "foreign.pem"
    with centre(machine.folder / "foreign", "outdated") as stranger:
        foreign.write_bytes(Path(stranger.ready.ca_file).read_bytes())
    refused(machine.enrol(backend, ticket, ca=str(foreign)), "network", "certificate")
    foreign.write_text("not a certificate", encoding="ascii")
    refused(machine.enrol(backend, ticket, ca=str(foreign)), "ca_file")
    refused(machine.enrol(backend, ticket, ca=str(machine.folder / "missing")), "ca_file")
    refused(machine.enrol(backend, ticket, origin="http://127.0.0.1:1"), "origin")
    refused(machine.enrol(backend, ticket, origin="https://127.0.0.1:1"), "network", "connection refused")
    assert machine.enrol(backend, ticket).returncode == 0


# --- diagnose ----------------------------------------------------------------------------------------------------


def checks(done: Done) -> dict[str, str]:
    """State by part."""
    assert done.stderr == ""
    return {check["part"]: check["state"] for check in json.loads(done.stdout)["checks"]}


def test_diagnose_says_what_works_and_what_does_not(machine: Machine, backend: Centre, ticket: Path) -> None:
    before = machine.run("diagnose", "--json")
    assert before.returncode == 1
    assert checks(before)["channel"] == "fault"
    assert machine.enrol(backend, ticket).returncode == 0
    after = machine.run("diagnose", "--json")
    assert after.returncode == 1, "there is no reader"
    seen = checks(after)
    seen.pop("usb readers")  # the machine's own
    seen.pop("clock")  # the backend's stands still
    assert seen == {
        "reader patient": "fault",
        "printer": "ok",  # the settings name none
        "store": "ok",
        "journal": "ok",
        "outbox": "ok",
        "channel": "ok",
        "keys": "ok",
    }


# --- journal -----------------------------------------------------------------------------------------------------


def test_a_touched_journal_does_not_verify(machine: Machine, backend: Centre, ticket: Path) -> None:
    assert machine.enrol(backend, ticket).returncode == 0
    store = open_store(machine.state)
    assert isinstance(store, Store)
    store.submit(lambda tx: tx.execute("UPDATE journal SET utc_ms = 0")).result()
    store.close()
    done = machine.run("journal", "verify")
    assert done.returncode == 1
    assert json.loads(done.stdout)["ok"] is False


def test_a_store_that_is_no_database_is_refused_and_left_alone(machine: Machine, backend: Centre, ticket: Path) -> None:
    assert machine.enrol(backend, ticket).returncode == 0
    (machine.state / DATABASE).write_bytes(b"x" * 8192)
    refused(machine.run("journal", "verify"), "store")
    assert (machine.state / DATABASE).read_bytes() == b"x" * 8192


# --- run ---------------------------------------------------------------------------------------------------------


def heard(backend: Centre, kind: str, process: subprocess.Popen[str]) -> None:
    """Wait until the running kiosk has told the backend of such an event."""
    turn = threading.Event()
    for _ in range(round(LIMIT_S / POLL_S)):
        if backend.told(kind) or process.poll() is not None:
            break
        turn.wait(POLL_S)
    assert backend.told(kind), f"no {kind} from the kiosk, exit status {process.poll()}"


def test_run_without_any_reader_stays_up_and_ends_in_good_order(
    machine: Machine, backend: Centre, ticket: Path
) -> None:
    """Out of service is a state, not a crash. Its own journal tells that it ran, and how it ended."""
    assert machine.enrol(backend, ticket).returncode == 0
    told = len(backend.told("kiosk_started"))
    process = subprocess.Popen(
        [sys.executable, "-m", "kiosk", "--settings", str(machine.settings), "run"],
        env=machine.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        heard(backend, "reader_failed", process)
        assert len(backend.told("kiosk_started")) == told + 1
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        said, complained = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, said, complained) == (0, "", "")
    journal = machine.run("journal", "verify")
    assert json.loads(journal.stdout)["ok"] is True
    store = open_store(machine.state)
    assert isinstance(store, Store)
    kinds = [row[0] for row in store.submit(lambda tx: tx.execute("SELECT type FROM journal ORDER BY seq")).result()]
    store.close()
    assert (kinds[0], kinds[-1]) == ("enrolled", "kiosk_stopped")
