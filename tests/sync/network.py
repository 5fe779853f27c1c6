"""A kiosk and a backend, both real, with a network of any mood between them and a crash of either at any moment."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from kiosk.store.thread import Store
from kiosk.sync.client import Channel
from kiosk.sync.identity import Identity, Trust
from kiosk.sync.messages import Refused
from kiosk.sync.outbox import Outbox
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import Uploader
from kiosk.sync.wire import RawAnswer, WireFailure
from tests.sync.attacks import INPUT
from tests.sync.rfc9421 import Answer, Message
from tests.sync.server import Server, ServerDiedError
from tests.sync.support import HOST, KIOSK, KIOSK_KEY, NOW_S, ORIGIN, FakeClock, raw, record

STORE_KEY = bytes(32)


class Mood(StrEnum):
    """What becomes of one exchange."""

    HONEST = "honest"
    REQUEST_LOST = "request_lost"
    ANSWER_LOST = "answer_lost"
    TWICE = "twice"  # the request arrives twice; the kiosk sees the second answer
    HELD = "held"  # lost for the kiosk, but may still arrive, later than newer ones
    OLD_ANSWER = "old_answer"  # the answer to an earlier request comes instead
    SERVER_DIES_BEFORE = "server_dies_before"  # the commit
    SERVER_DIES_AFTER = "server_dies_after"
    KIOSK_DIES_BEFORE = "kiosk_dies_before"  # the request has left
    KIOSK_DIES_AFTER = "kiosk_dies_after"  # it had its effect


class KioskDiedError(Exception):
    """The process ended while it was waiting for an answer."""


@dataclass
class Network:
    """The kiosk's `Exchange`. `moods` are used up one an exchange, then it is honest."""

    server: Server
    moods: list[Mood] = field(default_factory=list)
    held: list[Message] = field(default_factory=list)
    answers: list[RawAnswer] = field(default_factory=list)
    nonces: list[bytes] = field(default_factory=list)
    contents: dict[int, set[bytes]] = field(default_factory=lambda: defaultdict(set))

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
        """One request of the kiosk."""
        assert deadline_s > 0
        assert max_body_bytes > 0
        message = Message(method, url.removeprefix(ORIGIN).encode("ascii"), ((b"host", HOST), *raw(headers)), body)
        self.note(message)
        mood = self.moods.pop(0) if self.moods else Mood.HONEST
        match mood:
            case Mood.REQUEST_LOST:
                return WireFailure("staged")
            case Mood.HELD:
                self.held.append(message)
                return WireFailure("staged")
            case Mood.KIOSK_DIES_BEFORE:
                self.held.append(message)
                raise KioskDiedError
            case Mood.SERVER_DIES_BEFORE | Mood.SERVER_DIES_AFTER:
                self.kill(message, "before_commit" if mood is Mood.SERVER_DIES_BEFORE else "after_commit")
                return WireFailure("staged")
            case Mood.TWICE:
                self.deliver(message)
        answer = self.deliver(message)
        if mood is Mood.KIOSK_DIES_AFTER:
            raise KioskDiedError
        if mood is Mood.ANSWER_LOST:
            return WireFailure("staged")
        self.answers.append(answer)
        return self.answers[0] if mood is Mood.OLD_ANSWER else answer

    def note(self, message: Message) -> None:
        """What the kiosk has sent, for the invariants."""
        self.nonces.append(message.value(INPUT).partition(b";nonce=")[2][:24])
        if message.target == b"/v1/events":
            self.contents[json.loads(message.body)["batch_seq"]].add(message.body)

    def deliver(self, message: Message) -> RawAnswer:
        """A request arrives; what the server says to it."""
        answer = self.server.send(message, KIOSK)
        if isinstance(answer, Refused):
            answer = Answer(answer.http_status, ((b"content-type", b"application/json"),), b"{}")
        return RawAnswer(answer.status, list(answer.headers), answer.body)

    def kill(self, message: Message, when: str) -> None:
        """The server dies over this request, and another process takes its file."""
        try:
            self.server.send(message, KIOSK, dies=when)
        except ServerDiedError:
            self.server.restart()
        else:
            raise AssertionError("the server was to die")

    def close(self) -> None:
        """Nothing is held."""


class Kiosk:
    """Store, outbox, channel and uploader of the product; `start` again after a death."""

    def __init__(self, directory: Path, network: Network, floor_s: int = 0) -> None:
        self.file, self.network = directory / "kiosk.db", network
        self.clock = FakeClock()
        self.floor_s = floor_s
        self.floors: list[int] = []
        self.rng = random.Random(1)
        self.aggregates: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        """A new process on what the last one left on disk."""
        opened = Store.open(self.file, STORE_KEY)
        assert isinstance(opened, Store)
        self.store = opened
        self.outbox = Outbox(self.clock, boot_id="boot")
        self.time = TimeKeeper(self.clock, floor_s=self.floor_s, keep_floor=self._keep_floor)
        server_key = record(self.network.server.server_key)
        identity = Identity(
            kiosk=KIOSK,
            trust=Trust(ORIGIN, {server_key.keyid: server_key}, {}),
            signing_key=KIOSK_KEY,
            certificate_from_s=0,
            certificate_until_s=NOW_S * 2,
            directory=self.file.parent,
        )
        channel = Channel(identity, self.time, self.clock, wire=self.network, pause=self.clock.advance)
        self.uploader = Uploader(self.store, channel, self.clock, Turn(KIOSK, self.clock), self.rng)

    def restart(self, wrong_by_s: int = 0) -> None:
        """Another boot: the monotonic clock begins anew, the wall clock may be wrong."""
        self.store.close()
        self.clock.monotonic = 10.0
        self.clock.utc += wrong_by_s
        self.start()

    def queue(self, *names: str) -> None:
        """Events that the screen has acknowledged: committed when this returns."""

        def work(tx: object) -> None:
            for name in names:
                assert self.outbox.enqueue(tx, name, "fact", {}, utc_ms=NOW_S * 1000) is None  # type: ignore[arg-type]

        self.store.submit(work).result()
        for name in names:
            self.aggregates[name] = self.aggregates.get(name, 0) + 1

    def _keep_floor(self, floor_s: int) -> None:
        self.floors.append(floor_s)
        self.floor_s = floor_s
