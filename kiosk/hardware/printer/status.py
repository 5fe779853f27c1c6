"""What a ticket printer answers, byte by byte: a pure parser and the meaning of the four real-time status bytes.

Source: channel-independent ESC/POS status tables (DLE EOT n, GS r n, GS a n, GS ( H) as published by Epson and Citizen;
hardware reference, ticket printer. Answers do not name their query, so `Readings` is filled by whoever knows what it
asked. A reading that is missing is *unknown*, never "all well".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from kiosk.visit.ports import PrinterHealth

XON: Final = 0x11
XOFF: Final = 0x13
_PROCESS_HEADER: Final = 0x37
_PROCESS_KIND: Final = 0x22
_PROCESS_END: Final = 0x00
_TOKEN_BYTES: Final = 4
_ASB_BYTES: Final = 4


class Query(IntEnum):
    """Real-time queries: the third byte of `10 04 n`."""

    PRINTER = 1
    OFFLINE_CAUSE = 2
    ERROR = 3
    PAPER = 4


class PrinterBit(IntFlag):
    """Answer to `10 04 01`."""

    OFFLINE = 0x08


class CauseBit(IntFlag):
    """Answer to `10 04 02`."""

    COVER_OPEN = 0x04
    FEED_KEY = 0x08
    PAPER_END = 0x20
    ERROR = 0x40


class PaperBit(IntFlag):
    """Answer to `10 04 04`: either bit of a pair counts."""

    NEAR_END = 0x0C
    END = 0x60


@dataclass(frozen=True, slots=True)
class RealTime:
    """One real-time answer: fixed bits 0xx1xx10."""

    value: int


@dataclass(frozen=True, slots=True)
class AutoStatus:
    """Four bytes of automatic status back, which no one asked for."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Processed:
    """`37 22 d1–d4 00`: everything before the request with this token is on paper."""

    token: bytes


@dataclass(frozen=True, slots=True)
class Transmitted:
    """Answer to `1D 72 n`: everything before the request has been processed."""

    value: int


@dataclass(frozen=True, slots=True)
class FlowControl:
    """XON or XOFF that the line let through."""

    paused: bool


@dataclass(frozen=True, slots=True)
class Noise:
    """A byte that means nothing here."""

    value: int


Answer = RealTime | AutoStatus | Processed | Transmitted | FlowControl | Noise


class StatusParser:
    """Cuts what the printer sends into answers; the split of the reads does not matter."""

    def __init__(self) -> None:
        self._frame = bytearray()

    def feed(self, data: bytes) -> list[Answer]:
        """Return the answers completed by these bytes. An unfinished frame waits; a broken one becomes noise."""
        answers: list[Answer] = []
        for byte in data:
            self._take(byte, answers)
        return answers

    def _take(self, byte: int, answers: list[Answer]) -> None:
        if byte in (XON, XOFF):  # may slip in anywhere, frames included
            answers.append(FlowControl(byte == XOFF))
            return
        if self._frame:
            if self._continues(byte):
                self._frame.append(byte)
                self._close(answers)
                return
            answers.extend(Noise(lost) for lost in self._frame)
            self._frame.clear()
        if byte & 0x93 == 0x12:
            answers.append(RealTime(byte))
        elif byte & 0x93 == 0x10 or byte == _PROCESS_HEADER:
            self._frame.append(byte)
        elif byte & 0x90 == 0x00:
            answers.append(Transmitted(byte))
        else:
            answers.append(Noise(byte))

    def _continues(self, byte: int) -> bool:
        if self._frame[0] != _PROCESS_HEADER:
            return byte & 0x90 == 0x00
        match len(self._frame):
            case 1:
                return byte == _PROCESS_KIND
            case position if position < 2 + _TOKEN_BYTES:
                return 0x20 <= byte <= 0x7E
            case _:
                return byte == _PROCESS_END

    def _close(self, answers: list[Answer]) -> None:
        if self._frame[0] != _PROCESS_HEADER:
            if len(self._frame) == _ASB_BYTES:
                answers.append(AutoStatus(bytes(self._frame)))
                self._frame.clear()
        elif len(self._frame) == 2 + _TOKEN_BYTES + 1:
            answers.append(Processed(bytes(self._frame[2:-1])))
            self._frame.clear()


@dataclass(frozen=True, slots=True)
class Readings:
    """The last answer to each real-time query (one byte, 0–255), None where the printer was silent."""

    printer: int | None = None
    cause: int | None = None
    error: int | None = None
    paper: int | None = None

    def health(self) -> PrinterHealth:
        """What these bytes say together: a reported trouble counts at once, "all well" needs all four answers."""
        cause = CauseBit(0) if self.cause is None else CauseBit(self.cause & 0x6C)
        paper = PaperBit(0) if self.paper is None else PaperBit(self.paper & 0x6C)
        if CauseBit.COVER_OPEN in cause:
            return PrinterHealth.COVER_OPEN
        if CauseBit.PAPER_END in cause or paper & PaperBit.END:
            return PrinterHealth.PAPER_OUT
        if CauseBit.ERROR in cause or (self.error is not None and self.error & 0x68):
            return PrinterHealth.FAULT
        if self.printer is not None and self.printer & PrinterBit.OFFLINE:
            return PrinterHealth.OFFLINE
        if None in (self.printer, self.cause, self.error, self.paper):
            return PrinterHealth.UNKNOWN
        return PrinterHealth.PAPER_LOW if paper & PaperBit.NEAR_END else PrinterHealth.OK
