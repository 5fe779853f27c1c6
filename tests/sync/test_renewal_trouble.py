"""Renewal of keys that expire, are refused, damaged, revoked or copied meanwhile."""

from __future__ import annotations

import shutil

import pytest

from kiosk.diagnostics.report import CheckState
from kiosk.sync import identity_files
from kiosk.sync.faults import Refusal, RefusalReason
from kiosk.sync.renewal import RECOVERY_S, due_s, overdue_s
from kiosk.visit.failures import Fault
from simulators.backend import schema
from tests.sync.renewal_world import DAY_S, KIOSK, PROBE, RECOVER, World, lose_answer, lose_request


@pytest.mark.parametrize(("over_s", "recovered"), [(1, True), (RECOVERY_S - 600, True), (RECOVERY_S + 1, False)])
def test_a_kiosk_that_was_away_until_its_certificate_had_expired(world: World, over_s: int, recovered: bool) -> None:
    world.clock.now_s = float(world.credentials.current.certificate_until_s + over_s)
    assert isinstance(world.call(), Fault)
    if recovered:
        world.run_until(world.is_renewed)
        assert world.exchanges == [RECOVER, PROBE]
        assert isinstance(world.call(), dict)
        return
    world.chore.step()
    assert world.exchanges == []
    assert world.notes.events == [("renewal_failed", {"reason": "expired"})]
    check = world.chore.check()
    assert (check.state, check.facts["renewal_failed"]) == (CheckState.FAULT, "expired")


def test_the_backend_counts_the_thirty_days_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.sync.renewal.RECOVERY_S", 400 * DAY_S)
    world.clock.now_s = float(world.credentials.current.certificate_until_s + RECOVERY_S + 1)
    world.chore.step()
    assert world.exchanges == [RECOVER]
    assert world.notes.events == [("renewal_failed", {"reason": "refused"})]


def test_new_keys_unproven_until_their_certificate_has_expired_get_another(world: World) -> None:
    """Lost answers for weeks: the same keys are certified again, whichever of the two the backend holds active."""
    for fault in (lose_request, lose_answer):
        world.renewed_from = world.credentials.current.slot
        world.restart()
        world.chore.step()
        world.faults = [fault]
        world.wait(max(world.chore.step(), 1.0))
        slot = world.loaded().following
        assert slot is not None
        world.clock.now_s = float(slot.certificate_until_s + DAY_S)
        world.run_until(world.is_renewed)
        assert world.credentials.current.signing_key.public_spki() == slot.signing_key.public_spki()
        assert isinstance(world.call(), dict)
        world.clock.now_s = float(due_s(world.credentials.current))
    assert world.alarms() == {}


def test_new_keys_that_the_backend_has_lost_are_given_up_for_others(world: World) -> None:
    assert world.chore.step() == 0.0
    assert world.loaded().following is not None
    first = world.loaded().following
    _set_state(world, f"{KIOSK}/2", "retired")
    assert world.chore.step() > 0
    assert world.notes.events == [("renewal_failed", {"reason": "refused"})]
    assert world.slots() == {1}
    world.run_until(world.is_renewed)
    assert first is not None
    assert world.credentials.current.signing_key.public_spki() != first.signing_key.public_spki()
    assert isinstance(world.call(), dict)


def test_new_keys_are_not_given_up_unless_the_old_ones_are_accepted(world: World) -> None:
    world.chore.step()
    for keyid in (f"{KIOSK}/1", f"{KIOSK}/2"):
        _set_state(world, keyid, "retired")
    for _ in range(3):
        world.wait(max(world.chore.step(), 1.0))
    assert world.loaded().following is not None
    assert world.slots() == {1, 2}
    _set_state(world, f"{KIOSK}/2", "pending")
    world.run_until(world.is_renewed)


