"""One kiosk without a screen on simulated devices: built by the product's own composition root, driven by events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk.app import Kiosk, Surroundings
from kiosk.hardware.pcsc.contacts import BACK_WITHIN_S
from kiosk.settings import KioskSettings, PrinterSettings, ReaderSettings, Settings
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.sync.outbox import pending
from kiosk.visit import events as ev
from kiosk.visit.model import State
from kiosk.visit.pages import Attract
from kiosk.visit.policy import SiteKind
from kiosk.visit.ports import Bitmap
from kiosk.visit.values import TicketContent
from simulators.printer.engine import PrinterFault
from simulators.printer.pty import PtyPrinter
from simulators.reader.embedded import READERS, EmbeddedScard
from simulators.soak.audience import Audience, StuckError
from simulators.soak.card import WatchedCard
from simulators.soak.centre import Centre, CentreProcess
from simulators.soak.clock import JumpingClock
from simulators.soak.network import Network
from simulators.stage import enrol

POLL_S = 0.005
DRAIN_ROUNDS = 6000
SLOT = READERS[0]
PRINTER_FAULTS = (PrinterFault.PAPER_OUT, PrinterFault.SILENT)


class Roll(PtyPrinter):
    """A printer whose tickets are thrown away."""

    def empty_the_tray(self) -> int:
        """How many there were."""
        with self._lock:
            count = len(self._engine.tickets)
            self._engine.tickets.clear()
        return count


@dataclass(slots=True)
class Rig:
    """The kiosk, and the hands around it."""

    kiosk: Kiosk
    scard: EmbeddedScard
    audience: Audience
    clock: JumpingClock
    network: Network
    centre: Centre
    printer: Roll | None
    reader_unplugged: bool = False
    service_is_down: bool = False

    # --- hands ---

    def insert(self, card: WatchedCard) -> State:
        """Put a card in, taking out what is there; a hand is slower than a contact that comes and goes.

        Returns what was shown while the slot was empty.
        """
        self.scard.remove(SLOT)
        before = self.audience.wait(lambda state: state.card_session is None, "an empty slot")
        self.clock.pass_s(BACK_WITHIN_S + 1)
        self.scard.insert(SLOT, card)
        return before

    def remove(self) -> None:
        """Pull the card out, if there is one."""
        self.scard.remove(SLOT)

    def choose(self, choice: ev.Choice) -> None:
        """Touch a button."""
        self.kiosk.post(ev.Chosen(choice))

    def let_pass(self, seconds: float) -> None:
        """Let time pass; what is due by then happens."""
        self.clock.pass_s(seconds)
        self.kiosk.post(ev.Tick())

    def mend(self) -> None:
        """Everything around the kiosk is as it should be again."""
        self.network.mend()
        self.centre.start()
        self.network.centre_gone = False
        if self.reader_unplugged:
            self.reader_unplugged = False
            self.scard.replug(SLOT)
        if self.service_is_down:
            self.service_is_down = False
            self.scard.service_up()
        if self.printer is not None:
            self.printer.plug()
            for fault in PRINTER_FAULTS:
                self.printer.fault(fault, present=False)

    def unplug_reader(self) -> None:
        """Pull the reader's cable."""
        if not self.reader_unplugged:
            self.reader_unplugged = True
            self.scard.unplug(SLOT)

    def end_service(self) -> None:
        """The PC/SC service dies."""
        if not self.service_is_down:
            self.service_is_down = True
            self.scard.service_down()

    # --- books ---

    @property
    def tickets(self) -> int:
        """How many lie in the tray."""
        return 0 if self.printer is None else len(self.printer.tickets)

    def in_store(self, work: Callable[[Transaction], Any]) -> Any:
        """Read the kiosk's database through its own thread."""
        if not isinstance(self.kiosk.store, Store):
            raise StuckError("the store did not open")
        return self.kiosk.store.submit(work).result()

    def ready_for_a_visit(self) -> None:
        """Wait until the attract page is shown, nothing is told on it and no run is under way."""
        self.audience.wait(lambda state: not state.running and state.step.page in ("attract", "outOfService"), "an end")
        self.audience.wait(lambda state: isinstance(state.step, Attract), "a kiosk in service")
        if self.audience.state.step != Attract():
            self.let_pass(self.audience.state.policy.notice_s + 1)
        self.audience.wait(lambda state: state.step == Attract(), "an attract page without a notice")

    def drained(self) -> bool:
        """Wait until the outbox is empty, waking the uploader; False when it stays full."""
        turn = threading.Event()
        for round_ in range(DRAIN_ROUNDS):
            if not self.in_store(pending):
                return True
            if round_ % 100 == 99:
                self.clock.pass_s(60.0)  # it may have begun to wait longer and longer
            self.kiosk.background.wake()
            turn.wait(POLL_S)
        return False


def enrolled(folder: Path, centre: CentreProcess, *, printer_port: str = "") -> Settings:
    """Settings of a kiosk that is enrolled in this centre; its state is below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        KioskSettings(folder / "kiosk", serial="K-0999"),
        ReaderSettings(SLOT),
        PrinterSettings(printer_port),
    )
    enrol(settings, centre, folder / "ticket", SiteKind.AGENCY)
    return settings


@contextmanager
def running(
    settings: Settings,
    centre: Centre,
    draw: Callable[[TicketContent, int], Bitmap],
    *,
    printer: Roll | None = None,
) -> Iterator[Rig]:
    """Start the kiosk, wait until it is in service, stop it at the end."""
    clock, audience, scard = JumpingClock(), Audience(), EmbeddedScard()
    network = Network(clock)
    with ExitStack() as stack:
        stack.enter_context(network.in_place())
        kiosk = Kiosk(settings, Surroundings(scard, audience.publish, draw, clock))
        rig = Rig(kiosk, scard, audience, clock, network, centre, printer)
        kiosk.start()
        stack.callback(kiosk.stop)
        audience.wait(_in_service, "a kiosk in service")
        yield rig


def _in_service(state: State) -> bool:
    return isinstance(state.step, Attract) and state.world.service_up is True and state.world.clock_trusted
