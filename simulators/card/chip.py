"""What a card needs of its chip, and the chip of a card without any file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from kiosk.card.apdu import CommandApdu
from kiosk.card.atr import Atr, parse_atr
from simulators.card.class_byte import INTERINDUSTRY, ClassByte

INS_SELECT: Final = 0xA4
SW_OK: Final = 0x9000


class RefusedError(Exception):
    """A command stops with this status word; never leaves the chip."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer of the chip, of any length: how it is delivered is the transport protocol's business."""

    sw: int
    data: bytes = field(default=b"", repr=False)


def speaks_t1(atr: bytes) -> bool:
    """Whether a card with this ATR speaks T=1; cards here offer one protocol, as some services choose the last."""
    parsed = parse_atr(atr)
    return isinstance(parsed, Atr) and 1 in parsed.protocols


class Chip(Protocol):
    """What a card needs of its chip. `command` is None when the length fields contradict each other."""

    def reset(self) -> None:
        """Forget everything that does not survive a reset."""

    def abandon_chain(self) -> None:
        """Another command came in between."""

    def has_channel(self, number: int) -> bool:
        """Whether this logical channel is open; 0 always is."""
        ...

    def execute(self, cla: ClassByte, header: bytes, command: CommandApdu | None) -> Reply:
        """Run one command that is not GET RESPONSE, on an open channel."""
        ...


class BareChip:
    """A card that is neither Vitale 2 nor staff card: it has no file to select and knows nothing else."""

    def reset(self) -> None:
        """Nothing to forget."""

    def abandon_chain(self) -> None:
        """No chaining."""

    def has_channel(self, number: int) -> bool:
        """The basic channel only."""
        return number == 0

    def execute(self, cla: ClassByte, header: bytes, command: CommandApdu | None) -> Reply:
        """6A82 to SELECT, 6D00 to all else."""
        if cla.base != INTERINDUSTRY or header[1] != INS_SELECT:
            return Reply(0x6D00)
        return Reply(0x6A82) if command is not None else Reply(0x6700)
