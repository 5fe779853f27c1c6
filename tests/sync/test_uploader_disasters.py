"""Exactly once whatever happens: any network, any restart, a full disk, a power cut at every write."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from kiosk.store.ballast import BALLAST_BYTES
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync.faults import Answer, RefusalReason
from kiosk.sync.outbox import Outbox, pending
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import Uploader, UploadState, stopped
from tests.store.power_loss import DISK, Disk, staged
from tests.sync.intake import FakeClock, Intake, Mood, honest, lose_answer, lose_request, refuse, say
from tests.sync.upload_kiosk import KEY, Kiosk


def test_a_full_disk_does_not_stop_an_upload(tmp_path: Path) -> None:
    """The disk is full and new work is refused; what waits is sent and acknowledged, in the ballast's room."""
    DISK.plug_in(seed=1)
    clock, intake = FakeClock(), Intake()
    box = Outbox(clock, boot_id="boot")
    with staged():
        opened = Store.open(tmp_path / "kiosk.db", KEY, vfs=Disk.ENCRYPTED, ballast_bytes=BALLAST_BYTES)
        assert isinstance(opened, Store)

        def queue(tx: Transaction) -> None:
            for number in range(450):
                assert box.enqueue(tx, f"visit:{number}", "fact", {"text": "x" * 1000}, utc_ms=1) is None

        opened.submit(queue).result()
        DISK.room_bytes = DISK.used_bytes()
        refused = opened.submit(queue).exception()
        assert isinstance(refused, StoreFailedError)
        assert refused.error.field == "disk_space"
        loop = Uploader(opened, intake, clock, Turn("borne-7", clock), random.Random(1))
        for _ in range(20):
            clock.now_s += loop.step()
        assert len(intake.applied) == 450
        assert (loop.status.state, loop.status.pending) == (UploadState.IDLE, 0)
        opened.close()


def too_large_together(intake: Intake, body: bytes, key: str) -> Answer:
    """Batches of several events are refused; an event that is refused alone, and so for good, is another test."""
    several = body.count(b'"event_id"') > 1
    return (refuse(RefusalReason.TOO_LARGE) if several else honest)(intake, body, key)


class Upload(RuleBasedStateMachine):
    """Events queued, network of any mood, time passing, restarts: exactly once, in order, and nothing is invented."""

    @initialize()
    def begin(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.queued: dict[str, int] = {}
        self.kiosk = Kiosk(self.directory / "kiosk.db", Intake(), FakeClock())

    def teardown(self) -> None:
        if not hasattr(self, "kiosk"):
            return
        try:
            self.kiosk.intake.moods = []
            self.kiosk.drain()
            expected = {(name, seq) for name, last in self.queued.items() for seq in range(1, last + 1)}
            assert set(self.kiosk.names) == expected
            assert self.kiosk.run(pending) == 0
            assert self.kiosk.run(stopped) is None
        finally:
            self.kiosk.store.close()
            shutil.rmtree(self.directory)

    @rule(names=st.lists(st.sampled_from(["kiosk", "visit:a", "visit:b"]), min_size=1, max_size=4))
    def queue(self, names: list[str]) -> None:
        self.kiosk.queue(*names)
        for name in names:
            self.queued[name] = self.queued.get(name, 0) + 1

    @rule(
        mood=st.sampled_from(
            [
                honest,
                lose_request,
                lose_answer,
                say({}),
                refuse(RefusalReason.BUSY, 30),
                refuse(RefusalReason.INTERNAL),
                too_large_together,
                refuse(RefusalReason.TIME_SKEW),
            ]
        ),
        patient=st.booleans(),
    )
    def step(self, mood: Mood, patient: bool) -> None:
        self.kiosk.intake.moods = [mood]
        delay_s = self.kiosk.uploader.step()
        self.kiosk.clock.now_s += delay_s if patient else min(delay_s, 1.0)

    @rule()
    def crash(self) -> None:
        self.kiosk.restart()

    @invariant()
    def exactly_once(self) -> None:
        if not hasattr(self, "kiosk"):
            return
        applied = self.kiosk.intake.applied
        assert len({event_id for event_id, _, _ in applied}) == len(applied)
        for name, last in self.queued.items():
            numbers = [seq for aggregate, seq in self.kiosk.names if aggregate == name]
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) <= last


def test_exactly_once_in_any_weather() -> None:
    run_state_machine_as_test(
        Upload,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )


def _live_until_dark(path: Path, intake: Intake, clock: FakeClock) -> int:
    """Queue and upload on the staged disk until it is done or dark. Returns how many events were acknowledged."""
    opened = Store.open(path, KEY, vfs=Disk.ENCRYPTED)
    if isinstance(opened, StoreError):
        return 0
    box = Outbox(clock, boot_id="boot")
    loop = Uploader(opened, intake, clock, Turn("borne-7", clock), random.Random(1))
    saved = 0
    try:
        for _ in range(4):
            opened.submit(lambda tx: box.enqueue(tx, "kiosk", "fact", {}, utc_ms=1)).result()
            saved += 1
            for _ in range(3):
                clock.now_s += loop.step()
    except StoreFailedError:
        pass
    opened.close()
    return saved


def test_power_cut_at_every_step_of_the_disk(tmp_path: Path) -> None:
    """What was saved is applied exactly once after reopening, while the network loses every second answer."""
    tick, dark = 0, True
    while dark:
        tick += 3
        DISK.plug_in(seed=tick, power_goes_at=tick)
        intake, clock = Intake(moods=[honest, lose_answer] * 8), FakeClock()
        path = tmp_path / f"{tick}.db"
        saved = _live_until_dark(path, intake, clock)
        dark = DISK.off
        intake.moods = []
        kiosk = Kiosk(path, intake, clock)
        kiosk.drain()
        kiosk.store.close()
        numbers = [seq for _, _, seq in intake.applied]
        assert numbers == list(range(1, len(numbers) + 1)), f"tick {tick}"
        assert saved <= len(numbers) <= saved + 1, f"tick {tick}"
    assert tick > 150
