"""A figure: what was measured, its baseline in the same run, and the bar, if there is one. Printed as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` and `baseline` in `unit`. `bar`: the highest ratio allowed or, without a baseline, the highest value."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    bar: float | None = None

    @property
    def ratio(self) -> float | None:
        """Value over baseline."""
        return None if self.baseline is None else self.value / self.baseline

    @property
    def verdict(self) -> str:
        """`ok` or `over` the bar; a dash where there is none."""
        measured = self.value if self.ratio is None else self.ratio
        return "-" if self.bar is None else "ok" if measured <= self.bar else "over"


def table(figures: Iterable[Figure]) -> str:
    """One line a figure."""
    rows = [("figure", "value", "baseline", "ratio", "bar", "verdict"), *(_cells(figure) for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join((row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:]))).rstrip() for row in rows
    )


def _cells(figure: Figure) -> tuple[str, ...]:
    return (
        figure.name,
        f"{_number(figure.value)} {figure.unit}",
        "-" if figure.baseline is None else f"{_number(figure.baseline)} {figure.unit}",
        "-" if figure.ratio is None else _ratio(figure.ratio),
        "-"
        if figure.bar is None
        else f"{figure.bar:g}"
        if figure.ratio is not None
        else f"{figure.bar:g} {figure.unit}",
        figure.verdict,
    )


def _number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def _ratio(value: float) -> str:
    """Two digits behind the point, or two that count."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
