"""The benchmark runs and says what it measured. Nothing here asserts how long anything took."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from bench.catalogue import BENCHES
from bench.figures import Figure, table
from bench.machine import describe
from bench.rounds import alternate

FEW: dict[str, int] = {name: min(rounds, 1) for name, (_, rounds) in BENCHES.items()}
HERE = [name for name in BENCHES if name != "relay-pcsc"]


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


@pytest.mark.parametrize("name", [*HERE, pytest.param("relay-pcsc", marks=pytest.mark.pcscd)])
def test_each_bench_gives_finite_figures(name: str) -> None:
    figures = _run(name)
    assert figures
    for figure in figures:
        assert math.isfinite(figure.value)
        assert figure.value > 0
        assert figure.baseline is None or figure.baseline > 0


def test_an_unknown_bench_is_refused() -> None:
    for arguments in (["speed"], ["store", "many"], ["store", "1", "2"]):
        done = subprocess.run([sys.executable, "-m", "bench", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("usage: python -m bench [reading | ")


def test_rounds_are_at_least_seven() -> None:
    assert all(rounds >= 7 for name, (_, rounds) in BENCHES.items() if name != "memory")


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
    head, line, other = table(
        [Figure("relay", 1.234, "ms", 1.1, 1.15), Figure("memory", 99.0, "MB", bar=160.0)]
    ).splitlines()
    assert head.split() == ["figure", "value", "baseline", "ratio", "bar", "verdict"]
    assert line.split() == ["relay", "1.23", "ms", "1.1", "ms", "1.12", "1.15", "ok"]
    assert other.split() == ["memory", "99", "MB", "-", "-", "160", "MB", "ok"]


def test_the_machine_is_described() -> None:
    text = describe()
    assert "PySide6-Essentials 6." in text
    assert "cores, load " in text
