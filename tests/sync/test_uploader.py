"""What each answer leads to, that unknown outcomes resend the same bytes, and exactly once whatever happens."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from kiosk.store.ballast import BALLAST_BYTES
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync import batches, uploader
from kiosk.sync.client import Channel
from kiosk.sync.faults import RefusalReason
from kiosk.sync.outbox import Outbox, dead, pending
from kiosk.sync.turn import OUTAGE_S, WINDOW_S, Turn, offset_s
from kiosk.sync.upload_calls import EventChannel
from kiosk.sync.uploader import Uploader, UploadState, release, stopped
from tests.store.power_loss import DISK, Disk, staged
from tests.sync.intake import Answer, FakeClock, Intake, Mood, honest, lose_answer, lose_request, refuse, say

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


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    made = Kiosk(tmp_path / "kiosk.db", Intake(), FakeClock())
    yield made
    made.store.close()


def test_the_real_channel_fits() -> None:
    channel: EventChannel = cast(Channel, None)  # checked by mypy
    assert channel is None


def test_all_is_well(kiosk: Kiosk) -> None:
    assert kiosk.uploader.step() == uploader.IDLE_S
    assert kiosk.uploader.status.state is UploadState.IDLE
    kiosk.queue("visit:1", "kiosk", "visit:1")
    assert kiosk.uploader.step() == 0.0
    assert kiosk.names == [("visit:1", 1), ("kiosk", 1), ("visit:1", 2)]
    assert kiosk.run(pending) == 0
    assert kiosk.uploader.step() == uploader.IDLE_S
    assert kiosk.run(lambda tx: tx.execute("SELECT * FROM event")) == []
    assert len(kiosk.intake.sent) == 1


@pytest.mark.parametrize("mood", [lose_request, lose_answer, refuse(RefusalReason.GONE), say({}), say({"results": []})])
def test_an_unknown_outcome_resends_the_same_bytes(mood: Mood, kiosk: Kiosk) -> None:
    kiosk.intake.moods = [mood] * 3
    kiosk.queue("kiosk")
    kiosk.steps(2)
    kiosk.restart()  # a crash changes nothing of it
    kiosk.queue("kiosk")  # and newer events wait for the next batch
    kiosk.drain()
    assert len(set(kiosk.intake.sent[:4])) == 1
    assert kiosk.names == [("kiosk", 1), ("kiosk", 2)]
    assert kiosk.run(pending) == 0


class DeathError(Exception):
    """The process dies here."""


def test_death_while_sending_resends_after_the_next_start(kiosk: Kiosk) -> None:
    def die(intake: Intake, body: bytes, key: str) -> Answer:
        intake.take(body, key)
        raise DeathError

    kiosk.intake.moods = [die]
    kiosk.queue("kiosk")
    with pytest.raises(DeathError):
        kiosk.uploader.step()
    assert kiosk.uploader.step() == batches.LEASE_MS / 1000  # nobody else sends meanwhile
    kiosk.clock.now_s = 3.0  # another boot: its clock starts again
    kiosk.restart()
    batch = kiosk.run(batches.current)
    assert batch is not None
    assert batch.attempts == 1
    assert kiosk.uploader.step() == 0.0
    assert len(kiosk.intake.sent) == 2
    assert kiosk.intake.sent[0] == kiosk.intake.sent[1]
    assert kiosk.names == [("kiosk", 1)]


RESULTS = {"event_id": "e" * 36, "status": "applied"}


@pytest.mark.parametrize(
    "answer",
    [
        {"results": [RESULTS], "last_seq": 1},
        {"results": [RESULTS, RESULTS], "last_seq": 1},
        {"results": {}, "last_seq": 1},
        {"results": [{"event_id": 1, "status": "applied"}], "last_seq": 1},
    ],
)
def test_an_answer_about_other_events_settles_nothing(answer: dict[str, object], kiosk: Kiosk) -> None:
    kiosk.intake.moods = [say(answer)]
    kiosk.queue("kiosk")
    kiosk.steps(1)
    assert kiosk.run(pending) == 1
    kiosk.drain()
    assert kiosk.names == [("kiosk", 1)]


@pytest.mark.parametrize("status", ["perhaps", "", None])
def test_an_unknown_status_settles_nothing(status: object, kiosk: Kiosk) -> None:
    kiosk.queue("kiosk")
    batch = kiosk.run(lambda tx: batches.seal(tx, 0))
    assert batch is not None
    kiosk.intake.moods = [say({"results": [{"event_id": batch.event_ids[0], "status": status}], "last_seq": 1})]
    kiosk.steps(1)
    assert kiosk.run(pending) == 1


def test_backoff_grows_with_full_jitter(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    kiosk.queue("kiosk")
    kiosk.intake.moods = [lose_request] * 15
    monkeypatch.setattr(kiosk.rng, "uniform", lambda low, high: low + high)  # the longest delay
    delays = []
    for _ in range(15):
        delays.append(kiosk.uploader.step())
        assert kiosk.uploader.step() == pytest.approx(delays[-1])  # asked too early: nothing is sent
        assert kiosk.uploader.status.state is UploadState.WAITING
        kiosk.clock.now_s += delays[-1]
    assert delays == [min(900.0, 2.0 ** (n + 2)) for n in range(15)]
    kiosk.drain()
    assert len(kiosk.intake.sent) == 16
    kiosk.queue("kiosk")
    kiosk.intake.moods = [lose_request]
    assert kiosk.uploader.step() == 4.0  # a success forgets the failures


@pytest.mark.parametrize("reason", [RefusalReason.BUSY, RefusalReason.SERVICE_CLOSED])
def test_busy_waits_as_long_as_asked_and_a_little_longer(
    reason: RefusalReason, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kiosk.rng, "uniform", lambda low, high: (low + high) / 2)
    kiosk.intake.moods = [refuse(reason, 600)]
    kiosk.queue("kiosk")
    assert kiosk.uploader.step() == 602.0  # all that were told the same do not come at once
    kiosk.clock.now_s += 601.0
    assert kiosk.uploader.step() == pytest.approx(1.0)
    assert len(kiosk.intake.sent) == 1
    kiosk.clock.now_s += 1.0
    kiosk.drain()
    assert kiosk.intake.sent[0] == kiosk.intake.sent[1]


def test_after_an_outage_each_kiosk_has_its_turn(kiosk: Kiosk) -> None:
    """Nobody waits for a backoff grown long meanwhile, and nobody comes before its turn."""
    kiosk.queue("kiosk")
    kiosk.intake.moods = [lose_request] * 9
    began_s = kiosk.clock.now_s
    while kiosk.intake.moods:
        kiosk.steps(1)
    assert kiosk.clock.now_s - began_s > OUTAGE_S
    kiosk.queue("kiosk")
    kiosk.turn.service_back()  # a poll was answered
    assert kiosk.uploader.step() == pytest.approx(offset_s("borne-7"))
    assert kiosk.uploader.status.state is UploadState.WAITING
    kiosk.clock.now_s += offset_s("borne-7") - 1.0
    assert kiosk.uploader.step() == pytest.approx(1.0)
    assert len(kiosk.intake.sent) == 9
    kiosk.clock.now_s += 1.0
    assert kiosk.uploader.step() == 0.0
    assert kiosk.names == [("kiosk", 1)]
    kiosk.drain()
    assert kiosk.names == [("kiosk", 1), ("kiosk", 2)]


def test_an_upload_that_finds_the_service_back_leaves_the_rest_for_its_turn(kiosk: Kiosk) -> None:
    kiosk.queue("kiosk")
    kiosk.intake.moods = [lose_request]
    kiosk.steps(1)
    kiosk.clock.now_s += OUTAGE_S
    kiosk.queue("kiosk")
    assert kiosk.uploader.step() == 0.0
    assert kiosk.names == [("kiosk", 1)]
    assert kiosk.uploader.step() == pytest.approx(offset_s("borne-7"))


def test_a_question_that_is_lost_has_seen_the_service_away(kiosk: Kiosk) -> None:
    """A new process, in the middle of an outage, whose first call is not a batch."""
    kiosk.queue("kiosk")
    kiosk.run(lambda tx: batches.seal(tx, 0))
    kiosk.run(lambda tx: tx.execute("UPDATE batch SET attempts = 20"))
    kiosk.intake.moods = [lose_request]
    kiosk.uploader.step()
    assert (len(kiosk.intake.sent), kiosk.intake.state_asked) == (0, 1)
    kiosk.clock.now_s += OUTAGE_S
    kiosk.turn.service_back()
    assert kiosk.turn.wait_s() == pytest.approx(offset_s("borne-7"))


def test_a_lost_call_or_a_refusal_is_no_outage(kiosk: Kiosk) -> None:
    kiosk.queue("kiosk", "kiosk")
    kiosk.intake.moods = [lose_request, refuse(RefusalReason.BUSY, 3600)]
    kiosk.steps(2)
    kiosk.clock.now_s += 2.0
    kiosk.turn.service_back()
    assert kiosk.turn.wait_s() == 0.0
    kiosk.drain()
    assert kiosk.names == [("kiosk", 1), ("kiosk", 2)]


def test_who_was_told_to_wait_waits_after_an_outage_too(kiosk: Kiosk) -> None:
    kiosk.queue("kiosk")
    kiosk.intake.moods = [refuse(RefusalReason.BUSY, 3600)]
    kiosk.uploader.step()
    kiosk.turn.service_away()
    kiosk.clock.now_s += OUTAGE_S
    kiosk.turn.service_back()
    kiosk.clock.now_s += WINDOW_S
    assert kiosk.uploader.step() > 3600 - OUTAGE_S - WINDOW_S - 1
    assert len(kiosk.intake.sent) == 1


def test_turns_are_even_over_the_fleet() -> None:
    turns = [offset_s(f"borne-{number}") for number in range(20_000)]
    assert all(0 <= turn < WINDOW_S for turn in turns)
    seconds = [0] * round(WINDOW_S)
    for turn in turns:
        seconds[int(turn)] += 1
    assert max(seconds) < 2 * 20_000 / WINDOW_S
    assert offset_s("borne-7") == offset_s("borne-7")


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


@pytest.mark.parametrize("reason", [RefusalReason.TIME_SKEW, RefusalReason.REPLAY])
def test_refused_time_or_nonce_is_tried_again(reason: RefusalReason, kiosk: Kiosk) -> None:
    kiosk.intake.moods = [refuse(reason)]
    kiosk.queue("kiosk")
    kiosk.drain()
    assert kiosk.names == [("kiosk", 1)]


@pytest.mark.parametrize("reason", [RefusalReason.KEY_STATE, RefusalReason.QUARANTINED, RefusalReason.CAPABILITY])
def test_a_refused_kiosk_keeps_everything_until_resumed(reason: RefusalReason, kiosk: Kiosk) -> None:
    kiosk.intake.moods = [refuse(reason)]
    kiosk.queue("kiosk")
    kiosk.steps(5)
    assert len(kiosk.intake.sent) == 1
    assert (kiosk.uploader.status.state, kiosk.uploader.status.reason) == (UploadState.HELD, reason.value)
    assert kiosk.run(pending) == 1
    kiosk.uploader.resume()
    kiosk.drain()
    assert kiosk.names == [("kiosk", 1)]
    assert kiosk.intake.sent[0] == kiosk.intake.sent[1]


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        (refuse(RefusalReason.FORK), "fork"),
        (refuse(RefusalReason.IDEM_CONFLICT), "idem_conflict"),
        (refuse(RefusalReason.STALE_SEQ), "rolled_back"),
    ],
)
def test_a_fork_stops_for_good(mood: Mood, reason: str, kiosk: Kiosk) -> None:
    kiosk.intake.moods = [mood]
    kiosk.queue("kiosk")
    kiosk.steps(3)
    kiosk.uploader.resume()
    kiosk.restart()
    kiosk.steps(3)
    assert len(kiosk.intake.sent) == 1
    assert (kiosk.uploader.status.state, kiosk.uploader.status.reason) == (UploadState.STOPPED, reason)
    assert (kiosk.run(pending), kiosk.run(dead), kiosk.run(stopped)) == (1, 0, reason)
    kiosk.run(release)
    kiosk.drain()
    assert kiosk.names == [("kiosk", 1)]


def test_a_rolled_back_disk_stops_for_good(kiosk: Kiosk) -> None:
    kiosk.queue("kiosk")
    kiosk.drain()
    kiosk.intake.last_seq = 40  # the backend has seen a future that this disk has forgotten
    kiosk.queue("kiosk")
    kiosk.steps(3)
    assert kiosk.run(stopped) == "rolled_back"
    assert kiosk.run(pending) == 1


def test_a_last_seq_from_the_future_stops_for_good(kiosk: Kiosk) -> None:
    def future(intake: Intake, body: bytes, key: str) -> Answer:
        answer = honest(intake, body, key)
        assert isinstance(answer, dict)
        return {**answer, "last_seq": 2}

    kiosk.intake.moods = [future]
    kiosk.queue("kiosk")
    kiosk.steps(3)
    assert kiosk.run(stopped) == "rolled_back"


@pytest.mark.parametrize("reason", [RefusalReason.TOO_LARGE, RefusalReason.SCHEMA])
def test_a_batch_that_never_fits_is_halved_to_the_culprit(reason: RefusalReason, kiosk: Kiosk) -> None:
    def picky(intake: Intake, body: bytes, key: str) -> Answer:
        refused = refuse(reason)(intake, body, key)
        return refused if b"monster" in body else honest(intake, body, key)

    kiosk.intake.moods = [picky] * 60
    kiosk.queue("a", "b")
    kiosk.queue("c", event="monster")
    kiosk.queue("d", "c", "a")
    kiosk.drain()
    assert sorted(kiosk.names) == [("a", 1), ("a", 2), ("b", 1), ("d", 1)]
    assert (kiosk.run(dead), kiosk.run(pending)) == (1, 2)  # `c` 2 waits behind it


def test_an_event_the_backend_fails_on_lets_the_others_pass(kiosk: Kiosk) -> None:
    def fragile(intake: Intake, body: bytes, key: str) -> Answer:
        refused = refuse(RefusalReason.INTERNAL)(intake, body, key)
        return refused if b"monster" in body else honest(intake, body, key)

    kiosk.intake.moods = [fragile] * 40
    kiosk.queue("c", event="monster")
    kiosk.queue("a", "b", "c")
    while kiosk.intake.moods:
        kiosk.steps(1)
    assert sorted(kiosk.names) == [("a", 1), ("b", 1)]
    assert kiosk.run(dead) == 0
    kiosk.drain()  # mended
    assert sorted(kiosk.names) == [("a", 1), ("b", 1), ("c", 1), ("c", 2)]


def test_internal_is_tried_three_times_before_halving(kiosk: Kiosk) -> None:
    kiosk.intake.moods = [refuse(RefusalReason.INTERNAL)] * 3
    kiosk.queue("a", "b")
    kiosk.drain()
    keys = [key for _, key in kiosk.intake.sent]
    assert len(set(keys[:3])) == 1
    assert len(set(keys)) == 3
    assert kiosk.names == [("a", 1), ("b", 1)]


def test_a_refused_event_is_dead_and_blocks_its_aggregate(kiosk: Kiosk) -> None:
    kiosk.intake.refused_types = {"strange"}
    kiosk.queue("a", event="strange")
    kiosk.queue("a", "b")
    kiosk.drain()
    assert kiosk.names == [("b", 1)]
    assert (kiosk.uploader.status.dead, kiosk.uploader.status.pending) == (1, 2)


def test_after_twenty_unknown_outcomes_the_backend_is_asked(kiosk: Kiosk) -> None:
    kiosk.intake.moods = [lose_request] * 21
    kiosk.queue("kiosk")
    while len(kiosk.intake.sent) < 20:
        kiosk.steps(1)
    assert (len(kiosk.intake.sent), kiosk.intake.state_asked) == (20, 0)
    kiosk.clock.now_s = kiosk.uploader._last_sent_s + 1000.0
    kiosk.steps(1)  # the question itself is lost
    assert (len(kiosk.intake.sent), kiosk.intake.state_asked) == (20, 1)
    kiosk.drain()
    assert len({body for body, _ in kiosk.intake.sent}) == 2  # certainly not applied: a new number
    assert kiosk.names == [("kiosk", 1)]
    assert kiosk.intake.last_seq == 2


def test_a_request_that_may_still_arrive_is_waited_for(kiosk: Kiosk) -> None:
    kiosk.intake.moods = [lose_request]
    kiosk.queue("kiosk")
    kiosk.run(lambda tx: batches.seal(tx, 0))
    kiosk.run(lambda tx: tx.execute("UPDATE batch SET attempts = 19"))
    kiosk.steps(1)
    kiosk.clock.now_s = kiosk.uploader._last_sent_s
    kiosk.run(batches.recover)
    assert kiosk.uploader.step() == uploader.REQUEST_LIFE_S
    kiosk.clock.now_s += uploader.REQUEST_LIFE_S - 1
    (copy,) = kiosk.intake.sent
    kiosk.intake.take(*copy)  # the copy on its way arrives after all
    kiosk.intake.moods = []
    kiosk.clock.now_s += 1
    kiosk.drain()
    assert kiosk.names == [("kiosk", 1)]
    assert len(set(kiosk.intake.sent)) == 1


def test_a_failing_store_is_a_state(kiosk: Kiosk) -> None:
    kiosk.queue("kiosk")
    kiosk.store.close()
    assert 0.0 <= kiosk.uploader.step() <= 4.0
    assert kiosk.uploader.status.state is UploadState.STORE_FAILED


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
        self.kiosk.intake.moods = []
        self.kiosk.drain()
        expected = {(name, seq) for name, last in self.queued.items() for seq in range(1, last + 1)}
        assert set(self.kiosk.names) == expected
        assert self.kiosk.run(pending) == 0
        assert self.kiosk.run(stopped) is None
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
