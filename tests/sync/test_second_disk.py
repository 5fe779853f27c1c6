"""Another disk under an old name: enrolled with a ticket it goes on, each event once; without a ticket it is a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.state import IDENTITY, open_store
from kiosk.store.thread import Store
from kiosk.sync.aggregates import aggregate_of
from kiosk.sync.outbox import dead, pending
from kiosk.sync.uploader import UploadState
from tests.sync.disk_world import CARD, Kiosk, applied, copied, noted
from tests.sync.renewal_world import lose_answer, lose_request


@pytest.fixture
def kiosk(enrolled_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kiosk]:
    with copied(enrolled_disk, tmp_path / "here", monkeypatch) as made:
        yield made


def test_a_new_disk_under_the_old_name_goes_on(kiosk: Kiosk) -> None:
    kiosk.start()
    for number in range(3):
        kiosk.fact(number)
        kiosk.fact(10 + number, CARD)
        kiosk.upload()
    kiosk.stop()
    new = Kiosk(kiosk.world, kiosk.state.with_name("new"))
    assert new.enrol() == 0
    new.start()
    new.fact(20)
    new.fact(21, CARD)
    new.upload()
    assert new.state_of_upload == (UploadState.IDLE, "")
    assert new.run(pending) == 0
    assert applied(kiosk.world) == [0, 1, 2, 10, 11, 12, 20, 21]
    assert kiosk.world.alarms() == {}
    assert noted(new, "enrolled") == [{"generation": 2}]
    # the old disk comes back: its keys are retired, and what it still has to tell disturbs nobody
    new.stop()
    kiosk.start()
    kiosk.fact(99)
    kiosk.upload()
    assert kiosk.state_of_upload == (UploadState.HELD, "key_state")
    assert kiosk.world.alarms() == {}


@pytest.mark.parametrize("ahead", [1, 4], ids=["one batch behind", "four batches behind"])
def test_a_restored_disk_goes_on_after_an_enrolment(kiosk: Kiosk, ahead: int) -> None:
    """Facts that it makes before anybody enrols it again have numbers that are taken: they are told all the same."""
    kiosk.start()
    kiosk.fact(0)
    kiosk.fact(1, CARD)
    kiosk.upload()
    kiosk.fact(2)
    kiosk.fact(3, CARD)
    kiosk.stop()
    backup = kiosk.copied("backup")
    kiosk.start()
    kiosk.upload()
    for number in range(ahead):
        kiosk.fact(10 + number)
        kiosk.fact(20 + number, CARD)
        kiosk.upload()
    kiosk.stop()
    backup.start()
    for number in range(3):
        backup.fact(30 + number)
        backup.fact(40 + number, CARD)
    backup.stop()
    assert backup.enrol(again=True) == 0
    backup.start()
    backup.fact(50)
    backup.fact(51, CARD)
    backup.upload(30)
    assert backup.state_of_upload == (UploadState.IDLE, "")
    assert backup.run(pending) == 0
    told = [0, 1, 2, 3, *range(10, 10 + ahead), *range(20, 20 + ahead), 30, 31, 32, 40, 41, 42, 50, 51]
    assert applied(kiosk.world) == told
    assert kiosk.world.alarms() == {}
    assert backup.run(dead) == 0
    backup.stop()


def test_a_fork_ends_with_an_enrolment_and_the_lifting_of_the_quarantine(kiosk: Kiosk) -> None:
    kiosk.start().upload()
    kiosk.fact(0)
    kiosk.stop()
    backup = kiosk.copied("backup")
    kiosk.start().upload()
    kiosk.stop()
    backup.start().fact(1)
    backup.upload()
    assert backup.state_of_upload == (UploadState.STOPPED, "fork")
    assert kiosk.world.operate("keys")["quarantine"] == "stop"
    backup.stop()
    assert backup.enrol(again=True) == 0
    backup.start().upload()
    assert backup.state_of_upload == (UploadState.HELD, "quarantined")
    kiosk.world.operate("quarantine", level="none")
    backup.uploader.resume()  # as the signed order makes it
    backup.upload()
    assert backup.state_of_upload == (UploadState.IDLE, "")
    assert applied(kiosk.world) == [0, 1]
    backup.stop()


def test_a_restored_disk_without_a_ticket_is_still_a_copy(kiosk: Kiosk) -> None:
    kiosk.start().fact(0)
    kiosk.upload()
    kiosk.stop()
    backup = kiosk.copied("backup")
    kiosk.start().fact(1)
    kiosk.upload()
    kiosk.stop()
    backup.start().fact(2)
    backup.upload()
    assert backup.state_of_upload == (UploadState.STOPPED, "fork")
    assert kiosk.world.alarms() == {"fork": 1}
    assert kiosk.world.operate("keys")["quarantine"] == "stop"
    assert applied(kiosk.world) == [0, 1]
    backup.stop()


def test_copies_of_a_disk_that_has_sent_nothing_yet_are_found_as_soon_as_both_have_sent(kiosk: Kiosk) -> None:
    """Each asks for the number once; from then on each goes on by itself."""
    copy = kiosk.copied("copy")
    for side, number in ((kiosk, 0), (copy, 1), (kiosk, 2)):
        side.start().fact(number)
        side.upload()
        state = side.state_of_upload
        side.stop()
    assert state == (UploadState.STOPPED, "fork")
    assert kiosk.world.alarms() == {"fork": 1}


def test_an_older_database_beside_newer_keys_is_still_a_copy(kiosk: Kiosk, tmp_path: Path) -> None:
    """The enrolment that the keys come from is settled: it excuses no database that does not know of it."""
    empty = Kiosk(kiosk.world, tmp_path / "empty")
    empty.state.mkdir()
    opened = open_store(empty.state)
    assert isinstance(opened, Store)
    opened.close()
    kiosk.start().fact(0)
    kiosk.upload()
    kiosk.stop()
    shutil.copytree(kiosk.state / IDENTITY, empty.state / IDENTITY)
    empty.start().fact(1)
    empty.upload()
    assert empty.state_of_upload == (UploadState.STOPPED, "fork")
    empty.stop()


@pytest.mark.parametrize("fault", [None, lose_request, lose_answer], ids=["unsent", "request lost", "answer lost"])
def test_an_intact_disk_tells_everything_once(kiosk: Kiosk, fault: Any) -> None:
    """Enrolled again with events in the queue, in a batch that never arrived, in one whose answer was lost."""
    kiosk.start()
    kiosk.fact(0)
    kiosk.upload()
    kiosk.fact(1)
    kiosk.fact(2, CARD)
    if fault is not None:
        kiosk.world.faults = [fault]
        kiosk.chore.step()
    kiosk.fact(3)
    kiosk.stop()
    assert kiosk.enrol(again=True) == 0
    kiosk.start()
    kiosk.fact(4)
    kiosk.fact(5, CARD)
    kiosk.upload()
    assert kiosk.state_of_upload == (UploadState.IDLE, "")
    assert applied(kiosk.world) == [0, 1, 2, 3, 4, 5]
    assert kiosk.run(pending) == 0
    assert kiosk.world.alarms() == {}


def test_two_disks_of_one_name_have_no_aggregate_in_common(kiosk: Kiosk) -> None:
    kiosk.start()
    mine = kiosk.run(lambda tx: aggregate_of(tx, "kiosk"))
    assert kiosk.run(lambda tx: aggregate_of(tx, "kiosk")) == mine
    kiosk.stop()
    assert kiosk.enrol(again=True) == 0
    kiosk.start()
    assert kiosk.run(lambda tx: aggregate_of(tx, "kiosk")) != mine
