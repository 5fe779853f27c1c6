"""After an enrolment with a ticket: the numbers that other disks may have given are asked for, or avoided."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.store.transaction import Row
from kiosk.sync import faults, uploader
from kiosk.sync.aggregates import aggregate_of
from kiosk.sync.faults import Answer, Refusal, RefusalReason
from kiosk.sync.numbering import begin_anew
from kiosk.sync.outbox import pending
from kiosk.sync.turn import OUTAGE_S, WINDOW_S
from kiosk.sync.uploader import UploadState
from tests.sync.intake import FakeClock, Intake, lose_answer
from tests.sync.upload_kiosk import Kiosk


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    made = Kiosk(tmp_path / "kiosk.db", Intake(), FakeClock())
    yield made
    made.store.close()


@pytest.mark.parametrize(
    ("answer", "at_least_s"),
    [
        (faults.network("staged"), 0.0),
        ({}, 0.0),
        ({"applied": False, "last_seq": -1}, 0.0),
        ({"applied": False, "last_seq": 2**53}, 0.0),
        (Refusal(503, RefusalReason.BUSY, "STAGED", retry_after_s=30), 30.0),
        (Refusal(503, RefusalReason.SERVICE_CLOSED, "STAGED", retry_after_s=300), 300.0),
        (Refusal(500, RefusalReason.INTERNAL, "STAGED"), 0.0),
    ],
)
def test_nothing_is_sent_before_the_backend_has_told_its_number(
    kiosk: Kiosk, answer: Answer, at_least_s: float
) -> None:
    kiosk.intake.last_seq = 41
    kiosk.run(begin_anew)
    kiosk.queue("kiosk")
    kiosk.intake.state_answers = [answer] * 3
    for asked in (1, 2, 3):
        delay_s = kiosk.uploader.step()
        assert delay_s > at_least_s
        assert kiosk.uploader.step() == pytest.approx(delay_s, abs=0.001), "news does not shorten the wait"
        assert (kiosk.uploader.status.state, kiosk.uploader.status.reason) == (UploadState.WAITING, "numbering")
        assert kiosk.intake.state_asked == asked
        kiosk.clock.now_s += delay_s + 0.001
    assert kiosk.intake.sent == []
    kiosk.drain()
    assert list(kiosk.intake.stored) == [42]
    assert kiosk.names == [("kiosk", 1)]
    kiosk.queue("kiosk")
    kiosk.drain()
    assert (list(kiosk.intake.stored), kiosk.intake.state_asked) == ([42, 43], 4), "it is asked for once"


@pytest.mark.parametrize(
    "reason", [RefusalReason.KEY_STATE, RefusalReason.QUARANTINED, RefusalReason.CAPABILITY], ids=str
)
def test_a_kiosk_that_may_not_send_may_not_ask(kiosk: Kiosk, reason: RefusalReason) -> None:
    kiosk.run(begin_anew)
    kiosk.queue("kiosk")
    kiosk.intake.state_answers = [Refusal(403, reason, "STAGED")]
    assert kiosk.uploader.step() == uploader.HELD_S
    for _ in range(2):  # at once: whoever brings new keys looks why it is held
        assert (kiosk.uploader.status.state, kiosk.uploader.status.reason) == (UploadState.HELD, reason.value)
        kiosk.steps(1)
    assert kiosk.intake.state_asked == 1
    kiosk.uploader.resume()
    kiosk.drain()
    assert kiosk.names == [("kiosk", 1)]


@pytest.mark.parametrize("last_seq", [0, 2, 3, 9])
def test_what_is_packed_is_packed_again_behind_both_numbers(kiosk: Kiosk, last_seq: int) -> None:
    """Whole and in order, also when the backend has it already; of this disk three batches are sealed."""
    for _ in range(2):
        kiosk.queue("kiosk")
        kiosk.drain()
    kiosk.intake.moods = [lose_answer]
    kiosk.queue("kiosk", "visit:1", "visit:1")
    kiosk.uploader.step()
    kiosk.queue("kiosk")
    kiosk.intake.last_seq = last_seq
    kiosk.run(begin_anew)
    kiosk.restart()
    kiosk.drain()
    first = max(3, last_seq) + 1
    assert kiosk.intake.last_seq == first
    assert sorted(kiosk.names) == [*[("kiosk", number) for number in (1, 2, 3, 4)], ("visit:1", 1), ("visit:1", 2)]
    assert kiosk.run(pending) == 0


def test_an_outage_that_ends_is_asked_about_at_once(kiosk: Kiosk) -> None:
    kiosk.run(begin_anew)
    kiosk.intake.state_answers = [faults.network("staged")] * 100
    while (delay_s := kiosk.uploader.step()) <= OUTAGE_S + WINDOW_S:
        kiosk.clock.now_s += delay_s
    kiosk.intake.state_answers.clear()
    kiosk.clock.now_s += OUTAGE_S
    kiosk.turn.service_back()
    kiosk.clock.now_s += kiosk.turn.wait_s()
    assert kiosk.uploader.step() == 0.0
    assert kiosk.uploader.step() == uploader.IDLE_S


# --- aggregates of an earlier installation ---------------------------------------------------------------------------


def _placed(kiosk: Kiosk) -> list[Row]:
    statement = "SELECT aggregate, aggregate_seq, state FROM event WHERE state <> 'acked' ORDER BY seq"
    return kiosk.run(lambda tx: tx.execute(statement))


@pytest.mark.parametrize("old", ["kiosk", "kiosk:00000000", "visit:" + "0" * 32, "visit:" + "0" * 32 + ":01234567"])
def test_what_is_out_of_order_in_an_earlier_installation_moves_to_this_one(kiosk: Kiosk, old: str) -> None:
    kiosk.intake.applied = [(f"other-{number}", old, number) for number in (1, 2, 3)]
    kiosk.queue(old, old, old, old, old)
    kiosk.drain()
    subject = old if old.count(":") == old.startswith("visit") else old.rpartition(":")[0]
    here = kiosk.run(lambda tx: aggregate_of(tx, subject))
    assert kiosk.names[3:] == [(old, 4), (old, 5), *[(here, number) for number in (1, 2, 3)]]
    assert kiosk.run(pending) == 0


def test_what_waits_behind_one_that_is_refused_does_not_move(kiosk: Kiosk) -> None:
    kiosk.intake.refused_types = {"bad"}
    kiosk.queue("kiosk:00000000", event="bad")
    kiosk.queue("kiosk:00000000")
    kiosk.steps(6)
    assert _placed(kiosk) == [("kiosk:00000000", 1, "dead"), ("kiosk:00000000", 2, "pending")]


def test_what_is_out_of_order_in_this_installation_stays_and_waits(kiosk: Kiosk) -> None:
    here = kiosk.run(lambda tx: aggregate_of(tx, "kiosk"))
    kiosk.intake.applied = [("other", here, 1)]
    kiosk.queue(here)
    kiosk.steps(6)
    assert _placed(kiosk) == [(here, 1, "pending")]
