"""`python -m simulators.card`: stable commands, exit codes, one-line errors."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulators.card import SimulatedCard, key_set
from simulators.card.__main__ import main
from simulators.personas import load, names
from tests.simulators.card.driver import SELECT_VITALE, SERIAL
from tests.simulators.card.vpcd_reader import LIMIT_S, VpcdReader

ROOT = Path(__file__).parents[3]


def test_list_names_every_persona(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(names())


def test_keys_are_exactly_four_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "outdated"]) == 0
    keys = key_set(SERIAL)
    expected = {"kvn": 0x30, "enc": keys.enc.hex(), "mac": keys.mac.hex(), "dek": keys.dek.hex()}
    assert json.loads(capsys.readouterr().out) == expected


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["keys", "mute"], 1, "no chip that knows keys"),
        (["keys", "nobody"], 2, "unknown persona"),
        (["keys", "absent.json"], 2, "absent.json: $: "),
        (["serve", "outdated", "--vpcd", "127.0.0.1:1"], 1, "nothing listens"),
        (["serve", "outdated", "--vpcd", "127.0.0.1:1", "--faults", "absent.json"], 1, "absent.json: $: "),
        (["serve", "outdated", "--vpcd", "127.0.0.1:1", "--image", "absent/card.img"], 1, "card.img: cannot be locked"),
        (["serve", "outdated", "--vpcd", "127.0.0.1:1", "--image", "tests"], 1, "tests: is a folder"),
        (["serve", "outdated", "--vpcd", "127.0.0.1:1", "--image", "/"], 1, "/: is a folder"),
    ],
)
def test_failures_are_one_line(
    arguments: list[str], code: int, error: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert error in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


@pytest.mark.parametrize("address", ["127.0.0.1", ":35963", "localhost:0", "localhost:65536", "localhost:x", "a:²"])
def test_bad_address(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["serve", "outdated", "--vpcd", address])
    assert stop.value.code == 2
    assert "HOST:PORT expected" in capsys.readouterr().err


def _serve(*arguments: str, port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "simulators.card", "serve", *arguments, "--vpcd", f"127.0.0.1:{port}"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def _serving(reader: VpcdReader, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with _serve(*arguments, port=reader.port) as process:
        try:
            reader.accept()
            assert len(reader.ask(b"\x04")) == 10
            yield process
        finally:
            process.kill()


def test_serve_from_a_file_until_sigterm(tmp_path: Path) -> None:
    image = tmp_path / "card.img"
    persona = tmp_path / "copy.json"
    persona.write_bytes((ROOT / "simulators/personas/outdated.json").read_bytes())
    with VpcdReader() as reader, _serving(reader, str(persona), "--image", str(image)) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert line == {"persona": "outdated", "slot": f"127.0.0.1:{reader.port}", "live": True}
        reader.send(b"\x01")
        assert reader.ask(SELECT_VITALE) == b"\x90\x00"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=LIMIT_S)
        assert (process.returncode, out, err) == (0, "", "")
        assert reader.receive() == b""
    assert image.exists()


def test_one_image_is_one_card_until_its_process_ends(tmp_path: Path) -> None:
    """Under another name too, and killed, not stopped: nothing of a lock outlives its process."""
    image, other_name = tmp_path / "card.img", tmp_path / "link.img"
    other_name.symlink_to(image)
    with VpcdReader() as reader, VpcdReader() as second:
        with _serving(reader, "outdated", "--image", str(image)) as first:
            for name in (image, other_name):
                refused = _serve("outdated", "--image", str(name), port=second.port)
                out, err = refused.communicate()
                assert (refused.returncode, out) == (1, "")
                assert err == f"{name.name}: in use: another process has this card in a reader\n"
            reader.send(b"\x01")
            assert reader.ask(SELECT_VITALE) == b"\x90\x00", "the card in the reader is as it was"
            first.kill()
            first.wait()
        with _serving(second, "outdated", "--image", str(other_name)):
            second.send(b"\x01")
            assert second.ask(SELECT_VITALE) == b"\x90\x00"


def test_serve_with_a_planned_removal_ends_well_and_a_lost_reader_does_not(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"faults": [{"kind": "removed_before", "at": 1}]}')
    with VpcdReader() as reader:
        with _serving(reader, "outdated", "--faults", str(plan)) as process:
            reader.send(b"\x01")
            assert reader.ask(SELECT_VITALE) == b""
            assert process.wait(LIMIT_S) == 0
        reader.eject()
        with _serving(reader, "outdated") as process:
            assert process.stdout is not None
            process.stdout.readline()
            reader.eject()
            _, err = process.communicate(timeout=LIMIT_S)
            assert process.returncode == 1
            assert "the reader closed the slot" in err


@pytest.mark.parametrize(
    ("plan", "persona"),
    [
        ('{"faults": [{"kind": "flaky", "at": 1, "times": 1, "for_ms": 1}]}', "outdated"),
        ('{"faults": [{"kind": "swapped", "at": 1, "persona": "corsican"}]}', "corsican"),
    ],
    ids=["flaky", "swapped"],
)
def test_serve_puts_a_card_in_again_as_planned(plan: str, persona: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan)
    with VpcdReader() as reader, _serving(reader, "outdated", "--faults", str(path), "--timed") as process:
        reader.send(b"\x01")
        assert reader.ask(SELECT_VITALE) == b""
        reader.eject()
        reader.accept()
        assert reader.ask(b"\x04") == load(persona).card.atr
        reader.send(b"\x01")
        assert reader.ask(SELECT_VITALE) == b"\x90\x00"
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0


def test_a_card_that_is_swapped_in_takes_its_time_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed: set[int] = set()
    monkeypatch.setattr(SimulatedCard, "run_in_real_time", lambda card: timed.add(id(card)))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    plan = tmp_path / "plan.json"
    plan.write_text('{"faults": [{"kind": "swapped", "at": 1, "persona": "corsican"}]}')

    def use(reader: VpcdReader) -> None:
        reader.accept()
        reader.ask(b"\x04")
        reader.send(b"\x01")
        reader.ask(SELECT_VITALE)
        reader.eject()
        reader.accept()
        reader.ask(b"\x04")
        reader.eject()

    with VpcdReader() as reader:
        user = threading.Thread(target=use, args=(reader,))
        user.start()
        ended = main(["serve", "outdated", "--vpcd", f"127.0.0.1:{reader.port}", "--faults", str(plan), "--timed"])
        user.join()
    assert ended == 1, "the reader closed the slot"
    assert len(timed) == 2


def test_a_card_alone_cannot_stage_what_happens_to_its_reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"reader": [{"kind": "unplugged", "at": 1, "for_ms": 1}]}')
    assert main(["serve", "outdated", "--vpcd", "127.0.0.1:1", "--faults", str(plan)]) == 1
    assert capsys.readouterr().err == "plan.json: $.reader: a card alone cannot stage faults of its reader\n"
