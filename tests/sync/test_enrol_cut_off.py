"""An enrolment that is cut off, at any step: a repeat finishes it, or the next start does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.diagnostics.report import CheckState
from kiosk.state import IDENTITY
from kiosk.store.thread import Store
from kiosk.store.transaction import write_meta
from kiosk.sync.enrol_record import RECORD
from kiosk.sync.identity import IdentityError, in_force
from kiosk.sync.outbox import Quota, pending
from kiosk.sync.profile import generation_of
from kiosk.sync.uploader import EVENTS_ROUTE, STATE_ROUTE, UploadState, stopped
from tests.sync.disk_world import Kiosk, applied, copied, noted


@pytest.fixture
def kiosk(enrolled_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kiosk]:
    with copied(enrolled_disk, tmp_path / "here", monkeypatch) as made:
        yield made


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
