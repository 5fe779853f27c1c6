"""Wrong use of any simulator is one line that names the argument, and exit 2."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable

import pytest

from simulators.backend.__main__ import main as backend
from simulators.card.__main__ import main as card
from simulators.command_line import whole
from simulators.fleet.__main__ import main as fleet
from simulators.soak.__main__ import main as soak


@pytest.mark.parametrize(
    ("main", "arguments", "said"),
    [
        (backend, ["serve", "--data", ""], "serve: argument --data: a path expected"),
        (card, ["keys"], "keys: the following arguments are required: PERSONA"),
        (card, ["serve", "outdated", "--vpcd", "here"], "serve: argument --vpcd: HOST:PORT expected"),
        (fleet, ["--kiosks", "1", "--minutes", "1", "--out", "\0"], "argument --out: a path expected"),
        (soak, ["--visits", "0"], "argument --visits: a whole number from 1 to 1000000 expected"),
        (soak, ["drill", "--every", "x"], "drill: argument --every: a whole number from 1 to 1000000 expected"),
    ],
)
def test_wrong_use_is_one_line(
    main: Callable[[list[str]], int], arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert told.err.startswith("python -m simulators.")
    assert told.err.endswith(f"{said}\n")
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("text", ["7", "12", "007", "12".rjust(18, "0")])
def test_a_number_within_its_bounds(text: str) -> None:
    assert whole(7, 12)(text) == int(text)


@pytest.mark.parametrize("text", ["", "6", "13", "-8", "+8", "8.0", " 8", "٨", "²", "8".rjust(19, "0"), "1" * 5000])
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="a whole number from 7 to 12 expected"):
        whole(7, 12)(text)
    with pytest.raises(ArgumentTypeError, match="so many"):
        whole(7, 12, "so many")(text)
