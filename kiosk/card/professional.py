"""Staff cards: professional cards (CPS, CPE) and the technician's own card; what can be told without any key.

Published facts (domain reference §3: ANS CryptoLib 5.2, pcsc-tools): ATRs, AID, `3F00/D003` serial number, `3F00/D010`
EF_ACTUA, the two questions for the tries left. Ours: `AID_TECHNICIAN` and its ATR, `EF_CERTIFICATE`, references 01.
Bytes from a card go through the functions below, which return a `CardReadError` for anything malformed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from kiosk.card.apdu import CommandApdu, ResponseApdu
from kiosk.card.read_error import CardReadError
from kiosk.card.status_words import StatusWord, sw_text
from kiosk.card.status_words import tries_left as tries_left_in
from kiosk.card.tlv import Tlv, TlvError, parse_tlvs

F = TypeVar("F")
"""The caller's own failure value: what its `exchange` returns when no answer came."""

CPS2TER: Final = bytes.fromhex("3BAC00402A001225006480820212009000")
CPS3_CONTACT: Final = bytes.fromhex("3BAC00402A001225006480000310009000")
CPS3_CONTACTLESS: Final = bytes.fromhex("3B8F80010031B86404B0ECC1739401808290000E")
CPS4: Final = bytes.fromhex("3B9B188001001225006480040100009044")
CPS4_PRE_RELEASE: Final = bytes.fromhex("3B9B188001001225006480000401009044")
CPS4_T0: Final = bytes.fromhex("3BDC18FF00001225006480000401009000")
TECHNICIAN: Final = bytes.fromhex("3B6A0000") + b"TECHNICIEN"
"""Ours: T=0, historical bytes in a proprietary format (first one neither 00, 10 nor 8X)."""

ATR_PATTERN: Final = re.compile(
    "|".join(
        atr.hex().upper()
        for atr in (CPS2TER, CPS3_CONTACT, CPS3_CONTACTLESS, CPS4, CPS4_PRE_RELEASE, CPS4_T0, TECHNICIAN)
    )
)
"""Exact values: the published reader compares them without a mask."""

AID_PKCS15_CONTACT: Final = bytes.fromhex("E828BD080F8025000001FF0010")
AID_TECHNICIAN: Final = b"\xf0TECHNICIEN"
EF_SERIAL: Final = 0xD003
EF_ACTUA: Final = 0xD010
EF_CERTIFICATE: Final = 0xC001
"""Below the application: one X.509 certificate, DER, nothing behind it."""

TAG_SERIAL: Final = 0x5A
TAG_ACTUA: Final = 0xEC
_TAG_START: Final = 0x81
_TAG_END: Final = 0x82
_TAG_TRIES_LEFT: Final = 0x9B
_TAG_USES_LEFT: Final = 0x9D
_SERIAL_BYTES: Final = 12
_ANS: Final = bytes.fromhex("8025000001")
_SERIAL_FILE: Final = "D003"
_ACTUA_FILE: Final = "EF_ACTUA"
_PIN_OBJECT: Final = "PIN"

PIN_REFERENCE: Final = 0x01
KEY_REFERENCE: Final = 0x01
SELECT_MF: Final = CommandApdu(0x00, 0xA4, 0x00, 0x0C, b"\x3f\x00")
PIN_STATUS_CPS3: Final = CommandApdu(
    0x00, 0xCB, 0x3F, 0xFF, bytes((0x4D, 0x08, 0x70, 0x06, 0xBF, 0x81, PIN_REFERENCE, 0x02, 0xA0, 0x80)), ne=256
)
PIN_STATUS_VERIFY: Final = CommandApdu(0x00, 0x20, 0x00, PIN_REFERENCE)
"""VERIFY without data: a question, never a try."""


class StaffRole(StrEnum):
    """What the holder may do, as `title` of the certificate's subject."""

    PHARMACIEN_TITULAIRE = "PHARMACIEN_TITULAIRE"
    PHARMACIEN_ADJOINT = "PHARMACIEN_ADJOINT"
    PREPARATEUR = "PREPARATEUR"
    TECHNICIEN = "TECHNICIEN"


