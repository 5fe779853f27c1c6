"""One life of a kiosk in a process of its own, that prints a member's ticket and may die, or be disturbed, on the way.

Run by `test_ticket`; the printer outlives it. No centre: the serial number is to be had without one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from kiosk.app import Kiosk, Surroundings
from kiosk.hardware.printer.job import TicketJob
from kiosk.hardware.printer.line import PrinterLine
from kiosk.performing import Performer
from kiosk.settings import KioskSettings, PrinterSettings, ReaderSettings, Settings
from kiosk.store.thread import Store
from kiosk.visit import events as ev
from kiosk.visit.effects import PrintTicket
from kiosk.visit.model import State
from kiosk.visit.pages import Attract, Home, Identification, SerialNumber, StaffSlot, TicketPage
from kiosk.visit.ports import Bitmap, PrintState
from kiosk.visit.values import RecordType, TicketContent
from simulators.card import open_persona
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.e2e.audience import Audience, Time

PATIENT, PROFESSIONAL = READERS
PERSONA: Final = "up-to-date"


class Moment(StrEnum):
    """When it happens, in the order of a ticket."""

    BEFORE_RECORD = "before the job is on disk"
    RECORDED = "the job is on disk"
    HANDED_OVER = "the picture is drawn"
    BEFORE_FIRST_BYTE = "before the first byte"
    FIRST_BYTES = "after the reset"
    BAND = "after a band"  # each one
    HALF_BAND = "in the middle of a band"  # each one
    CUT = "after the cut, before the request for proof"
    PROOF_REQUESTED = "after the request for proof"
    PROVEN = "the proof has come, before it is understood"
    TOLD = "the end is known, before it is recorded"
    ENDED = "the end is on disk"


@dataclass(frozen=True, slots=True)
class Order:
    """What to do: at `moment` (its `number`th time, from 0) do `deed`: kill, insert, withdraw, or nothing at all.

    pictures: of the ticket, by whether it is a duplicate; drawn by who can.
    """

    folder: Path
    port: str
    profile: str
    pictures: Mapping[bool, Bitmap]
    deed: str = ""
    moment: Moment = Moment.ENDED
    number: int = 0


class _Disturber:
    """Waits for its moment."""

    def __init__(self, order: Order, scard: EmbeddedScard) -> None:
        self._order, self._scard = order, scard
        self._seen = 0
        self.happened = False

    def is_now(self, moment: Moment) -> None:
        """The program is at this moment."""
        if moment is not self._order.moment or self.happened:
            return
        self._seen += 1
        if self._seen <= self._order.number:
            return
        self.happened = True
        match self._order.deed:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "insert":
                self._scard.insert(PROFESSIONAL, open_persona("pharmacist"))
            case "withdraw":
                self._scard.remove(PROFESSIONAL)


def live(order: Order, said: Connection) -> None:
    """Start, serve the member, print the serial number, say what was seen, stop."""
    scard, audience = EmbeddedScard(), Audience()
    disturber = _Disturber(order, scard)
    with ExitStack() as stack:
        for target, name, make in _HOOKS:
            stack.enter_context(patch.object(target, name, make(getattr(target, name), disturber)))
        kiosk = build(order, scard, audience, Time())
        kiosk.start()
        if order.deed == "withdraw":
            scard.insert(PROFESSIONAL, open_persona("pharmacist"))
        said.send(_visit(kiosk, scard, audience) | {"happened": disturber.happened})
        kiosk.stop()


def build(order: Order, scard: EmbeddedScard, audience: Audience, time: Time) -> Kiosk:
    """A kiosk without a centre, by the product's own composition root."""
    settings = Settings(
        KioskSettings(order.folder, serial="K-0999"),
        ReaderSettings(PATIENT, PROFESSIONAL),
        printer=PrinterSettings(order.port, order.profile),
    )
    return Kiosk(settings, Surroundings(scard, audience.publish, lambda t, _: order.pictures[t.duplicate], time))


