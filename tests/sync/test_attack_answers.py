"""What a false backend says, through the kiosk's whole upload: class C, nothing is read, the next attempt moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.store.transaction import Row, Transaction
from kiosk.sync.outbox import pending
from kiosk.sync.wire import RawAnswer, WireFailure
from simulators.backend.authority import Authority
from tests.sync.attack_answers import ANSWER_ROWS
from tests.sync.attacks import AnswerRow, Scene
from tests.sync.network import Kiosk, Mood, Network
from tests.sync.rfc9421 import Answer, Message
from tests.sync.server import Enrolled, Server, new_authority
from tests.sync.support import KIOSK, KIOSK_KEY, NOW_S, ORIGIN, p256_key

Rows = dict[str, list[Row]]
NEXT_ATTEMPT = ("attempts", "next_at_ms", "lease_until_ms")


class FalseNetwork(Network):
    """The backend is honest; somebody between bends what it says."""

    row: AnswerRow | None = None

    def exchange(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
        *,
        deadline_s: float,
        max_body_bytes: int,
    ) -> RawAnswer | WireFailure:
        heard = super().exchange(method, url, headers, body, deadline_s=deadline_s, max_body_bytes=max_body_bytes)
        if self.row is None or isinstance(heard, WireFailure):
            return heard
        scene = Scene(ORIGIN, NOW_S, KIOSK_KEY, p256_key("borne-8/1"), self.server.server_key)
        pairs = tuple((name.encode("ascii"), value.encode("ascii")) for name, value in headers)
        request = Message(method, url.removeprefix(ORIGIN).encode("ascii"), pairs, body)
        bent = self.row.bend(Answer(heard.status, tuple(heard.headers), heard.body), request, scene)
        return RawAnswer(bent.status, list(bent.headers), bent.body)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def kiosk(authority: Authority, tmp_path: Path) -> Iterator[Kiosk]:
    server = Server(tmp_path / "backend.db", authority, ORIGIN, NOW_S, (Enrolled(KIOSK, KIOSK_KEY),))
    made = Kiosk(tmp_path, FalseNetwork(server), floor_s=NOW_S)
    yield made
    made.store.close()
    server.close()


@pytest.mark.parametrize("row", ANSWER_ROWS, ids=lambda row: f"{row.number}-{row.name}")
def test_a_bent_answer_moves_only_the_next_attempt(kiosk: Kiosk, row: AnswerRow) -> None:
    network = kiosk.network
    assert isinstance(network, FalseNetwork)
    kiosk.queue("kiosk")
    network.moods = [Mood.REQUEST_LOST]
    kiosk.clock.advance(kiosk.uploader.step())
    before = kiosk.store.submit(_without_next_attempt).result()
    assert before["event"]
    assert before["batch"]
    network.row = row
    kiosk.clock.advance(kiosk.uploader.step())
    assert kiosk.store.submit(_without_next_attempt).result() == before
    assert not kiosk.time.trusted
    assert kiosk.floors == []
    network.row = None
    kiosk.uploader.step()
    assert kiosk.store.submit(pending).result() == 0
    assert kiosk.time.trusted


def _without_next_attempt(tx: Transaction) -> Rows:
    """Every row of every table, but for the columns that say when to send again."""
    rows: Rows = {}
    for (table,) in tx.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"):
        columns = [str(name) for (name,) in tx.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        kept = ", ".join(f'"{name}"' for name in columns if table != "batch" or name not in NEXT_ATTEMPT)
        rows[str(table)] = tx.execute(f"SELECT {kept} FROM {table!s}")  # noqa: S608  # names of the schema
    return rows
