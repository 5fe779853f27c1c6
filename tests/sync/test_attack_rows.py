"""The attack matrix without a network: each bent message against the verifier, each bent answer against the kiosk's."""

from __future__ import annotations

from collections import Counter

import pytest

from kiosk.sync.messages import Reason, Refused, RequestHead, SignedRequest, VerifiedRequest, VerifiedResponse
from kiosk.sync.signature import verify_request, verify_response
from tests.sync.attack_answers import ANSWER_ROWS
from tests.sync.attack_plays import PLAYS
from tests.sync.attack_rows import REQUEST_ROWS
from tests.sync.attacks import DIGEST, SIGNATURE, AnswerRow, RequestRow, Scene
from tests.sync.rfc9421 import Answer, Message
from tests.sync.support import KIOSK, NOW_S, ORIGIN, p256_key, record

OTHER = "borne-8"
SCENE = Scene(ORIGIN, NOW_S, p256_key(f"{KIOSK}/1"), p256_key(f"{OTHER}/1"), p256_key("srv/1"))
KEYS = {key.keyid: record(key) for key in (SCENE.key, SCENE.other_key)}
SERVER_KEYS = {SCENE.server_key.keyid: record(SCENE.server_key)}
TLS = {"own": KIOSK, "other": OTHER, "none": None}


def verdict(message: Message, tls: str = "own") -> VerifiedRequest | Refused:
    """What the server's pure part says, and what it asked of the key table."""
    target, _, query = message.target.partition(b"?")
    head = RequestHead(message.method, target if query else message.target, query, message.headers)
    return verify_request(head, message.body, origin=ORIGIN, tls_kiosk=TLS[tls], find_key=KEYS.get)


def proven(answer: Answer, request: Message) -> VerifiedResponse | Refused:
    """What the kiosk says of an answer to its request."""
    headers = tuple((name.decode("ascii"), value.decode("ascii")) for name, value in request.headers)
    sent = SignedRequest(
        ORIGIN + request.target.decode("ascii"),
        headers,
        request.value(DIGEST).decode("ascii"),
        request.value(SIGNATURE).decode("ascii").removeprefix("sig1="),
    )
    return verify_response(
        sent, status=answer.status, headers=answer.headers, body=answer.body, server_keys=SERVER_KEYS, floor_s=NOW_S
    )


def _name(row: RequestRow | AnswerRow) -> str:
    return f"{row.number}-{row.name}"


def test_the_honest_messages_are_accepted() -> None:
    request = SCENE.request()
    assert isinstance(verdict(request), VerifiedRequest)
    assert isinstance(verdict(SCENE.resigned(request)), VerifiedRequest)
    assert isinstance(verdict(SCENE.request(key=SCENE.other_key), tls="other"), VerifiedRequest)
    assert isinstance(proven(SCENE.answer(request), request), VerifiedResponse)


@pytest.mark.parametrize("row", REQUEST_ROWS, ids=_name)
def test_each_bent_request_is_refused_for_its_reason(row: RequestRow) -> None:
    honest = SCENE.request()
    bent = row.bend(honest, SCENE)
    assert bent != honest or row.tls != "own"
    result = verdict(bent, row.tls)
    assert isinstance(result, Refused)
    assert result.reason == row.reason
    assert result.http_status in (400, 401, 413, 431)


@pytest.mark.parametrize("row", ANSWER_ROWS, ids=_name)
def test_each_bent_answer_is_refused_for_its_reason(row: AnswerRow) -> None:
    request = SCENE.request()
    result = proven(row.bend(SCENE.answer(request), request, SCENE), request)
    assert isinstance(result, Refused)
    assert result.reason == row.reason


def test_names_are_unique_and_every_reason_is_provoked() -> None:
    for rows in (REQUEST_ROWS, ANSWER_ROWS, PLAYS):
        names = Counter((row.number, row.name) for row in rows)
        assert [name for name, count in names.items() if count > 1] == []
    provoked = {row.reason for row in REQUEST_ROWS} | {row.reason for row in ANSWER_ROWS}
    assert provoked == {str(reason) for reason in Reason}
