"""Waiting for the first picture: until a state has been presented, or for a limit when there is none."""

from __future__ import annotations

from time import monotonic

import pytest

from kiosk.ui.screen import Screen
from kiosk.visit.model import State
from kiosk.visit.policy import Policy
from tests.ui.pages import opened

pytestmark = pytest.mark.usefixtures("qapp")


def test_the_state_shown_is_presented_when_present_returns() -> None:
    frames: list[int] = []
    with opened() as screen:
        _note_frames(screen, frames)
        screen.show(State(policy=Policy()))
        began_s = monotonic()
        screen.present(limit_ms=60_000)
        assert monotonic() - began_s < 60
        assert screen.page == "outOfService"
        assert frames[-1] == 1


def test_without_a_state_present_ends_at_its_limit() -> None:
    with opened() as screen:
        screen.present(limit_ms=1)
        assert screen.shown == 0


def _note_frames(screen: Screen, frames: list[int]) -> None:
    screen.window.frameSwapped.connect(lambda: frames.append(screen.shown))
