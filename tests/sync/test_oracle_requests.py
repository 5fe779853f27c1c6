"""Differential campaign over requests: nothing is accepted by us that the independent implementation refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import pytest

from kiosk.sync.messages import Refused, RequestHead
from kiosk.sync.profile import KeyRecord
from kiosk.sync.signature import verify_request
from kiosk.visit.ports import SigningKey
from tests.sync.attack_rows import REQUEST_ROWS
from tests.sync.attacks import INPUT, Scene
from tests.sync.campaign import HONEST_SHARE, Generator, Tally, Verdict
from tests.sync.oracle import Oracle, as_request, stop_the_clock
from tests.sync.rfc9421 import Message
from tests.sync.support import KIOSK, NOW_S, ORIGIN, Ed25519Key, p256_key, record

TOO_BIG = ("a field of 64 KiB", "a thousand fields")  # costly, and tested in the rows


@pytest.fixture(autouse=True)
def _moment(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_the_clock(monkeypatch)


def ours(message: Message, keys: Mapping[str, KeyRecord]) -> Verdict:
    """Our verdict at `NOW_S`, the time window included."""
    target, _, query = message.target.partition(b"?")
    head = RequestHead(message.method, target if query else message.target, query, message.headers)
    result = verify_request(head, message.body, origin=ORIGIN, tls_kiosk=KIOSK, find_key=keys.get)
    if isinstance(result, Refused):
        return str(result.reason), result.field
    return None if result.in_window(NOW_S) else ("time_skew", "")


@pytest.mark.parametrize(
    ("key", "messages", "seed"),
    [(p256_key(f"{KIOSK}/1"), 49_500, 9421), (Ed25519Key(f"{KIOSK}/1"), 4_500, 9530)],
    ids=["p256", "ed25519"],
)
def test_no_request_is_accepted_that_the_oracle_refuses(key: SigningKey, messages: int, seed: int) -> None:
    scene = Scene(ORIGIN, NOW_S, key, p256_key("borne-8/1"), p256_key("srv/1"))
    keys = {key.keyid: record(key)}
    rows: list[Callable[[Message], Message]] = [
        partial(lambda row, message: row.bend(message, scene), row)
        for row in REQUEST_ROWS
        if row.name not in TOO_BIG and row.number != 15
    ]
    generator, oracle, tally = Generator(scene, seed), Oracle(key), Tally()
    for _ in range(messages):
        honest = generator.rng.random() < HONEST_SHARE
        message = generator.honest() if honest else generator.bent(rows)
        text = b"".join(value for name, value in message.headers if name.lower() == INPUT).decode("latin-1")
        tally.judge(honest, ours(message, keys), oracle.accepts(as_request(message, ORIGIN), message.body), text)
    print(f"\n{key.alg}, requests: {tally}")
    assert tally.honest >= 0.4 * messages
    assert tally.both_accept >= tally.honest
    assert len(tally.stricter) >= 10
