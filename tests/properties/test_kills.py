"""A slice of the kill loop."""

from __future__ import annotations

from pathlib import Path

from tests.properties.kills import loop


def test_nothing_acknowledged_dies_with_its_process(tmp_path: Path) -> None:
    found = loop(tmp_path / "state", cycles=6, seed=4)
    assert found.violations == []
    assert found.saved > 30
    assert found.resent > 0
