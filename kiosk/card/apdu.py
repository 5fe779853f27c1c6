"""Command and response APDUs of ISO/IEC 7816-3 §12.1 and 7816-4 §5.1, as values.

`parse_command` and `parse_response` take bytes from outside and return an `ApduError` for anything malformed. The
constructors are for our own code: a wrong argument there is a bug and raises `MalformedApdu`. A `repr` shows header,
lengths and status word, never data: an APDU may reach a trace by accident.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

SHORT_LC_MAX: Final = 255
SHORT_NE_MAX: Final = 256
EXTENDED_LC_MAX: Final = 65_535
EXTENDED_NE_MAX: Final = 65_536
COMMAND_MAX_BYTES: Final = 4 + 3 + EXTENDED_LC_MAX + 2

INS_GET_RESPONSE: Final = 0xC0

_FURTHER_INTERINDUSTRY: Final = 0x40  # CLA bit 7: channels 4-19, secure messaging in one bit


class MalformedApdu(ValueError):  # noqa: N818  # the name of the thing, as in "malformed APDU"
    """Our own code asked for an APDU that cannot exist."""


@dataclass(frozen=True, slots=True)
class ApduError:
    """Why bytes are not an APDU. `length_bytes` is what arrived; no content is kept."""

    length_bytes: int
    reason: str


class Case(IntEnum):
    """Command cases of ISO/IEC 7816-3 §12.1.3: which of command data and response data exist."""

    NO_DATA = 1
    RESPONSE_ONLY = 2
    COMMAND_ONLY = 3
    BOTH = 4


@dataclass(frozen=True, slots=True, repr=False)
class CommandApdu:
    """One command. `ne` is the largest number of response bytes accepted (Le decoded: 256 and 65,536 are written as
    zeros); 0 means that there is no Le field. `extended` is the wire form of both length fields, kept because secure
    messaging is computed over it.

    Raises `MalformedApdu` for values outside the standard's ranges.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    ne: int = 0
    extended: bool = False

    def __post_init__(self) -> None:
        if (self.cla | self.ins | self.p1 | self.p2) & ~0xFF:  # negative ones, too
            raise MalformedApdu("CLA, INS, P1 or P2 is not one byte")
        if not 0 <= self.ne <= (EXTENDED_NE_MAX if self.extended else SHORT_NE_MAX):
            raise MalformedApdu(f"ne {self.ne} is out of range")
        if len(self.data) > (EXTENDED_LC_MAX if self.extended else SHORT_LC_MAX):
            raise MalformedApdu(f"{len(self.data)} bytes of data are too many")
        if self.extended and self.case is Case.NO_DATA:
            raise MalformedApdu("a command without length fields has no extended form")

    def __repr__(self) -> str:
        form = " extended" if self.extended else ""
        return f"CommandApdu({self.header.hex(' ').upper()} lc={len(self.data)} ne={self.ne}{form})"

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes((self.cla, self.ins, self.p1, self.p2))

    @property
    def case(self) -> Case:
        """The command case, from the presence of data and of Le."""
        if self.data:
            return Case.BOTH if self.ne else Case.COMMAND_ONLY
        return Case.RESPONSE_ONLY if self.ne else Case.NO_DATA

    @property
    def secure_messaging(self) -> bool:
        """Whether CLA announces secure messaging (ISO/IEC 7816-4 §5.1.1; GlobalPlatform uses the same bits)."""
        return bool(self.cla & (0x20 if self.cla & _FURTHER_INTERINDUSTRY else 0x0C))

    @property
    def get_response_cla(self) -> int:
        """CLA of the GET RESPONSE that belongs to this command: same logical channel, no secure messaging."""
        if self.cla & _FURTHER_INTERINDUSTRY:
            return _FURTHER_INTERINDUSTRY | (self.cla & 0x0F)
        return self.cla & 0x03

    def to_bytes(self) -> bytes:
        """The command APDU on the wire, header first."""
        if not self.extended:
            lc = bytes((len(self.data),)) if self.data else b""
            le = bytes((self.ne & 0xFF,)) if self.ne else b""
            return self.header + lc + self.data + le
        lc = len(self.data).to_bytes(2, "big") if self.data else b""
        le = (self.ne & 0xFFFF).to_bytes(2, "big") if self.ne else b""
        return self.header + b"\x00" + lc + self.data + le


def parse_command(raw: bytes) -> CommandApdu | ApduError:
    """Sort a command APDU into case 1-4, short or extended (ISO/IEC 7816-3 §12.1.3).

    Returns `ApduError` when there are fewer than four bytes or when the length fields contradict the length. Class and
    instruction values are the card's business and are not judged.
    """
    length = len(raw)
    if length < 4:
        return ApduError(length, "shorter than the 4-byte header")
    if length > COMMAND_MAX_BYTES:
        return ApduError(length, f"longer than {COMMAND_MAX_BYTES} bytes")
    cla, ins, p1, p2 = raw[:4]
    if length == 4:
        return CommandApdu(cla, ins, p1, p2)
    if length == 5:
        return CommandApdu(cla, ins, p1, p2, ne=raw[4] or SHORT_NE_MAX)
    lc = raw[4]
    if lc:
        if length == 5 + lc:
            return CommandApdu(cla, ins, p1, p2, raw[5:])
        if length == 6 + lc:
            return CommandApdu(cla, ins, p1, p2, raw[5:-1], ne=raw[-1] or SHORT_NE_MAX)
        return ApduError(length, f"Lc announces {lc} bytes, {length - 5} follow")
    if length == 6:
        return ApduError(length, "extended length field cut short")
    extended = int.from_bytes(raw[5:7], "big")
    if length == 7:
        return CommandApdu(cla, ins, p1, p2, ne=extended or EXTENDED_NE_MAX, extended=True)
    if not extended:
        return ApduError(length, "extended Lc of zero before data")
    if length == 7 + extended:
        return CommandApdu(cla, ins, p1, p2, raw[7:], extended=True)
    if length == 9 + extended:
        ne = int.from_bytes(raw[-2:], "big") or EXTENDED_NE_MAX
        return CommandApdu(cla, ins, p1, p2, raw[7:-2], ne=ne, extended=True)
    return ApduError(length, f"extended Lc announces {extended} bytes, {length - 7} follow")


@dataclass(frozen=True, slots=True, repr=False)
class ResponseApdu:
    """One answer: data and the status word SW1 SW2. Raises `MalformedApdu` when `sw` is not two bytes."""

    data: bytes
    sw: int

    def __post_init__(self) -> None:
        if not 0 <= self.sw <= 0xFFFF:
            raise MalformedApdu("sw is not two bytes")

    def __repr__(self) -> str:
        return f"ResponseApdu({len(self.data)} bytes, sw={self.sw:04X})"

    def to_bytes(self) -> bytes:
        """Data followed by SW1 SW2."""
        return self.data + self.sw.to_bytes(2, "big")


def parse_response(raw: bytes) -> ResponseApdu | ApduError:
    """Split an answer into data and status word. Returns `ApduError` under two bytes: the card has not answered."""
    if len(raw) < 2:
        return ApduError(len(raw), "no status word")
    return ResponseApdu(raw[:-2], int.from_bytes(raw[-2:], "big"))
