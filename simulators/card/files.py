"""The card's file system: dedicated and elementary files, how they are found and described (ISO/IEC 7816-4 §7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from kiosk.card.tlv import build_tlv

FID_MF: Final = 0x3F00

TAG_FCP: Final = 0x62
TAG_FCI: Final = 0x6F
_TAG_SIZE: Final = 0x80
_TAG_DESCRIPTOR: Final = 0x82
_TAG_FID: Final = 0x83
_TAG_DF_NAME: Final = 0x84
_TAG_SFI: Final = 0x88
_TAG_LIFE_CYCLE: Final = 0x8A
_DESCRIPTOR_DF: Final = b"\x38"
_DESCRIPTOR_TRANSPARENT: Final = b"\x01"
_OPERATIONAL: Final = b"\x05"


@dataclass(frozen=True, slots=True)
class Ef:
    """A transparent file. `initial` has the file's size; identifiers are unique on the whole card.

    `internal`: the chip's own (keys, counters), which no command finds.
    """

    fid: int
    sfi: int  # short file identifier, 1-30; 0 without
    initial: bytes = field(repr=False)
    writable: bool = False
    internal: bool = False

    @property
    def size_bytes(self) -> int:
        """Size of the file, which never changes."""
        return len(self.initial)

    def describe(self, tag: int) -> bytes:
        """FCI or FCP template."""
        return build_tlv(
            tag,
            build_tlv(_TAG_SIZE, self.size_bytes.to_bytes(2, "big"))
            + build_tlv(_TAG_DESCRIPTOR, _DESCRIPTOR_TRANSPARENT)
            + build_tlv(_TAG_FID, self.fid.to_bytes(2, "big"))
            + build_tlv(_TAG_SFI, bytes([self.sfi << 3]))
            + build_tlv(_TAG_LIFE_CYCLE, _OPERATIONAL),
        )


@dataclass(frozen=True, slots=True)
class Df:
    """A dedicated file (application) with its children and its name (AID), b"" for a nameless MF."""

    fid: int
    aid: bytes
    children: tuple[Ef | Df, ...]

    def describe(self, tag: int) -> bytes:
        """FCI or FCP template."""
        return build_tlv(
            tag,
            build_tlv(_TAG_DESCRIPTOR, _DESCRIPTOR_DF)
            + build_tlv(_TAG_FID, self.fid.to_bytes(2, "big"))
            + (build_tlv(_TAG_DF_NAME, self.aid) if self.aid else b"")
            + build_tlv(_TAG_LIFE_CYCLE, _OPERATIONAL),
        )

    def child(self, fid: int) -> Ef | Df | None:
        """The file with this identifier directly below."""
        return next((entry for entry in self._findable() if entry.fid == fid), None)

    def short(self, sfi: int) -> Ef | None:
        """The elementary file with this short identifier directly below."""
        return next((entry for entry in self._findable() if isinstance(entry, Ef) and entry.sfi == sfi), None)

    def _findable(self) -> Iterator[Ef | Df]:
        return (entry for entry in self.children if isinstance(entry, Df) or not entry.internal)


@dataclass(frozen=True, slots=True)
class FileSystem:
    """The tree below the master file (MF)."""

    mf: Df

    def dfs(self) -> tuple[Df, ...]:
        """Every DF, applications before the MF: the order in which a partial AID is matched."""
        return tuple(_dfs_below(self.mf))

    def efs(self) -> tuple[Ef, ...]:
        """Every EF, in the order of the image."""
        return tuple(entry for df in self.dfs() for entry in df.children if isinstance(entry, Ef))

    def parent(self, df: Df) -> Df | None:
        """The DF above; None for the MF."""
        return next((candidate for candidate in self.dfs() if df in candidate.children), None)

    def reachable(self, fid: int, current: Df) -> Ef | Df | None:
        """SELECT with P1 = 00: the MF, the current DF, its children, its parent, the DFs beside it."""
        if fid == FID_MF:
            return self.mf
        parent = self.parent(current)
        near = [current, *((parent,) if parent else ())]
        near += [entry for entry in (parent.children if parent else ()) if isinstance(entry, Df)]
        return current.child(fid) or next((entry for entry in near if entry.fid == fid), None)

    def walk(self, path: bytes, start: Df) -> Ef | Df | None:
        """The file at the end of a path of 2-byte identifiers, without the identifier of `start`."""
        here: Ef | Df | None = start
        for index in range(0, len(path), 2):
            if not isinstance(here, Df):
                return None
            here = here.child(int.from_bytes(path[index : index + 2], "big"))
        return here


def _dfs_below(df: Df) -> Iterator[Df]:
    for entry in df.children:
        if isinstance(entry, Df):
            yield from _dfs_below(entry)
    yield df