def to_serial_number(kiosk: Kiosk, scard: EmbeddedScard, audience: Audience) -> bool:
    """A member's way to the page that offers a ticket; whether home told of one that may have come out."""
    rests = Attract | StaffSlot  # which of them a card in the professional slot leaves to chance
    audience.wait(lambda state: isinstance(state.step, rests) and state.world.printer.usable, "a kiosk and a printer")
    kiosk.post(ev.Tick())  # behind whatever the journal had to say
    scard.insert(PATIENT, open_persona(PERSONA))
    audience.step(Home)
    told = _told(audience.state)
    kiosk.post(ev.Chosen(ev.Choice.SERIAL))
    audience.step(Identification)
    member = audience.state.member
    assert member is not None
    born = member.card.holder.birth_date
    for digit in born[6:8] + born[4:6] + born[0:4]:
        kiosk.post(ev.DigitTyped(int(digit)))
    kiosk.post(ev.DigitsSubmitted())
    audience.step(SerialNumber)
    return told


def _visit(kiosk: Kiosk, scard: EmbeddedScard, audience: Audience) -> dict[str, Any]:
    told = to_serial_number(kiosk, scard, audience)
    kiosk.post(ev.Chosen(ev.Choice.PRINT))
    page = audience.step(TicketPage, lambda step: step.state is not PrintState.QUEUED)
    told_after = _told(audience.state)
    scard.remove(PATIENT)
    audience.step(Attract)
    return {"told": told, "state": page.state, "duplicate": page.ticket.duplicate, "told_after": told_after}


def _told(state: State) -> bool:
    return state.world.loose_ticket_until_s is not None


# --- the moments -------------------------------------------------------------------------------------------------

_Hook = tuple[type[Any], str, Callable[[Any, _Disturber], Callable[..., Any]]]


def _recording(real: Any, disturber: _Disturber) -> Callable[..., Any]:
    def record(performer: Performer, effect: Any) -> None:
        if effect.type is RecordType.TICKET_QUEUED:
            disturber.is_now(Moment.BEFORE_RECORD)
        if effect.type is RecordType.TICKET_ENDED:
            disturber.is_now(Moment.TOLD)
        real(performer, effect)
        if effect.type is RecordType.TICKET_ENDED and isinstance(performer._with.store, Store):
            performer._with.store.submit(lambda _tx: None).result()  # behind the record
            disturber.is_now(Moment.ENDED)

    return record


def _printing(real: Any, disturber: _Disturber) -> Callable[..., Any]:
    def print_ticket(performer: Performer, effect: PrintTicket) -> None:
        assert isinstance(effect.ticket, TicketContent)
        disturber.is_now(Moment.RECORDED)
        real(performer, effect)

    return print_ticket


def _running(real: Any, disturber: _Disturber) -> Callable[..., Any]:
    def run(job: TicketJob, picture: Bitmap) -> Any:
        disturber.is_now(Moment.HANDED_OVER)
        return real(job, picture)

    return run


def _sending(real: Any, disturber: _Disturber) -> Callable[..., Any]:
    def send(job: TicketJob, picture: Bitmap) -> None:
        disturber.is_now(Moment.BEFORE_FIRST_BYTE)
        real(job, picture)
        disturber.is_now(Moment.PROOF_REQUESTED)

    return send


def _writing(real: Any, disturber: _Disturber) -> Callable[..., Any]:
    def write(line: PrinterLine, data: bytes) -> None:
        if data.startswith(b"\x1d\x76"):
            half = len(data) // 2
            real(line, data[:half])
            disturber.is_now(Moment.HALF_BAND)
            real(line, data[half:])
            disturber.is_now(Moment.BAND)
        elif data.startswith(b"\x1d\x56") and len(data) > 4:
            real(line, data[:4])
            disturber.is_now(Moment.CUT)
            real(line, data[4:])
        else:
            real(line, data)
            disturber.is_now(Moment.FIRST_BYTES)

    return write


def _proving(real: Any, disturber: _Disturber) -> Callable[..., Any]:
    def proven(job: TicketJob, heard: Any) -> Any:
        found = real(job, heard)
        if found:
            disturber.is_now(Moment.PROVEN)
        return found

    return proven


_HOOKS: Final[tuple[_Hook, ...]] = (
    (Performer, "_record", _recording),
    (Performer, "print_ticket", _printing),
    (TicketJob, "run", _running),
    (TicketJob, "_send", _sending),
    (TicketJob, "_proven_by", _proving),
    (PrinterLine, "write", _writing),
)
