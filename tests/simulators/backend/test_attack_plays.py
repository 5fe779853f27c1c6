"""The attack matrix, classes N and Q: what needs a memory, over TLS; the rows before and after are compared."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from simulators.backend import schema
from simulators.backend.tidying import forget_old
from tests.simulators.backend.attack_stage import Rows, Stage, changed
from tests.sync.attack_plays import EVENTS, PLAYS, batch, event
from tests.sync.attacks import INPUT, Play, Turn, Writes
from tests.sync.rfc9421 import Message

STATES = {"retire": "retired", "revoke": "revoked"}
KIOSK_COLUMNS = [column.name for column in schema.kiosk.c]


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: f"{play.number}-{play.name}")
def test_each_turn_has_its_outcome_over_tls(stage: Stage, play: Play) -> None:
    for turn in play.turns(stage.scene):
        take(stage, turn)


def take(stage: Stage, turn: Turn) -> None:
    if turn.staged == "restart":
        stage.restart()
    elif turn.staged:
        keys = schema.kiosk_key
        stage.execute(keys.update().where(keys.c.kiosk == "borne-0001").values(state=STATES[turn.staged]))
    stage.utc.now_s = stage.start_s + turn.after_s
    stage.database.run(lambda connection: forget_old(connection, stage.utc.now_s))  # what the next request asks for
    before = stage.rows()
    heard = stage.send(turn.message, turn.tls)
    body = stage.proven(turn.message, heard)
    if turn.outcome == "ok":
        assert heard.status == 200, body
        assert tuple(result["status"] for result in body.get("results", ())) == turn.statuses
    else:
        assert body["error"]["reason"] == turn.outcome
    after = stage.rows()
    if turn.writes is Writes.NONCE:
        assert set(changed(before, after)) <= {"nonce", "kiosk", "alarm"}
        assert columns_changed(before, after) == {"refusals"}
        assert before["nonce"] <= after["nonce"]
        assert {nonce for _, nonce, _ in after["nonce"] - before["nonce"]} <= {nonce_of(turn.message)}
    elif turn.writes is Writes.QUARANTINE:
        assert set(changed(before, after)) == {"nonce", "kiosk", "alarm", "document"}
        assert columns_changed(before, after) == {"refusals", "quarantine"}


def nonce_of(message: Message) -> str:
    return message.value(INPUT).decode("ascii").partition(';nonce="')[2][:22]


def columns_changed(before: Rows, after: Rows) -> set[str]:
    """Columns of `kiosk` that differ; one kiosk at most may."""
    gone, new = changed(before, after).get("kiosk", (set(), set()))
    assert len(gone) == len(new) <= 1
    return {
        name
        for old, now in zip(gone, new, strict=True)
        for name, was, is_ in zip(KIOSK_COLUMNS, old, now, strict=True)
        if was != is_
    }


def test_twins_at_the_same_moment_have_one_effect_and_one_answer(stage: Stage) -> None:
    copies = [batch(stage.scene, 1, event(1, 1), event(2, 2), key="11") for _ in range(8)]
    with ThreadPoolExecutor(len(copies)) as senders:
        answers = list(senders.map(stage.send, copies))
    bodies = {json.dumps(stage.proven(*pair)) for pair in zip(copies, answers, strict=True)}
    assert [json.loads(body)["last_seq"] for body in bodies] == [1]
    assert len(stage.rows()["event"]) == 2


def test_a_number_of_two_contents_at_the_same_moment_is_one_batch_and_one_fork(stage: Stage) -> None:
    rivals = [batch(stage.scene, 1, event(number, 1), key=f"{number:02x}") for number in range(1, 5)]
    with ThreadPoolExecutor(len(rivals)) as senders:
        answers = list(senders.map(stage.send, rivals))
    outcomes = [stage.proven(*pair) for pair in zip(rivals, answers, strict=True)]
    assert len([body for body in outcomes if "results" in body]) == 1
    assert {body["error"]["reason"] for body in outcomes if "error" in body} <= {"fork", "quarantined"}
    assert len(stage.rows()["event"]) == 1


def test_an_answer_lost_after_the_commit_is_given_again_after_a_restart(stage: Stage) -> None:
    message = batch(stage.scene, 1, event(1, 1), key="11")
    first = stage.proven(message, stage.send(message))
    stage.restart()
    again = batch(stage.scene, 1, event(1, 1), key="11")
    assert stage.proven(again, stage.send(again)) == first
    other = stage.scene.request(message.body, path=EVENTS, idempotency_key="22" * 16)
    assert stage.proven(other, stage.send(other))["error"]["reason"] == "fork"
