"""The kiosk's own condition as the visit knows it."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.visit.failures import Fault
from kiosk.visit.outages import NO_OUTAGES, Outages
from kiosk.visit.ports import PrinterHealth


@dataclass(frozen=True, slots=True)
class World:
    """The kiosk's own condition, between and during visits. Unknown is not OK."""

    reader_ready: bool = False
    reader_fault: Fault | None = None
    service_up: bool | None = None
    service_fault: Fault | None = None
    service_down_since_utc_s: int | None = None
    clock_trusted: bool = False
    clock_fault: Fault | None = None
    has_printer: bool = True  # the settings name one
    printer: PrinterHealth = PrinterHealth.UNKNOWN
    output_since_s: float | None = None  # since when a ticket waits in the printer's output
    output_forgotten: bool = False  # … and that nobody takes it has been noted
    loose_ticket_until_s: float | None = None  # till then: a ticket may have come out just before the program died
    store_fault: Fault | None = None
    outages: Outages = NO_OUTAGES
