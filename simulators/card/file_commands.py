"""Commands that every simulated card with files has: SELECT, READ BINARY, GET CHALLENGE (ISO/IEC 7816-4 §11).

For each: which parameters and lengths are right, and the action, which does the last two checks of the order: security
status, then data and files.
"""

from __future__ import annotations

from typing import Final, Protocol

from kiosk.card.apdu import EXTENDED_NE_MAX, SHORT_NE_MAX, Case, CommandApdu
from simulators.card.challenges import Challenges
from simulators.card.chip import SW_OK, RefusedError, Reply
from simulators.card.files import TAG_FCI, TAG_FCP, Df, Ef, FileSystem
from simulators.card.image import Image

INS_GET_CHALLENGE: Final = 0x84
INS_READ_BINARY: Final = 0xB0

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


class FileChip(Protocol):
    """A chip with files and a selection. `block_protocol`: it speaks T=1, where an answer needs no exact Le."""

    files: FileSystem
    image: Image
    challenges: Challenges
    current_df: Df
    current_ef: Ef | None
    block_protocol: bool

    def select(self, file: Ef | Df) -> None:
        """Make a file current."""


def select_parameters(p1: int, p2: int) -> bool:
    """Known way of naming, first or next occurrence, FCI, FCP or nothing."""
    if p1 not in (_BY_FID, _CHILD_DF, _CHILD_EF, _PARENT, _BY_AID, _PATH_FROM_MF, _PATH_FROM_CURRENT):
        return False
    occurrence, template = p2 & 0x03, p2 & ~0x03
    next_is_fine = occurrence == 0 or (occurrence == _NEXT_OCCURRENCE and p1 == _BY_AID)
    return next_is_fine and template in (*_TEMPLATES, _NO_TEMPLATE)


def select_lengths(command: CommandApdu) -> bool:
    """As many bytes as the way of naming takes."""
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


def select(chip: FileChip, command: CommandApdu, _protected: bool) -> Reply:
    """SELECT; a file that is not found leaves the selection as it is."""
    found = _find(chip, command)
    if found is None:
        raise RefusedError(0x6A82)
    template = command.p2 & ~0x03
    data = b"" if template == _NO_TEMPLATE else found.describe(_TEMPLATES[template])
    insist_on_exact_ne(chip, command, data)
    chip.select(found)
    return Reply(SW_OK, data)


def _find(chip: FileChip, command: CommandApdu) -> Ef | Df | None:
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


def _find_name(chip: FileChip, command: CommandApdu) -> Df | None:
    """First or next DF whose name begins with the data."""
    matches = [df for df in chip.files.dfs() if df.aid.startswith(command.data)]
    if command.p2 & 0x03 == _NEXT_OCCURRENCE and chip.current_df in matches:
        matches = matches[matches.index(chip.current_df) + 1 :]
    return matches[0] if matches else None


def binary_parameters(p1: int, _p2: int) -> bool:
    """15-bit offset, or 100 and a short identifier from 1 to 30."""
    return not p1 & 0x80 or (not p1 & 0x60 and p1 & 0x1F not in (0, 31))


def read_lengths(command: CommandApdu) -> bool:
    """Case 2."""
    return not command.data and command.ne > 0


def locate(chip: FileChip, command: CommandApdu) -> tuple[Ef, int]:
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


def read_binary(chip: FileChip, command: CommandApdu, protected: bool) -> Reply:
    """Le 00 asks for all that is left: under T=0 a plain command must then name the length (6Cxx)."""
    ef, offset = locate(chip, command)
    if offset >= ef.size_bytes:
        raise RefusedError(0x6B00)
    data = chip.image.read(ef, offset, command.ne)
    wants_all = command.ne == (EXTENDED_NE_MAX if command.extended else SHORT_NE_MAX)
    if wants_all and not protected:
        insist_on_exact_ne(chip, command, data)
    chip.select(ef)
    return Reply(SW_OK if wants_all or len(data) == command.ne else _SW_SHORT_DATA, data)


def challenge_parameters(p1: int, p2: int) -> bool:
    """No algorithm to choose."""
    return (p1, p2) == (0, 0)


def challenge_lengths(command: CommandApdu) -> bool:
    """Case 2, up to 256 bytes."""
    return not command.data and 1 <= command.ne <= SHORT_NE_MAX


def get_challenge(chip: FileChip, command: CommandApdu, _protected: bool) -> Reply:
    """GET CHALLENGE: as many random bytes as wanted."""
    return Reply(SW_OK, chip.challenges.take(command.ne))


def insist_on_exact_ne(chip: FileChip, command: CommandApdu, data: bytes) -> None:
    """T=0: the length of an answer to a short case 2 is the card's to say; nothing has changed yet."""
    if chip.block_protocol or command.extended or command.case is not Case.RESPONSE_ONLY:
        return
    if data and command.ne != len(data):
        raise RefusedError(0x6C00 | len(data) & 0xFF)
