"""What differs between printer models, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kiosk.hardware.printer.dialect import CUSTOM, ESCPOS, StatusDialect


class CompletionProof(StrEnum):
    """How a model confirms that a ticket is on paper, strongest first."""

    PROCESS_ID = "process_id"  # GS ( H: answered when printing is complete
    TRANSMIT_STATUS = "transmit_status"  # GS r 1: answered when processed, never at paper end; then `stopped_by`


@dataclass(frozen=True, slots=True)
class PrinterProfile:
    """One model family.

    width_dots: printable dots of a row. dots_per_inch: its resolution. band_rows: rows sent by one raster command.
    feed_dots: paper moved between the picture's end and the cut. dialect: how it is asked for its state. recovers:
    whether it knows DLE ENQ 2; where not, a picture cut short is filled with white, and ESC @ empties the buffers.
    """

    width_dots: int
    dots_per_inch: int
    baud: int
    xonxoff: bool
    proof: CompletionProof
    band_rows: int = 128
    feed_dots: int = 24
    dialect: StatusDialect = ESCPOS
    recovers: bool = True

    @property
    def band_bytes(self) -> int:
        """Picture bytes of a whole band."""
        return self.band_rows * ((self.width_dots + 7) // 8)

    def transmission_s(self, size_bytes: int) -> float:
        """Seconds that `size_bytes` need on the line: 8 data bits, start and stop."""
        return size_bytes * 10 / self.baud


PROFILES: Final[Mapping[str, PrinterProfile]] = MappingProxyType(
    {
        "escpos-80mm": PrinterProfile(576, 203, 115_200, xonxoff=False, proof=CompletionProof.PROCESS_ID),
        "escpos-80mm-transmit-status": PrinterProfile(
            576, 203, 115_200, xonxoff=True, proof=CompletionProof.TRANSMIT_STATUS
        ),
        "escpos-80mm-180dpi": PrinterProfile(512, 180, 115_200, xonxoff=False, proof=CompletionProof.PROCESS_ID),
        "custom-80mm": PrinterProfile(
            576,
            203,
            115_200,
            xonxoff=False,  # bytes of the full status may look like XON and XOFF
            proof=CompletionProof.TRANSMIT_STATUS,
            dialect=CUSTOM,
            recovers=False,
        ),
        "escpos-58mm": PrinterProfile(384, 203, 19_200, xonxoff=True, proof=CompletionProof.TRANSMIT_STATUS),
    }
)
