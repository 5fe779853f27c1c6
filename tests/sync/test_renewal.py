"""Renewal of keys in two phases, killed or cut off at every step on both sides: the kiosk always holds a good key."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.diagnostics.report import CheckState
from kiosk.sync import identity_files
from kiosk.sync.faults import Refusal, RefusalReason
from kiosk.sync.keys import KeyStoreError
from kiosk.sync.renewal import RECOVERY_S, due_s, overdue_s
from kiosk.visit.failures import Fault
from simulators.backend import schema
from simulators.backend.private_postgres import private_postgres
from tests.sync.renewal_world import (
    DAY_S,
    KIOSK,
    PROBE,
    RECOVER,
    REENROLL,
    World,
    copied,
    kill_server_before_commit,
    lose_answer,
    lose_request,
)
from tests.sync.renewal_world import Fault as WireFault
from tests.sync.tpm import software_tpm

LIFE_S = 14 * DAY_S


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An enrolled kiosk and its backend."""
    folder = tmp_path_factory.mktemp("world") / "enrolled"
    world = World(folder)
    with pytest.MonkeyPatch.context() as patched:
        world.enrol(patched)
    world.close()
    return folder


Worlds = Callable[[], World]


@pytest.fixture
def worlds(template: Path, tmp_path: Path) -> Iterator[Worlds]:
    """As many worlds as a test needs, each at the moment when its kiosk's keys are due."""
    made: list[World] = []

    def make() -> World:
        if made:
            made[-1].close()
        world = copied(template, tmp_path / str(len(made)))
        made.append(world)
        world.restart()
        world.clock.now_s = float(due_s(world.credentials.current))
        return world

    yield make
    if made:
        made[-1].close()


@pytest.fixture
def world(worlds: Worlds) -> World:
    return worlds()


# --- as it goes ---------------------------------------------------------------------------------------------------


def test_keys_are_renewed_between_two_thirds_and_three_quarters_of_their_life(world: World) -> None:
    current = world.credentials.current
    at_s = due_s(current) - current.certificate_from_s
    life_s = current.certificate_until_s - current.certificate_from_s
    assert life_s * 2 / 3 <= at_s <= life_s * 3 / 4
    assert due_s(world.loaded().current) == due_s(current), "the same at every start"
    world.clock.now_s -= 10
    world.restart()
    assert world.chore.step() == 10
    assert world.exchanges == []
    assert world.chore.check().facts["renewal"] == "not due"


def test_a_renewal(world: World) -> None:
    old = world.credentials.current
    world.run_until(world.is_renewed)
    new = world.credentials.current
    assert world.exchanges == [REENROLL, PROBE]
    assert (old.signing_key.keyid, new.signing_key.keyid, new.slot) == (f"{KIOSK}/1", f"{KIOSK}/2", 2)
    assert new.signing_key.public_spki() != old.signing_key.public_spki()
    assert new.tls_key_pem != old.tls_key_pem
    assert new.certificate_until_s >= world.clock.now_s + LIFE_S - 60
    assert world.state_of(f"{KIOSK}/2") == ("active", None)
    state, until_s = world.state_of(f"{KIOSK}/1")
    assert (state, until_s) == ("grace", int(world.clock.now_s) - 1 + DAY_S)
    assert world.notes.events == [("renewed", {"generation": 2})]
    assert world.switches == 1
    assert world.loaded().current.signing_key.keyid == f"{KIOSK}/2"
    assert isinstance(world.call(), dict)
    assert world.alarms() == {}


def test_renewals_go_on(world: World) -> None:
    generations = 1
    end_s = world.clock.now_s + 100 * DAY_S
    while world.clock.now_s < end_s:
        generations += 1
        world.clock.now_s = max(world.clock.now_s, float(due_s(world.credentials.current)))
        world.run_until(lambda: world.credentials.current.signing_key.keyid == f"{KIOSK}/{generations}")  # noqa: B023
    assert generations >= 10
    assert world.slots() == {generations}
    assert world.alarms() == {}
    assert {name for name, _ in world.notes.events} == {"renewed"}


@pytest.mark.parametrize(("after_s", "taken"), [(DAY_S - 1, True), (DAY_S, False)])
def test_the_old_key_has_a_day_of_grace(world: World, after_s: int, taken: bool) -> None:
    old = world.channel(world.credentials.current)
    world.run_until(world.is_renewed)
    state, until_s = world.state_of(f"{KIOSK}/1")
    assert state == "grace"
    world.clock.now_s = float((until_s or 0) - DAY_S + after_s)
    answer = old.call(PROBE, {"known": {}}, deadline_s=1.0)
    assert isinstance(answer, dict) is taken
    assert taken or (isinstance(answer, Refusal) and answer.reason is RefusalReason.KEY_STATE)


