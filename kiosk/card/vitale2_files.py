"""Content of the files of a Vitale 2 as values. Pure: bytes of one file in, values or one `CardReadError` out.

Published tags (cardpeek `vitale_2.lua`): POINTERS, 65 beneficiary, 66 card dates, 5A serial number. Everything about
organisation, rights and state is the simulated card's own, laid down in `layout.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from kiosk.card import layout
from kiosk.card.nir import NirError, parse_nir
from kiosk.card.read_error import CardReadError
from kiosk.card.serial_number import SerialError, SerialNumber, decode_iccsn
from kiosk.card.tlv import Tlv, TlvError, parse_tlvs
from kiosk.card.values import Beneficiary, Exemption, Organisation, RightsPeriod

POINTERS: Final = "POINTERS"
PAN: Final = f"{layout.EF_PAN:04X}"
ORGANISATION: Final = layout.SIM_ORGANISATION[0]
RIGHTS: Final = layout.SIM_RIGHTS[0]
STATE: Final = layout.SIM_STATE[0]
FILLED: Final = frozenset({ORGANISATION, RIGHTS, STATE})
"""Files of a fixed size: data objects, then filling up to the end (`layout.SIM_FILE_BYTES`)."""

MAX_LISTED_FILES: Final = 64
MAX_NAME_BYTES: Final = 80
_STATE_SCHEMA: Final = b"\x01"
_EXEMPTIONS: Final = tuple(Exemption)
_NAMED: Final = frozenset(entry[0] for entry in (layout.SIM_BENEFICIARIES, layout.SIM_ORGANISATION)) | {RIGHTS, STATE}


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One EF that POINTERS lists under the application VITALE. `name` is what errors call it."""

    name: str
    identifier: int


@dataclass(frozen=True, slots=True)
class UpdateState:
    """The simulated card's word about its last update. `unfinished`: organisation and rights may be half written."""

    unfinished: bool
    last_update: date | None


@dataclass(frozen=True, slots=True)
class PersonalData:
    """What one EF says about people and card: any number of beneficiaries, at most one start date."""

    beneficiaries: tuple[Beneficiary, ...]
    start_date: date | None


def filling_has_begun(content: bytes) -> bool:
    """Whether the beginning of a file holds all its data objects and at least one byte of what fills it up."""
    objects = parse_tlvs(content, padded=True)
    if isinstance(objects, TlvError) or not objects:
        return False
    return objects[-1].value_offset + len(objects[-1].value) < len(content)


def parse_pan(content: bytes) -> SerialNumber | CardReadError:
    """EF 2F02: tag 5A with the serial number in BCD."""
    number = _root(PAN, content, 0x5A)
    if isinstance(number, CardReadError):
        return number
    serial = decode_iccsn(number.value)
    return CardReadError(PAN, f"tag 5A: {serial.value}") if isinstance(serial, SerialError) else serial


def parse_pointers(content: bytes) -> tuple[ListedFile, ...] | CardReadError:
    """EF 2001: E0 { A0 { 82: entry number (2), unused (2), AID } 80…: name (8), entry number (2), EF identifier (2) }.

    Returns the files of the application VITALE in the order listed.
    """
    listed = _inside_file(POINTERS, content, 0xE0)
    if isinstance(listed, CardReadError):
        return listed
    directory = _only(POINTERS, listed, 0xA0, "tag E0")
    applications = directory if isinstance(directory, CardReadError) else _children(POINTERS, directory)
    if isinstance(applications, CardReadError):
        return applications
    entry_number = next((a.value[:2] for a in applications if a.tag == 0x82 and a.value[4:] == layout.AID_VITALE), None)
    if entry_number is None:
        return CardReadError(POINTERS, "the application VITALE is not listed")
    files: list[ListedFile] = []
    for pointer in listed:
        if pointer.tag != 0x80:
            continue
        if len(pointer.value) < 12:
            return CardReadError(POINTERS, f"tag 80 at offset {pointer.value_offset}: 12 bytes expected")
        if pointer.value[8:10] != entry_number:
            continue
        identifier = int.from_bytes(pointer.value[10:12], "big")
        published = pointer.value[:8].decode("ascii", "replace")
        name = published if published in _NAMED else f"{identifier:04X}"
        if any(file.identifier == identifier or file.name == name for file in files):
            return CardReadError(POINTERS, f"{name} is listed twice")
        if len(files) == MAX_LISTED_FILES:
            return CardReadError(POINTERS, f"more than {MAX_LISTED_FILES} files")
        files.append(ListedFile(name, identifier))
    return tuple(files)


