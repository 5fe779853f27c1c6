"""The plays of the attack matrix, without a network: each turn has its outcome and writes what its class allows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.sync.messages import Refused
from simulators.backend import schema
from simulators.backend.authority import Authority
from tests.sync.attack_plays import PLAYS
from tests.sync.attacks import Play, Scene, Turn, Writes
from tests.sync.server import Enrolled, Server, new_authority
from tests.sync.support import KIOSK, NOW_S, ORIGIN, p256_key

OTHER = "borne-8"
TLS = {"own": KIOSK, "other": OTHER, "none": None}
KEY, OTHER_KEY = p256_key(f"{KIOSK}/1"), p256_key(f"{OTHER}/1")
STATES = {"retire": "retired", "revoke": "revoked"}
REFUSED_WRITES = ["INSERT nonce", "UPDATE kiosk"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def server(authority: Authority, tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "backend.db", authority, ORIGIN, NOW_S, (Enrolled(KIOSK, KEY), Enrolled(OTHER, OTHER_KEY)))
    yield made
    made.close()


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: f"{play.number}-{play.name}")
def test_each_turn_has_its_outcome(server: Server, play: Play) -> None:
    scene = Scene(ORIGIN, NOW_S, KEY, OTHER_KEY, server.server_key)
    for turn in play.turns(scene):
        _take(server, turn)


def _take(server: Server, turn: Turn) -> None:
    if turn.staged == "restart":
        server.restart()
    elif turn.staged:
        server.set_key_state(KEY.keyid, STATES[turn.staged])
    server.now_s = NOW_S + turn.after_s
    server.writes.clear()
    answer = server.send(turn.message, TLS[turn.tls])
    assert not isinstance(answer, Refused), answer
    body = json.loads(answer.body)
    if turn.outcome == "ok":
        assert answer.status == 200, body
        assert tuple(result["status"] for result in body.get("results", ())) == turn.statuses
    else:
        assert body["error"]["reason"] == turn.outcome
    if turn.writes is Writes.NONCE:
        assert [write for write in server.writes if write != "INSERT alarm"] == REFUSED_WRITES  # a counter too
    elif turn.writes is Writes.QUARANTINE:
        assert {"INSERT document", "INSERT alarm", *REFUSED_WRITES} <= set(server.writes)
        assert server.rows(schema.kiosk.c.id, schema.kiosk.c.quarantine)[0] == (KIOSK, "stop")


def test_what_is_refused_before_the_transaction_writes_nothing(server: Server) -> None:
    scene = Scene(ORIGIN, NOW_S, KEY, OTHER_KEY, server.server_key)
    assert isinstance(server.send(scene.request(), OTHER), Refused)
    assert isinstance(server.send(scene.request(), None), Refused)
    assert server.writes == []
    assert not isinstance(server.send(scene.request(), KIOSK), Refused)
    assert "INSERT nonce" in server.writes
