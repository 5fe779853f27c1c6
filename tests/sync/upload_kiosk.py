"""A kiosk that only uploads: store, outbox and uploader of the product against an intake in memory."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync import uploader
from kiosk.sync.outbox import Outbox
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import Uploader, UploadState
from tests.sync.intake import FakeClock, Intake

T = TypeVar("T")
KEY = bytes(32)


class Kiosk:
    """A store, an outbox and an uploader against an intake."""

    def __init__(self, path: Path, intake: Intake, clock: FakeClock) -> None:
        self.path, self.intake, self.clock = path, intake, clock
        self.outbox = Outbox(clock, boot_id="boot")
        self.rng = random.Random(1)
        self.start()

    def start(self) -> None:
        opened = Store.open(self.path, KEY)
        assert isinstance(opened, Store)
        self.store = opened
        self.turn = Turn("borne-7", self.clock)
        self.uploader = Uploader(self.store, self.intake, self.clock, self.turn, self.rng)

    def restart(self) -> None:
        self.store.close()
        self.start()

    def run(self, work: Callable[[Transaction], T]) -> T:
        return self.store.submit(work).result()

    def queue(self, *aggregates: str, event: str = "fact") -> None:
        def work(tx: Transaction) -> None:
            for name in aggregates:
                assert self.outbox.enqueue(tx, name, event, {}, utc_ms=1_790_000_000_000) is None

        self.run(work)

    def steps(self, number: int) -> None:
        """So many steps, each after the delay the last one asked for."""
        for _ in range(number):
            self.clock.now_s += self.uploader.step()

    def drain(self) -> None:
        """Until nothing can be sent any more."""
        for _ in range(400):
            delay_s = self.uploader.step()
            if self.uploader.status.state is UploadState.IDLE and delay_s == uploader.IDLE_S:
                return
            self.clock.now_s += delay_s
        raise AssertionError("it does not come to rest")

    @property
    def names(self) -> list[tuple[str, int]]:
        return [(aggregate, seq) for _, aggregate, seq in self.intake.applied]
