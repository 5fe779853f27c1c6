"""A disk that can lose power: an SQLite file layer whose writes reach the real file only when they are synced.

At tick N the power goes: of every un-synced 512-byte sector 45 % are written, 45 % lost, 10 % replaced by random bytes;
an un-synced truncate happens or not. Every later call fails. The tick counts writes, truncates, syncs and deletes.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import apsw

SECTOR_BYTES = 512


class PowerGoneError(apsw.IOError):
    """The machine is off."""


class Disk(apsw.VFS):
    """Open databases with `vfs=Disk.ENCRYPTED`: under the plain name the cipher would silently not apply.

    One for the whole process: the cipher's layer keeps a pointer to it that would outlive any other.
    """

    NAME = "power-loss"
    ENCRYPTED = f"multipleciphers-{NAME}"

    def __init__(self) -> None:
        super().__init__(self.NAME, base="")
        self.plug_in(seed=0)

    def plug_in(self, *, seed: int, power_goes_at: int | None = None) -> None:
        """Power is back: start counting anew."""
        self.rng = random.Random(seed)
        self.power_goes_at = power_goes_at
        self.failing: type[apsw.Error] | None = None
        self.ticks = 0
        self.off = False
        self.files: dict[str, DiskFile] = {}

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> DiskFile:  # noqa: N802  SQLite's name
        self.check()
        return DiskFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.tick()
        self.files.pop(filename, None)
        super().xDelete(filename, syncdir)

    def check(self) -> None:
        """Fail if the power is gone."""
        if self.off:
            raise PowerGoneError

    def tick(self) -> None:
        """One more step of the disk; perhaps the last."""
        self.check()
        if self.failing is not None:
            raise self.failing("staged")
        self.ticks += 1
        if self.ticks == self.power_goes_at:
            self.off = True
            for file in self.files.values():
                file.tear()
            raise PowerGoneError


class DiskFile(apsw.VFSFile):
    """What SQLite reads is `view`; what the real file holds lags behind by the un-synced operations."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        assert name is not None  # temp_store=MEMORY: every file has a name
        self.disk = disk
        self.path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        self.view = bytearray(self.path.read_bytes())
        self.unsynced: list[tuple[int, bytes | None]] = []  # (offset, data) or (size, None) for a truncate
        disk.files[str(self.path)] = self

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self.disk.check()
        return bytes(self.view[offset : offset + amount])

    def xFileSize(self) -> int:  # noqa: N802
        self.disk.check()
        return len(self.view)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.disk.tick()
        data = bytes(data)
        self._apply(self.view, offset, data)
        self.unsynced.append((offset, data))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self.disk.tick()
        self._apply(self.view, size, None)
        self.unsynced.append((size, None))

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.tick()
        self.flush()

    def xClose(self) -> None:  # noqa: N802
        if not self.disk.off:
            self.flush()
            self.disk.files.pop(str(self.path), None)
        super().xClose()

    def flush(self) -> None:
        """Everything reaches the real file."""
        content = bytearray(self.path.read_bytes()) if self.path.exists() else bytearray()
        for offset, data in self.unsynced:
            self._apply(content, offset, data)
        self.unsynced.clear()
        self._store(content)

    def tear(self) -> None:
        """The power goes: each un-synced sector has its own fate."""
        content = bytearray(self.path.read_bytes()) if self.path.exists() else bytearray()
        rng = self.disk.rng
        for offset, data in self.unsynced:
            if data is None:
                if rng.random() < 0.5:
                    self._apply(content, offset, None)
                continue
            for start in range(0, len(data), SECTOR_BYTES):
                sector = data[start : start + SECTOR_BYTES]
                fate = rng.random()
                if fate < 0.45:
                    self._apply(content, offset + start, sector)
                elif fate < 0.55:
                    self._apply(content, offset + start, rng.randbytes(len(sector)))
        self._store(content)

    def _store(self, content: bytearray) -> None:
        handle = os.open(self.path, os.O_WRONLY)  # never creates: a deleted file stays deleted
        try:
            os.ftruncate(handle, len(content))
            os.pwrite(handle, content, 0)
        finally:
            os.close(handle)

    @staticmethod
    def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
        if data is None:
            del content[offset:]
            return
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data


DISK = Disk()
