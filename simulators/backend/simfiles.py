"""The writable files of the simulated card as bytes, and the commands that write them whole (all fictional, ours).

Layout: `kiosk.card.layout`. A file is written with its short identifier in P1: the last chunk begins below offset 256.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from kiosk.card import layout
from kiosk.card.tlv import build_tlv
from kiosk.card.values import Exemption, Organisation, RightsPeriod

CHUNK_BYTES: Final = 224
"""A multiple of the block, so that a protected chunk (240 + 8 bytes) still fits a short command, and below 256."""
SCHEMA_VERSION: Final = 1
FLAG_OPEN: Final = b"\x01"
FLAG_CLOSED: Final = b"\x00"
_EXEMPTIONS: Final = tuple(Exemption)
_SHORT_FILE_P1: Final = 0x80


@dataclass(frozen=True, slots=True)
class Content:
    """What can change on a card: the organisation and the entitlement periods."""

    organisation: Organisation = field(repr=False)
    rights: tuple[RightsPeriod, ...] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain values, dates as YYYY-MM-DD."""
        return {
            "organisation": [self.organisation.regime, self.organisation.caisse, self.organisation.centre],
            "rights": [[p.beneficiary, p.start.isoformat(), p.end.isoformat(), p.exemption] for p in self.rights],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Content:
        """The inverse of `to_json`."""
        return cls(
            Organisation(*values["organisation"]),
            tuple(
                RightsPeriod(index, dt.date.fromisoformat(start), dt.date.fromisoformat(end), Exemption(exemption))
                for index, start, end, exemption in values["rights"]
            ),
        )


def organisation_file(organisation: Organisation) -> bytes:
    """SIMORGAN, filled with 00 to its size."""
    parts = ((0x80, organisation.regime), (0x81, organisation.caisse), (0x82, organisation.centre))
    content = b"".join(build_tlv(tag, text.encode("ascii")) for tag, text in parts)
    return _filled(layout.SIM_ORGANISATION, build_tlv(layout.TAG_ORGANISATION, content))


def rights_file(rights: tuple[RightsPeriod, ...]) -> bytes:
    """SIMRIGHT, filled with 00 to its size."""
    content = b"".join(build_tlv(layout.TAG_PERIOD, _period(period)) for period in rights)
    return _filled(layout.SIM_RIGHTS, build_tlv(layout.TAG_RIGHTS, content))


def state_file(last_update: dt.date) -> bytes:
    """SIMSTATE with the transaction flag still open; one EEPROM page, so it cannot tear."""
    parts = (
        build_tlv(0x80, FLAG_OPEN),
        build_tlv(0x81, last_update.strftime("%Y%m%d").encode("ascii")),
        build_tlv(0x82, bytes([SCHEMA_VERSION])),
        build_tlv(0x8F, b"CARTE FICTIVE"),
    )
    return _filled(layout.SIM_STATE, build_tlv(layout.TAG_STATE, b"".join(parts)))


def write_whole(short_identifier: int, content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """P1, P2 and data of the UPDATE BINARY commands that write `content` from offset 0."""
    for offset in range(0, len(content), CHUNK_BYTES):
        yield _SHORT_FILE_P1 | short_identifier, offset, content[offset : offset + CHUNK_BYTES]


def write_flag(flag: bytes) -> tuple[int, int, bytes]:
    """P1, P2 and data of the UPDATE BINARY that sets the transaction flag."""
    return _SHORT_FILE_P1 | layout.SIM_STATE[2], layout.STATE_FLAG_OFFSET, flag


def _period(period: RightsPeriod) -> bytes:
    dates = f"{period.start:%Y%m%d}{period.end:%Y%m%d}"
    return bytes([period.beneficiary]) + bytes.fromhex(dates) + bytes([_EXEMPTIONS.index(period.exemption)])


def _filled(file: tuple[str, int, int], content: bytes) -> bytes:
    """Content and 00 up to the size of the file; raises ValueError when it does not fit."""
    name, _, short_identifier = file
    size = layout.SIM_FILE_BYTES[short_identifier]
    if len(content) > size:
        raise ValueError(f"{name}: {len(content)} bytes do not fit {size}")
    return content.ljust(size, b"\x00")