@dataclass(frozen=True, slots=True)
class Actua:
    """The last update of a professional card, from its own file; the card names no time zone."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class PinStatus:
    """`tries_left` 0: blocked; None: the PIN is verified already and the card does not say."""

    tries_left: int | None


@dataclass(frozen=True, slots=True)
class StaffSerial:
    """Number of a card issued by ANS: 19 digits, the last one a Luhn digit as published, not checked here."""

    digits: str = field(repr=False)


def parse_serial(content: bytes) -> StaffSerial | CardReadError:
    """`3F00/D003`, 12 bytes: 5A 0A, then 19 digits and a filler F that begin with 80 25 00 00 01."""
    if len(content) != _SERIAL_BYTES:
        return CardReadError(_SERIAL_FILE, f"{len(content)} bytes instead of {_SERIAL_BYTES}")
    if content[2:7] != _ANS:
        return CardReadError(_SERIAL_FILE, "not a card issued by ANS")
    spelled = content[2:].hex()
    if content[:2] != bytes((TAG_SERIAL, _SERIAL_BYTES - 2)) or not re.fullmatch("[0-9]{19}f", spelled):
        return CardReadError(_SERIAL_FILE, "not 5A with 19 digits and a filler")
    return StaffSerial(spelled[:-1])


def parse_actua(content: bytes) -> Actua | CardReadError:
    """EF_ACTUA: EC { 81 start, 82 end }, BCD YYYYMMDDHHMMSS each.

    A card never updated has no such file. One whose file is empty or incomplete is recognised and must not be used.
    """
    found = parse_tlvs(content, padded=True)
    if isinstance(found, TlvError):
        return CardReadError(_ACTUA_FILE, str(found))
    if not found or (len(found) == 1 and found[0].tag == TAG_ACTUA and not found[0].value):
        return CardReadError(_ACTUA_FILE, "empty: an update of this card was not finished")
    if len(found) != 1 or found[0].tag != TAG_ACTUA:
        return CardReadError(_ACTUA_FILE, f"one object {TAG_ACTUA:02X} expected")
    inner = found[0].children()
    if isinstance(inner, TlvError):
        return CardReadError(_ACTUA_FILE, str(inner))
    start, end = _moment(inner, _TAG_START), _moment(inner, _TAG_END)
    if isinstance(start, CardReadError):
        return start
    if isinstance(end, CardReadError):
        return end
    return Actua(start, end) if start <= end else CardReadError(_ACTUA_FILE, "the end is before the start")


def read_pin_status(atr: bytes, exchange: Callable[[bytes], ResponseApdu | F]) -> PinStatus | CardReadError | F:
    """Ask for the tries left; costs none. On a CPS3 this selects the MF, as the published driver does.

    `exchange` sends one command APDU and returns the completed answer, or a failure, which is returned as it is.
    """
    if atr != CPS3_CONTACT:
        answer = exchange(PIN_STATUS_VERIFY.to_bytes())
        return parse_verify_status(answer.sw) if isinstance(answer, ResponseApdu) else answer
    for command in (SELECT_MF, PIN_STATUS_CPS3):
        answer = exchange(command.to_bytes())
        if not isinstance(answer, ResponseApdu):
            return answer
        if answer.sw != StatusWord.OK:
            return CardReadError(_PIN_OBJECT, sw_text(answer.sw))
        data = answer.data
    return parse_pin_object(data)


def parse_verify_status(sw: int) -> PinStatus | CardReadError:
    """What VERIFY without data answered: 63Cx, 6983 blocked, 9000 verified already."""
    if sw == StatusWord.OK:
        return PinStatus(None)
    left = 0 if sw == StatusWord.METHOD_BLOCKED else tries_left_in(sw)
    return PinStatus(left) if left is not None else CardReadError(_PIN_OBJECT, sw_text(sw))


def parse_pin_object(data: bytes) -> PinStatus | CardReadError:
    """The PIN object of a CPS3: 70 { BF 81 ref { A0 { 9A most, 9B left, 9D uses left } } }; no uses left is blocked."""
    objects = parse_tlvs(data)
    for tag in (0x70, 0xBF8100 | PIN_REFERENCE, 0xA0):
        if isinstance(objects, TlvError):
            return CardReadError(_PIN_OBJECT, str(objects))
        if len(objects) != 1 or objects[0].tag != tag:
            return CardReadError(_PIN_OBJECT, f"one object {tag:X} expected")
        objects = objects[0].children()
    if isinstance(objects, TlvError):
        return CardReadError(_PIN_OBJECT, str(objects))
    left = _only(objects, _TAG_TRIES_LEFT)
    uses = _only(objects, _TAG_USES_LEFT)
    if left is None or uses is None or len(left) != 1 or not uses:
        return CardReadError(_PIN_OBJECT, "one counter 9B of one byte and one 9D expected")
    return PinStatus(left[0] if any(uses) else 0)


def _moment(objects: tuple[Tlv, ...], tag: int) -> datetime | CardReadError:
    value = _only(objects, tag)
    if not value:
        return CardReadError(_ACTUA_FILE, f"incomplete: no {tag:02X}")
    digits = value.hex()
    if re.fullmatch("[0-9]{14}", digits):
        year, (month, day, hour, minute, second) = int(digits[:4]), map(int, re.findall("..", digits[4:]))
        with contextlib.suppress(ValueError):
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # the card names no time zone
    return CardReadError(_ACTUA_FILE, f"{tag:02X} is not a date and time")


def _only(objects: tuple[Tlv, ...], tag: int) -> bytes | None:
    """The value under this tag; None when there is none, or more than one."""
    values = [found.value for found in objects if found.tag == tag]
    return values[0] if len(values) == 1 else None
