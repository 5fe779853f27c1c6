"""How each cause of readers, cards, printer and kiosk is brought about: by plan where a plan can, else by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from kiosk.hardware.pcsc.contacts import FLAKY_TIMES
from kiosk.settings import KioskSettings, PrinterSettings, ReaderSettings, Settings
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.sync.outbox import Quota
from kiosk.visit import events as ev
from kiosk.visit.failures import Cause
from kiosk.visit.pages import CardProblem, Home, TicketPage
from kiosk.visit.policy import Policy, Quarantine, SiteKind
from kiosk.visit.ports import PrintState
from simulators.card import FaultKind, PlannedFault, open_persona
from simulators.printer import PrinterFault, PtyPrinter
from simulators.reader.embedded import PROTO_MISMATCH, READERS, EmbeddedScard
from simulators.stage import enrol
from tests.e2e.audience import LIMIT_S
from tests.e2e.scene import Scene, ScriptedScard
from tests.e2e.theatre import House

Staging = Callable[[Scene], None]
POLL_S: Final = 0.01
FAST: Final = 20.0
"""So many times faster than a member's patience."""
COMM_FAILED: Final = 0x80100016
NEVER_HEARD_OF: Final = 0x801000FF


def at(kind: str, number: int, **values: Any) -> dict[str, Any]:
    """One entry of a fault plan."""
    return {"kind": kind, "at": number, **values}


ON_PLAN: Final[Mapping[Cause, tuple[str, dict[str, Any]]]] = {
    # Before the card that hangs: pcscd may take that one for mute as well, and a second mute card is C-06.
    Cause.CARD_MUTE: ("outdated", {"faults": [{"kind": "mute"}]}),
    Cause.SERVICE_LOST: ("outdated", {"reader": [at("service_killed", 5, for_ms=20)]}),
    Cause.READER_LOST: ("outdated", {"reader": [at("unplugged", 5, for_ms=20)]}),
    Cause.READER_HUNG: ("outdated", {"faults": [at("hang", 5)]}),
    Cause.CARD_REMOVED: ("outdated", {"faults": [at("truncated", 5, keep_bytes=1)]}),
    Cause.CARD_RESET: ("outdated", {"reader": [at("reset_by_other", 5)]}),
    Cause.CARD_MALFORMED: ("outdated", {"faults": [at("truncated", 8, keep_bytes=40)]}),
    Cause.CARD_BANK: ("bank-card", {"faults": []}),
    Cause.CARD_OTHER: ("unknown-card", {"faults": []}),
    Cause.CARD_STAFF: ("pharmacist", {"faults": []}),
    Cause.CARD_VITALE_1: ("vitale1", {"faults": []}),
    Cause.CARD_REFUSED: ("opposed", {"faults": []}),
    Cause.CARD_UNKNOWN: ("no-bank-details", {"faults": []}),  # the centre was not told of this one
}
"""A persona's card and its fault plan: the same on the embedded reader and through pcscd."""


# --- readers and cards, by hand ----------------------------------------------------------------------------------


def access_denied(scene: Scene) -> None:
    """The service's socket may not be written."""
    scard = ScriptedScard(denied=True)
    scene.house(scard=scard)
    scard.service_down()


def no_reader(scene: Scene) -> None:
    """Nothing is plugged in when the kiosk starts."""
    scene.begin(scard=EmbeddedScard(readers=()))


def held_by_other(scene: Scene) -> None:
    """Another program was faster."""
    house = scene.house()
    scene.stack.enter_context(house.scard.held_by_other(READERS[0]))
    house.insert(open_persona("outdated"))


def blocked_by_other(scene: Scene) -> None:
    """Another program's transaction: connecting does not fail, it waits."""
    house = scene.house()
    scene.stack.enter_context(house.scard.in_foreign_transaction(READERS[0]))
    house.time.run(FAST)
    house.insert(open_persona("outdated"))


def protocol_mismatch(scene: Scene) -> None:
    """Reader and card share no protocol."""
    scene.house(scard=ScriptedScard(connect=PROTO_MISMATCH)).insert(open_persona("outdated"))


def unknown_result(scene: Scene) -> None:
    """A code that nobody has heard of."""
    scene.house(scard=ScriptedScard(transmit=NEVER_HEARD_OF)).insert(open_persona("outdated"))


def silent(scene: Scene) -> None:
    """The exchange fails and the card is still there."""
    scene.house(scard=ScriptedScard(transmit=COMM_FAILED)).insert(open_persona("outdated"))


def damaged(scene: Scene) -> None:
    """Turned over, and mute again."""
    house = scene.house()
    house.insert(open_persona("mute"))
    house.audience.step(CardProblem)
    house.leave()
    house.insert(open_persona("mute"))


def dirty(scene: Scene) -> None:
    """Gone and back at once, three times; hardly any time passes meanwhile."""
    house = scene.house()
    house.time.run(0.01)
    for _ in range(FLAKY_TIMES):
        _back_at_once(house)
        house.audience.step(Home)
        house.leave()
    _back_at_once(house)


def _back_at_once(house: House) -> None:
    """No hand is as fast."""
    house.audience.attend()
    house.scard.insert(READERS[0], open_persona("outdated"))


def misplaced(scene: Scene) -> None:
    """A Vitale in the slot of the professionals."""
    house = scene.house(replace(scene.settings, readers=ReaderSettings(*READERS)))
    house.audience.attend()
    house.scard.insert(READERS[1], open_persona("outdated"))


def unexpected_status(scene: Scene) -> None:
    """The third write is answered with a status word nobody expects."""
    scene.agreed(lambda card: card.plan([PlannedFault(FaultKind.WRONG_SW, at=3, ins=0xD6, sw=0x6F00)]))


