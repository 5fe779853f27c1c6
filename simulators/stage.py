"""A whole kiosk on a stage: backend process, enrolled kiosk, reader with its slots, printer, cards to put in.

The same for the demo, the end-to-end tests and the benchmark. Nothing here is known to the product.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.serialization import Encoding

from kiosk import cli
from kiosk.app import Kiosk, Surroundings
from kiosk.clock import SystemClock
from kiosk.hardware.pcsc.api import PyscardScard, Scard
from kiosk.settings import KioskSettings, PrinterSettings, ReaderSettings, ScreenSettings, Settings, StaffSettings
from kiosk.ui.ticket import draw_ticket
from kiosk.visit.model import State
from kiosk.visit.policy import CodeIssuing, SiteKind
from kiosk.visit.ports import ReaderRole
from simulators.backend import BackendProcess, running
from simulators.backend.server import Ready
from simulators.card.card import SimulatedCard
from simulators.card.staff_authority import authority_certificate
from simulators.printer.pty import PtyPrinter
from simulators.reader import private_pcscd
from simulators.reader.hands import EmbeddedHands, Hands, PcscdHands
from simulators.reader.private_pcscd import PrivatePcscd

KIOSK_ID: Final = "borne-0999"
KIOSK_NUMBER: Final = "0999"
ROLES: Final = (ReaderRole.PATIENT, ReaderRole.PROFESSIONAL)


class Slots(Protocol):
    """The kiosk's two slots, with the hands that use them."""

    @property
    def kind(self) -> str:
        """`embedded` or `pcsc`."""
        ...

    @property
    def scard(self) -> Scard:
        """The PC/SC functions that the kiosk is handed."""
        ...

    @property
    def names(self) -> tuple[str, str]:
        """Reader names of the patient and the professional slot."""
        ...

    @property
    def hands(self) -> Hands:
        """What else can be done to the reader; its slots are in the order of `names`."""
        ...

    def insert(self, role: ReaderRole, card: SimulatedCard) -> None:
        """Put a card in."""
        ...

    def remove(self, role: ReaderRole) -> None:
        """Pull it out, if it is still there."""
        ...


class EmbeddedSlots:
    """Slots of the in-process reader."""

    kind = "embedded"

    def __init__(self) -> None:
        self.hands = EmbeddedHands()
        self.scard, self.names = self.hands.scard, self.hands.readers

    def insert(self, role: ReaderRole, card: SimulatedCard) -> None:
        """See `Slots`."""
        self.hands.insert(ROLES.index(role), card)

    def remove(self, role: ReaderRole) -> None:
        """See `Slots`."""
        self.hands.remove(ROLES.index(role))


class PcscSlots:
    """Slots of the virtual reader behind a real, private pcscd; libpcsclite allows one service in a process' life."""

    kind = "pcsc"

    def __init__(self, service: PrivatePcscd) -> None:
        os.environ[private_pcscd.SOCKET_VARIABLE] = str(service.socket_path)
        self.hands = PcscdHands(service, PyscardScard())
        self.scard, self.names = self.hands.scard, self.hands.readers

    def insert(self, role: ReaderRole, card: SimulatedCard) -> None:
        """See `Slots`; RuntimeError when the slot does not take the card."""
        self.hands.insert(ROLES.index(role), card)

    def remove(self, role: ReaderRole) -> None:
        """See `Slots`."""
        self.hands.remove(ROLES.index(role))


@contextmanager
def slots(reader: str) -> Iterator[Slots]:
    """The slots of `READER=embedded` or `READER=pcsc`. Raises `PcscdRefused` naming the cause; never falls back."""
    if reader == "embedded":
        yield EmbeddedSlots()
        return
    with PrivatePcscd() as service:
        yield PcscSlots(service)


@dataclass(slots=True)
class Stage:
    """One run. `folder`: the kiosk's state (`kiosk/`), the backend's (`backend/`), card images, tickets."""

    folder: Path
    settings: Settings
    backend: BackendProcess
    slots: Slots
    printer: PtyPrinter
    kiosk: Kiosk
    trace: list[str]


@contextmanager
def stage(
    folder: Path,
    hands: Slots,
    publish: Callable[[State], None],
    *,
    site_kind: SiteKind = SiteKind.AGENCY,
    personas: Sequence[Path] = (),
) -> Iterator[Stage]:
    """Set everything up (backend, enrolment, signed policy, staff authority), not started; torn down at the end.

    personas: files of members whom the centre shall know beside the built-in ones.
    """
    with running(folder / "backend", personas) as backend, PtyPrinter(folder=_made(folder / "tickets")) as printer:
        settings = Settings(
            kiosk=KioskSettings(folder / "kiosk", serial="K-0999"),
            readers=ReaderSettings(*hands.names),
            printer=PrinterSettings(printer.port),
            screen=ScreenSettings(),
            staff=StaffSettings(_staff_authority(folder)),
        )
        enrol(settings, backend, folder / "ticket", site_kind)
        trace: list[str] = []
        kiosk = Kiosk(settings, Surroundings(hands.scard, publish, draw_ticket, SystemClock(), trace.append))
        try:
            yield Stage(folder, settings, backend, hands, printer, kiosk, trace)
        finally:
            kiosk.stop()


class Operator(Protocol):
    """A started backend, and the one who runs it."""

    @property
    def ready(self) -> Ready:
        """Where it listens."""
        ...

    def command(self, do: str, kiosk: str, **values: Any) -> dict[str, Any]:
        """An operator's command."""
        ...


def enrol(
    settings: Settings,
    backend: Operator,
    ticket_file: Path,
    site_kind: SiteKind,
    *,
    kiosk_id: str = KIOSK_ID,
    **limits: float,
) -> None:
    """Enrol the kiosk with a one-time ticket, as a technician does, and sign the policy of its site (and `limits`)."""
    ticket = backend.command("ticket", kiosk_id, site_kind=site_kind.value)["ticket"]
    ticket_file.write_text(f"{ticket}\n", encoding="ascii")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = cli.enrol(settings, backend.ready.enrol_origin, Path(backend.ready.ca_file), ticket_file)
    if status != 0:
        raise RuntimeError(f"the kiosk cannot be enrolled: {said.getvalue()}")
    codes = CodeIssuing.ON if site_kind is SiteKind.AGENCY else CodeIssuing.OFF
    policy = {"site_kind": site_kind.value, "issue_code": codes.value, "kiosk_number": KIOSK_NUMBER, **limits}
    backend.command("policy", kiosk_id, set=policy)


def _staff_authority(folder: Path) -> Path:
    """The file of the authority behind the simulated badges: the kiosk takes them."""
    file = folder / "staff-authority.pem"
    file.write_bytes(authority_certificate().public_bytes(Encoding.PEM))
    return file


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
