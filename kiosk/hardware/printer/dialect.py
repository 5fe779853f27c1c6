"""What status bytes mean, as data: one table a byte, one dialect a family of printers. The worst that is said counts.

Bits as in the hardware reference, ticket printer. A reading that is missing, or that no printer can have sent, is
*unknown*, never "all well".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kiosk.hardware.printer.status import Answer, AutoStatus, FullStatus, RealTime, Transmitted
from kiosk.visit.ports import PrinterHealth

_WORST_FIRST: Final = (
    PrinterHealth.COVER_OPEN,  # lifts the paper sensor too
    PrinterHealth.PAPER_OUT,
    PrinterHealth.CUTTER,
    PrinterHealth.HEAD,
    PrinterHealth.FAULT,
    PrinterHealth.OFFLINE,
)


@dataclass(frozen=True, slots=True)
class StatusByte:
    """One byte. says: what each mask means; any of its bits counts. output: a ticket waits to be taken.

    possible: bits that may be set at all.
    """

    says: tuple[tuple[int, PrinterHealth], ...] = ()
    output: int = 0
    possible: int = 0xFF


Said = tuple[tuple[StatusByte, int], ...]
"""Bytes heard, each with its table."""


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """A question obeyed at once, and the tables of its answer: 1 byte (`RealTime`) or 4 (`FullStatus`)."""

    command: bytes
    answer: tuple[StatusByte, ...]

    def fits(self, answer: Answer) -> bool:
        """Whether this is an answer to such a question."""
        return isinstance(answer, RealTime if len(self.answer) == 1 else FullStatus)

    def said(self, answer: Answer) -> Said | None:
        """What it says; None for what is no answer to this or sets bits that mean nothing in any printer."""
        if not self.fits(answer) or not isinstance(answer, RealTime | FullStatus):
            return None
        values = bytes((answer.value,)) if isinstance(answer, RealTime) else answer.value
        said = tuple(zip(self.answer, values, strict=True))
        return None if any(value & ~table.possible for table, value in said) else said


@dataclass(frozen=True, slots=True)
class StatusDialect:
    """How one family of printers is asked how it is.

    round: the questions whose answers together mean "all well". stopped_by: says alone what keeps it from printing.
    automatic: tables of the 4 bytes that it may send unasked; none where such bytes cannot be told from answers.
    transmitted: table of the answer to GS r 1.
    """

    round: tuple[StatusQuery, ...]
    stopped_by: StatusQuery
    automatic: tuple[StatusByte, ...]
    transmitted: StatusByte

    @property
    def full_status(self) -> bool:
        """Whether answers are full-status frames."""
        return any(len(query.answer) > 1 for query in self.round)

    @property
    def reports_output(self) -> bool:
        """Whether such a printer tells that a ticket waits to be taken."""
        return any(table.output for query in self.round for table in query.answer)

    def unasked(self, heard: Iterable[Answer]) -> Said:
        """What other answers say about the printer."""
        said: list[tuple[StatusByte, int]] = []
        for answer in heard:
            match answer:
                case AutoStatus() if self.automatic:
                    said += zip(self.automatic, answer.value, strict=True)
                case Transmitted():
                    said.append((self.transmitted, answer.value))
                case _:
                    pass
        return tuple(said)


@dataclass(frozen=True, slots=True)
class Readings:
    """What was heard in one round. whole: every question of the round was answered."""

    said: Said = ()
    whole: bool = False

    @property
    def in_output(self) -> bool | None:
        """Whether a ticket waits to be taken; None when nothing heard tells."""
        telling = [bool(value & table.output) for table, value in self.said if table.output]
        return any(telling) if telling else None

    def trouble(self) -> PrinterHealth | None:
        """The worst trouble said; None when none is (which does not mean that all is well)."""
        meant = self._meant()
        return next((health for health in _WORST_FIRST if health in meant), None)

    def health(self) -> PrinterHealth:
        """What these bytes say together: a trouble counts at once, "all well" needs every answer of a round."""
        trouble = self.trouble()
        if trouble is not None:
            return trouble
        if not self.whole:
            return PrinterHealth.UNKNOWN
        return PrinterHealth.PAPER_LOW if PrinterHealth.PAPER_LOW in self._meant() else PrinterHealth.OK

    def _meant(self) -> set[PrinterHealth]:
        return {health for table, value in self.said for mask, health in table.says if value & mask}


_CAUSE: Final = StatusQuery(
    b"\x10\x04\x02",
    (
        StatusByte(
            ((0x04, PrinterHealth.COVER_OPEN), (0x20, PrinterHealth.PAPER_OUT), (0x40, PrinterHealth.FAULT)),
        ),
    ),
)

ESCPOS: Final = StatusDialect(
    round=(
        StatusQuery(b"\x10\x04\x01", (StatusByte(((0x08, PrinterHealth.OFFLINE),)),)),
        _CAUSE,  # 08, the feed key, comes with "offline"
        StatusQuery(
            b"\x10\x04\x03",
            (StatusByte(((0x08, PrinterHealth.CUTTER), (0x40, PrinterHealth.HEAD), (0x20, PrinterHealth.FAULT))),),
        ),
        StatusQuery(b"\x10\x04\x04", (StatusByte(((0x60, PrinterHealth.PAPER_OUT), (0x0C, PrinterHealth.PAPER_LOW))),)),
    ),
    stopped_by=_CAUSE,
    automatic=(
        StatusByte(((0x08, PrinterHealth.OFFLINE), (0x20, PrinterHealth.COVER_OPEN))),
        StatusByte(((0x08, PrinterHealth.CUTTER), (0x40, PrinterHealth.HEAD), (0x20, PrinterHealth.FAULT))),
        StatusByte(((0x03, PrinterHealth.PAPER_LOW), (0x0C, PrinterHealth.PAPER_OUT))),
        StatusByte(),
    ),
    transmitted=StatusByte(((0x03, PrinterHealth.PAPER_LOW), (0x0C, PrinterHealth.PAPER_OUT))),
)
"""Epson's command set and its many followers. A self-recovering error (40) is a head that is too hot."""

_FULL_STATUS: Final = StatusQuery(
    b"\x10\x04\x14",
    (
        StatusByte(
            ((0x41, PrinterHealth.PAPER_OUT), (0x04, PrinterHealth.PAPER_LOW)), output=0x20, possible=0x65
        ),  # 40: the end that its own counter foresees
        StatusByte(((0x02, PrinterHealth.COVER_OPEN), (0x01, PrinterHealth.HEAD))),
        StatusByte(((0x01, PrinterHealth.HEAD), (0xFE, PrinterHealth.FAULT))),  # 08: voltage; the others: unnamed here
        StatusByte(((0xFF, PrinterHealth.FAULT),)),
    ),
)

CUSTOM: Final = StatusDialect(
    round=(_FULL_STATUS,),
    stopped_by=_FULL_STATUS,
    automatic=(),
    transmitted=ESCPOS.transmitted,
)
"""Custom kiosk printers (KPM, VKP families): one question answers all, and tells of a ticket in the output."""