# --- printer -----------------------------------------------------------------------------------------------------


def _with_printer(scene: Scene) -> tuple[PtyPrinter, House]:
    printer = scene.stack.enter_context(PtyPrinter())
    house = scene.house(replace(scene.settings, printer=PrinterSettings(printer.port)))
    scene.at_serial_number(house)
    return printer, house


def _print_with(fault: PrinterFault) -> Staging:
    def play(scene: Scene) -> None:
        printer, house = _with_printer(scene)
        printer.fault(fault)
        house.choose(ev.Choice.PRINT)
        house.audience.step(TicketPage, lambda page: page.state is PrintState.FAILED)

    return play


def unproven(scene: Scene) -> None:
    """The printer falls silent while the ticket comes out, and time passes."""
    printer, house = _with_printer(scene)
    printer.fault_at_first_row(PrinterFault.MUTE)
    house.choose(ev.Choice.PRINT)
    assert printer.wait_for_tickets(1, LIMIT_S)
    house.let_pass(60)
    house.audience.step(TicketPage, lambda page: page.state is PrintState.UNKNOWN)


# --- the kiosk itself --------------------------------------------------------------------------------------------


def store_failed(scene: Scene) -> None:
    """The disk fails under a running kiosk."""

    def failing(*_: object) -> Any:
        raise StoreFailedError(StoreError("disk", "read or write error"))

    house = scene.house()
    scene.stack.enter_context(patch.object(Store, "_transact", failing))
    house.insert(open_persona("outdated"))


def store_full(scene: Scene) -> None:
    """No event more may be queued."""
    house = scene.house()
    assert house.kiosk.facts is not None
    scene.stack.enter_context(patch.object(house.kiosk.facts._outbox, "_quota", Quota(events=0)))
    house.choose(ev.Choice.START_WITHOUT_CARD)
    house.audience.wait(lambda state: state.world.store_fault is not None, "a fact that was not written")
    house.choose(ev.Choice.STOP)


def switched_off(scene: Scene) -> None:
    """A signed order of the operator."""
    house = scene.house(own_kiosk(scene, "borne-0996"))
    scene.centre.command("quarantine", "borne-0996", level=Quarantine.STOP.value)
    poll(house, lambda policy: policy.quarantine is Quarantine.STOP)


def bug(scene: Scene) -> None:
    """A part of the program raises what nobody planned."""
    with patch("kiosk.sync.centre.ask_standing", side_effect=LookupError("planned by the test")):
        house = scene.house()
        scene.at_home_again(house, ev.Choice.UPDATE)
        house.audience.wait(lambda state: state.step.page == "problem", "a problem")


def not_enrolled(scene: Scene) -> None:
    """Nobody has run `kiosk enrol`."""
    bare = Settings(KioskSettings(scene.folder / "bare", serial="K-0999"), ReaderSettings(READERS[0]))
    scene.at_home_again(scene.house(bare), ev.Choice.UPDATE)


def own_kiosk(scene: Scene, kiosk_id: str) -> Settings:
    """Another kiosk of the same centre, for what would outlive the scene."""
    settings = Settings(KioskSettings(scene.folder / kiosk_id, serial="K-0999"), ReaderSettings(READERS[0]))
    scene.folder.mkdir(parents=True, exist_ok=True)
    enrol(settings, scene.centre, scene.folder / "ticket", SiteKind.AGENCY, kiosk_id=kiosk_id)
    return settings


def poll(house: House, adopted: Callable[[Policy], bool]) -> None:
    """Have the kiosk ask for new signed documents now, and again until it has this one."""
    duties, turn = house.kiosk._duties, threading.Event()
    assert duties is not None
    for _ in range(round(LIMIT_S / POLL_S)):
        if adopted(house.audience.state.policy):
            return
        duties.documents._poll_at_s = 0.0
        house.kiosk.background.wake()
        turn.wait(POLL_S)
    raise AssertionError("the policy did not come")


BY_HAND: Final[Mapping[Cause, tuple[Staging, ...]]] = {
    Cause.ACCESS_DENIED: (access_denied,),
    Cause.NO_READER: (no_reader,),
    Cause.HELD_BY_OTHER: (held_by_other, blocked_by_other),
    Cause.PROTOCOL_MISMATCH: (protocol_mismatch,),
    Cause.PCSC_UNKNOWN: (unknown_result,),
    Cause.CARD_SILENT: (silent,),
    Cause.CARD_DAMAGED: (damaged,),
    Cause.CARD_DIRTY: (dirty,),
    Cause.CARD_MISPLACED: (misplaced,),
    Cause.UNEXPECTED_STATUS: (unexpected_status,),
    Cause.PRINTER_SILENT: (_print_with(PrinterFault.SILENT),),
    Cause.PRINTER_PAPER: (_print_with(PrinterFault.PAPER_OUT),),
    Cause.PRINTER_COVER: (_print_with(PrinterFault.COVER_OPEN),),
    Cause.PRINTER_FAULT: (_print_with(PrinterFault.UNRECOVERABLE),),
    Cause.PRINTER_CUTTER: (_print_with(PrinterFault.CUTTER),),
    Cause.PRINTER_HEAD: (_print_with(PrinterFault.HEAD),),
    Cause.TICKET_UNPROVEN: (unproven,),
    Cause.STORE_FAILED: (store_failed,),
    Cause.STORE_FULL: (store_full,),
    Cause.QUARANTINED: (switched_off,),
    Cause.INTERNAL: (bug,),
    Cause.NOT_ENROLLED: (not_enrolled,),
}
