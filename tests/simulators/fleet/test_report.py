"""Counts put together, the page and the progress line."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from array import array
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.fleet.__main__ import main
from simulators.fleet.check import Check
from simulators.fleet.plan import Plan, Scenario
from simulators.fleet.progress import WIDTH, Progress, bar
from simulators.fleet.report import figures, markdown
from simulators.fleet.run import Cost, Result
from simulators.fleet.tally import Second, Tally, percentile_ms, together
from simulators.fleet.usage import cpu_s, kill_tree, rss_bytes


def _result(*, errors: int = 0, waiting: int = 0, drained_s: float = 100.0, wrong: int = 0, gaps: int = 0) -> Result:
    tally = Tally(
        requests=Counter({"/v1/events": 30, "/v1/policy/state": 10}),
        errors=Counter({"503 busy": errors} if errors else {}),
        waiting=waiting,
        drained_s=drained_s,
    )
    tally.seconds["handshake"].extend([0.01, 0.02])
    moments = tuple(
        Second(float(at), 1000 - 2 * at, 2 * at, at, at // 2, 0, 3) for at in (10, 20, 21)
    )  # ten requests a second at most… of a run of 21 s, 12 of which nobody was there
    return Result(
        plan=Plan(Scenario.OUTAGE, 20, 5, 1),
        engine="postgresql",
        backend_processes=2,
        fleet_processes=1,
        provision_s=0.5,
        load_before=1.0,
        load_after=2.0,
        back_s=102.0,
        tally=tally,
        moments=moments,
        cost=Cost(0.4, 0.2, 0.1, 1 << 20, 20 << 10),
        check=Check(2000, 2000, 0, gaps, wrong, ("kiosk: lost",) * wrong),
        made=2000,
    )


def test_figures_are_per_request_and_per_kiosk() -> None:
    numbers = figures(_result())
    assert numbers["requests"]["answered"] == 40
    assert numbers["cost"]["backend_ms_per_request"] == 10.0
    assert numbers["cost"]["database_ms_per_request"] == 5.0
    assert numbers["cost"]["fleet_memory_kib_per_kiosk"] == 1.0
    assert numbers["requests"]["peak_per_s"] == 1.0
    assert numbers["backlog"]["most"] == 980
    assert numbers["latency_ms"]["handshake"] == {"count": 2, "p50": 10.0, "p99": 20.0, "most": 20.0}
    assert numbers["good"]


@pytest.mark.parametrize(
    "bad", [{"errors": 1}, {"waiting": 1}, {"drained_s": 102.0 + 361.0}, {"wrong": 1}, {"gaps": 1}], ids=str
)
def test_anything_lost_late_or_refused_is_not_good(bad: dict[str, int]) -> None:
    result = _result(**bad)
    assert not result.is_good
    assert markdown(figures(result), "x.png").startswith("# Fleet: outage, 20 kiosks, NOT GOOD\n")


def test_the_page_says_what_the_numbers_stand_for() -> None:
    page = markdown(figures(_result()), "x.png")
    assert "these load the backend as 20 would in 5 min" in page
    assert "| Errors | none |" in page
    assert "![Backlog, requests and handshakes over time](x.png)" in page


@given(st.lists(st.floats(0, 100, width=32), min_size=1, max_size=50), st.integers(1, 100))
@settings(max_examples=50, deadline=None)
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], percent: int) -> None:
    found_ms = percentile_ms(array("f", values), percent)
    assert found_ms / 1000 in values
    assert sum(value * 1000 <= found_ms for value in values) >= len(values) * percent / 100
    assert sum(value * 1000 < found_ms for value in values) < len(values) * percent / 100


def test_no_values_have_no_percentile() -> None:
    assert percentile_ms(array("f"), 99) == 0.0


def test_processes_count_together() -> None:
    one, two = Tally(requests=Counter(a=1), acked=2, drained_s=5.0), Tally(requests=Counter(a=2, b=1), acked=3)
    one.seconds["events"].append(1.0)
    two.seconds["events"].append(2.0)
    one.add(two)
    assert (one.requests, one.acked, one.drained_s) == (Counter(a=3, b=1), 5, 5.0)
    assert list(one.seconds["events"]) == [1.0, 2.0]
    assert together([Second(1.0, 1, 2, 3, 4, 5, 6), Second(1.5, 10, 20, 30, 40, 50, 60)]) == Second(
        1.5, 11, 22, 33, 44, 55, 66
    )


@given(st.floats(-1, 2), st.integers(10, 120))
@settings(max_examples=40, deadline=None)
def test_the_bar_fits_its_line(share: float, columns: int) -> None:
    line = bar(share, "text", columns)
    assert len(line) <= columns
    assert line[1 : WIDTH + 1].rstrip(".").strip("#") in ("", "]") or columns <= WIDTH


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_and_only_on_a_terminal() -> None:
    terminal, file = _Terminal(), io.StringIO()
    for stream in (terminal, file):
        progress = Progress(stream, 60)
        progress.show(0.5, "half")
        progress.end()
    assert file.getvalue() == ""
    assert terminal.getvalue() == f"\r\x1b[K[{'#' * 15}{'.' * 15}] half\r\x1b[K"


def test_processor_time_counts_children_dead_and_alive() -> None:
    before_s = cpu_s(os.getpid())
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert cpu_s(os.getpid()) - before_s >= 0.25  # in ticks of 10 ms
    assert rss_bytes(os.getpid()) > 1 << 20
    assert cpu_s(2**22 + 1) == rss_bytes(2**22 + 1) == 0  # above the highest identifier there is


def test_a_killed_tree_leaves_nobody() -> None:
    nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", nested], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()  # the grandchild lives
        kill_tree(parent.pid)
        assert parent.stdout.read() == b""  # both ends of the pipe are closed: so it lives no more
        assert parent.wait() == -signal.SIGKILL
    kill_tree(parent.pid)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kiosks", "0", "--minutes", "1"], "argument --kiosks: a whole number from 1 to 100000 expected"),
        (["--kiosks", "x", "--minutes", "1"], "argument --kiosks: a whole number from 1 to 100000 expected"),
        (["--kiosks", "1", "--minutes", "0"], "argument --minutes: more than 0 and at most 1440 expected"),
        (["--kiosks", "1", "--minutes", "nan"], "argument --minutes: more than 0 and at most 1440 expected"),
        (["--kiosks", "1", "--minutes", "1", "--seed", "-1"], "argument --seed: a whole number below 1000000 expected"),
        (["--kiosks", "1", "--minutes", "1", "--scenario", "night"], "argument --scenario: invalid Scenario value"),
        (["--kiosks", "1", "--minutes", "1", "--sqlite", "--database-url", "x"], "not allowed with argument"),
        (["--kiosks", "1"], "the following arguments are required: --minutes"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
