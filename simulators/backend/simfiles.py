"""The writable files of the simulated card as bytes, and the commands that write them whole (all fictional, ours).

Layout: `kiosk.card.layout`. A file is written with its short identifier in P1, so the last chunk begins below offset 256.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from kiosk.card import layout
from kiosk.card.tlv import build
from kiosk.card.values import Exemption, Organisation, RightsPeriod
from simulators.card.scp03 import MAX_PAYLOAD_BYTES

CHUNK_BYTES: Final = 200
MAX_FILE_BYTES: Final = 255 // CHUNK_BYTES * CHUNK_BYTES + MAX_PAYLOAD_BYTES
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
    """SIMORGAN."""
    parts = ((0x80, organisation.regime), (0x81, organisation.caisse), (0x82, organisation.centre))
    return build(layout.TAG_ORGANISATION, b"".join(build(tag, text.encode("ascii")) for tag, text in parts))


def rights_file(rights: tuple[RightsPeriod, ...]) -> bytes:
    """SIMRIGHT; raises ValueError when the periods exceed what can be written through a short identifier."""
    content = build(layout.TAG_RIGHTS, b"".join(build(layout.TAG_PERIOD, _period(period)) for period in rights))
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"SIMRIGHT: {len(content)} bytes, at most {MAX_FILE_BYTES} can be written")
    return content


def state_file(last_update: dt.date) -> bytes:
    """SIMSTATE with the transaction flag still open."""
    parts = (
        build(0x80, FLAG_OPEN),
        build(0x81, last_update.strftime("%Y%m%d").encode("ascii")),
        build(0x82, bytes([SCHEMA_VERSION])),
        build(0x8F, b"CARTE FICTIVE"),
    )
    content = build(layout.TAG_STATE, b"".join(parts))
    if len(content) > layout.EEPROM_PAGE_BYTES:
        raise ValueError("SIMSTATE must fit one EEPROM page, or its flag can tear")
    return content


def write_whole(short_identifier: int, content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """P1, P2 and data of the UPDATE BINARY commands that write `content` from offset 0."""
    offset = 0
    while offset < len(content) or offset == 0:
        rest = len(content) - offset
        size = rest if offset + CHUNK_BYTES > 0xFF else min(CHUNK_BYTES, rest)
        yield _SHORT_FILE_P1 | short_identifier, offset, content[offset : offset + size]
        offset += size


def write_flag(flag: bytes) -> tuple[int, int, bytes]:
    """P1, P2 and data of the UPDATE BINARY that sets the transaction flag."""
    return _SHORT_FILE_P1 | layout.SIM_STATE[2], layout.STATE_FLAG_OFFSET, flag


def _period(period: RightsPeriod) -> bytes:
    dates = f"{period.start:%Y%m%d}{period.end:%Y%m%d}"
    return bytes([period.beneficiary]) + bytes.fromhex(dates) + bytes([_EXEMPTIONS.index(period.exemption)])
