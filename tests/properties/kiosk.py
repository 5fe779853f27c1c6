"""The kiosk's real parts in one thread: store, outbox, channel, keys and documents of one state directory."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock

from kiosk.chores.uploading import Uploading
from kiosk.enrolled import settle_enrolment
from kiosk.facts import Facts
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.key import load_or_create_key
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction, read_meta_int
from kiosk.sync import enrol as enrolling
from kiosk.sync.client import Channel
from kiosk.sync.documents import Document
from kiosk.sync.documents_keeper import DocumentKeeper
from kiosk.sync.identity import Identities, IdentityError, load_identities
from kiosk.sync.outbox import Outbox
from kiosk.sync.profile import generation_of
from kiosk.sync.renewal import Renewal
from kiosk.sync.time_keeper import TIME_FLOOR, TimeKeeper, keep_floor
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import Uploader
from kiosk.sync.wire import Exchange
from tests.properties.backend import ENROL_ORIGIN, KIOSK, WorldClock, ca_pem
from tests.store.power_loss import DISK

SERIAL: Final = "K-0999"
CARDS: Final = (None, "0" * 32, "1" * 32)
"""A fact of the kiosk, or of one of two visits."""


@dataclass
class Kept:
    """What the kiosk was told is on its disk; no power cut may take any of it back."""

    facts: list[int] = field(default_factory=list)
    tried: int = 0
    floor_s: int = 0
    generation: int = 0  # of the key in force; 0: none
    policy: int = 0


class Kiosk:
    """One run of the kiosk's program: the real store, outbox, channel, keys and documents of one state directory."""

    def __init__(self, state: Path, network: Exchange, clock: WorldClock, kept: Kept, *, vfs: str | None) -> None:
        self._state, self._network, self._clock, self._kept = state, network, clock, kept
        key = load_or_create_key(state / "store.key", state / "kiosk.db")
        opened = key if isinstance(key, StoreError) else Store.open(state / "kiosk.db", key, vfs=vfs)
        if isinstance(opened, StoreError):
            raise StoreFailedError(opened)
        self.store = opened
        self._floors: list[tuple[int, Future[None]]] = []
        floor_s = self._run(lambda tx: read_meta_int(tx, TIME_FLOOR))
        self.time = TimeKeeper(clock, floor_s=floor_s, keep_floor=self._keep_floor)
        self._facts = Facts(opened, Outbox(clock, boot_id="boot"), lambda: self.time.now_s() * 1000)
        self.identities: Identities | None = None
        self.load()

    def load(self) -> None:
        """Look who this kiosk is."""
        loaded = load_identities(self._state / "identity")
        self.identities = None if isinstance(loaded, IdentityError) else loaded
        if self.identities is None:
            return
        turn = Turn(KIOSK, self._clock)
        uploader = Uploader(self.store, self._channel(), self._clock, turn, random.Random(1))
        self.uploading = Uploading(uploader, self._facts, self._settle)
        roles = self.identities.current.trust.roles
        self.keeper = DocumentKeeper(self.store, roles=roles, kiosk=KIOSK, app_version="0.1.0")

    def fact(self) -> None:
        """One more fact, each of its own content; acknowledged when this returns."""
        self._kept.tried += 1
        number = self._kept.tried
        fields: dict[str, str | int | bool] = {"outcome": "updated", "packages": number, "apdus": 0, "wrote": True}
        self._facts.commit("update_ended", fields, CARDS[number % len(CARDS)]).result()
        self._kept.facts.append(number)

    def upload(self) -> None:
        """One step of the upload; the time it asks for passes."""
        if self.identities is not None:
            self._clock.now_s += self.uploading.step()
            self._note_floors()

    def poll(self) -> None:
        """Ask for newer documents, and adopt them."""
        if self.identities is None:
            return
        answer = self._channel().call("/v1/policy/state", {"known": {}}, deadline_s=5.0)
        self._note_floors()
        for envelope in answer["documents"] if isinstance(answer, dict) else ():
            adopted = self.keeper.adopt(envelope, self.time.now_s()).result()
            if isinstance(adopted, Document) and adopted.type == "policy":
                self._kept.policy = max(self._kept.policy, adopted.version)

    def enrol(self, ticket: str) -> str | None:
        """By ticket; why not, or None."""
        (self._state / "ca.pem").write_bytes(ca_pem())
        with mock.patch.object(enrolling, "Wire", return_value=self._network):
            done = enrolling.enrol(
                origin=ENROL_ORIGIN,
                ca_file=self._state / "ca.pem",
                ticket_text=ticket,
                state_dir=self._state / "identity",
                kiosk_serial=SERIAL,
            )
        self.load()
        self._note_key()
        if isinstance(done, enrolling.EnrolError):
            return f"{done.field}: {done.reason}"
        self._settle()
        return None

    def renew(self) -> None:
        """One step towards new keys: request them, or prove and adopt those that were certified."""
        if self.identities is None:
            return
        work = Renewal(self.identities, SERIAL, open_wire=self._open)
        if work.following is None:
            work.request(self.time.now_s())
        else:
            channel = Channel(work.following, self.time, self._clock, wire=self._network, pause=self._pause)
            if isinstance(channel.call("/v1/policy/state", {"known": {}}, deadline_s=5.0), dict):
                work.adopt()
        self.load()
        self._note_key()

    @property
    def generation(self) -> int:
        """Of the key in force, as the backend numbers them; 0: none."""
        keys = self.identities
        return 0 if keys is None else generation_of(keys.current.signing_key.keyid)

    def _note_key(self) -> None:
        DISK.check()  # nothing is promised by a machine without power
        self._kept.generation = max(self._kept.generation, self.generation)

    def close(self) -> None:
        """The end of the program."""
        self.store.close()

    def _open(self, _context: ssl.SSLContext) -> Exchange:
        return self._network

    def _channel(self) -> Channel:
        assert self.identities is not None
        return Channel(self.identities.current, self.time, self._clock, wire=self._network, pause=self._pause)

    def _pause(self, seconds: float) -> None:
        self._clock.now_s += seconds

    def _keep_floor(self, floor_s: int) -> None:
        self._floors.append((floor_s, self.store.submit(lambda tx: keep_floor(tx, floor_s))))

    def _note_floors(self) -> None:
        for floor_s, kept in self._floors:
            if kept.exception() is None:
                self._kept.floor_s = max(self._kept.floor_s, floor_s)
        self._floors.clear()

    def _settle(self) -> IdentityError | None:
        return settle_enrolment(self.store, self._facts, self._state / "identity")

    def _run(self, work: Callable[[Transaction], Any]) -> Any:
        return self.store.submit(work).result()
