"""Client, server and a network that drops, repeats, holds back and reorders, with a crash of either: exactly once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from kiosk.sync import uploader
from kiosk.sync.outbox import pending
from kiosk.sync.uploader import UploadState
from simulators.backend import schema
from simulators.backend.authority import Authority
from tests.sync.network import Kiosk, KioskDiedError, Mood, Network
from tests.sync.server import Enrolled, Server, new_authority
from tests.sync.support import KIOSK, KIOSK_KEY, NOW_S, ORIGIN

AGGREGATES = ("kiosk", "visit:a", "visit:b")


class Exchanges(RuleBasedStateMachine):
    """Whatever happens on the way, and whoever dies: what was acknowledged is applied exactly once, in order."""

    authority: Authority

    @initialize()
    def begin(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="network-"))
        self.server = Server(
            self.directory / "backend.db", self.authority, ORIGIN, NOW_S, (Enrolled(KIOSK, KIOSK_KEY),)
        )
        self.network = Network(self.server)
        self.kiosk = Kiosk(self.directory, self.network)

    def teardown(self) -> None:
        if not hasattr(self, "kiosk"):
            return
        try:
            self.heal()
        finally:
            self.kiosk.store.close()
            self.server.close()
            shutil.rmtree(self.directory)

    def heal(self) -> None:
        """All moods over: everything arrives, and nothing comes twice."""
        self.network.moods.clear()
        while self.network.held:
            self.network.deliver(self.network.held.pop())
        for _ in range(200):
            delay_s = self.step()
            if self.kiosk.uploader.status.state is UploadState.IDLE and delay_s == uploader.IDLE_S:
                break
            self.pass_time(delay_s)
        assert self.kiosk.store.submit(pending).result() == 0
        applied = {(name, seq) for name, seq, _ in self.applied()}
        assert applied == {(name, seq) for name, last in self.kiosk.aggregates.items() for seq in range(1, last + 1)}

    def applied(self) -> list[tuple[str, int, str]]:
        table = schema.event.c
        return [
            (name, seq, event_id)
            for name, seq, event_id in self.server.rows(table.aggregate, table.aggregate_seq, table.event_id)
        ]

    def step(self) -> float:
        try:
            return self.kiosk.uploader.step()
        except KioskDiedError:
            self.kiosk.restart()
            return 0.0

    def pass_time(self, seconds: float) -> None:
        self.kiosk.clock.advance(seconds)
        self.server.now_s += round(seconds)

    @rule(names=st.lists(st.sampled_from(AGGREGATES), min_size=1, max_size=4))
    def acknowledge(self, names: list[str]) -> None:
        self.kiosk.queue(*names)

    @rule(moods=st.lists(st.sampled_from(Mood), min_size=1, max_size=2), patient=st.booleans())
    def upload(self, moods: list[Mood], patient: bool) -> None:
        self.network.moods = moods
        delay_s = self.step()
        self.pass_time(delay_s if patient else min(delay_s, 1.0))

    @rule(first=st.booleans())
    def late_arrival(self, first: bool) -> None:
        if self.network.held:
            self.network.deliver(self.network.held.pop(0 if first else -1))

    @rule(wrong_by_s=st.sampled_from((0, -4000, 4000)))
    def kiosk_restarts(self, wrong_by_s: int) -> None:
        self.kiosk.restart(wrong_by_s)

    @rule()
    def server_restarts(self) -> None:
        self.server.restart()

    @invariant()
    def nothing_is_wrong(self) -> None:
        if not hasattr(self, "kiosk"):
            return
        applied = self.applied()
        assert len({event_id for _, _, event_id in applied}) == len(applied)
        for name in AGGREGATES:
            numbers = sorted(seq for aggregate, seq, _ in applied if aggregate == name)
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) <= self.kiosk.aggregates.get(name, 0)
        assert all(len(bodies) == 1 for bodies in self.network.contents.values()), "one number, two contents"
        assert len(set(self.network.nonces)) == len(self.network.nonces), "a nonce sent twice"
        assert self.kiosk.floors == sorted(self.kiosk.floors), "the floor of time fell"
        assert self.server.rows(schema.kiosk.c.quarantine) == [("none",)]
        assert self.kiosk.uploader.status.state not in (UploadState.STOPPED, UploadState.HELD)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    made = new_authority(tmp_path_factory.mktemp("authority"))
    Exchanges.authority = made
    yield made
    del Exchanges.authority


@pytest.mark.usefixtures("authority")
def test_exactly_once_whatever_the_network_does() -> None:
    run_state_machine_as_test(
        Exchanges,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