def parse_personal_data(file: str, content: bytes) -> PersonalData | CardReadError:
    """Any EF of VITALE: tags 65 and 66 are read, others passed over. Content beginning 00 or 04 00 is not TLV."""
    if content.startswith((b"\x00", b"\x04\x00")):
        return PersonalData((), None)
    objects = _objects(file, content)
    if isinstance(objects, CardReadError):
        return objects
    beneficiaries: list[Beneficiary] = []
    start_date: date | None = None
    for item in objects:
        if item.tag == 0x65:
            beneficiary = _beneficiary(file, item, len(beneficiaries) + 1)
            if isinstance(beneficiary, CardReadError):
                return beneficiary
            beneficiaries.append(beneficiary)
        elif item.tag == 0x66:
            fields = _fields(file, item, {0x80: "card start date"})
            if isinstance(fields, CardReadError):
                return fields
            start_date = _date(fields[0x80].decode("ascii", "replace"))
            if start_date is None:
                return CardReadError(file, "tag 66/80: card start date is not a date")
    return PersonalData(tuple(beneficiaries), start_date)


def parse_organisation(content: bytes) -> Organisation | CardReadError:
    """SIMORGAN: C1 { 80 regime, 81 caisse, 82 centre }, ASCII digits."""
    fields = _template(ORGANISATION, content, layout.TAG_ORGANISATION, _ORGANISATION_TAGS)
    if isinstance(fields, CardReadError):
        return fields
    values = {tag: value.decode("ascii", "replace") for tag, value in fields.items()}
    for tag, digits in ((0x80, 2), (0x81, 3), (0x82, 4)):
        if not re.fullmatch(f"[0-9]{{{digits}}}", values[tag]):
            return CardReadError(
                ORGANISATION, f"tag C1/{tag:02X}: {_ORGANISATION_TAGS[tag]} of {digits} digits expected"
            )
    return Organisation(values[0x80], values[0x81], values[0x82])


def parse_rights(content: bytes, beneficiaries: int) -> tuple[RightsPeriod, ...] | CardReadError:
    """SIMRIGHT: C2 { 83 × n }; each period names one of the `beneficiaries` people on the card by index."""
    entries = _inside_file(RIGHTS, content, layout.TAG_RIGHTS)
    if isinstance(entries, CardReadError):
        return entries
    periods: list[RightsPeriod] = []
    for number, entry in enumerate(entries, 1):
        period = _period(entry, beneficiaries)
        if isinstance(period, str):
            return CardReadError(RIGHTS, f"tag C2/{entry.tag:02X} number {number}: {period}")
        periods.append(period)
    return tuple(periods)


def parse_state(content: bytes) -> UpdateState | CardReadError:
    """SIMSTATE: C3 { 80 transaction flag, 81 last update (8 digits or empty), 82 schema version, 8F marker }."""
    fields = _template(STATE, content, layout.TAG_STATE, {0x80: "flag", 0x81: "last update", 0x82: "schema version"})
    if isinstance(fields, CardReadError):
        return fields
    if fields[0x80] not in (b"\x00", b"\x01"):
        return CardReadError(STATE, "tag C3/80: flag 00 or 01 expected")
    if fields[0x82] != _STATE_SCHEMA:
        return CardReadError(STATE, "tag C3/82: schema version 1 expected")
    last_update = _date(fields[0x81].decode("ascii", "replace"))
    if fields[0x81] and last_update is None:
        return CardReadError(STATE, "tag C3/81: last update is not a date")
    return UpdateState(fields[0x80] == b"\x01", last_update)


_ORGANISATION_TAGS: Final = {0x80: "regime", 0x81: "caisse", 0x82: "centre"}
_BENEFICIARY_TAGS: Final = {0x80: "name", 0x81: "first name", 0x82: "birth date", 0x93: "NIR"}