def test_a_damaged_certificate_of_new_keys_is_asked_for_again(world: World) -> None:
    world.chore.step()
    identity_files.tls_certificate_file(world.identity_dir, 2).write_bytes(b"half of a")
    world.restart()
    assert world.loaded().following is None
    world.run_until(world.is_renewed)
    assert world.alarms() == {}


def test_a_damaged_new_key_is_replaced(world: World) -> None:
    """The backend cannot tell that from a second kiosk with the same disk, and says so to its operator."""
    world.chore.step()
    (world.identity_dir / "keys" / "signing-2.pem").write_bytes(b"half of a")
    world.restart()
    world.run_until(world.is_renewed)
    assert world.alarms() == {"second_renewal": 1}
    assert isinstance(world.call(), dict)


def test_renewal_that_fails_for_long_is_a_fault_and_written_down_once(world: World) -> None:
    world.faults = [lose_request] * 10_000
    world.run_until(lambda: world.clock.now_s > overdue_s(world.credentials.current))
    assert world.notes.events == [("renewal_failed", {"reason": "network"})]
    assert world.chore.check().state is CheckState.FAULT
    assert len(world.exchanges) < 100, "at most one try an hour"
    world.faults = []
    world.run_until(world.is_renewed)
    assert world.chore.check().state is CheckState.OK


# --- revoked, cloned ----------------------------------------------------------------------------------------------


def test_a_revoked_kiosk_gets_nothing_and_says_so(world: World) -> None:
    told = world.operate("revoke")
    assert told == {"keys": 1, "certificates": 1}
    answer = world.call()
    assert isinstance(answer, Refusal)
    assert answer.reason is RefusalReason.KEY_STATE
    assert world.credentials.refused
    world.chore.step()
    world.chore.step()
    assert world.notes.events == [("revoked", {}), ("renewal_failed", {"reason": "refused"})]
    world.clock.now_s = float(world.credentials.current.certificate_until_s + 1)
    world.run_until(lambda: RECOVER in world.exchanges)
    assert world.notes.events[2:] == []
    assert world.operate("keys")["quarantine"] == "stop"
    assert [key["state"] for key in world.operate("keys")["keys"]] == ["revoked"]
    assert world.slots() == {1}, "keys that were begun in vain do not pile up"


def test_a_revoked_kiosk_is_let_in_again_by_a_new_ticket(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.operate("revoke")
    again = world.folder / "again"
    world.enrol(monkeypatch, again)
    world.restart(again)
    assert isinstance(world.call(), dict)
    world.operate("quarantine", level="none")
    assert world.operate("keys")["quarantine"] == "none"


def test_no_renewal_in_quarantine(world: World) -> None:
    world.operate("quarantine", level="stop")
    world.chore.step()
    assert world.notes.events == [("renewal_failed", {"reason": "refused"})]
    assert world.accepted() == [f"{KIOSK}/1"]
    world.operate("quarantine", level="none")
    world.run_until(world.is_renewed)


def test_the_copy_of_a_disk_cannot_renew_after_the_original_has(world: World) -> None:
    copy = world.folder / "copy"
    shutil.copytree(world.identity_dir, copy)
    world.run_until(world.is_renewed)
    world.restart(copy)
    world.chore.step()
    assert world.alarms() == {"old_key": 1}
    assert ("renewal_failed", {"reason": "refused"}) in world.notes.events
    world.clock.now_s += DAY_S
    assert isinstance(world.call(), Refusal)
    assert world.credentials.refused
    world.chore.step()
    assert ("revoked", {}) in world.notes.events


def test_two_kiosks_that_renew_from_one_disk_are_noticed(world: World) -> None:
    copy = world.folder / "copy"
    shutil.copytree(world.identity_dir, copy)
    world.chore.step()
    world.restart(copy)
    world.chore.step()
    assert world.alarms() == {"second_renewal": 1}


def _set_state(world: World, keyid: str, state: str) -> None:
    table = schema.kiosk_key
    world.database.run(
        lambda connection: connection.execute(table.update().where(table.c.keyid == keyid).values(state=state))
    )
