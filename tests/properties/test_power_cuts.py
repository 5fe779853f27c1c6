"""A slice of the campaign of `power_cuts`, its calibrations, and lives that Hypothesis thinks of."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from kiosk.store.errors import StoreFailedError
from tests.properties.kiosk import Kiosk
from tests.properties.power_cuts import BIG_SECTOR_BYTES, sweep
from tests.properties.world import World, second_disks
from tests.store.power_loss import DISK, SECTOR_BYTES, PowerGoneError, staged


@pytest.mark.parametrize(
    ("seed", "first", "sector_bytes"), [(1, 3, SECTOR_BYTES), (2, 17, BIG_SECTOR_BYTES)], ids=["512", "4096"]
)
def test_no_promise_is_broken_wherever_the_power_goes(seed: int, first: int, sector_bytes: int) -> None:
    found = sweep(seed, first=first, every=41, sector_bytes=sector_bytes)
    assert found.violations == []
    assert found.points > 8
    assert found.mishaps.total() > found.mishaps["delivered"] > 0


def test_no_promise_is_broken_by_a_write_or_sync_that_fails() -> None:
    found = sweep(3, first=11, every=61, power=False)
    assert found.violations == []
    assert found.points > 5


def test_no_promise_is_broken_by_a_new_disk_or_an_older_image() -> None:
    found = sweep(5, first=29, every=53, ends=2, lived=second_disks)
    assert found.violations == []
    assert found.points > 8


@pytest.mark.parametrize("mode", ["NORMAL", "OFF"])
def test_the_stage_sees_that_a_weaker_mode_breaks_promises(mode: str) -> None:
    assert sweep(1, first=5, every=67, synchronous=mode).violations != []


class Life(RuleBasedStateMachine):
    """Any order of facts, uploads, documents, new keys and disks, restarts and power cuts; every promise is kept."""

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name), seed)
        DISK.plug_in(seed=seed)
        self.stage = contextlib.ExitStack()
        self.stage.enter_context(staged())
        self._do(self.world.boot)
        self._do(self.world.enrol)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.shut()
            broken = self.world.judge()
            self.stage.close()
            self.folder.cleanup()
            assert broken == []

    def _do(self, step: object) -> None:
        assert callable(step)
        with contextlib.suppress(StoreFailedError, PowerGoneError):
            step()
        if DISK.off:
            self.world.shut()
            DISK.plug_in(seed=DISK.ticks)
        if self.world.kiosk is None:
            self.world.boot()

    @property
    def kiosk(self) -> Kiosk:
        assert self.world.kiosk is not None
        return self.world.kiosk

    @rule(number=st.integers(1, 3))
    def facts(self, number: int) -> None:
        for _ in range(number):
            self._do(self.kiosk.fact)

    @rule()
    def upload(self) -> None:
        self._do(self.kiosk.upload)

    @rule()
    def renew(self) -> None:
        self._do(self.kiosk.renew)

    @rule()
    def poll(self) -> None:
        self.world.publish()
        self._do(self.kiosk.poll)

    @rule()
    def enrol(self) -> None:
        self._do(self.world.enrol)

    @precondition(lambda self: self.world.kiosk.identities is not None)
    @rule()
    def enrol_again(self) -> None:
        self._do(self.world.enrol_again)

    @rule()
    def back_up(self) -> None:
        self._do(self.world.back_up)

    @rule()
    def replace_disk(self) -> None:
        self._do(self.world.replace_disk)

    @rule()
    def restart(self) -> None:
        self.world.shut()
        self._do(self.world.boot)

    @rule(ticks=st.integers(1, 25))
    def cut_soon(self, ticks: int) -> None:
        DISK.power_goes_at = DISK.ticks + ticks


def test_no_life_breaks_a_promise() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
