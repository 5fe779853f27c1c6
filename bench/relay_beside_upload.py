"""What a member's relay waits for while the outbox is emptied as fast as it goes, against the same without an upload.

One kiosk, one real backend in its own process, on the same cores: a signed relay message with its answer on the
interactive channel, then a fact on the disk, as before each page of an update. The upload runs on its own thread and
channel, batch after batch, while its gate is open; blocks with and without it take turns.
"""

from __future__ import annotations

import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from bench.figures import Figure
from bench.rounds import percentile
from bench.store import PSEUDONYM
from kiosk.clock import SystemClock
from kiosk.facts import Facts
from kiosk.settings import KioskSettings, Settings
from kiosk.state import IDENTITY, open_store
from kiosk.store.errors import StoreError
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync.client import Channel
from kiosk.sync.identity import Identity, IdentityError, load_identity
from kiosk.sync.outbox import Outbox, pending
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import Uploader, UploadState
from kiosk.visit.policy import SiteKind
from simulators.backend import running
from simulators.personas import load
from simulators.stage import enrol

PERSONA: Final = "outdated"
WAITING: Final = 60_000
A_BLOCK: Final = 25


class Upload:
    """The outbox' thread, as long as its gate is open."""

    def __init__(self, store: Store, identity: Identity) -> None:
        clock = SystemClock()
        self._channel = Channel(identity, TimeKeeper(clock, keep_floor=lambda _floor_s: None), clock)
        self._uploader = Uploader(store, self._channel, clock, Turn(identity.kiosk, clock))
        self._gate, self._ends = threading.Event(), threading.Event()
        self._rests = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="upload", daemon=True)
        self._thread.start()

    def open(self) -> None:
        """Go on."""
        self._rests.clear()
        self._gate.set()

    def shut(self) -> None:
        """Rest; returns when the batch under way is settled. RuntimeError when the upload has ended by itself."""
        self._gate.clear()
        self._rests.wait()
        if self._over:
            raise RuntimeError(f"the upload has nothing to do: {self._uploader.status}")

    def stop(self) -> None:
        """End it."""
        self._ends.set()
        self._gate.set()
        self._thread.join()
        self._channel.close()

    def _run(self) -> None:
        try:
            self._upload()
        finally:
            self._over = True  # nobody waits for a thread that is gone
            self._rests.set()

    def _upload(self) -> None:
        while True:
            if not self._gate.is_set():
                self._rests.set()
            self._gate.wait()
            if self._ends.is_set():
                return
            self._uploader.step()
            if self._uploader.status.state is not UploadState.SENDING:
                return


def figures(rounds: int) -> list[Figure]:
    """`rounds`: pairs of blocks."""
    with TemporaryDirectory(prefix="kiosk-bench-") as name, running(Path(name) / "backend") as backend:
        settings = Settings(kiosk=KioskSettings(Path(name) / "kiosk", serial="K-0999"))
        enrol(settings, backend, Path(name) / "ticket", SiteKind.AGENCY)
        identity = load_identity(settings.kiosk.state_dir / IDENTITY)
        store = open_store(settings.kiosk.state_dir)
        if isinstance(identity, IdentityError) or isinstance(store, StoreError):
            raise TypeError(f"{identity} {store}")
        _fill(store)
        member, upload = _Member(store, identity), Upload(store, identity)
        alone: list[tuple[float, float]] = []
        beside: list[tuple[float, float]] = []
        member.block()
        before = store.submit(pending).result()
        for _ in range(rounds):
            alone += member.block()
            upload.open()
            beside += member.block()
            upload.shut()
        told = before - store.submit(pending).result() + 2 * rounds * A_BLOCK
        upload.stop()
        member.close()
        store.close()
    relay, fact = (
        [[percentile([row[which] for row in rows], share) for rows in (beside, alone)] for share in (0.5, 0.99)]
        for which in (0, 1)
    )
    return [
        Figure("relay message beside an upload / without, median", relay[0][0] * 1000, "ms", relay[0][1] * 1000),
        Figure("relay message beside an upload / without, p99", relay[1][0] * 1000, "ms", relay[1][1] * 1000),
        Figure("fact on disk beside an upload / without, p99", fact[1][0] * 1000, "ms", fact[1][1] * 1000),
        Figure("events uploaded meanwhile", told, "events"),
    ]


class _Member:
    """What somebody waits for."""

    def __init__(self, store: Store, identity: Identity) -> None:
        clock = SystemClock()
        self._channel = Channel(identity, TimeKeeper(clock, keep_floor=lambda _floor_s: None), clock)
        self._facts = Facts(store, Outbox(clock), lambda: int(clock.utc_s() * 1000))
        chip = load(PERSONA).card.chip
        if chip is None:
            raise RuntimeError("a card without chip")
        self._body = {"card": {"generation": "vitale2", "iccsn": chip.serial}, "mode": "SELF"}

    def block(self) -> list[tuple[float, float]]:
        """Seconds of the message and of the fact, so many times."""
        taken = []
        for _ in range(A_BLOCK):
            began_s = perf_counter()
            answer = self._channel.call("/v1/relay/flags", self._body)
            answered_s = perf_counter()
            if not isinstance(answer, dict):
                raise TypeError(f"no answer: {answer}")
            self._facts.commit("card_read", {"generation": "vitale2", "unfinished": False}, PSEUDONYM).result()
            taken.append((answered_s - began_s, perf_counter() - answered_s))
        return taken

    def close(self) -> None:
        self._channel.close()


def _fill(store: Store) -> None:
    box = Outbox(SystemClock())
    fields: dict[str, str | int | bool] = {"generation": "vitale2", "unfinished": False}

    def work(tx: Transaction) -> None:
        for index in range(WAITING):
            box.enqueue(tx, f"visit:{index // 8:032x}", "card_read", fields, utc_ms=1)

    store.submit(work).result()
