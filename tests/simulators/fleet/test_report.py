"""Counts put together, the page and the progress line."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from array import array
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from simulators.fleet.__main__ import main
from simulators.fleet.check import Check
from simulators.fleet.plan import Plan, Scenario
from simulators.fleet.plot import plot
from simulators.fleet.progress import WIDTH, Progress, bar
from simulators.fleet.rates import percentiles_ms, rates
from simulators.fleet.report import figures, markdown
from simulators.fleet.result import Cost, Result
from simulators.fleet.tally import AWAY, Second, Tally, percentile_ms, together
from simulators.fleet.usage import cpu_s, kill_tree, rss_bytes


def _second(at_s: float, waiting: int = 0, requests: int = 0, handshakes: int = 0) -> Second:
    return Second(
        at_s=at_s,
        waiting=waiting,
        polls=requests // 2,
        batches=requests - requests // 2,
        handshakes=handshakes,
        connections=3,
        calls=int(at_s),
        fleet_cpu_s=at_s / 2,
        backend_cpu_s=at_s / 4,
        database_cpu_s=at_s / 8,
    )


def _result(
    *,
    errors: int = 0,
    waiting: int = 0,
    drained_s: float = 300.0,
    wrong: int = 0,
    gaps: int = 0,
    slowest_s: float = 0.02,
    scenario: Scenario = Scenario.OUTAGE,
) -> Result:
    tally = Tally(requests=Counter({"/v1/events": 30, "/v1/policy/state": 10}), waiting=waiting, drained_s=drained_s)
    tally.took("handshake", 0.01, 10.0)
    tally.took("handshake", 5.0, 11.0)
    for name in ("events", "policy"):
        tally.took(name, 0.001, 10.0)
        tally.took(name, slowest_s, 210.0)
    tally.failed("connection refused", 12.0, while_away=True)
    if errors:
        tally.failed("503 busy", 20.0, count=errors)
    moments = tuple(_second(float(at), 1000 - 2 * at, at, at // 2) for at in (10, 20, 21))
    return Result(
        plan=Plan(scenario, 20, 5, 1),
        engine="postgresql",
        cores=2,
        backend_processes=2,
        fleet_processes=1,
        provision_s=0.5,
        load_before=1.0,
        load_after=2.0,
        back_s=202.0,
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
    assert numbers["backlog"]["most_calls_under_way"] == 21
    assert numbers["latency_ms"]["handshake"] == {"count": 2, "p50": 10.0, "p99": 5000.0, "most": 5000.0}
    assert numbers["cost"]["cpu_ms_per_request"] == 17.5
    assert numbers["good"]
    assert numbers["bars"] == [
        {"said": "all told 98.0 s after the return (at most 360 s)", "met": True},
        {"said": "nothing lost, nothing twice", "met": True},
        {"said": "no error", "met": True},
        {"said": "99 % of the answers within 20 ms (at most 1000 ms)", "met": True},
    ]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"errors": 1}, "1 errors"),
        ({"waiting": 1}, "1 events not told 480 s after the return"),
        ({"drained_s": 202.0 + 361.0}, "all told 361.0 s after the return (at most 360 s)"),
        ({"wrong": 1}, "1 kiosks with an event lost or doubled, 0 gaps"),
        ({"gaps": 1}, "0 kiosks with an event lost or doubled, 1 gaps"),
        ({"slowest_s": 1.25}, "99 % of the answers within 1250 ms (at most 1000 ms)"),
    ],
)
def test_anything_lost_late_slow_or_refused_is_not_good(bad: dict[str, Any], said: str) -> None:
    result = _result(**bad)
    assert not result.is_good
    assert [text for text, is_met in result.bars if not is_met] == [said]
    page = markdown(figures(result), "x.png")
    assert page.startswith("# Fleet: outage, 20 kiosks, NOT GOOD\n")
    assert f"- **MISSED**: {said}\n" in page


@pytest.mark.parametrize(
    "result",
    [_result(), _result(errors=3), _result(scenario=Scenario.DAY), replace(_result(), moments=(), tally=Tally())],
    ids=["good", "errors", "day", "nothing"],
)
def test_every_result_has_its_picture(result: Result, tmp_path: Path) -> None:
    plot(result, tmp_path / "run.png")
    with Image.open(tmp_path / "run.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 1000


def test_the_page_says_what_the_numbers_stand_for() -> None:
    page = markdown(figures(_result()), "x.png")
    assert "Kiosks live as fast as in life." in page
    short = replace(_result(), plan=Plan(Scenario.OUTAGE, 20, 2, 1))
    assert "2.5 times faster than in life: these load the backend as 50 would" in markdown(figures(short), "x.png")
    assert "| Errors | none |" in page
    assert "over time](x.png)" in page


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
    one, two = Tally(requests=Counter(a=1), waiting=2, drained_s=5.0), Tally(requests=Counter(a=2, b=1), waiting=3)
    one.took("events", 1.0, 10.0)
    two.took("events", 2.0, 20.0)
    one.failed("reset", 3.5)
    two.failed("reset", 3.9, count=2)
    two.failed("reset", 4.0, while_away=True)
    one.add(two)
    assert (one.requests, one.waiting, one.drained_s) == (Counter(a=3, b=1), 5, 5.0)
    assert (list(one.seconds["events"]), list(one.at_s["events"])) == ([1.0, 2.0], [10.0, 20.0])
    assert (one.errors, one.failures) == (Counter(reset=3), Counter(reset=1))
    assert one.failed_at == {("reset", 3): 3, (AWAY, 4): 1}
    both = together([_second(1.0, 1, 3, 4), _second(1.5, 10, 30, 40)])
    assert (both.at_s, both.waiting, both.polls, both.batches, both.handshakes) == (1.5, 11, 16, 17, 44)
    assert (both.requests, both.connections, both.calls, both.fleet_cpu_s) == (33, 6, 2, 1.25)


def test_rates_are_of_what_happened_between_two_moments() -> None:
    seen = rates([_second(0.0), _second(2.0, requests=20, handshakes=4), _second(2.1, requests=30)])
    assert [(rate.until_s, rate.polls, rate.batches, rate.handshakes) for rate in seen] == [(2.0, 5.0, 5.0, 2.0)]
    assert (seen[0].requests, seen[0].fleet_cores, seen[0].backend_cores, seen[0].database_cores) == (
        10,
        0.5,
        0.25,
        0.125,
    )


def test_percentiles_are_of_what_ended_in_each_bin() -> None:
    tally = Tally()
    for took_s, at_s in ((0.1, 0.5), (0.3, 1.5), (0.2, 1.9), (0.9, 5.0)):
        tally.took("policy", took_s, at_s)
    tally.took("events", 0.7, 1.0)
    tally.took("handshake", 9.0, 1.0)
    found = percentiles_ms(tally, ("policy", "events"), 99, 2.0)
    assert [(at_s, round(took_ms)) for at_s, took_ms in found] == [(1.0, 700), (5.0, 900)]
    assert round(percentiles_ms(tally, ("policy",), 50, 2.0)[0][1]) == 200


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
        (["--kiosks", "1", "--minutes", "1", "--seed", "-1"], "--seed: a whole number from 0 to 999999 expected"),
        (["--kiosks", "1", "--minutes", "1", "--seed", "0" * 9 + "1" * 9], "--seed: a whole number from 0 to 999999"),
        (["--kiosks", "1", "--minutes", "1", "--scenario", "night"], "argument --scenario: invalid Scenario value"),
        (["--kiosks", "1", "--minutes", "1", "--sqlite", "--database-url", "x"], "not allowed with argument"),
        (["--kiosks", "1", "--minutes", "1", "--database-url", ""], "argument --database-url: a URL expected"),
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


def test_a_report_that_cannot_be_written_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the handlers would stay
    (tmp_path / "file").write_text("")
    assert main(["--kiosks", "1", "--minutes", "1", "--out", str(tmp_path / "file" / "out")]) == 1
    said = capsys.readouterr().err
    assert "Not a directory" in said
    assert said.count("\n") == 1
