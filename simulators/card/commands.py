"""The commands of the simulated Vitale 2 (ISO/IEC 7816-4 §11, SCP03): one row each in `INSTRUCTIONS`.

Each handler sees a plain command whose parameters and lengths are right, and does the last two checks of the order:
security status, then data and files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kiosk.card.apdu import EXTENDED_NE_MAX, SHORT_NE_MAX, Case, CommandApdu
from simulators.card import scp03
from simulators.card.chip import INS_SELECT, Reply
from simulators.card.class_byte import INTERINDUSTRY, PROPRIETARY
from simulators.card.files import TAG_FCI, TAG_FCP, Df, Ef
from simulators.card.secure_channel import LEVELS, Handshake
from simulators.card.vitale_chip import SW_OK, Instruction, RefusedError, VitaleChip

INS_GET_CHALLENGE: Final = 0x84
INS_READ_BINARY: Final = 0xB0
INS_UPDATE_BINARY: Final = 0xD6

_SW_SHORT_DATA: Final = 0x6282
_MAX_AID_BYTES: Final = 16
_NEXT_OCCURRENCE: Final = 0x02
_NO_TEMPLATE: Final = 0x0C
_TEMPLATES: Final = {0x00: TAG_FCI, 0x04: TAG_FCP}

# P1 of SELECT
_BY_FID: Final = 0x00
_CHILD_DF: Final = 0x01
_CHILD_EF: Final = 0x02
_PARENT: Final = 0x03
_BY_AID: Final = 0x04
_PATH_FROM_MF: Final = 0x08
_PATH_FROM_CURRENT: Final = 0x09


def _select_parameters(p1: int, p2: int) -> bool:
    if p1 not in (_BY_FID, _CHILD_DF, _CHILD_EF, _PARENT, _BY_AID, _PATH_FROM_MF, _PATH_FROM_CURRENT):
        return False
    occurrence, template = p2 & 0x03, p2 & ~0x03
    next_is_fine = occurrence == 0 or (occurrence == _NEXT_OCCURRENCE and p1 == _BY_AID)
    return next_is_fine and template in (*_TEMPLATES, _NO_TEMPLATE)


def _select_lengths(command: CommandApdu) -> bool:
    length = len(command.data)
    match command.p1:
        case 0x00:
            return length in (0, 2)
        case 0x01 | 0x02:
            return length == 2
        case 0x03:
            return length == 0
        case 0x04:
            return 1 <= length <= _MAX_AID_BYTES
        case _:
            return length >= 2 and length % 2 == 0


def _select(chip: VitaleChip, command: CommandApdu, _protected: bool) -> Reply:
    found = _find(chip, command)
    if found is None:
        raise RefusedError(0x6A82)
    template = command.p2 & ~0x03
    data = b"" if template == _NO_TEMPLATE else found.describe(_TEMPLATES[template])
    _insist_on_exact_ne(command, data)
    chip.select(found)
    return Reply(SW_OK, data)


def _find(chip: VitaleChip, command: CommandApdu) -> Ef | Df | None:
    fid = int.from_bytes(command.data, "big")
    match command.p1:
        case 0x00:
            return chip.files.reachable(fid, chip.current_df) if command.data else chip.files.mf
        case 0x01:
            child = chip.current_df.child(fid)
            return child if isinstance(child, Df) else None
        case 0x02:
            child = chip.current_df.child(fid)
            return child if isinstance(child, Ef) else None
        case 0x03:
            return chip.files.parent(chip.current_df)
        case 0x04:
            return _find_name(chip, command)
        case 0x08:
            return chip.files.walk(command.data, chip.files.mf)
        case _:
            return chip.files.walk(command.data, chip.current_df)


def _find_name(chip: VitaleChip, command: CommandApdu) -> Df | None:
    """First or next DF whose name begins with the data."""
    matches = [df for df in chip.files.dfs() if df.aid.startswith(command.data)]
    if command.p2 & 0x03 == _NEXT_OCCURRENCE and chip.current_df in matches:
        matches = matches[matches.index(chip.current_df) + 1 :]
    return matches[0] if matches else None


def _binary_parameters(p1: int, _p2: int) -> bool:
    """15-bit offset, or 100 and a short identifier from 1 to 30."""
    return not p1 & 0x80 or (not p1 & 0x60 and p1 & 0x1F not in (0, 31))


def _locate(chip: VitaleChip, command: CommandApdu) -> tuple[Ef, int]:
    """The addressed file and the offset in it; an SFI does not select before everything is checked."""
    if command.p1 & 0x80:
        ef, offset = chip.current_df.short(command.p1 & 0x1F), command.p2
        if ef is None:
            raise RefusedError(0x6A82)
    else:
        ef, offset = chip.current_ef, command.p1 << 8 | command.p2
        if ef is None:
            raise RefusedError(0x6986)
    return ef, offset


def _read_binary(chip: VitaleChip, command: CommandApdu, protected: bool) -> Reply:
    """Le 00 asks for all that is left: under T=0 a plain command must then name the length (6Cxx)."""
    ef, offset = _locate(chip, command)
    if offset >= ef.size_bytes:
        raise RefusedError(0x6B00)
    data = chip.image.read(ef, offset, command.ne)
    wants_all = command.ne == (EXTENDED_NE_MAX if command.extended else SHORT_NE_MAX)
    if wants_all and not protected:
        _insist_on_exact_ne(command, data)
    chip.select(ef)
    return Reply(SW_OK if wants_all or len(data) == command.ne else _SW_SHORT_DATA, data)


def _update_binary(chip: VitaleChip, command: CommandApdu, protected: bool) -> Reply:
    """Only in a session at level 33, only the files marked writable; on disk before the answer leaves."""
    if not protected or chip.channel is None or chip.channel.level != scp03.LEVEL_FULL:
        raise RefusedError(0x6982)
    ef, offset = _locate(chip, command)
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


def _get_challenge(chip: VitaleChip, command: CommandApdu, _protected: bool) -> Reply:
    return Reply(SW_OK, chip.challenges.take(command.ne))


def _initialize_update(chip: VitaleChip, command: CommandApdu, _protected: bool) -> Reply:
    if not chip.in_vitale:
        raise RefusedError(0x6985)
    if command.p1 not in (0, chip.keys.kvn):
        raise RefusedError(0x6A88)
    handshake = Handshake(chip.keys, command.data, chip.challenges.take(scp03.CHALLENGE_BYTES))
    chip.begin_session(handshake)
    return Reply(SW_OK, handshake.answer(chip.serial))


def _external_authenticate(chip: VitaleChip, command: CommandApdu, _protected: bool) -> Reply:
    """One try for each handshake."""
    handshake = chip.handshake
    chip.end_session()
    if handshake is None:
        raise RefusedError(0x6985)
    channel = handshake.authenticate(command.header, command.data, extended=command.extended)
    if isinstance(channel, int):
        raise RefusedError(channel)
    chip.channel = channel
    return Reply(SW_OK)


def _insist_on_exact_ne(command: CommandApdu, data: bytes) -> None:
    """T=0: the length of an answer to a short case 2 is the card's to say; nothing has changed yet."""
    if data and command.case is Case.RESPONSE_ONLY and not command.extended and command.ne != len(data):
        raise RefusedError(0x6C00 | len(data) & 0xFF)


