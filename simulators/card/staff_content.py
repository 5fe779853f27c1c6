"""What is on the chip of a simulated staff card (places: `kiosk.card.professional`)."""

from __future__ import annotations

from typing import Final

from kiosk.card import layout, professional
from kiosk.card.tlv import build_tlv
from simulators.card.content import FICTION
from simulators.card.files import FID_MF, Df, Ef, FileSystem
from simulators.card.pin import counter_file
from simulators.card.staff_authority import staff_certificate
from simulators.personas import StaffIdentity

FID_APPLICATION: Final = 0x5000  # ours
FID_PIN: Final = 0x0011  # the chip's own file
_SFI_DIR: Final = 0x1E
_SFI_SERIAL: Final = 0x03
_SFI_ACTUA: Final = 0x10
_SFI_CERTIFICATE: Final = 0x01
_UPDATE_START: Final = "20250302101500"
_UPDATE_END: Final = "20250302101543"
_ACTUA_BYTES: Final = 20


def staff_files(staff: StaffIdentity) -> tuple[FileSystem, Ef]:
    """The files, and among them the one of the PIN's counter."""
    aid = professional.AID_TECHNICIAN if staff.serial is None else professional.AID_PKCS15_CONTACT
    certificate = Ef(professional.EF_CERTIFICATE, _SFI_CERTIFICATE, staff_certificate(staff))
    counter = counter_file(FID_PIN)
    children: list[Ef | Df] = [counter, Ef(layout.EF_DIR, _SFI_DIR, _directory(aid))]
    if staff.serial is not None:
        content = build_tlv(professional.TAG_SERIAL, bytes.fromhex(staff.serial + "F"))
        children.append(Ef(professional.EF_SERIAL, _SFI_SERIAL, content))
    if staff.actua is not None:
        children.append(Ef(professional.EF_ACTUA, _SFI_ACTUA, _actua(empty=staff.actua == "empty")))
    children.append(Df(FID_APPLICATION, aid, (certificate,)))
    return FileSystem(Df(FID_MF, b"", tuple(children))), counter


def _directory(aid: bytes) -> bytes:
    return build_tlv(0x61, build_tlv(0x4F, aid) + build_tlv(0x50, FICTION))


def _actua(*, empty: bool) -> bytes:
    """EC { 81 start 82 end }; empty: an update was begun and never finished."""
    if empty:
        return bytes(_ACTUA_BYTES)
    value = build_tlv(0x81, bytes.fromhex(_UPDATE_START)) + build_tlv(0x82, bytes.fromhex(_UPDATE_END))
    return build_tlv(professional.TAG_ACTUA, value)
