"""Logical channels 0-3 of a simulated Vitale 2: each has its own selection and its own secure session.

MANAGE CHANNEL (ISO/IEC 7816-4 §11.1.2): `00 70 00 00 01` opens the lowest free channel and names it, `00 70 00 0N`
opens channel N, `00 70 80 0N` closes it (N = 0: the channel of the command). A channel opened on the basic one begins
at the MF, another at the current DF of its origin; none inherits a secure session. The answer of a channel is fetched
on that channel. There is one place for chained parts: a command on another channel abandons them.

6A81: no channel is free, or N is open. 6A86: the basic channel cannot be closed. 6200: N is not open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kiosk.card.apdu import SHORT_NE_MAX, CommandApdu
from simulators.card.chip import SW_OK, RefusedError, Reply
from simulators.card.class_byte import INTERINDUSTRY, ClassByte, SecureMessaging
from simulators.card.file_commands import insist_on_exact_ne
from simulators.card.vitale_chip import VitaleChip

INS_MANAGE_CHANNEL: Final = 0x70
_CHANNELS: Final = range(4)
_OPEN: Final = 0x00
_CLOSE: Final = 0x80
_SW_NOTHING_TO_CLOSE: Final = 0x6200
_SW_NO_CHANNEL: Final = 0x6A81


class LogicalChannels:
    """A chip of up to four channels, on one EEPROM."""

    def __init__(self, new: Callable[[], VitaleChip]) -> None:
        """`new`: the chip as a fresh channel sees it."""
        self._new = new
        self._open = {0: new()}

    def reset(self) -> None:
        """The basic channel only, as after power-up."""
        self._open = {0: self._open[0]}
        self._open[0].reset()

    def abandon_chain(self) -> None:
        """Another command came in between."""
        for chip in self._open.values():
            chip.abandon_chain()

    def has_channel(self, number: int) -> bool:
        """Whether this channel is open."""
        return number in self._open

    def execute(self, cla: ClassByte, header: bytes, command: CommandApdu | None) -> Reply:
        """MANAGE CHANNEL here, anything else on its channel."""
        for number, chip in self._open.items():
            if number != cla.channel or header[1] == INS_MANAGE_CHANNEL:
                chip.abandon_chain()
        if header[1] != INS_MANAGE_CHANNEL:
            return self._open[cla.channel].execute(cla, header, command)
        try:
            return self._manage(cla, header, command)
        except RefusedError as refusal:
            return Reply(refusal.sw)

    def _manage(self, cla: ClassByte, header: bytes, command: CommandApdu | None) -> Reply:
        """The order of checks of `vitale_chip`."""
        if cla.base != INTERINDUSTRY:
            raise RefusedError(0x6D00)
        if cla.secure_messaging is not SecureMessaging.NONE:
            raise RefusedError(0x6882)
        if cla.chaining:
            raise RefusedError(0x6884)
        p1, number = header[2:]
        if p1 not in (_OPEN, _CLOSE) or number not in _CHANNELS:
            raise RefusedError(0x6A86)
        if p1 == _CLOSE and not (number or cla.channel):
            raise RefusedError(0x6A86)
        asks_for_number = p1 == _OPEN and number == 0
        if command is None or command.data or (command.ne == 0 if asks_for_number else command.ne % SHORT_NE_MAX):
            raise RefusedError(0x6700)
        if p1 == _CLOSE:
            closed = self._open.pop(number or cla.channel, None)
            return Reply(SW_OK if closed is not None else _SW_NOTHING_TO_CLOSE)
        return self._open_channel(self._open[cla.channel], number, command, named=not asks_for_number)

    def _open_channel(self, origin: VitaleChip, number: int, command: CommandApdu, *, named: bool) -> Reply:
        free = [candidate for candidate in _CHANNELS if candidate not in self._open]
        if not free or (named and number not in free):
            raise RefusedError(_SW_NO_CHANNEL)
        opened = number if named else free[0]
        answer = b"" if named else bytes([opened])
        insist_on_exact_ne(origin, command, answer)
        chip = self._new()
        if origin is not self._open[0]:
            chip.select(origin.current_df)
        self._open[opened] = chip
        return Reply(SW_OK, answer)
