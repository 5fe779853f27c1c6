"""One picture of a run: what waits, what is answered and how many shake hands, second by second."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from simulators.fleet.run import Result

SIZE_IN: Final = (9.0, 6.5)
DPI: Final = 110


def plot(result: Result, path: Path) -> None:
    """Write a PNG. No display and no global state of the plotting library is used."""
    moments = result.moments
    figure = Figure(figsize=SIZE_IN, layout="constrained")
    FigureCanvasAgg(figure)
    backlog, rates, links = figure.subplots(3, 1, sharex=True)
    times_s = [moment.at_s for moment in moments]
    backlog.fill_between(times_s, [moment.waiting for moment in moments], alpha=0.3)
    backlog.plot(times_s, [moment.waiting for moment in moments])
    backlog.set_ylabel("events waiting")
    pairs = [(before, after) for before, after in pairwise(moments) if after.at_s > before.at_s]
    for name, values in (
        ("answered", [(after.requests - before.requests) / (after.at_s - before.at_s) for before, after in pairs]),
        (
            "handshakes",
            [(after.handshakes - before.handshakes) / (after.at_s - before.at_s) for before, after in pairs],
        ),
        ("errors", [(after.errors - before.errors) / (after.at_s - before.at_s) for before, after in pairs]),
    ):
        rates.plot([after.at_s for _, after in pairs], values, label=name, linewidth=1)
    rates.set_ylabel("per second")
    rates.legend(loc="upper right")
    links.plot(times_s, [moment.connections for moment in moments])
    links.set_ylabel("open connections")
    links.set_xlabel("seconds of the run")
    for axes in (backlog, rates, links):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        if result.plan.killed_s is not None:
            axes.axvspan(result.plan.killed_s, result.back_s, color="0.85", zorder=0)
    plan = result.plan
    backlog.set_title(f"{plan.kiosks} kiosks, {plan.scenario}, {result.engine} (grey: backend away)")
    figure.savefig(path, dpi=DPI)
