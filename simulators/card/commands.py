"""The commands of the simulated Vitale 2 (ISO/IEC 7816-4 §11, SCP03): one row each in `INSTRUCTIONS`.

Each handler sees a plain command whose parameters and lengths are right, and does the last two checks of the order:
security status, then data and files. What a Vitale has not is 6D00: VERIFY and CHANGE REFERENCE DATA, since there is no
PIN. MANAGE CHANNEL is answered before a command gets here (`logical_channels`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kiosk.card.apdu import CommandApdu
from simulators.card import file_commands, scp03
from simulators.card.chip import INS_SELECT, SW_OK, RefusedError, Reply
from simulators.card.class_byte import INTERINDUSTRY, PROPRIETARY
from simulators.card.secure_channel import LEVELS, Handshake
from simulators.card.stored_keys import MAX_KVN
from simulators.card.vitale_chip import SM_BIT, Instruction, VitaleChip

INS_UPDATE_BINARY: Final = 0xD6
INS_PUT_KEY: Final = 0xD8
_THREE_KEYS_FROM_THE_FIRST: Final = 0x81


def _update_binary(chip: VitaleChip, command: CommandApdu, protected: bool) -> Reply:
    """Only in a session at level 33, only the files marked writable; on disk before the answer leaves."""
    if not protected or chip.channel is None or chip.channel.level != scp03.LEVEL_FULL:
        raise RefusedError(0x6982)
    ef, offset = file_commands.locate(chip, command)
    if not ef.writable:
        raise RefusedError(0x6982)
    if offset >= ef.size_bytes:
        raise RefusedError(0x6B00)
    if offset + len(command.data) > ef.size_bytes:
        raise RefusedError(0x6A84)
    chip.select(ef)
    try:
        chip.image.write(ef, offset, command.data)
    except OSError:
        raise RefusedError(0x6581) from None
    return Reply(SW_OK)


def _initialize_update(chip: VitaleChip, command: CommandApdu, _protected: bool) -> Reply:
    if not chip.in_vitale:
        raise RefusedError(0x6985)
    if command.p1 not in (0, chip.keys.kvn):
        raise RefusedError(0x6A88)
    handshake = Handshake(chip.keys, command.data, chip.challenges.take(len(command.data)))
    chip.begin_session(handshake)
    return Reply(SW_OK, handshake.answer(chip.serial))


def _external_authenticate(chip: VitaleChip, command: CommandApdu, _protected: bool) -> Reply:
    """One try for each handshake."""
    handshake = chip.handshake
    chip.end_session()
    if handshake is None:
        raise RefusedError(0x6985)
    header = bytes([PROPRIETARY | SM_BIT]) + command.header[1:]  # the MAC is over the class of channel 0
    channel = handshake.authenticate(header, command.data, extended=command.extended)
    if isinstance(channel, int):
        raise RefusedError(channel)
    chip.channel = channel
    return Reply(SW_OK)


def _put_key(chip: VitaleChip, command: CommandApdu, _protected: bool) -> Reply:
    """Replace the one key set; the session under the old keys goes on. P1 00 would add a second: no room."""
    if chip.channel is None or chip.channel.level != scp03.LEVEL_FULL:
        raise RefusedError(0x6982)
    if command.p1 == 0:
        raise RefusedError(0x6A84)
    if command.p1 != chip.keys.kvn:
        raise RefusedError(0x6A88)
    return Reply(SW_OK, chip.stored_keys.put(command.data))


_ISO: Final = frozenset({INTERINDUSTRY})
_GLOBAL_PLATFORM: Final = frozenset({PROPRIETARY})
_NEITHER: Final[frozenset[int]] = frozenset()

INSTRUCTIONS: Final[Mapping[int, Instruction]] = {
    INS_SELECT: Instruction(
        plain=_ISO,
        protected=_NEITHER,
        parameters=file_commands.select_parameters,
        lengths=file_commands.select_lengths,
        run=file_commands.select,
    ),
    file_commands.INS_READ_BINARY: Instruction(
        plain=_ISO,
        protected=_ISO | _GLOBAL_PLATFORM,
        parameters=file_commands.binary_parameters,
        lengths=file_commands.read_lengths,
        run=file_commands.read_binary,
    ),
    INS_UPDATE_BINARY: Instruction(
        plain=_ISO,
        protected=_ISO | _GLOBAL_PLATFORM,
        parameters=file_commands.binary_parameters,
        lengths=lambda command: bool(command.data),
        run=_update_binary,
    ),
    file_commands.INS_GET_CHALLENGE: Instruction(
        plain=_ISO,
        protected=_NEITHER,
        parameters=file_commands.challenge_parameters,
        lengths=file_commands.challenge_lengths,
        run=file_commands.get_challenge,
    ),
    scp03.INS_INITIALIZE_UPDATE: Instruction(
        plain=_GLOBAL_PLATFORM,
        protected=_NEITHER,
        parameters=lambda _, p2: p2 == 0,
        lengths=lambda command: len(command.data) in scp03.MODES,
        run=_initialize_update,
    ),
    scp03.INS_EXTERNAL_AUTHENTICATE: Instruction(
        plain=_NEITHER,
        protected=_GLOBAL_PLATFORM,
        parameters=lambda p1, p2: p1 in LEVELS and p2 == 0,
        lengths=lambda command: len(command.data) in [2 * mode for mode in scp03.MODES],
        run=_external_authenticate,
        opens_session=True,
    ),
    INS_PUT_KEY: Instruction(
        plain=_NEITHER,
        protected=_GLOBAL_PLATFORM,
        parameters=lambda p1, p2: p1 <= MAX_KVN and p2 == _THREE_KEYS_FROM_THE_FIRST,
        lengths=lambda command: bool(command.data),
        run=_put_key,
    ),
}