def _beneficiary(file: str, item: Tlv, number: int) -> Beneficiary | CardReadError:
    fields = _fields(file, item, _BENEFICIARY_TAGS, f" number {number}")
    if isinstance(fields, CardReadError):
        return fields
    where = f"tag 65 number {number}"
    name, first_name = _text(fields[0x80]), _text(fields[0x81])
    if name is None or first_name is None:
        return CardReadError(file, f"{where}/{'80: name' if name is None else '81: first name'} is not a text")
    birth_date = fields[0x82].decode("ascii", "replace")
    if not re.fullmatch("[0-9]{8}", birth_date):
        return CardReadError(file, f"{where}/82: birth date of 8 digits expected")
    nir = parse_nir(fields[0x93].decode("ascii", "replace"))
    if isinstance(nir, NirError):
        return CardReadError(file, f"{where}/93: NIR: {nir.value}")
    return Beneficiary(name, first_name, birth_date, nir.text)


def _period(entry: Tlv, beneficiaries: int) -> RightsPeriod | str:
    """One period, or what is wrong with it."""
    if entry.tag != layout.TAG_PERIOD:
        return "tag 83 expected"
    if len(entry.value) != 10:
        return "10 bytes expected"
    index, exemption = entry.value[0], entry.value[9]
    start, end = _date(entry.value[1:5].hex()), _date(entry.value[5:9].hex())
    if index >= beneficiaries:
        return "no such beneficiary"
    if start is None or end is None:
        return f"{'start' if start is None else 'end'} is not a date"
    if end < start:
        return "ends before it starts"
    if exemption >= len(_EXEMPTIONS):
        return "unknown exemption"
    return RightsPeriod(index, start, end, _EXEMPTIONS[exemption])


def _objects(file: str, content: bytes) -> tuple[Tlv, ...] | CardReadError:
    objects = parse_tlvs(content, padded=True)
    return CardReadError(file, str(objects)) if isinstance(objects, TlvError) else objects


def _children(file: str, item: Tlv) -> tuple[Tlv, ...] | CardReadError:
    children = item.children()
    return CardReadError(file, f"in tag {item.tag:X}: {children}") if isinstance(children, TlvError) else children


def _only(file: str, objects: tuple[Tlv, ...], tag: int, where: str) -> Tlv | CardReadError:
    """The one object with this tag; others are passed over."""
    found = [item for item in objects if item.tag == tag]
    if len(found) == 1:
        return found[0]
    return CardReadError(file, f"tag {tag:X} is {'missing from' if not found else 'repeated in'} {where}")


def _root(file: str, content: bytes, tag: int) -> Tlv | CardReadError:
    """The one object with this tag at the top of a file."""
    objects = _objects(file, content)
    return objects if isinstance(objects, CardReadError) else _only(file, objects, tag, "the file")


def _inside_file(file: str, content: bytes, tag: int) -> tuple[Tlv, ...] | CardReadError:
    root = _root(file, content, tag)
    return root if isinstance(root, CardReadError) else _children(file, root)


def _fields(file: str, item: Tlv, names: Mapping[int, str], which: str = "") -> dict[int, bytes] | CardReadError:
    """The values of the named tags inside `item`: each must be there once."""
    children = _children(file, item)
    if isinstance(children, CardReadError):
        return children
    values: dict[int, bytes] = {}
    for tag, name in names.items():
        found = _only(file, children, tag, f"tag {item.tag:X}{which} ({name})")
        if isinstance(found, CardReadError):
            return found
        values[tag] = found.value
    return values


def _template(file: str, content: bytes, tag: int, names: Mapping[int, str]) -> dict[int, bytes] | CardReadError:
    root = _root(file, content, tag)
    return root if isinstance(root, CardReadError) else _fields(file, root, names)


def _date(text: str) -> date | None:
    """YYYYMMDD, or None."""
    try:
        return date.fromisoformat(text) if re.fullmatch("[0-9]{8}", text) else None
    except ValueError:
        return None


def _text(value: bytes) -> str | None:
    """A name. The encoding on real cards is not published: UTF-8 where it fits, else ISO 8859-1."""
    if not 0 < len(value) <= MAX_NAME_BYTES:
        return None
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("iso-8859-1")
    return text.strip() if text.isprintable() and text.strip() else None
