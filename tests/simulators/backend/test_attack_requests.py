"""The attack matrix, class Z: each bent request over TLS is refused unsigned, for its reason, and writes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from secrets import token_hex

import pytest

from kiosk.sync.messages import Reason, Refused
from simulators.backend import http_protocol
from tests.simulators.backend.attack_stage import CLOSED, Stage
from tests.sync.attack_rows import REQUEST_ROWS
from tests.sync.attacks import IDEMPOTENCY, Bend, RequestRow, add

BELOW = (CLOSED, 400, 413, 431)
"""What HTTP itself may answer where it keeps the bytes from the application."""
UNPARSED = {
    "length with a sign", "length in other digits", "folded", "carriage return", "zero byte", "delete character",
    "a field of 64 KiB", "a thousand fields",
}  # fmt: skip
"""Rows that the HTTP parser or its limits refuse with the same status, before the profile sees a head."""
HONEST = {"blank at the start of the key", "body longer than told"}
"""HTTP takes such blanks off (RFC 9110 §5.5) and reads a byte too many as another request: the profile sees neither."""


@pytest.fixture
def stage(standing_stage: Stage) -> Stage:
    """One backend for all: nothing here may change it."""
    return standing_stage


def test_the_honest_requests_are_taken_and_seen_in_the_trace(stage: Stage) -> None:
    for message, tls in (
        (stage.scene.request(), "own"),
        (stage.scene.resigned(stage.scene.request(idempotency_key="1" * 32)), "own"),
        (stage.scene.request(key=stage.scene.other_key), "other"),
    ):
        stage.quiet()
        heard = stage.send(message, tls)
        assert stage.proven(message, heard) == {"applied": False, "last_seq": 0}
        assert any("nonce" in statement for statement in stage.quiet())


@pytest.mark.parametrize(
    "row", [row for row in REQUEST_ROWS if row.name not in HONEST], ids=lambda row: f"{row.number}-{row.name}"
)
def test_a_bent_request_is_refused_and_leaves_no_trace(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, row: RequestRow
) -> None:
    message = row.bend(stage.scene.request(), stage.scene)
    if "body cut" in row.name:
        monkeypatch.setattr(http_protocol, "BODY_LIMIT_S", 0.1)  # nothing more will come
    before = stage.changes()
    stage.quiet()
    stage.log.clear()
    heard = stage.send(message, row.tls)
    assert not heard.is_signed
    if row.socket:
        assert heard.status == Refused(Reason(row.reason)).http_status
        assert json.loads(heard.body) == {"status": heard.status}
        assert [entry["reason"] for entry in stage.log] == ([] if row.name in UNPARSED else [row.reason])
    else:
        assert heard.status in BELOW
    assert stage.quiet() == []
    assert stage.changes() == before


@pytest.mark.parametrize(
    "bend",
    [
        lambda message, _: message.edited(IDEMPOTENCY, b" \t" + message.value(IDEMPOTENCY)),
        lambda message, _: replace(message, headers=tuple((name.title(), value) for name, value in message.headers)),
        lambda message, _: replace(message, headers=message.headers[::-1]),
        add(b"x-other", b"1"),
    ],
    ids=["blanks before a value", "names in capitals", "another order of fields", "a field more"],
)
def test_what_http_leaves_free_is_taken(stage: Stage, bend: Bend) -> None:
    message = stage.scene.request(idempotency_key=token_hex(16))
    assert stage.proven(message, stage.send(bend(message, stage.scene))) == {"applied": False, "last_seq": 0}
