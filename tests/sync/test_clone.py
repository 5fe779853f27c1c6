"""Two kiosks from one disk image: whoever comes second is found, both are stopped, somebody is told."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kiosk.status import outbox_check
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync.credentials import Credentials
from kiosk.sync.faults import Refusal, RefusalReason
from kiosk.sync.outbox import Outbox
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import Uploader, UploadState
from tests.sync.renewal_world import KIOSK, PROBE, World

KEY = bytes(32)


@dataclass
class Kiosk:
    """One state directory at work: its store, its keys, its uploader."""

    world: World
    folder: Path

    def start(self) -> Kiosk:
        opened = Store.open(self.folder / "kiosk.db", KEY)
        assert isinstance(opened, Store)
        self.store, clock = opened, self.world.clock
        self.world.restart(self.folder / "identity")
        self.channel = self.world.channel(Credentials(self.world.credentials.current))
        self.outbox = Outbox(clock, boot_id="boot")
        self.uploader = Uploader(self.store, self.channel, clock, Turn(KIOSK, clock), random.Random(1))
        return self

    def stop(self) -> None:
        self.store.close()

    def upload(self, fact: str) -> None:
        """Queue a fact and let the uploader do what it does with it."""

        def work(tx: Transaction) -> None:
            assert self.outbox.enqueue(tx, f"visit:{fact}", "fact", {}, utc_ms=1_790_000_000_000) is None

        self.store.submit(work).result()
        for _ in range(4):
            self.uploader.step()


@pytest.fixture
def kiosk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kiosk]:
    world = World(tmp_path / "world")
    world.enrol(monkeypatch, tmp_path / "first" / "identity")
    yield Kiosk(world, tmp_path / "first")
    world.close()


def _copied(kiosk: Kiosk, name: str) -> Kiosk:
    folder = kiosk.folder.with_name(name)
    shutil.copytree(kiosk.folder, folder)
    return Kiosk(kiosk.world, folder)


@pytest.mark.parametrize("ahead", [1, 3], ids=["one batch ahead", "three batches ahead"])
def test_the_second_of_two_copies_is_found(kiosk: Kiosk, ahead: int) -> None:
    kiosk.start().upload("before")
    kiosk.stop()
    copy = _copied(kiosk, "copy")
    kiosk.start()
    for number in range(ahead):
        kiosk.upload(f"original-{number}")
    assert kiosk.uploader.status.state is UploadState.IDLE
    copy.start().upload("copy")
    assert (copy.uploader.status.state, copy.uploader.status.reason) == (UploadState.STOPPED, "fork")
    assert copy.uploader.status.pending == 1, "nothing is dropped"
    assert kiosk.world.alarms() == {"fork": 1}
    assert kiosk.world.operate("keys")["quarantine"] == "stop"
    status = copy.uploader.status
    check = outbox_check(status.pending, status.dead, 0.0, status.state.value, status.reason)
    assert (check.state.value, check.facts["reason"]) == ("fault", "fork")
    # nobody can tell which of the two is the kiosk: the original is stopped as well
    kiosk.upload("original-after")
    assert (kiosk.uploader.status.state, kiosk.uploader.status.reason) == (UploadState.HELD, "quarantined")
    answer = kiosk.channel.call(PROBE, {"known": {}}, deadline_s=1.0)
    assert isinstance(answer, dict), "the signed order still reaches both"
    for side in (kiosk, copy):
        side.stop()


def test_an_old_copy_is_told_how_far_the_backend_has_come(kiosk: Kiosk) -> None:
    """An image restored from a backup: the backend's last number is above all that it has ever sealed."""
    kiosk.start().upload("before")
    kiosk.stop()
    copy = _copied(kiosk, "copy")
    kiosk.start()
    for number in range(3):
        kiosk.upload(f"original-{number}")
    kiosk.stop()
    copy.start()
    answer = copy.channel.call("/v1/sync/state", {"batch_seq": 1}, deadline_s=1.0)
    assert answer == {"applied": True, "last_seq": 4}
    copy.stop()


def test_a_number_that_was_skipped_and_comes_late_is_an_alarm(kiosk: Kiosk) -> None:
    kiosk.start()
    for number in (2, 1):
        body: dict[str, Any] = {"batch_seq": number, "acked_through_seq": 0, "events": []}
        answer = kiosk.channel.call("/v1/events", body, deadline_s=1.0)
    assert isinstance(answer, Refusal)
    assert answer.reason is RefusalReason.STALE_SEQ
    assert kiosk.world.alarms() == {"stale_batch": 1}
    assert kiosk.world.operate("keys")["quarantine"] == "none"
    kiosk.stop()


def test_a_restarted_kiosk_is_no_copy(kiosk: Kiosk) -> None:
    for number in range(3):
        kiosk.start().upload(str(number))
        assert kiosk.uploader.status.state is UploadState.IDLE
        kiosk.stop()
    assert kiosk.world.alarms() == {}
