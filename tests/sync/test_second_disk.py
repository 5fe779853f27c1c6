"""Another disk under an old name: enrolled with a ticket it goes on, each event once; without a ticket it is a copy."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from kiosk import cli
from kiosk.chores.uploading import Uploading
from kiosk.diagnostics.report import CheckState
from kiosk.enrolled import settle_enrolment
from kiosk.facts import Facts
from kiosk.settings import KioskSettings, Settings
from kiosk.state import IDENTITY, open_store
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction, write_meta
from kiosk.sync import enrol as enrol_module
from kiosk.sync.aggregates import aggregate_of
from kiosk.sync.credentials import Credentials
from kiosk.sync.enrol_record import RECORD
from kiosk.sync.identity import IdentityError, in_force
from kiosk.sync.outbox import Outbox, Quota, dead, pending
from kiosk.sync.profile import generation_of
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import EVENTS_ROUTE, STATE_ROUTE, Uploader, UploadState, stopped
from simulators.backend import schema
from tests.sync.renewal_world import ENROL_ORIGIN, KIOSK, Wire, World, lose_answer, lose_request

CARD = "00112233445566778899aabbccddeeff"


class Kiosk:
    """One disk: its state directory, and the program on it."""

    def __init__(self, world: World, state: Path) -> None:
        self.world, self.state = world, state
        self.told: list[int] = []

    def enrol(self, *, again: bool = False, ticket: str | None = None) -> int:
        """The command; what it returns. Without a ticket at hand the operator makes one."""
        file = self.state.with_name("ticket")
        file.write_text(ticket or self.world.operate("ticket", site_kind="agency")["ticket"], encoding="ascii")
        settings = Settings(KioskSettings(self.state, "SN-1"))
        return cli.enrol(settings, ENROL_ORIGIN, self.world.ca_file, file, again=again)

    def start(self, quota: Quota | None = None) -> Kiosk:
        opened = open_store(self.state)
        assert isinstance(opened, Store)
        self.store, clock = opened, self.world.clock
        self.world.restart(self.state / IDENTITY)
        channel = self.world.channel(Credentials(self.world.credentials.current))
        self.facts = Facts(opened, Outbox(clock, boot_id="boot", quota=quota), lambda: int(clock.now_s * 1000))
        self.uploader = Uploader(opened, channel, clock, Turn(KIOSK, clock), random.Random(1))
        settle = partial(settle_enrolment, opened, self.facts, self.state / IDENTITY)
        self.chore = Uploading(self.uploader, self.facts, settle)
        return self

    def stop(self) -> None:
        self.store.close()

    def fact(self, number: int, pseudonym: str | None = None) -> None:
        """One fact of its own content."""
        fields: dict[str, str | int | bool] = {"outcome": "updated", "packages": number, "apdus": 0, "wrote": True}
        self.facts.commit("update_ended", fields, pseudonym).result()
        self.told.append(number)

    def upload(self, steps: int = 12) -> None:
        """The chore at work; the time it asks for passes, as long as it is not for good."""
        for _ in range(steps):
            delay_s = self.chore.step()
            if self.uploader.status.state in (UploadState.IDLE, UploadState.STOPPED, UploadState.HELD) and delay_s:
                return
            self.world.wait(delay_s)

    def run(self, work: Callable[[Transaction], Any]) -> Any:
        return self.store.submit(work).result()

    @property
    def state_of_upload(self) -> tuple[UploadState, str]:
        return self.uploader.status.state, self.uploader.status.reason

    def copied(self, name: str) -> Kiosk:
        """The same disk as it is now; the program must not run."""
        other = Kiosk(self.world, self.state.with_name(name))
        shutil.copytree(self.state, other.state)
        return other


def applied(world: World) -> list[int]:
    """The numbers of the facts that took effect, sorted; one that did so twice is there twice."""
    table = schema.event.c
    statement = select(table.body_json).where(table.type == "update_ended")
    rows = world.database.run(lambda connection: connection.execute(statement).all())
    return sorted(json.loads(body)["packages"] for (body,) in rows)


def noted(kiosk: Kiosk, kind: str) -> list[dict[str, Any]]:
    rows = kiosk.run(lambda tx: tx.execute("SELECT fields FROM journal WHERE type = ? ORDER BY seq", (kind,)))
    return [json.loads(str(fields)) for (fields,) in rows]


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backend, and a kiosk that it has enrolled; made once."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patched:
        world = World(folder / "world")
        patched.setattr(enrol_module, "Wire", lambda *_: Wire(world))
        kiosk = Kiosk(world, folder / "first")
        assert kiosk.enrol() == 0
        world.close()
    return folder


@pytest.fixture
def kiosk(enrolled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kiosk]:
    shutil.copytree(enrolled, tmp_path / "here")
    world = World(tmp_path / "here" / "world")
    monkeypatch.setattr(enrol_module, "Wire", lambda *_: Wire(world))
    made = Kiosk(world, tmp_path / "here" / "first")
    yield made
    if hasattr(made, "store"):
        made.stop()
    world.close()


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


# --- an enrolment that is cut off ----------------------------------------------------------------------------------


class _KilledError(BaseException):
    """The process is gone."""


def _killed_at(patched: pytest.MonkeyPatch, step: int) -> list[str]:
    """Kill before the n-th thing that stays: a file renamed, or a transaction; names them."""
    seen: list[str] = []
    rename, submit = Path.rename, Store.submit

    def tick(name: str) -> None:
        seen.append(name)
        if len(seen) == step:
            raise _KilledError

    def renamed(self: Path, target: Path) -> Path:
        tick(target.name)
        return rename(self, target)

    def submitted(self: Store, work: Any, **more: Any) -> Any:
        tick("a transaction")
        return submit(self, work, **more)

    patched.setattr(Path, "rename", renamed)
    patched.setattr(Store, "submit", submitted)
    return seen


@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
@pytest.mark.parametrize("finished_by", ["enrol", "start"])
def test_an_enrolment_killed_at_any_step_is_finished(
    kiosk: Kiosk, again: bool, finished_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, step, killed, finished = kiosk.world, 0, True, 0
    while killed:
        step += 1
        disk = kiosk.copied(f"{finished_by}-{step}") if again else Kiosk(world, kiosk.state.with_name(f"new-{step}"))
        if again:
            disk.start()
            disk.run(lambda tx: write_meta(tx, "upload_stopped", b"fork"))
            disk.stop()
        before = _generation_in_force(disk.state)
        ticket = world.operate("ticket", site_kind="agency")["ticket"]
        with monkeypatch.context() as patched:
            steps = _killed_at(patched, step)
            try:
                killed = disk.enrol(again=again, ticket=ticket) != 0
            except _KilledError:
                at = f"{step}: {steps[-1]}"
        has_new_keys = _generation_in_force(disk.state) > before
        finished += killed and has_new_keys
        if finished_by == "enrol" or not has_new_keys:
            assert disk.enrol(again=again, ticket=ticket) == 0, at
        generation = _generation_in_force(disk.state)
        assert generation > before, at
        disk.start().fact(generation)
        disk.upload()
        assert noted(disk, "enrolled") == [{"generation": 1}] * again + [{"generation": generation}], at
        assert disk.run(stopped) is None, at
        assert disk.state_of_upload == (UploadState.IDLE, ""), at
        assert json.loads((disk.state / IDENTITY / RECORD).read_bytes())["settled"] is True, at
        disk.stop()
        assert disk.enrol(again=again, ticket=ticket) == 0, "a repeat once all is done changes nothing"
        assert _generation_in_force(disk.state) == generation
    assert finished == 3, "before the numbers, before the fact, before the record is settled"
    assert len(applied(world)) == len(set(applied(world))) == step
    assert world.alarms() == {}


def _unsettle(disk: Kiosk) -> None:
    """As if `enrol` had been killed behind the switch to the new keys."""
    file = disk.state / IDENTITY / RECORD
    file.write_bytes(file.read_bytes().replace(b"true", b"false"))
    disk.start()
    disk.run(lambda tx: tx.execute("DELETE FROM meta WHERE key IN ('enrolment', 'numbering_unasked')"))
    disk.run(lambda tx: tx.execute("DELETE FROM journal"))
    disk.stop()


def test_the_next_enrolment_finishes_the_one_before_it(kiosk: Kiosk) -> None:
    _unsettle(kiosk)
    assert kiosk.enrol(again=True) == 0
    kiosk.start()
    assert noted(kiosk, "enrolled") == [{"generation": 1}, {"generation": 2}]


def test_a_full_outbox_delays_the_fact_and_nothing_else(kiosk: Kiosk) -> None:
    kiosk.start().fact(0)
    kiosk.stop()
    _unsettle(kiosk)
    kiosk.start(Quota(events=1))
    kiosk.world.exchanges.clear()
    kiosk.upload()
    assert kiosk.world.exchanges == [STATE_ROUTE, EVENTS_ROUTE]
    assert noted(kiosk, "enrolled") == []
    kiosk.stop()
    kiosk.start().upload()
    assert noted(kiosk, "enrolled") == [{"generation": 1}]
    assert json.loads((kiosk.state / IDENTITY / RECORD).read_bytes())["settled"] is True
    assert kiosk.run(pending) == 0


def test_a_record_that_cannot_be_read_holds_the_upload_until_the_next_enrolment(kiosk: Kiosk) -> None:
    (kiosk.state / IDENTITY / RECORD).write_bytes(b"{")
    kiosk.start().fact(0)
    kiosk.world.exchanges.clear()
    assert kiosk.chore.step() > 0
    assert kiosk.world.exchanges == []
    check = kiosk.chore.check()
    assert (check.state, check.facts["upload"]) == (CheckState.FAULT, "store_failed")
    assert str(check.facts["reason"]).startswith(f"{RECORD}: ")
    kiosk.stop()
    assert kiosk.enrol(again=True) == 0
    kiosk.start().upload()
    assert applied(kiosk.world) == [0]
    assert kiosk.chore.check().state is CheckState.OK


def _generation_in_force(state: Path) -> int:
    held = in_force(state / IDENTITY)
    return 0 if isinstance(held, IdentityError) else generation_of(held.keyid)
