"""`python -m bench.visit STATE PRINTER TICKETS`: a kiosk serves one member, then says what memory it holds.

The process of `bench.memory`: the enrolled product on the in-process reader, and a finger on its real screen. Backend
and printer are elsewhere, as in the street. One JSON line.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, cast

from bench.memory import rss_mb, uss_mb
from kiosk.app import Kiosk, Surroundings
from kiosk.clock import SystemClock
from kiosk.settings import KioskSettings, PrinterSettings, ReaderSettings, Settings
from kiosk.ui.screen import application
from kiosk.ui.ticket import draw_ticket
from kiosk.visit.model import State
from kiosk.visit.pages import Result, TicketPage
from kiosk.visit.ports import ReaderRole
from simulators.album import Album
from simulators.card import open_persona
from simulators.card.card import SimulatedCard
from simulators.personas import load
from simulators.reader.embedded import READERS, EmbeddedScard
from simulators.screen import Finger, screen_of
from simulators.walk import Member

if TYPE_CHECKING:
    from simulators.stage import Stage

PERSONA: Final = "outdated"


class _Eyes(Album):
    """An album that takes no picture: pictures are not the kiosk's memory."""

    def take(self, name: str) -> Path:
        return Path(name)


class _Slots:
    """The member's hand at the patient slot."""

    def __init__(self) -> None:
        self.scard = EmbeddedScard()

    def insert(self, role: ReaderRole, card: SimulatedCard) -> None:
        self.scard.insert(_reader(role), card)

    def remove(self, role: ReaderRole) -> None:
        self.scard.remove(_reader(role))


def _reader(role: ReaderRole) -> str:
    return READERS[list(ReaderRole).index(role)]


def visit(state_dir: Path, printer_port: str, tickets: Path) -> None:
    """From the attract page to the attract page. Raises RuntimeError when a step of the visit fails."""
    hands, eyes = _Slots(), _Eyes(tickets)
    settings = Settings(
        kiosk=KioskSettings(state_dir, serial="K-0999"),
        readers=ReaderSettings(*READERS),
        printer=PrinterSettings(printer_port),
    )
    application()
    kiosk = Kiosk(settings, Surroundings(hands.scard, eyes.publish, draw_ticket, SystemClock()))
    screen = screen_of(settings, kiosk.post)
    eyes.attach(screen)
    on_stage = cast("Stage", SimpleNamespace(slots=hands, folder=tickets.parent))  # what a walk needs of it
    member = Member(on_stage, eyes, Finger(screen), load(PERSONA), open_persona(PERSONA))

    def watch(state: State) -> None:
        if isinstance(state.step, Result):
            member.walk.outcome = state.step.outcome.value
        if isinstance(state.step, TicketPage):
            member.noted(state.step.state)

    eyes.watch = watch
    kiosk.start()
    walk = member.visit()
    print(json.dumps({"rss_mb": rss_mb(), "uss_mb": uss_mb()}))
    kiosk.stop()
    screen.close()
    failed = [step.name for step in walk.steps if not step.ok]
    if failed or walk.ticket is None:
        raise RuntimeError(f"{', '.join(failed)}: {member.problem}")


if __name__ == "__main__":
    os.environ.update(QT_QPA_PLATFORM="offscreen", QT_QUICK_BACKEND="software", QT_FONT_DPI="96", QT_SCALE_FACTOR="1")
    visit(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
