"""The benchmark runs and says what it measured. Nothing here asserts how long anything took."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from bench.catalogue import BENCHES
from bench.exchanged import least_to_read, least_to_update
from bench.figures import Figure, table
from bench.machine import describe
from bench.rounds import alternate
from kiosk.hardware.pcsc.contacts import FLAKY_TIMES

FEW: dict[str, int] = {**dict.fromkeys(BENCHES, 1), "reading": FLAKY_TIMES}
"""Rounds: as many as show that the card of `reading` is never taken for one with dirty contacts."""
WITH_PCSCD = ("relay-pcsc", "wakeup")
HERE = [name for name in BENCHES if name not in WITH_PCSCD]
COUNTED = ("memory", "exchanged")
"""The same at each round."""


def _run(name: str) -> list[Figure]:
    """One bench in its own process, as `make bench` runs it; a warning on the way is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "bench", name, str(FEW[name])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [Figure(**row) for row in json.loads(done.stdout)]


@pytest.mark.parametrize("name", [*HERE, *(pytest.param(name, marks=pytest.mark.pcscd) for name in WITH_PCSCD)])
def test_each_bench_gives_finite_figures(name: str) -> None:
    figures = _run(name)
    assert figures
    for figure in figures:
        assert math.isfinite(figure.value)
        assert figure.value >= 0  # a delay beyond another one may be none
        assert figure.baseline is None or figure.baseline > 0


def test_the_kiosk_adds_no_command_of_its_own_to_an_update() -> None:
    ratios = {figure.name: figure.ratio for figure in _run("exchanged")}
    assert ratios.pop("update: TPDUs / what the centre's commands need") == 1.0
    assert len(ratios) == 4
    assert all(ratio is not None and ratio > 1.0 for ratio in ratios.values())


def test_the_least_to_read_a_card_is_counted_by_hand() -> None:
    """PAN 13, POINTERS 125, SIMSTATE 33, SIMBENEF 115, SIMORGAN 17, SIMRIGHT 26 bytes of data objects."""
    exchanges = least_to_read("outdated")
    assert [exchange.command_bytes for exchange in exchanges] == [19, 16] + [7, 5] * 6
    contents = sorted(exchange.answer_bytes - 2 for exchange in exchanges if exchange.command_bytes == 5)
    assert contents == [13, 17, 26, 33, 115, 125]


def test_the_least_to_update_a_card_is_counted_by_hand() -> None:
    """Flag 1, SIMORGAN 17, SIMRIGHT 26 and SIMSTATE 33 bytes, padded to whole cipher blocks, 5 of header, 8 of MAC."""
    exchanges = least_to_update("outdated")
    assert [(e.command_bytes, e.answer_bytes) for e in exchanges[:4]] == [(16, 2), (13, 2), (5, 31), (21, 2)]
    writes = exchanges[4:]
    assert [e.command_bytes for e in writes[::2]] == [29, 45, 45, 61]
    assert {(e.command_bytes, e.answer_bytes) for e in writes[1::2]} == {(5, 10)}


def test_long_contents_take_several_commands() -> None:
    exchanges = least_to_read("nineteen-beneficiaries")
    blocks = [e.answer_bytes - 2 for e in exchanges if e.command_bytes == 5]
    assert 256 in blocks
    assert max(blocks) == 256


def test_an_unknown_bench_is_refused() -> None:
    for arguments in (["speed"], ["store", "many"], ["store", "1", "2"]):
        done = subprocess.run([sys.executable, "-m", "bench", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("usage: python -m bench [reading | ")


def test_rounds_are_at_least_seven() -> None:
    assert all(rounds >= 7 for name, (_, rounds) in BENCHES.items() if name not in COUNTED)


def test_rounds_alternate_and_the_first_does_not_count() -> None:
    called: list[str] = []
    values = iter([100.0, 200.0, 1.0, 10.0, 30.0, 3.0, 2.0, 20.0])

    def measure(name: str) -> float:
        called.append(name)
        return next(values)

    assert alternate(3, (lambda: measure("a"), lambda: measure("b"))) == [20.0, 2.0]
    assert called == ["a", "b", "b", "a", "a", "b", "b", "a"]


@pytest.mark.parametrize(
    ("figure", "ratio", "verdict"),
    [
        (Figure("f", 3.0, "ms", 2.0, 1.5), 1.5, "ok"),
        (Figure("f", 3.1, "ms", 2.0, 1.5), 1.55, "over"),
        (Figure("f", 3.0, "ms", 2.0), 1.5, "-"),
        (Figure("f", 160.0, "MB", bar=160.0), None, "ok"),
        (Figure("f", 160.1, "MB", bar=160.0), None, "over"),
        (Figure("f", 1.0, "MB"), None, "-"),
    ],
)
def test_a_bar_is_for_the_ratio_or_else_for_the_value(figure: Figure, ratio: float | None, verdict: str) -> None:
    assert (figure.ratio, figure.verdict) == (ratio, verdict)


def test_the_table_shows_every_column() -> None:
    head, line, other, small = table(
        [
            Figure("relay", 1.234, "ms", 1.1, 1.15),
            Figure("memory", 1013.4, "MB", bar=160.0),
            Figure("share", 1.15, "ms", 285.0),
        ]
    ).splitlines()
    assert head.split() == ["figure", "value", "baseline", "ratio", "bar", "verdict"]
    assert line.split() == ["relay", "1.23", "ms", "1.1", "ms", "1.12", "1.15", "ok"]
    assert other.split() == ["memory", "1013", "MB", "-", "-", "160", "MB", "over"]
    assert small.split() == ["share", "1.15", "ms", "285", "ms", "0.004", "-", "-"]


def test_the_machine_is_described() -> None:
    text = describe()
    assert "PySide6-Essentials 6." in text
    assert "cores, load " in text
