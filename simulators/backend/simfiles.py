"""What the centre writes on a card, and the commands that write it (fictional, ours; bytes: `simulators.card.content`).

A file is written with its short identifier in P1: the last chunk begins below offset 256.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from kiosk.card import layout
from kiosk.card.values import Exemption, Organisation, RightsPeriod

CHUNK_BYTES: Final = 224
"""A multiple of the block, so that a protected chunk (240 + 8 bytes) still fits a short command, and below 256."""
FLAG_OPEN: Final = b"\x01"
FLAG_CLOSED: Final = b"\x00"
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


def write_whole(short_identifier: int, content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """P1, P2 and data of the UPDATE BINARY commands that write `content` from offset 0."""
    for offset in range(0, len(content), CHUNK_BYTES):
        yield _SHORT_FILE_P1 | short_identifier, offset, content[offset : offset + CHUNK_BYTES]


def write_flag(flag: bytes) -> tuple[int, int, bytes]:
    """P1, P2 and data of the UPDATE BINARY that sets the transaction flag."""
    return _SHORT_FILE_P1 | layout.SIM_STATE[2], layout.STATE_FLAG_OFFSET, flag
