"""The commands a kiosk lets through to a card, whoever signed them (domain reference §4.4).

A built-in maximum that site policy can only narrow. GET RESPONSE is not here: it belongs to the transport.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kiosk.card.apdu import ApduError, parse_command
from kiosk.card.layout import SIM_WRITABLE_SFIS

INS_SELECT: Final = 0xA4
INS_READ_BINARY: Final = 0xB0
INS_GET_CHALLENGE: Final = 0x84
INS_MANAGE_SECURITY_ENVIRONMENT: Final = 0x22
INS_INITIALIZE_UPDATE: Final = 0x50
INS_EXTERNAL_AUTHENTICATE: Final = 0x82
INS_INTERNAL_AUTHENTICATE: Final = 0x88
INS_UPDATE_BINARY: Final = 0xD6
CLA_SECURE: Final = 0x84
"""SCP03 secure messaging."""

BUILT_IN_CLA: Final = frozenset({0x00, 0x80, CLA_SECURE})
BUILT_IN_INS: Final = frozenset(
    {
        INS_SELECT,
        INS_READ_BINARY,
        INS_GET_CHALLENGE,
        INS_MANAGE_SECURITY_ENVIRONMENT,
        INS_INITIALIZE_UPDATE,
        INS_EXTERNAL_AUTHENTICATE,
        INS_INTERNAL_AUTHENTICATE,
        INS_UPDATE_BINARY,
    }
)
_SFI_IN_P1: Final = 0x80
_MAC_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class CommandRefusal:
    """`step` is the index in the package; `reason` repeats no data."""

    step: int
    reason: str

    def __str__(self) -> str:
        return f"step {self.step}: {self.reason}"


def check_commands(commands: Sequence[bytes], allowed_ins: frozenset[int] = BUILT_IN_INS) -> CommandRefusal | None:
    """The first command outside the allow-list, or None when all may go. `allowed_ins` narrows, it never widens."""
    for step, raw in enumerate(commands):
        if reason := _refusal(raw, allowed_ins & BUILT_IN_INS):
            return CommandRefusal(step, reason)
    return None


def is_write(command: bytes) -> bool:
    """Whether a command changes the card's files."""
    return len(command) > 1 and command[1] == INS_UPDATE_BINARY


def _refusal(raw: bytes, allowed_ins: frozenset[int]) -> str | None:
    command = parse_command(raw)
    if isinstance(command, ApduError):
        return f"not a command APDU: {command.reason}"
    if command.extended:
        return "extended length"
    if command.cla not in BUILT_IN_CLA:
        return f"class {command.cla:02X} is not allowed"
    if command.ins not in allowed_ins:
        return f"instruction {command.ins:02X} is not allowed"
    if command.ins != INS_UPDATE_BINARY:
        return None
    if command.cla != CLA_SECURE or len(command.data) <= _MAC_BYTES:
        return "write without secure messaging"
    if command.p1 & ~0x1F != _SFI_IN_P1 or command.p1 & 0x1F not in SIM_WRITABLE_SFIS:
        return "write to a file that is not writable"
    return None
