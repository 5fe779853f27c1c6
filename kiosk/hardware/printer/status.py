"""What a ticket printer answers, byte by byte: a pure parser of everything that may come along the line.

Source: ESC/POS status descriptions (DLE EOT n, GS r n, GS a n, GS ( H) as published by Epson and Citizen, and Custom's
full status (DLE EOT 20); hardware reference, ticket printer. What the bits mean is the dialect's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

XON: Final = 0x11
XOFF: Final = 0x13
FULL_STATUS_HEADER: Final = b"\x10\x0f"
FULL_STATUS_BYTES: Final = 4
AUTO_STATUS_BYTES: Final = 4
_PROCESS_HEADER: Final = 0x37
_PROCESS_KIND: Final = 0x22
_PROCESS_END: Final = 0x00
_TOKEN_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class RealTime:
    """One real-time answer: fixed bits 0xx1xx10."""

    value: int


@dataclass(frozen=True, slots=True)
class FullStatus:
    """The 4 bytes behind `10 0F`: paper, user, recoverable, unrecoverable."""

    value: bytes


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


Answer = RealTime | FullStatus | AutoStatus | Processed | Transmitted | FlowControl | Noise


class StatusParser:
    """Cuts what the printer sends into answers; the split of the reads does not matter.

    full_status: `10` begins Custom's full status. It cannot be told from automatic status, so one excludes the other.
    """

    def __init__(self, *, full_status: bool = False) -> None:
        self._full_status = full_status
        self._frame = bytearray()

    def feed(self, data: bytes) -> list[Answer]:
        """Return the answers completed by these bytes. An unfinished frame waits; a broken one becomes noise."""
        answers: list[Answer] = []
        for byte in data:
            self._take(byte, answers)
        return answers

    def forget(self) -> None:
        """Drop an unfinished frame: its rest will not come, and what comes next must not complete it."""
        self._frame.clear()

    def _take(self, byte: int, answers: list[Answer]) -> None:
        if byte in (XON, XOFF) and not self._in_full_status:  # may slip in anywhere, other frames included
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
        elif self._begins_frame(byte):
            self._frame.append(byte)
        elif byte & 0x90 == 0x00:
            answers.append(Transmitted(byte))
        else:
            answers.append(Noise(byte))

    @property
    def _in_full_status(self) -> bool:
        return self._full_status and self._frame.startswith(FULL_STATUS_HEADER)

    def _begins_frame(self, byte: int) -> bool:
        if byte == _PROCESS_HEADER:
            return True
        return byte == FULL_STATUS_HEADER[0] if self._full_status else byte & 0x93 == 0x10

    def _continues(self, byte: int) -> bool:
        if self._frame[0] != _PROCESS_HEADER:
            if self._full_status:
                return self._in_full_status or byte == FULL_STATUS_HEADER[1]
            return byte & 0x90 == 0x00
        match len(self._frame):
            case 1:
                return byte == _PROCESS_KIND
            case position if position < 2 + _TOKEN_BYTES:
                return 0x20 <= byte <= 0x7E
            case _:
                return byte == _PROCESS_END

    def _close(self, answers: list[Answer]) -> None:
        frame = bytes(self._frame)
        answer: Answer | None = None
        if frame[0] == _PROCESS_HEADER:
            if len(frame) == 2 + _TOKEN_BYTES + 1:
                answer = Processed(frame[2:-1])
        elif self._full_status:
            if len(frame) == len(FULL_STATUS_HEADER) + FULL_STATUS_BYTES:
                answer = FullStatus(frame[len(FULL_STATUS_HEADER) :])
        elif len(frame) == AUTO_STATUS_BYTES:
            answer = AutoStatus(frame)
        if answer is not None:
            answers.append(answer)
            self._frame.clear()
