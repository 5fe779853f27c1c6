"""A whole kiosk without a screen: the composition root, a real backend, simulated cards, an audience that waits.

Nothing is replaced by a double but time: the kiosk's clock can be moved on, so that no test waits for a limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import select

from kiosk.app import Kiosk, Surroundings
from kiosk.hardware.pcsc.contacts import BACK_WITHIN_S
from kiosk.journal.journal import verify
from kiosk.settings import KioskSettings, ReaderSettings, Settings
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync.outbox import pending
from kiosk.ui.ticket import draw_ticket
from kiosk.visit import events as ev
from kiosk.visit.model import State
from kiosk.visit.page_kinds import PreviewPart
from kiosk.visit.pages import Attract, Home, Preview, Result
from kiosk.visit.policy import SiteKind
from simulators.backend import in_thread, schema
from simulators.backend.admin import command
from simulators.backend.database import Database
from simulators.backend.files import DataDir
from simulators.backend.server import Ready
from simulators.card import SimulatedCard
from simulators.personas import load
from simulators.reader.embedded import READERS, EmbeddedScard
from simulators.stage import KIOSK_ID, Operator, enrol
from tests.e2e.audience import LIMIT_S, Audience, Time

POLL_S = 0.005


# --- the centre --------------------------------------------------------------------------------------------------


_NOW_S = int(time.time())


class CentreTime:
    """The backend's wall clock: stands still, so that no test sees midnight; a test moves it on."""

    def __init__(self) -> None:
        self.ahead_s = 0

    def __call__(self) -> int:
        return _NOW_S + self.ahead_s


@dataclass
class Centre:
    """A backend in a thread of this process, and a look at its books."""

    data: DataDir
    ready: Ready
    database: Database
    time: CentreTime

    def command(self, do: str, kiosk: str, **values: Any) -> dict[str, Any]:
        """An operator's command."""
        return command(self.data, {"do": do, "kiosk": kiosk, **values})

    def pending(self, serial: str) -> int:
        """Orders of this card that are not done."""
        table = schema.update_order.c
        return len(self._rows(select(table.update_id).where(table.serial == serial, table.done.is_(False))))

    def open_conversations(self, serial: str) -> int:
        """Conversations about this card that have not ended."""
        table = schema.conversation.c
        return len(self._rows(select(table.id).where(table.serial == serial, table.state == "open")))

    def told(self, kind: str) -> list[tuple[str, int, str]]:
        """(aggregate, number, body) of every event of this type the kiosk has told, in order."""
        table = schema.event.c
        statement = select(table.aggregate, table.aggregate_seq, table.body_json).where(table.type == kind)
        return [tuple(row) for row in self._rows(statement)]

    def _rows(self, statement: Any) -> list[Any]:
        return list(self.database.run(lambda connection: connection.execute(statement).all()))


@contextmanager
def centre(folder: Path, *personas: str) -> Iterator[Centre]:
    """Start a backend that knows these personas."""
    opened: list[Database] = []
    create = Database.__init__

    def remember(self: Database, path: Path) -> None:
        create(self, path)
        opened.append(self)

    moment = CentreTime()
    with patch.object(Database, "__init__", remember), in_thread(folder, moment, map(load, personas)) as ready:
        yield Centre(DataDir(folder), ready, opened[0], moment)


def serial_of(name: str) -> str:
    """The 21 digits of a persona's card."""
    chip = load(name).card.chip
    assert chip is not None
    return chip.serial


def one_attempt() -> AbstractContextManager[object]:
    """Meanwhile a call that brings nothing is not made again: nobody waits until the kiosk's patience is over."""
    return patch("kiosk.sync.client.FIRST_PAUSE_S", 3600.0)


# --- a card that somebody watches --------------------------------------------------------------------------------


@dataclass
class Watched:
    """A card in a reader, and a hook `before(number, command)`; numbers begin at 1 after `count_from_here`."""

    card: SimulatedCard
    before: Callable[[int, bytes], None] = lambda _number, _command: None
    commands: list[bytes] = field(default_factory=list)

    def power_on(self, cold: bool = True) -> bytes:
        """See `Chip`."""
        return self.card.power_on(cold)

    def power_off(self) -> None:
        """See `Chip`."""
        self.card.power_off()

    def cut_power(self) -> None:
        """See `Chip`."""
        self.card.cut_power()

    def transmit(self, command: bytes) -> bytes:
        """See `Chip`."""
        self.commands.append(command)
        self.before(len(self.commands), command)
        return self.card.transmit(command)

    def count_from_here(self) -> None:
        """The next command is number 1."""
        self.commands.clear()


