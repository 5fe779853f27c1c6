"""Renewal of keys in two phases, killed or cut off at every step on both sides: the kiosk always holds a good key."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kiosk.sync.faults import Refusal, RefusalReason
from kiosk.sync.keys import KeyStoreError
from kiosk.sync.renewal import due_s
from simulators.backend.private_postgres import private_postgres
from tests.sync.renewal_world import (
    DAY_S,
    KIOSK,
    PROBE,
    REENROLL,
    World,
    Worlds,
    kill_server_before_commit,
    lose_answer,
    lose_request,
)
from tests.sync.renewal_world import Fault as WireFault
from tests.sync.tpm import software_tpm

LIFE_S = 14 * DAY_S


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
