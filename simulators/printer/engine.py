"""The inside of a simulated ticket printer: bytes in, answers out, pictures of tickets on the way. No port, no thread.

Written from the published ESC/POS descriptions, on its own: it shares nothing with the kiosk's encoder or parser. Like
the real devices it obeys real-time sequences even inside picture data, so a careless encoder spoils its picture here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from PIL import Image

_RASTER = b"\x1d\x76\x30\x00"
_RASTER_HEADER_BYTES = 8
_FIXED_LENGTHS = {b"\x1b\x40": 2, b"\x1d\x61": 3, b"\x1d\x72": 3, b"\x1b\x4a": 3, b"\x1b\x64": 3}


class PrinterFault(StrEnum):
    """What can be wrong. Faults add up."""

    SILENT = "silent"  # switched off: hears nothing, says nothing
    MUTE = "mute"  # prints, says nothing
    PAPER_LOW = "paper_low"
    PAPER_OUT = "paper_out"
    COVER_OPEN = "cover_open"
    CUTTER = "cutter"
    HEAD = "head"
    UNRECOVERABLE = "unrecoverable"
    OFFLINE = "offline"
    NOISE = "noise"  # bytes that mean nothing around each answer
    STALLED = "stalled"  # takes no more bytes from the line


_STOPPING = frozenset(
    {
        PrinterFault.SILENT,
        PrinterFault.PAPER_OUT,
        PrinterFault.COVER_OPEN,
        PrinterFault.CUTTER,
        PrinterFault.HEAD,
        PrinterFault.UNRECOVERABLE,
        PrinterFault.OFFLINE,
    }
)
_SAYING_NOTHING = frozenset({PrinterFault.MUTE, PrinterFault.SILENT})


@dataclass
class PrinterEngine:
    """State of one device. `feed` is the only input; `tickets` grows at each cut.

    width_dots: of the print head. paper_rows_left: None = a full roll. fault_at_first_row: happens once, when the next
    picture has begun to appear. rows_printed: since the beginning, cut or not. unknown: commands it did not understand.
    buffer_bytes: what it holds back while something stops it, before it sends XOFF; None: it never stops the line.
    real_time_in_data: real-time sequences met inside a picture (each one spoils the ticket). custom: a device of
    Custom's family: full status instead of Epson's, no DLE ENQ (ESC @ empties a stopped one, by assumption), and an
    output that holds each ticket until somebody takes it.
    """

    width_dots: int = 576
    faults: set[PrinterFault] = field(default_factory=set)
    paper_rows_left: int | None = None
    fault_at_first_row: PrinterFault | None = None
    rows_printed: int = 0
    buffer_bytes: int | None = None
    tickets: list[Image.Image] = field(default_factory=list)
    unknown: list[bytes] = field(default_factory=list)
    real_time_in_data: int = 0
    custom: bool = False
    in_output: bool = False
    _held: bytearray = field(default_factory=bytearray)  # the start of what may become a real-time sequence
    _buffer: bytearray = field(default_factory=bytearray)  # received, not yet executed
    _rows: list[bytes] = field(default_factory=list)  # printed since the last cut
    _paused: bool = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the line and return what goes back."""
        if PrinterFault.SILENT in self.faults:
            return b""
        answers = bytearray(self._execute())
        while data:
            if self._held:
                answers += self._receive_held(data[0])
                data = data[1:]
                continue
            plain, dle, data = data.partition(b"\x10")
            self._buffer += plain
            answers += self._execute()
            self._held += dle
        return bytes(answers) + self._flow()

    def mend(self, fault: PrinterFault) -> bytes:
        """End a fault and carry on with what is buffered; returns answers that were still owed.

        New paper is a full roll; a printer that was off has forgotten what it held.
        """
        self.faults.discard(fault)
        if fault is PrinterFault.PAPER_OUT:
            self.paper_rows_left = None
        if fault in (PrinterFault.PAPER_OUT, PrinterFault.COVER_OPEN):
            self._rows.clear()  # whoever changes paper or closes the cover tears off what hangs there
        if fault is PrinterFault.SILENT:
            self._drop_buffers()
        return self.feed(b"")

    def _flow(self) -> bytes:
        if self.buffer_bytes is None or self.faults & _SAYING_NOTHING:
            return b""
        held_back = len(self._buffer) if self.faults & _STOPPING else 0
        if self._paused == (held_back > self.buffer_bytes):
            return b""
        self._paused = not self._paused
        return b"\x13" if self._paused else b"\x11"

    # --- real-time layer: obeyed on arrival, whatever surrounds it ---------------------------------------------------

    def _receive_held(self, byte: int) -> bytes:
        self._held.append(byte)
        match list(self._held):
            case [0x10, 0x04 | 0x05 | 0x14]:
                return b""
            case [0x10, 0x04, 0x14] if self.custom:
                self._obeyed()
                return self._say(b"\x10\x0f" + self._full_status())
            case [0x10, 0x04, 1 | 2 | 3 | 4 as which] if not self.custom:
                self._obeyed()
                return self._status(which)
            case [0x10, 0x05, 1 | 2 as how] if not self.custom:
                self._obeyed()
                if how == 2:
                    self._drop_buffers()
                return b""
            case [0x10, 0x14, _]:
                self._obeyed()
                return b""
        self._buffer += self._held if byte != 0x10 else self._held[:-1]
        self._held[:] = b"\x10" if byte == 0x10 else b""
        return self._execute()

    def _obeyed(self) -> None:
        self._held.clear()
        if self._buffer.startswith(_RASTER):
            self.real_time_in_data += 1

    # --- command layer: in order, and only while nothing stops the printer -------------------------------------------

    def _execute(self) -> bytes:
        answers = bytearray()
        if self.custom and self.faults & _STOPPING and self._buffer.endswith(b"\x1b\x40\x1d\x61\x00"):
            self._drop_buffers()
        while not self.faults & _STOPPING and (length := self._command_length()) is not None:
            command = bytes(self._buffer[:length])
            del self._buffer[:length]
            answers += self._perform(command)
        return bytes(answers)

    def _command_length(self) -> int | None:
        """Bytes of the command at the head of the buffer, None while it is not whole. NUL is no command."""
        buffer = self._buffer
        del buffer[: len(buffer) - len(buffer.lstrip(b"\0"))]
        if len(buffer) < 2:
            return None
        start = bytes(buffer[:2])
        length = _FIXED_LENGTHS.get(start, 1)
        if start == b"\x1d\x76":
            if len(buffer) < _RASTER_HEADER_BYTES:
                return None
            row_bytes, rows = buffer[4] | buffer[5] << 8, buffer[6] | buffer[7] << 8
            length = _RASTER_HEADER_BYTES + row_bytes * rows
        elif start == b"\x1d\x28":
            if len(buffer) < 5:
                return None
            length = 5 + (buffer[3] | buffer[4] << 8)
        elif start == b"\x1d\x56":
            if len(buffer) < 3:
                return None
            length = 4 if buffer[2] in (65, 66) else 3
        return length if len(buffer) >= length else None

    def _perform(self, command: bytes) -> bytes:
        match command[:2]:
            case b"\x1b\x40" | b"\x1d\x61":  # reset, automatic status: nothing visible
                return b""
            case b"\x1b\x4a" | b"\x1b\x64":
                self._print_rows([b""] * command[2])
                return b""
            case b"\x1d\x76":
                row_bytes = command[4] | command[5] << 8
                data = command[_RASTER_HEADER_BYTES:]  # none of a picture without width
                self._print_rows([data[at : at + row_bytes] for at in range(0, len(data), max(1, row_bytes))])
                return b""
            case b"\x1d\x56":
                if self._print_rows([b""] * (command[3] if len(command) == 4 else 0), rest=b"\x1d\x56\x00"):
                    self._cut()
                return b""
            case b"\x1d\x72":
                return self._say(bytes((0x03 if PrinterFault.PAPER_LOW in self.faults else 0x00,)))
            case b"\x1d\x28" if command[2] == 0x48 and command[5:7] == b"\x30\x30":
                return self._say(b"\x37\x22" + command[7:11] + b"\x00")
            case _:
                self.unknown.append(command)
                return b""

    def _print_rows(self, rows: list[bytes], rest: bytes = b"") -> bool:
        """Put rows on paper; False when the roll ended first: the others, and `rest`, stay inside the printer."""
        if self.paper_rows_left is not None:
            printed = rows[: self.paper_rows_left]
            self.paper_rows_left -= len(printed)
            if len(printed) < len(rows):
                self.faults.add(PrinterFault.PAPER_OUT)
                self._buffer[:0] = _raster_command(rows[len(printed) :]) + rest
            rows = printed
        self._rows += rows
        self.rows_printed += len(rows)
        if rows and self.fault_at_first_row is not None:
            self.faults.add(self.fault_at_first_row)
            self.fault_at_first_row = None
        return PrinterFault.PAPER_OUT not in self.faults

    def _cut(self) -> None:
        if not self._rows:
            return
        row_bytes = (self.width_dots + 7) // 8
        data = b"".join(row[:row_bytes].ljust(row_bytes, b"\0") for row in self._rows)
        black_is_1 = Image.frombytes("1", (row_bytes * 8, len(self._rows)), data)
        self.tickets.append(black_is_1.point(lambda dot: 255 - dot).crop((0, 0, self.width_dots, len(self._rows))))
        self._rows.clear()
        self.in_output = self.custom

    def _drop_buffers(self) -> None:
        """What is on paper stays there, cut or not."""
        self._held.clear()
        self._buffer.clear()

    def _status(self, which: int) -> bytes:
        has = self.faults.__contains__
        stopped = bool(self.faults & _STOPPING)
        match which:
            case 1:
                value = 0x12 | (0x08 if stopped else 0)
            case 2:
                value = 0x12 | (0x04 if has(PrinterFault.COVER_OPEN) else 0)
                value |= 0x20 if has(PrinterFault.PAPER_OUT) else 0
                value |= (
                    0x40 if self.faults & {PrinterFault.CUTTER, PrinterFault.HEAD, PrinterFault.UNRECOVERABLE} else 0
                )
            case 3:
                value = 0x12 | (0x08 if has(PrinterFault.CUTTER) else 0)
                value |= 0x20 if has(PrinterFault.UNRECOVERABLE) else 0
                value |= 0x40 if has(PrinterFault.HEAD) else 0
            case _:
                value = 0x12 | (0x0C if has(PrinterFault.PAPER_LOW) else 0)
                value |= 0x60 if has(PrinterFault.PAPER_OUT) else 0
        return self._say(bytes((value,)))

    def _full_status(self) -> bytes:
        has = self.faults.__contains__
        paper = (0x01 if has(PrinterFault.PAPER_OUT) else 0) | (0x04 if has(PrinterFault.PAPER_LOW) else 0)
        paper |= 0x20 if self.in_output else 0
        user = 0x02 if has(PrinterFault.COVER_OPEN) else 0
        recoverable = (0x01 if has(PrinterFault.HEAD) else 0) | (0x08 if has(PrinterFault.OFFLINE) else 0)
        unrecoverable = 0x01 if self.faults & {PrinterFault.CUTTER, PrinterFault.UNRECOVERABLE} else 0
        return bytes((paper, user, recoverable, unrecoverable))

    def _say(self, answer: bytes) -> bytes:
        if self.faults & _SAYING_NOTHING:
            return b""
        if PrinterFault.NOISE in self.faults:
            return b"\xff\x95" + answer + b"\x80"
        return answer


def _raster_command(rows: list[bytes]) -> bytes:
    """What is left of a picture, as the command that would print it."""
    row_bytes = max(1, *(len(row) for row in rows))
    header = _RASTER + row_bytes.to_bytes(2, "little") + len(rows).to_bytes(2, "little")
    return header + b"".join(row.ljust(row_bytes, b"\0") for row in rows)
