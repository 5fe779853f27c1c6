"""What differs between printer models, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class CompletionProof(StrEnum):
    """How a model confirms that a ticket is on paper, strongest first."""

    PROCESS_ID = "process_id"  # GS ( H: answered when printing is complete
    TRANSMIT_STATUS = "transmit_status"  # GS r 1: answered when processed, never at paper end; then DLE EOT 2


@dataclass(frozen=True, slots=True)
class PrinterProfile:
    """One model family.

    width_dots: printable dots of a row. dots_per_inch: its resolution. band_rows: rows sent by one raster command.
    feed_dots: paper moved between the picture's end and the cut.
    """

    width_dots: int
    dots_per_inch: int
    baud: int
    xonxoff: bool
    proof: CompletionProof
    band_rows: int = 128
    feed_dots: int = 24

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
        "escpos-58mm": PrinterProfile(384, 203, 19_200, xonxoff=True, proof=CompletionProof.TRANSMIT_STATUS),
    }
)