def test_keys_in_a_tpm_are_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with software_tpm(tmp_path / "tpm") as tcti:
        world = World(tmp_path / "world", f"tpm2:{tcti}")
        world.enrol(monkeypatch)
        world.restart()
        old = world.credentials.current
        world.clock.now_s = float(due_s(old))
        world.run_until(lambda: world.credentials.current.slot == 2)
        assert isinstance(world.call(), dict)
        keys = world.identity_dir / "keys"
        assert [path.name for path in keys.iterdir()] == ["signing-2.tpm2"]
        assert isinstance(world.loaded().key_store.load(1), KeyStoreError)
        facts = world.chore.check().facts
        assert (facts["store"], facts["sealed_by"], facts["generation"]) == ("tpm2", "tpm2", 2)
        world.renewal.held.key_store.close()
        world.close()


def test_keys_live_the_same_life_on_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with private_postgres() as cluster:
        world = World(tmp_path / "world", database_url=cluster.new_database())
        world.enrol(monkeypatch)
        world.restart()
        copy = tmp_path / "copy"
        shutil.copytree(world.identity_dir, copy)
        world.clock.now_s = float(due_s(world.credentials.current))
        world.run_until(world.is_renewed)
        assert isinstance(world.call(), dict)
        assert [key["state"] for key in world.operate("keys")["keys"]] == ["grace", "active"]
        world.restart(copy)
        world.chore.step()
        world.chore.step()
        assert world.alarms() == {"old_key": 1}
        assert world.operate("revoke") == {"keys": 2, "certificates": 2}
        assert isinstance(world.call(), Refusal)
        world.close()


# --- killed, at every step ----------------------------------------------------------------------------------------


class Killed(BaseException):
    """SIGKILL: nothing after this line happens in this process."""


def killed_at(patched: pytest.MonkeyPatch, world: World, step: int) -> list[str]:
    """The kiosk is killed just before its n-th operation that outlives it; returns what it did."""
    done: list[str] = []

    def tick(name: str) -> None:
        done.append(name)
        if len(done) == step:
            raise Killed

    def counted(owner: object, name: str) -> None:
        real = getattr(owner, name)

        def wrapped(*arguments: object, **options: object) -> object:
            tick(name)
            return real(*arguments, **options)

        patched.setattr(owner, name, wrapped)

    counted(os, "fsync")
    counted(Path, "rename")
    counted(Path, "unlink")
    counted(world, "asked")
    return done


PAUSES = {"at once": 0.0, "after the grace": 1.5 * DAY_S, "after the certificate": 15.0 * DAY_S}
"""How long the kiosk then stays without power."""


@pytest.mark.parametrize("pause", PAUSES)
def test_a_kill_at_any_step_leaves_a_key_that_the_backend_accepts(worlds: Worlds, pause: str) -> None:
    step, kills = 0, 0
    done: list[str] = []
    while step == 0 or len(done) >= step:
        step += 1
        world = worlds()
        with pytest.MonkeyPatch.context() as patched:
            done = killed_at(patched, world, step)
            try:
                world.run_until(world.is_renewed)
            except Killed:
                kills += 1
        world.clock.now_s += PAUSES[pause]
        _heals(world, f"killed before step {step}, {done[-1]}")
    assert kills == step - 1 >= 20
    assert done.count("asked") == 2


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("exchange", [0, 1], ids=["request", "proof"])
@pytest.mark.parametrize("fault", ["lost request", "lost answer", "server killed before commit"])
def test_the_network_or_the_server_fails_at_any_exchange(worlds: Worlds, fault: str, exchange: int, pause: str) -> None:
    world = worlds()
    made: dict[str, WireFault] = {
        "lost request": lose_request,
        "lost answer": lose_answer,
        "server killed before commit": kill_server_before_commit(world),
    }
    world.faults = [lambda do: do()] * exchange + [made[fault]]
    while world.faults:
        world.wait(max(world.chore.step(), 1.0))
    assert ("renewal_failed", {"reason": "network"}) in world.notes.events
    world.clock.now_s += PAUSES[pause]
    _heals(world, fault)


def _heals(world: World, what: str) -> None:
    """A new process finds a good key, gets to a renewed one, keeps only that, and raises no alarm."""
    assert world.accepted(), what
    world.restart()
    world.run_until(lambda: world.is_renewed() and world.clock.now_s < world.credentials.current.certificate_until_s)
    assert isinstance(world.call(), dict), what
    assert world.state_of(world.credentials.current.signing_key.keyid) == ("active", None), what
    assert world.loaded().following is None
    assert world.alarms() == {}, what


# --- expired, refused, damaged ------------------------------------------------------------------------------------


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
