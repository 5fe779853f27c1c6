"""One backend and one kiosk for each test that asks for them: both start in a fifth of a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.theatre import Centre, House, centre, house

CAST = ("outdated", "losing-rights", "up-to-date", "torn", "corsican")


@pytest.fixture
def the_centre(tmp_path: Path) -> Iterator[Centre]:
    """A backend in a thread, at a time that stands still."""
    with centre(tmp_path / "backend", *CAST) as started:
        yield started


@pytest.fixture
def the_house(tmp_path: Path, the_centre: Centre) -> Iterator[House]:
    """A kiosk of an agency, enrolled and in service."""
    with house(tmp_path, the_centre) as opened:
        yield opened