# --- the kiosk ---------------------------------------------------------------------------------------------------


@dataclass
class House:
    """One kiosk, running, with one empty patient slot."""

    kiosk: Kiosk
    settings: Settings
    scard: EmbeddedScard
    audience: Audience
    time: Time
    trace: list[str]

    # --- hands ---

    def insert(self, card: SimulatedCard | Watched) -> None:
        """Put a card in, no faster than a hand does."""
        self.time.pass_s(BACK_WITHIN_S + 0.1)
        self.audience.attend()
        self.scard.insert(READERS[0], card)

    def remove(self) -> None:
        """Pull it out."""
        self.scard.remove(READERS[0])

    def choose(self, choice: ev.Choice) -> None:
        """Touch a button."""
        self.kiosk.post(ev.Chosen(choice))

    def let_pass(self, seconds: float) -> None:
        """Let time pass; what is due by then happens."""
        self.time.pass_s(seconds)
        self.kiosk.post(ev.Tick())

    # --- ways ---

    def to_home(self, card: SimulatedCard | Watched) -> None:
        """Insert a card and wait until it was read and the centre has answered."""
        self.insert(card)
        self.audience.step(Home)

    def to_agreement(self, card: SimulatedCard | Watched) -> None:
        """… up to the page whose button starts the update."""
        self.to_home(card)
        self.choose(ev.Choice.UPDATE)
        if self.audience.step(Preview).part is PreviewPart.LOSSES:
            self.choose(ev.Choice.CONTINUE)
            self.audience.step(Preview, lambda page: page.part is PreviewPart.CHANGES)

    def updated(self, card: SimulatedCard | Watched) -> Result:
        """… and through it, to its result."""
        self.to_agreement(card)
        self.choose(ev.Choice.ACCEPT)
        return self.audience.step(Result)

    def leave(self) -> Attract:
        """Take the card out and wait for the attract page."""
        self.remove()
        return self.audience.step(Attract)

    # --- books ---

    @property
    def store(self) -> Store:
        """The kiosk's store, which opened."""
        assert isinstance(self.kiosk.store, Store)
        return self.kiosk.store

    def in_store(self, work: Callable[[Transaction], Any]) -> Any:
        """Read the kiosk's database through its own thread."""
        return self.store.submit(work).result()

    def journal(self, kind: str) -> list[str]:
        """Fields of the journal's entries of this type, oldest first."""
        return [row[0] for row in self.in_store(_entries(kind))]

    def drained(self) -> bool:
        """Wait until the outbox is empty (the uploader is woken, not waited for); False when it stays full."""
        turn = threading.Event()
        for _ in range(round(LIMIT_S / POLL_S)):
            if not self.in_store(pending):
                return True
            self.kiosk.background.wake()
            turn.wait(POLL_S)
        return False

    def journal_whole(self) -> bool:
        """Whether the hash chain holds."""
        return bool(self.in_store(verify).ok)


def _entries(kind: str) -> Callable[[Transaction], Any]:
    return lambda tx: tx.execute("SELECT fields FROM journal WHERE type = ? ORDER BY seq", (kind,))


@contextmanager
def house(folder: Path, operator: Operator, *, kiosk_id: str = KIOSK_ID) -> Iterator[House]:
    """Enrol a kiosk without a printer, start it, wait until it is in service; stop it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(KioskSettings(folder / "kiosk", serial="K-0999"), ReaderSettings(READERS[0]))
    enrol(settings, operator, folder / "ticket", SiteKind.AGENCY, kiosk_id=kiosk_id)
    with reopened(settings) as opened:
        yield opened


def _in_service(state: State) -> bool:
    return isinstance(state.step, Attract) and (state.world.service_up is False or state.world.clock_trusted)


@contextmanager
def reopened(settings: Settings, begun: Callable[[State], bool] | None = None) -> Iterator[House]:
    """Start a kiosk on the state that an earlier one left; `begun`: what to wait for, a kiosk in service if None."""
    scard, audience, moment = EmbeddedScard(), Audience(), Time()
    trace: list[str] = []
    kiosk = Kiosk(settings, Surroundings(scard, audience.publish, draw_ticket, moment, trace.append))
    kiosk.start()
    try:
        audience.wait(begun or _in_service, "a kiosk as expected")
        yield House(kiosk, settings, scard, audience, moment, trace)
    finally:
        kiosk.stop()