_ISO: Final = frozenset({INTERINDUSTRY})
_GLOBAL_PLATFORM: Final = frozenset({PROPRIETARY})
_NEITHER: Final[frozenset[int]] = frozenset()

INSTRUCTIONS: Final[Mapping[int, Instruction]] = {
    INS_SELECT: Instruction(
        plain=_ISO, protected=_NEITHER, parameters=_select_parameters, lengths=_select_lengths, run=_select
    ),
    INS_READ_BINARY: Instruction(
        plain=_ISO,
        protected=_ISO | _GLOBAL_PLATFORM,
        parameters=_binary_parameters,
        lengths=lambda command: not command.data and command.ne > 0,
        run=_read_binary,
    ),
    INS_UPDATE_BINARY: Instruction(
        plain=_ISO,
        protected=_ISO | _GLOBAL_PLATFORM,
        parameters=_binary_parameters,
        lengths=lambda command: bool(command.data),
        run=_update_binary,
    ),
    INS_GET_CHALLENGE: Instruction(
        plain=_ISO,
        protected=_NEITHER,
        parameters=lambda p1, p2: (p1, p2) == (0, 0),
        lengths=lambda command: not command.data and 1 <= command.ne <= SHORT_NE_MAX,
        run=_get_challenge,
    ),
    scp03.INS_INITIALIZE_UPDATE: Instruction(
        plain=_GLOBAL_PLATFORM,
        protected=_NEITHER,
        parameters=lambda _, p2: p2 == 0,
        lengths=lambda command: len(command.data) == scp03.CHALLENGE_BYTES,
        run=_initialize_update,
    ),
    scp03.INS_EXTERNAL_AUTHENTICATE: Instruction(
        plain=_NEITHER,
        protected=_GLOBAL_PLATFORM,
        parameters=lambda p1, p2: p1 in LEVELS and p2 == 0,
        lengths=lambda command: len(command.data) == scp03.CRYPTOGRAM_BYTES + scp03.MAC_BYTES,
        run=_external_authenticate,
        opens_session=True,
    ),
}
