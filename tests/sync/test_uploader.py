"""What each answer leads to, and that unknown outcomes resend the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from kiosk.sync import batches, uploader
from kiosk.sync.client import Channel
from kiosk.sync.faults import Answer, RefusalReason
from kiosk.sync.outbox import dead, pending
from kiosk.sync.upload_calls import EventChannel
from kiosk.sync.uploader import UploadState, release, stopped
from tests.sync.intake import FakeClock, Intake, Mood, honest, lose_answer, lose_request, refuse, say
from tests.sync.upload_kiosk import Kiosk


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
