"""Differential campaign over answers: nothing is accepted by us that the independent implementation refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import pytest

from kiosk.sync.messages import Refused, SignedRequest
from kiosk.sync.profile import KeyRecord
from kiosk.sync.signature import verify_response
from kiosk.visit.ports import SigningKey
from tests.sync.attack_answers import ANSWER_ROWS
from tests.sync.attacks import DIGEST, INPUT, SIGNATURE, Scene
from tests.sync.campaign import HONEST_SHARE, Generator, Tally, Verdict
from tests.sync.oracle import Oracle, as_reply, as_request, stop_the_clock
from tests.sync.rfc9421 import Answer, Message
from tests.sync.support import KIOSK, NOW_S, ORIGIN, Ed25519Key, p256_key, record

TOO_BIG = ("endless body", "too many fields")  # costly, and tested in the rows
REQUESTS = 64


@pytest.fixture(autouse=True)
def _moment(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_the_clock(monkeypatch)


def ours(answer: Answer, sent: SignedRequest, keys: Mapping[str, KeyRecord]) -> Verdict:
    """Our verdict, with the floor of time an hour ago."""
    result = verify_response(
        sent, status=answer.status, headers=answer.headers, body=answer.body, server_keys=keys, floor_s=NOW_S - 3600
    )
    return (str(result.reason), result.field) if isinstance(result, Refused) else None


def as_sent(request: Message) -> SignedRequest:
    """The kiosk's own copy of a request."""
    return SignedRequest(
        ORIGIN + request.target.decode("ascii"),
        (),
        request.value(DIGEST).decode("ascii"),
        request.value(SIGNATURE).decode("ascii").removeprefix("sig1="),
    )


@pytest.mark.parametrize(
    ("key", "messages", "seed"),
    [(p256_key("srv/1"), 41_500, 9422), (Ed25519Key("srv/1"), 4_500, 9531)],
    ids=["p256", "ed25519"],
)
def test_no_answer_is_accepted_that_the_oracle_refuses(key: SigningKey, messages: int, seed: int) -> None:
    scene = Scene(ORIGIN, NOW_S, p256_key(f"{KIOSK}/1"), p256_key("borne-8/1"), key)
    keys = {key.keyid: record(key)}
    rows: list[Callable[[Answer, Message], Answer]] = [
        partial(lambda row, answer, request: row.bend(answer, request, scene), row)
        for row in ANSWER_ROWS
        if row.name not in TOO_BIG and not (row.number == 5 and key.alg == "ed25519")
    ]
    generator, oracle, tally = Generator(scene, seed), Oracle(key), Tally()
    requests = [
        (request, as_sent(request), as_request(request, ORIGIN))
        for request in (generator.honest() for _ in range(REQUESTS))
    ]
    for _ in range(messages):
        request, sent, seen = generator.rng.choice(requests)
        honest = generator.rng.random() < HONEST_SHARE
        answer = generator.answer(request) if honest else generator.bent_answer(request, rows)
        if not honest and generator.rng.random() < 0.05:
            _, sent, seen = generator.rng.choice(requests)  # told to answer another request
        text = b"".join(value for name, value in answer.headers if name.lower() == INPUT).decode("latin-1")
        tally.judge(honest, ours(answer, sent, keys), oracle.accepts(as_reply(answer, seen), answer.body), text)
    print(f"\n{key.alg}, answers: {tally}")
    assert tally.honest >= 0.4 * messages
    assert tally.both_accept >= tally.honest
    assert len(tally.stricter) >= 8
