"""A kiosk whose clock is wrong: what the member reads, what the technician, and how the time is learnt all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from kiosk.diagnostics.report import Check, CheckState
from kiosk.hardware.pcsc.api import Scard
from kiosk.probes import look
from kiosk.sync.time_keeper import BUILD_FLOOR_S
from kiosk.visit import events as ev
from kiosk.visit.failures import Cause
from kiosk.visit.pages import Attract, Problem
from kiosk.visit.values import Outcome
from simulators.backend import in_thread
from simulators.card import open_persona
from simulators.personas import load
from simulators.reader.embedded import EmbeddedScard
from tests.e2e.audience import words
from tests.e2e.scene import says
from tests.e2e.theatre import Centre, House, centre, house, reopened

DAY_S = 86_400


@contextmanager
def behind_tls(folder: Path, ahead_s: int) -> Iterator[None]:
    """A backend whose certificate begins and ends by a clock this much ahead of ours: ours is as much behind."""
    with (
        patch("simulators.backend.server.system_utc_s", lambda: int(time.time()) + ahead_s),
        in_thread(folder / "backend", lambda: int(time.time()) + ahead_s, [load("outdated")]),
    ):
        yield


def clock_of(kiosk: House) -> Check:
    (check,) = [check for check in kiosk.kiosk._condition() if check.part == "clock"]
    return check


def set_ahead(the_centre: Centre, ahead_s: int) -> None:
    """Put the backend's clock, which stands still, so much ahead of ours."""
    the_centre.time.ahead_s = 0
    the_centre.time.ahead_s = int(time.time()) + ahead_s - the_centre.time()


@pytest.mark.parametrize("ahead_s", [2 * DAY_S, -40 * DAY_S], ids=["behind", "far ahead"])
def test_tls_that_refuses_by_the_clock_is_said_as_what_it_is(tmp_path: Path, ahead_s: int) -> None:
    with centre(tmp_path / "backend", "outdated") as the_centre, house(tmp_path, the_centre) as first:
        settings = first.settings
    with behind_tls(tmp_path, ahead_s), reopened(settings, lambda s: s.world.clock_fault is not None) as kiosk:
        state = kiosk.audience.wait(lambda s: isinstance(s.step, Attract) and s.world.clock_fault is not None, "ready")
        assert "L'heure de cette borne est fausse : pas de mise à jour ici" in words(state)
        kiosk.to_home(open_persona("outdated"))
        kiosk.choose(ev.Choice.UPDATE)
        state = kiosk.audience.wait(lambda s: says(s, Cause.CLOCK_WRONG), "a page that says it")
        assert isinstance(state.step, Problem)
        assert "Cela ne change pas vos droits" in words(state)
        check = clock_of(kiosk)
        assert check.state is CheckState.FAULT
        assert check.fault is not None
        assert check.fault.cause is Cause.CLOCK_WRONG
        assert "certificate" in check.fault.detail
        assert kiosk.journal("service_down")[-1] == '{"cause":"N-06"}'


def test_a_technician_reads_it_of_a_kiosk_that_does_not_run(tmp_path: Path) -> None:
    with centre(tmp_path / "backend", "outdated") as the_centre, house(tmp_path, the_centre) as first:
        settings = first.settings
    scard: Scard = EmbeddedScard()
    with behind_tls(tmp_path, -40 * DAY_S):
        (channel,) = [check for check in look(settings, scard).checks if check.part == "channel"]
    assert channel.fault is not None
    assert channel.fault.cause is Cause.CLOCK_WRONG


def test_a_signed_time_is_adopted_once_and_the_visit_goes_on(tmp_path: Path) -> None:
    """The backend is an hour ahead: its first refusal brings the time, and no clock is set."""
    with centre(tmp_path / "backend", "outdated") as the_centre, house(tmp_path, the_centre) as first:
        settings = first.settings
    with centre(tmp_path / "backend", "outdated") as the_centre:
        set_ahead(the_centre, 3600)
        with reopened(settings) as kiosk:
            assert kiosk.kiosk.time.trusted
            assert abs(kiosk.kiosk.time.now_s() - the_centre.time()) <= 30
            check = clock_of(kiosk)
            assert (check.state, check.facts["clock_ahead_s"]) == (CheckState.FAULT, -3600)
            assert kiosk.updated(open_persona("outdated")).outcome is Outcome.UPDATED
            floor_s = kiosk.kiosk.time.floor_s
        (clock,) = [check for check in look(settings, EmbeddedScard()).checks if check.part == "clock"]
        assert clock.state is CheckState.FAULT
        assert abs(clock.facts["clock_ahead_s"] + 3600) <= 30
    with reopened(settings) as kiosk:  # nobody answers now: what was learnt is a floor
        assert kiosk.kiosk.time.floor_s >= floor_s > BUILD_FLOOR_S
        assert kiosk.kiosk.time.now_s() >= floor_s
        assert not kiosk.kiosk.time.trusted


def test_an_honest_clock_is_well(tmp_path: Path) -> None:
    with centre(tmp_path / "backend") as the_centre:
        set_ahead(the_centre, 0)
        with house(tmp_path, the_centre) as kiosk:
            assert clock_of(kiosk).state is CheckState.OK
