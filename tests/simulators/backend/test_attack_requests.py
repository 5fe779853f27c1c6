"""The attack matrix, class Z: each bent request over TLS is refused unsigned, for its reason, and writes nothing."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pytest

from kiosk.sync.messages import Reason, Refused
from simulators.backend import http_protocol
from tests.simulators.backend.attack_stage import CLOSED, Stage, staged
from tests.simulators.backend.kiosk_side import FakeUtc
from tests.sync.attack_rows import REQUEST_ROWS
from tests.sync.attacks import IDEMPOTENCY, Bend, RequestRow, add

BELOW = (CLOSED, 400, 413, 431)
"""What HTTP itself may answer where it keeps the bytes from the application."""
UNPARSED = {
    "length with a sign", "length in other digits", "folded", "zero byte", "delete character", "a field of 64 KiB",
    "a thousand fields",
}  # fmt: skip
"""Rows that the HTTP parser or its limits refuse with the same status, before the profile sees a head."""
HONEST = {"blank at the start of the key", "body longer than told"}
"""HTTP takes such blanks off (RFC 9110 §5.5) and reads a byte too many as another request: the profile sees neither."""


@pytest.fixture(scope="module")
def stage(first_start: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One backend for all rows: none of them may change anything."""
    folder = tmp_path_factory.mktemp("requests")
    data_dir = shutil.copytree(first_start, folder / "data")
    with staged(data_dir, folder, FakeUtc(int(time.time()))) as value:
        yield value


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
    before = stage.rows()
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
    assert stage.rows() == before


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
