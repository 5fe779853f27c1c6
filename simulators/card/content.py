"""What is on the chip of a simulated Vitale 2: published places, fictional contents (layout: `kiosk.card.layout`)."""

from __future__ import annotations

from datetime import date
from typing import Final

from kiosk.card import layout
from kiosk.card.tlv import build_tlv
from kiosk.card.values import Beneficiary, Exemption, Organisation, RightsPeriod
from simulators.card.files import FID_MF, Df, Ef, FileSystem
from simulators.card.stored_keys import key_file
from simulators.personas import ChipIdentity, Order

FID_VITALE: Final = 0x3F10  # ours
SCHEMA_VERSION: Final = 1
FICTION: Final = b"CARTE FICTIVE"

_SFI_DIR: Final = 0x1E
_SFI_PAN: Final = 0x02
_SFI_POINTERS: Final = 0x01
_TAG_APPLICATION: Final = 0x61
_TAG_AID: Final = 0x4F
_TAG_LABEL: Final = 0x50
_TAG_SERIAL: Final = 0x5A
_TAG_BENEFICIARY: Final = 0x65
_TAG_CARD: Final = 0x66
_EXEMPTIONS: Final = tuple(Exemption)


def file_system(chip: ChipIdentity, orders: tuple[Order, ...]) -> FileSystem:
    """The files of one persona's card: MF_VITALE names the MF. An interrupted card is torn in its first order."""
    organisation, rights = organisation_file(chip.organisation), rights_file(chip.rights)
    if chip.interrupted_after_bytes is not None:
        after = orders[0].after
        written = chip.interrupted_after_bytes
        organisation = organisation_file(after.organisation)
        rights = rights_file(after.rights)[:written] + rights[written:]
    vitale = Df(
        FID_VITALE,
        layout.AID_VITALE,
        (
            key_file(),
            Ef(layout.EF_POINTERS, _SFI_POINTERS, _pointers()),
            _sim(layout.SIM_BENEFICIARIES, _beneficiaries(chip)),
            _sim(layout.SIM_ORGANISATION, organisation),
            _sim(layout.SIM_RIGHTS, rights),
            _sim(layout.SIM_STATE, state_file(unfinished=chip.unfinished, last_update=chip.last_update)),
        ),
    )
    directory = Ef(layout.EF_DIR, _SFI_DIR, _directory())
    serial = Ef(layout.EF_PAN, _SFI_PAN, build_tlv(_TAG_SERIAL, bytes.fromhex(chip.serial + "F")))
    return FileSystem(Df(FID_MF, layout.AID_MF_VITALE, (directory, serial, vitale)))


def organisation_file(organisation: Organisation) -> bytes:
    """SIMORGAN, filled with 00 to its size."""
    parts = (organisation.regime, organisation.caisse, organisation.centre)
    value = b"".join(build_tlv(0x80 + index, part.encode("ascii")) for index, part in enumerate(parts))
    return _filled(build_tlv(layout.TAG_ORGANISATION, value), layout.SIM_ORGANISATION)


def rights_file(rights: tuple[RightsPeriod, ...]) -> bytes:
    """SIMRIGHT, filled with 00 to its size; at most 37 periods."""
    value = b"".join(build_tlv(layout.TAG_PERIOD, _period(period)) for period in rights)
    return _filled(build_tlv(layout.TAG_RIGHTS, value), layout.SIM_RIGHTS)


def state_file(*, unfinished: bool, last_update: date | None) -> bytes:
    """SIMSTATE, one EEPROM page."""
    day = f"{last_update:%Y%m%d}" if last_update else ""
    value = (
        build_tlv(0x80, bytes([unfinished]))
        + build_tlv(0x81, day.encode("ascii"))
        + build_tlv(0x82, bytes([SCHEMA_VERSION]))
        + build_tlv(0x8F, FICTION)
    )
    return _filled(build_tlv(layout.TAG_STATE, value), layout.SIM_STATE)


def _period(period: RightsPeriod) -> bytes:
    days = bytes.fromhex(f"{period.start:%Y%m%d}{period.end:%Y%m%d}")
    return bytes([period.beneficiary]) + days + bytes([_EXEMPTIONS.index(period.exemption)])


def _beneficiaries(chip: ChipIdentity) -> bytes:
    people = b"".join(build_tlv(_TAG_BENEFICIARY, _person(person)) for person in chip.beneficiaries)
    start = build_tlv(0x80, f"{chip.start_date:%Y%m%d}".encode("ascii"))
    return people + build_tlv(_TAG_CARD, start)


def _person(person: Beneficiary) -> bytes:
    fields = ((0x80, person.name), (0x81, person.first_name), (0x82, person.birth_date), (0x93, person.nir))
    return b"".join(build_tlv(tag, text.encode("ascii")) for tag, text in fields)


def _directory() -> bytes:
    return b"".join(
        build_tlv(_TAG_APPLICATION, build_tlv(_TAG_AID, aid) + build_tlv(_TAG_LABEL, FICTION))
        for aid in (layout.AID_MF_VITALE, layout.AID_VITALE)
    )


def _pointers() -> bytes:
    """E0 { A0 { 82: entry number, 2 unused bytes, AID } 80: name, entry number, EF identifier }."""
    applications = ((layout.ENTRY_MF_VITALE, layout.AID_MF_VITALE), (layout.ENTRY_VITALE, layout.AID_VITALE))
    entries = b"".join(build_tlv(0x82, number.to_bytes(2, "big") + bytes(2) + aid) for number, aid in applications)
    files = [("EF_DIR", layout.ENTRY_MF_VITALE, layout.EF_DIR), ("EF_PAN", layout.ENTRY_MF_VITALE, layout.EF_PAN)]
    simulated = (layout.SIM_BENEFICIARIES, layout.SIM_ORGANISATION, layout.SIM_RIGHTS, layout.SIM_STATE)
    files += [(name, layout.ENTRY_VITALE, fid) for name, fid, _ in simulated]
    pointers = b"".join(
        build_tlv(0x80, name.ljust(8).encode("ascii") + number.to_bytes(2, "big") + fid.to_bytes(2, "big"))
        for name, number, fid in files
    )
    return build_tlv(0xE0, build_tlv(0xA0, entries) + pointers)


def _sim(place: tuple[str, int, int], content: bytes) -> Ef:
    _, fid, sfi = place
    return Ef(fid, sfi, content, writable=sfi in layout.SIM_WRITABLE_SFIS)


def _filled(content: bytes, place: tuple[str, int, int]) -> bytes:
    size = layout.SIM_FILE_BYTES[place[2]]
    if len(content) > size:
        raise ValueError(f"{place[0]} holds {size} bytes, not {len(content)}")
    return content.ljust(size, b"\x00")
