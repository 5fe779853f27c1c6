"""Disks of one kiosk: each with the program on it, all before one backend."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from kiosk import cli
from kiosk.chores.uploading import Uploading
from kiosk.enrolled import settle_enrolment
from kiosk.facts import Facts
from kiosk.settings import KioskSettings, Settings
from kiosk.state import IDENTITY, open_store
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync import enrol as enrol_module
from kiosk.sync.credentials import Credentials
from kiosk.sync.outbox import Outbox, Quota
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import Uploader, UploadState
from simulators.backend import schema
from tests.sync.renewal_world import ENROL_ORIGIN, KIOSK, Wire, World

CARD = "00112233445566778899aabbccddeeff"


class Kiosk:
    """One disk: its state directory, and the program on it."""

    def __init__(self, world: World, state: Path) -> None:
        self.world, self.state = world, state
        self.told: list[int] = []

    def enrol(self, *, again: bool = False, ticket: str | None = None) -> int:
        """The command; what it returns. Without a ticket at hand the operator makes one."""
        file = self.state.with_name("ticket")
        file.write_text(ticket or self.world.operate("ticket", site_kind="agency")["ticket"], encoding="ascii")
        settings = Settings(KioskSettings(self.state, "SN-1"))
        return cli.enrol(settings, ENROL_ORIGIN, self.world.ca_file, file, again=again)

    def start(self, quota: Quota | None = None) -> Kiosk:
        opened = open_store(self.state)
        assert isinstance(opened, Store)
        self.store, clock = opened, self.world.clock
        self.world.restart(self.state / IDENTITY)
        channel = self.world.channel(Credentials(self.world.credentials.current))
        self.facts = Facts(opened, Outbox(clock, boot_id="boot", quota=quota), lambda: int(clock.now_s * 1000))
        self.uploader = Uploader(opened, channel, clock, Turn(KIOSK, clock), random.Random(1))
        settle = partial(settle_enrolment, opened, self.facts, self.state / IDENTITY)
        self.chore = Uploading(self.uploader, self.facts, settle)
        return self

    def stop(self) -> None:
        self.store.close()

    def fact(self, number: int, pseudonym: str | None = None) -> None:
        """One fact of its own content."""
        fields: dict[str, str | int | bool] = {"outcome": "updated", "packages": number, "apdus": 0, "wrote": True}
        self.facts.commit("update_ended", fields, pseudonym).result()
        self.told.append(number)

    def upload(self, steps: int = 12) -> None:
        """The chore at work; the time it asks for passes, as long as it is not for good."""
        for _ in range(steps):
            delay_s = self.chore.step()
            if self.uploader.status.state in (UploadState.IDLE, UploadState.STOPPED, UploadState.HELD) and delay_s:
                return
            self.world.wait(delay_s)

    def run(self, work: Callable[[Transaction], Any]) -> Any:
        return self.store.submit(work).result()

    @property
    def state_of_upload(self) -> tuple[UploadState, str]:
        return self.uploader.status.state, self.uploader.status.reason

    def copied(self, name: str) -> Kiosk:
        """The same disk as it is now; the program must not run."""
        other = Kiosk(self.world, self.state.with_name(name))
        shutil.copytree(self.state, other.state)
        return other


def applied(world: World) -> list[int]:
    """The numbers of the facts that took effect, sorted; one that did so twice is there twice."""
    table = schema.event.c
    statement = select(table.body_json).where(table.type == "update_ended")
    rows = world.database.run(lambda connection: connection.execute(statement).all())
    return sorted(json.loads(body)["packages"] for (body,) in rows)


def noted(kiosk: Kiosk, kind: str) -> list[dict[str, Any]]:
    rows = kiosk.run(lambda tx: tx.execute("SELECT fields FROM journal WHERE type = ? ORDER BY seq", (kind,)))
    return [json.loads(str(fields)) for (fields,) in rows]


def enrolled(folder: Path) -> Path:
    """A backend, and a kiosk that it has enrolled, below `folder`."""
    with pytest.MonkeyPatch.context() as patched:
        world = World(folder / "world")
        patched.setattr(enrol_module, "Wire", lambda *_: Wire(world))
        assert Kiosk(world, folder / "first").enrol() == 0
        world.close()
    return folder


@contextmanager
def copied(template: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kiosk]:
    """What `enrolled` has made, once more."""
    shutil.copytree(template, folder)
    world = World(folder / "world")
    monkeypatch.setattr(enrol_module, "Wire", lambda *_: Wire(world))
    made = Kiosk(world, folder / "first")
    yield made
    if hasattr(made, "store"):
        made.stop()
    world.close()
