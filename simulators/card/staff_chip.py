"""The chip of a simulated staff card: professional card of the CPS family, or the technician's own.

Published (domain reference §3): AID, serial file, EF_ACTUA, VERIFY, MSE SET 41 A4, INTERNAL AUTHENTICATE, the question
for the tries left. Ours: where the certificate is, the references 01 of PIN and key, ECDSA over P-256.

Order of checks as in `vitale_chip`; there is neither secure messaging (6882) nor chaining (6884), nor a command that
writes. The PIN is one for the whole card and stays verified until a reset; MSE SET holds until another DF is selected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from kiosk.card import professional
from kiosk.card.apdu import CommandApdu
from kiosk.card.tlv import TlvError, build_tlv, parse_tlvs
from simulators.card import file_commands
from simulators.card.challenges import Challenges
from simulators.card.chip import INS_SELECT, SW_OK, RefusedError, Reply
from simulators.card.class_byte import INTERINDUSTRY, ClassByte, SecureMessaging
from simulators.card.files import Df, Ef, FileSystem
from simulators.card.image import Image
from simulators.card.pin import MAX_TRIES, PIN_BYTES, SW_BLOCKED, SW_NOT_VERIFIED, Pin

INS_VERIFY: Final = 0x20
INS_MANAGE_SECURITY_ENVIRONMENT: Final = 0x22
INS_INTERNAL_AUTHENTICATE: Final = 0x88
INS_GET_DATA: Final = 0xCB

CHALLENGE_MIN_BYTES: Final = 16
CHALLENGE_MAX_BYTES: Final = 64
_SET_FOR_COMPUTATION: Final = (0x41, 0xA4)  # authentication template
_OBJECTS: Final = (0x3F, 0xFF)
_TAG_KEY_REFERENCE: Final = 0x84
_TAG_ALGORITHM: Final = 0x80
_ALGORITHM_ECDSA_SHA256: Final = b"\x01"  # ours
_COORDINATE_BYTES: Final = 32


class StaffChip:
    """Files, PIN and key of one staff card."""

    block_protocol = False

    def __init__(
        self,
        files: FileSystem,
        image: Image,
        *,
        pin: Pin,
        key: ec.EllipticCurvePrivateKey,
        challenges: Challenges,
    ) -> None:
        self.files = files
        self.image = image
        self.pin = pin
        self.challenges = challenges
        self._key = key
        self.current_df: Df = files.mf
        self.current_ef: Ef | None = None
        self.key_is_set = False

    def reset(self) -> None:
        """MF selected, PIN not verified, no key set."""
        self.select(self.files.mf)
        self.pin.reset()

    def abandon_chain(self) -> None:
        """No chaining."""

    def has_channel(self, number: int) -> bool:
        """The basic channel only."""
        return number == 0

    def select(self, file: Ef | Df) -> None:
        """Make a file current; another DF ends the security environment."""
        if isinstance(file, Ef):
            self.current_df = next(df for df in self.files.dfs() if file in df.children)
            self.current_ef = file
        else:
            self.current_df, self.current_ef = file, None
            self.key_is_set = False

    def execute(self, cla: ClassByte, header: bytes, command: CommandApdu | None) -> Reply:
        """One command in the order of checks."""
        instruction = _COMMANDS.get(header[1])
        if instruction is None or cla.base != INTERINDUSTRY:
            return Reply(0x6D00)
        if cla.secure_messaging is not SecureMessaging.NONE:
            return Reply(0x6882)
        if cla.chaining:
            return Reply(0x6884)
        if not instruction.parameters(header[2], header[3]):
            return Reply(0x6A86)
        if command is None or not instruction.lengths(command):
            return Reply(0x6700)
        try:
            return instruction.run(self, command)
        except RefusedError as refusal:
            return Reply(refusal.sw)

    def sign(self, challenge: bytes) -> bytes:
        """64 bytes r | s: deterministic ECDSA P-256 over the SHA-256 of the challenge."""
        signature = self._key.sign(challenge, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return b"".join(number.to_bytes(_COORDINATE_BYTES, "big") for number in decode_dss_signature(signature))


@dataclass(frozen=True, slots=True)
class _Command:
    parameters: Callable[[int, int], bool]
    lengths: Callable[[CommandApdu], bool]
    run: Callable[[StaffChip, CommandApdu], Reply]


def _verify(chip: StaffChip, command: CommandApdu) -> Reply:
    """Without data: how many tries are left, which costs none."""
    if command.p2 != professional.PIN_REFERENCE:
        raise RefusedError(0x6A88)
    return Reply(chip.pin.verify(command.data) if command.data else chip.pin.status())


def _verify_lengths(command: CommandApdu) -> bool:
    """Four bytes of PIN without Le, or nothing (under T=0 also as P3 = 00)."""
    if command.data:
        return len(command.data) == PIN_BYTES and not command.ne
    return command.ne in (0, 256)


def _set_key(chip: StaffChip, command: CommandApdu) -> Reply:
    """MSE SET: 84 01 key, and perhaps 80 01 algorithm."""
    objects = parse_tlvs(command.data)
    if isinstance(objects, TlvError):
        raise RefusedError(0x6A80)
    values = {found.tag: found.value for found in objects}
    if len(values) != len(objects) or not {_TAG_KEY_REFERENCE} <= set(values) <= {_TAG_KEY_REFERENCE, _TAG_ALGORITHM}:
        raise RefusedError(0x6A80)
    chip.key_is_set = False
    if values[_TAG_KEY_REFERENCE] != bytes([professional.KEY_REFERENCE]):
        raise RefusedError(0x6A88)
    if values.get(_TAG_ALGORITHM, _ALGORITHM_ECDSA_SHA256) != _ALGORITHM_ECDSA_SHA256:
        raise RefusedError(0x6A88)
    chip.key_is_set = True
    return Reply(SW_OK)


def _internal_authenticate(chip: StaffChip, command: CommandApdu) -> Reply:
    if chip.pin.tries_left == 0:
        raise RefusedError(SW_BLOCKED)
    if not chip.pin.verified:
        raise RefusedError(SW_NOT_VERIFIED)
    if not chip.key_is_set:
        raise RefusedError(0x6985)
    return Reply(SW_OK, chip.sign(command.data))


def _get_data(chip: StaffChip, command: CommandApdu) -> Reply:
    """The PIN object: 9A most tries, 9B tries left, 9D uses left (0 once blocked). Other objects are not known."""
    if command.data != professional.PIN_STATUS_CPS3.data:
        raise RefusedError(0x6A88)
    left = chip.pin.tries_left
    uses = b"\xff\xff" if left else b"\x00\x00"
    counters = build_tlv(0x9A, bytes([MAX_TRIES])) + build_tlv(0x9B, bytes([left])) + build_tlv(0x9D, uses)
    inner = build_tlv(0xBF8100 | professional.PIN_REFERENCE, build_tlv(0xA0, counters))
    return Reply(SW_OK, build_tlv(0x70, inner))


_COMMANDS: Final[Mapping[int, _Command]] = {
    INS_SELECT: _Command(
        file_commands.select_parameters,
        file_commands.select_lengths,
        lambda chip, command: file_commands.select(chip, command, False),
    ),
    file_commands.INS_READ_BINARY: _Command(
        file_commands.binary_parameters,
        file_commands.read_lengths,
        lambda chip, command: file_commands.read_binary(chip, command, False),
    ),
    file_commands.INS_GET_CHALLENGE: _Command(
        file_commands.challenge_parameters,
        file_commands.challenge_lengths,
        lambda chip, command: file_commands.get_challenge(chip, command, False),
    ),
    INS_VERIFY: _Command(lambda p1, _: p1 == 0, _verify_lengths, _verify),
    INS_MANAGE_SECURITY_ENVIRONMENT: _Command(
        lambda p1, p2: (p1, p2) == _SET_FOR_COMPUTATION,
        lambda command: bool(command.data) and not command.ne,
        _set_key,
    ),
    INS_INTERNAL_AUTHENTICATE: _Command(
        lambda p1, p2: (p1, p2) == (0, 0),
        lambda command: CHALLENGE_MIN_BYTES <= len(command.data) <= CHALLENGE_MAX_BYTES,
        _internal_authenticate,
    ),
    INS_GET_DATA: _Command(
        lambda p1, p2: (p1, p2) == _OBJECTS,
        lambda command: bool(command.data),
        _get_data,
    ),
}
