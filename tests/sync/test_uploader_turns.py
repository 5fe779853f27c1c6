"""When a kiosk comes again: its backoff, what it was told, and its turn after an outage of the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.sync import batches
from kiosk.sync.faults import RefusalReason
from kiosk.sync.turn import OUTAGE_S, WINDOW_S, offset_s
from kiosk.sync.uploader import UploadState
from tests.sync.intake import FakeClock, Intake, lose_request, refuse
from tests.sync.upload_kiosk import Kiosk


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    made = Kiosk(tmp_path / "kiosk.db", Intake(), FakeClock())
    yield made
    made.store.close()


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
