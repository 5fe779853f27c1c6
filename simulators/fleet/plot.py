"""One picture of a run, second by second: what waits, what is answered and how fast, at what cost, and what fails."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter

from simulators.fleet.plan import Scenario
from simulators.fleet.rates import Rate, percentiles_ms, rates
from simulators.fleet.result import POSTGRESQL, Result
from simulators.fleet.tally import AWAY

SIZE_IN: Final = (13.0, 11.0)
DPI: Final = 110
BINS: Final = 120
"""Of the run, for percentiles: each must hold enough answers for one in a hundred to mean something."""
GAP_BINS: Final = 5
MOST_KINDS: Final = 5
"""Kinds of error with a colour of their own."""
# Okabe and Ito's colours: told apart by every eye.
_BLUE, _SKY, _GREEN, _ORANGE, _RED, _PINK = "#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#cc79a7"
_GREY: Final = "#8c8c8c"


def plot(result: Result, path: Path) -> None:
    """Write a PNG. No display and no global state of the plotting library is used."""
    layout = ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.12)
    figure = Figure(figsize=SIZE_IN, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.subplots(3, 2, sharex=True)
    _backlog(grid[0][0], result)
    _answered(grid[0][1], result)
    _under_way(grid[1][0], result)
    _times(grid[1][1], result)
    _processors(grid[2][0], result)
    _failed(grid[2][1], result)
    for axes in grid.flat:
        _dress(axes, result)
    for axes in grid[2]:
        axes.set_xlabel("seconds of the run")
    figure.suptitle(f"{_title(result)}\n\n", fontsize=15, fontweight="bold")
    figure.text(0.5, 0.965, _verdict(result), ha="center", va="top", fontsize=10, linespacing=1.5)
    figure.savefig(path, dpi=DPI)


def _title(result: Result) -> str:
    plan = result.plan
    engine = "PostgreSQL" if result.engine == POSTGRESQL else "SQLite"
    if plan.scenario is Scenario.DAY:
        return f"A January day of {plan.kiosks:,} kiosks in {plan.minutes:g} min, {engine}"
    like = "" if plan.pace == 1 else f", loading the backend as {round(plan.kiosks * plan.pace):,}"
    return f"The return of {plan.kiosks:,} kiosks from an outage{like}, {engine}"


def _verdict(result: Result) -> str:
    """Three bars on one line, four on two."""
    said = [f"{'✓' if is_met else '✗'} {text}" for text, is_met in result.bars]
    a_line = 3 if len(said) == 3 else 2
    return "\n".join("     ".join(said[place : place + a_line]) for place in range(0, len(said), a_line))


def _backlog(axes: Any, result: Result) -> None:
    times_s = [moment.at_s for moment in result.moments]
    waiting = [moment.waiting for moment in result.moments]
    axes.set_title("Events made and not told yet")
    axes.set_ylabel("events")
    axes.fill_between(times_s, waiting, color=_BLUE, alpha=0.25, linewidth=0)
    axes.plot(times_s, waiting, color=_BLUE, linewidth=1.5)
    if result.plan.scenario is Scenario.OUTAGE:
        label = "all must be told by then"
        axes.axvline(_limit_s(result), color=_RED, linestyle="--", linewidth=1.2, label=label)
        axes.legend(loc="upper right")


def _limit_s(result: Result) -> float:
    return result.back_s + result.plan.drain_limit_s


def _answered(axes: Any, result: Result) -> None:
    seen = rates(result.moments)
    times_s = [rate.until_s for rate in seen]
    axes.set_title("Answered in each second")
    axes.set_ylabel("per second")
    axes.plot(times_s, [rate.polls for rate in seen], color=_GREEN, label="polls", linewidth=1.2)
    axes.plot(times_s, [rate.batches for rate in seen], color=_BLUE, label="batches of events", linewidth=1.2)
    axes.plot(times_s, [rate.handshakes for rate in seen], color=_ORANGE, label="TLS handshakes", linewidth=1.2)
    axes.legend(loc="upper right")


def _under_way(axes: Any, result: Result) -> None:
    times_s = [moment.at_s for moment in result.moments]
    calls = [moment.calls for moment in result.moments]
    axes.set_title("Calls under way: connecting, shaking hands, unanswered")
    axes.set_ylabel("calls")
    axes.fill_between(times_s, calls, color=_PINK, alpha=0.35, linewidth=0)
    axes.plot(times_s, calls, color=_PINK, linewidth=1.2)


def _times(axes: Any, result: Result) -> None:
    last_s = result.moments[-1].at_s if result.moments else 1.0
    bin_s = max(1.0, last_s / BINS)
    axes.set_title(f"Time of answers and handshakes, in each {f'{bin_s:.2g} s' if bin_s > 1 else 'second'}")
    axes.set_ylabel("milliseconds")
    axes.set_ylim(1, 200_000)  # the legend's room included
    axes.set_yscale("log")
    for name, names, colour in (
        ("answers", ("events", "policy"), _BLUE),
        ("handshakes", ("handshake",), _ORANGE),
    ):
        for percent, style in ((50, "-"), (99, ":")):
            found = _with_gaps(percentiles_ms(result.tally, names, percent, bin_s), bin_s)
            axes.plot(
                [at_s for at_s, _ in found],
                [took_ms for _, took_ms in found],
                style,
                color=colour,
                label=f"{name}, p{percent}",
                linewidth=1.4,
            )
    if (limit_ms := result.plan.p99_limit_ms) is not None:
        axes.axhline(limit_ms, color=_RED, linestyle="--", linewidth=1.2, label="limit of p99 of the answers")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.legend(loc="upper right", ncols=2)


def _with_gaps(found: list[tuple[float, float]], bin_s: float) -> list[tuple[float, float]]:
    """No line over a time in which nothing was answered."""
    whole = found[:1]
    for before, after in pairwise(found):
        if after[0] - before[0] > GAP_BINS * bin_s:
            whole.append((before[0] + bin_s, math.nan))
        whole.append(after)
    return whole


def _processors(axes: Any, result: Result) -> None:
    seen = rates(result.moments) or [Rate(0, 0, 0, 0, 0, 0, 0)]
    cost, requests = result.cost, max(1, result.tally.requests.total())
    parts = [("backend", _GREEN, cost.backend_cpu_s, [rate.backend_cores for rate in seen])]
    if cost.database_cpu_s is not None:
        parts.append(("database", _SKY, cost.database_cpu_s, [rate.database_cores for rate in seen]))
    parts.append(("the kiosks", _ORANGE, cost.fleet_cpu_s, [rate.fleet_cores for rate in seen]))
    axes.set_title("Processors busy, and their time per answered request")
    axes.set_ylabel("cores")
    axes.stackplot(
        [rate.until_s for rate in seen],
        *(cores for _, _, _, cores in parts),
        labels=[f"{name}: {total_s * 1000 / requests:.2f} ms" for name, _, total_s, _ in parts],
        colors=[colour for _, colour, _, _ in parts],
        alpha=0.75,
        linewidth=0,
    )
    axes.axhline(result.cores, color=_GREY, linestyle="--", linewidth=1.2, label="all there are")
    axes.legend(loc="upper right", ncols=2)


def _failed(axes: Any, result: Result) -> None:
    tally = result.tally
    last_s = int(result.moments[-1].at_s) + 1 if result.moments else 1
    kinds = [(AWAY, _GREY)]
    colours = (_RED, _PINK, _ORANGE, _SKY, _GREEN)
    kinds += list(zip((kind for kind, _ in tally.errors.most_common(MOST_KINDS)), colours, strict=False))
    known = {kind for kind, _ in kinds}
    counts: Counter[tuple[str, int]] = Counter()
    for (kind, second), count in tally.failed_at.items():
        counts[kind if kind in known else "other", second] += count
    if len(tally.errors) > MOST_KINDS:
        kinds.append(("other", "black"))
    base = [0] * last_s
    axes.set_title("Calls that failed, by kind")
    axes.set_ylabel("per second")
    for kind, colour in kinds:
        heights = [counts[kind, second] for second in range(last_s)]
        total = sum(heights)
        if total:
            axes.bar(
                [second + 0.5 for second in range(last_s)],
                heights,
                width=1.0,
                bottom=base,
                color=colour,
                label=f"{kind}: {total:,}",
            )
            base = [low + height for low, height in zip(base, heights, strict=True)]
    if tally.failed_at:
        if not tally.errors:
            axes.plot([], [], " ", label="while it was there: none")
        axes.legend(loc="upper right")
    else:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", fontsize=12, color="0.35")


def _dress(axes: Any, result: Result) -> None:
    """Grid, scale and the grey of the outage, the same for each."""
    if axes.get_yscale() == "linear":
        axes.set_ylim(0, max(axes.get_ylim()[1] * 1.25, 1))  # room for the legend
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    last_s = max((moment.at_s for moment in result.moments), default=1.0)
    if result.plan.scenario is Scenario.OUTAGE:
        last_s = max(last_s, _limit_s(result) * 1.01)
    axes.set_xlim(0, last_s)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if result.plan.killed_s is not None:
        axes.axvspan(result.plan.killed_s, result.back_s, color="0.88", zorder=0)
        said = axes.annotate(
            "backend away",
            ((result.plan.killed_s + result.back_s) / 2, 0.02),
            xycoords=("data", "axes fraction"),
            ha="center",
            fontsize=8,
            color="0.35",
            annotation_clip=True,
        )
        said.set_in_layout(False)
