"""The demo as a person starts it: a process of its own, its exit status, and what it leaves."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulators import demo, personas
from simulators.folder import prepared
from simulators.personas import load
from simulators.residue import scan_text
from simulators.walk import Walk

LIMIT_S = 60.0
"""Of processor time: how long that lasts is a matter of what else the machine does."""
PATIENCE_S = 300.0
PAGES = (
    "attract", "reading", "home", "preview", "updating", "result", "identification", "serial", "codeIntro", "code",
    "ticket", "removeCard",
)  # fmt: skip
APDU_LINE = re.compile(r"[0-9A-F]{2}( [0-9A-F]{2}){3} \+\d+ bytes -> \d+ bytes SW [0-9A-F]{4} in \d+\.\d\d ms")
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Run:
    """One run that has ended."""

    status: int
    said: str
    complained: str
    out: Path
    cpu_s: float

    @property
    def summary(self) -> dict[str, Any]:
        """`summary.json`."""
        return dict(json.loads((self.out / "summary.json").read_text(encoding="utf-8")))


def run(out: Path, **asked: str) -> Run:
    """`python -m simulators demo`, without a display."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "READER", "PERSONA", "PLAN", "PCSCLITE_CSOCK_NAME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    before_s = _children_cpu_s()
    done = subprocess.run(
        [sys.executable, "-m", "simulators", "demo"],
        env={**environment, "HEADLESS": "1", "OUT": str(out), **asked},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr, out, _children_cpu_s() - before_s)


def _children_cpu_s() -> float:
    """Of all processes of ours that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The default run."""
    return run(tmp_path_factory.mktemp("embedded") / "out")


def test_it_succeeds_within_a_minute_and_has_nothing_to_complain_of(embedded: Run) -> None:
    assert (embedded.status, embedded.complained) == (0, "")
    assert 0 < embedded.cpu_s < LIMIT_S
    assert json.loads(embedded.said) == embedded.summary
    assert demo.verdict(embedded.summary) == []


def test_it_leaves_a_numbered_picture_of_each_page(embedded: Run) -> None:
    pictures = sorted(embedded.out.glob("[0-9][0-9]-*.png"))
    assert [int(picture.name[:2]) for picture in pictures] == list(range(1, len(pictures) + 1))
    assert set(PAGES) <= {picture.stem[3:] for picture in pictures}
    assert all(picture.read_bytes().startswith(PNG) for picture in [*pictures, embedded.out / "ticket.png"])


def test_its_apdu_log_shows_headers_and_lengths_and_nothing_else(embedded: Run) -> None:
    log = (embedded.out / "apdu.log").read_text(encoding="utf-8")
    lines = log.splitlines()
    assert [line for line in lines if not APDU_LINE.fullmatch(line)] == []
    assert sum(line.startswith("84 D6") for line in lines) == 6
    assert scan_text("log", log.encode(), demo.needles(load("outdated"), Walk())) == []


@pytest.mark.pcscd
def test_a_real_pcscd_gives_the_same_summary(embedded: Run, tmp_path: Path) -> None:
    real = run(tmp_path / "out", READER="pcsc")
    assert (real.status, real.complained) == (0, "")
    assert 0 < real.cpu_s < LIMIT_S
    assert real.summary["reader"] == "pcsc"
    assert _comparable(real.summary) == _comparable(embedded.summary)


def _comparable(summary: dict[str, Any]) -> dict[str, Any]:
    """All but the reader's name and the timings."""
    steps = [(step["name"], step["ok"]) for step in summary["steps"]]
    return {**summary, "reader": "", "steps": steps}


@pytest.mark.parametrize("persona", ["losing-rights", "corsican", "torn", "opposed", "vitale1", "mute"])
def test_every_kind_of_member_comes_to_an_end(tmp_path: Path, persona: str) -> None:
    done = run(tmp_path / "out", PERSONA=persona)
    assert (done.status, done.complained) == (0, "")
    assert done.summary["persona"] == persona
    assert done.summary["steps"][-1]["name"] == "removed"


def changed(folder: Path, persona: str, **centre: Any) -> str:
    """The path of a copy of a persona's file with these fields of the centre's half."""
    document = _document(persona)
    document["centre"].update(centre)
    path = folder / "mine.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


def _document(persona: str) -> dict[str, Any]:
    return dict(json.loads((Path(personas.__file__).parent / f"{persona}.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize(("persona", "asks"), [("up-to-date", False), ("torn", True)])
def test_a_member_whose_updates_are_closed_is_told_so_and_gets_the_rest(
    tmp_path: Path, persona: str, asks: bool
) -> None:
    """On the home page; behind a button where the card is unfinished, of which the home page has more to say."""
    done = run(tmp_path / "out", PERSONA=changed(tmp_path, persona, outage_s=604_800))
    assert (done.status, done.complained) == (0, "")
    names = [step["name"] for step in done.summary["steps"]]
    assert names == ["inserted", "read", "home", "update", "identification", "serial_number", "provisional_code",
                     "ticket", "removed"]  # fmt: skip
    assert done.summary["update"] == {"outcome": None, "packages": 0, "apdus": 0, "card_changed": False}
    assert any(picture.stem.endswith("-problem") for picture in done.out.iterdir()) is asks


def test_a_torn_card_without_a_mandatory_order_is_told_that_nothing_can_finish_it(tmp_path: Path) -> None:
    orders = [{**order, "priority": "OPTIONAL"} for order in _document("torn")["centre"]["orders"]]
    done = run(tmp_path / "out", PERSONA=changed(tmp_path, "torn", orders=orders))
    assert (done.status, done.complained) == (0, "")
    assert done.summary["update"]["outcome"] is None
    assert done.summary["steps"][-1]["name"] == "removed"


def test_only_the_files_of_an_earlier_demo_are_taken_away(tmp_path: Path) -> None:
    mine = {name: f"mine: {name}" for name in ("thesis.txt", "12-holiday.png", "a-01-home.png", "summary.json.bak")}
    deep = tmp_path / "deep" / "01-home.png"
    deep.parent.mkdir()
    for path, text in {**{tmp_path / name: text for name, text in mine.items()}, deep: "mine"}.items():
        path.write_text(text, encoding="utf-8")
    for name in ("01-home.png", "99-removeCard.png", "apdu.log", "summary.json", "ticket.png"):
        (tmp_path / name).write_text("of an earlier demo", encoding="utf-8")
    assert prepared(tmp_path) is None
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir() if path.is_file()} == mine
    assert deep.exists()


@pytest.mark.parametrize("out", ["{folder}/file", "{folder}/file/below", "/dev/null/x", "/proc/zz", "{folder}/taken"])
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "taken" / "summary.json").mkdir(parents=True)
    folder = out.format(folder=tmp_path)
    done = run(Path(folder))
    assert (done.status, done.said) == (2, "")
    assert done.complained.startswith(f"simulators: OUT: {folder}: ")
    assert len(done.complained.splitlines()) == 1
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("READER", "nonsense"),
        ("PERSONA", "nonsense"),
        ("PERSONA", "none.json"),
        ("PERSONA", "no\nne.json"),
        ("PLAN", "none.json"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    done = run(tmp_path / "out", **{name: value})
    assert (done.status, done.said) == (2, "")
    assert done.complained.startswith(f"simulators: {name}: ")
    assert len(done.complained.splitlines()) == 1
    assert not done.out.exists()


def test_another_command_is_refused_with_the_usage() -> None:
    done = subprocess.run([sys.executable, "-m", "simulators", "dmeo"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "simulators: usage: python -m simulators demo [--plan FILE]\n")
