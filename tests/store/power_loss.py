"""A disk that can lose power: an SQLite file layer whose writes reach the real file only when they are synced.

At tick N the power goes: of every un-synced sector 45 % are written, 45 % lost, 10 % replaced by random bytes; an
un-synced truncate happens or not; a name that was made or removed since its directory was last synced is there or not.
Every later call fails. The tick counts writes, truncates, syncs (of directories too) and deletes. The disk can also be
full, fail for good, or fail once; what a failed sync should have written has the fate of a power cut.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

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

    def plug_in(
        self,
        *,
        seed: int,
        power_goes_at: int | None = None,
        fails_at: int | None = None,
        sector_bytes: int = SECTOR_BYTES,
        room_bytes: int | None = None,
    ) -> None:
        """Power is back: start counting anew. `room_bytes`: of all files together, the ballast among them."""
        self.rng = random.Random(seed)
        self.power_goes_at, self.fails_at = power_goes_at, fails_at
        self.sector_bytes, self.room_bytes = sector_bytes, room_bytes
        self.failing: type[apsw.Error] | None = None
        self.ticks = 0
        self.off = False
        self.files: dict[str, DiskFile] = {}
        self.made: set[Path] = set()  # names not yet durable
        self.removed: dict[Path, bytes] = {}  # names not yet durably gone, or not yet durably another file's
        self.loose: set[Path] = set()  # files whose content was not synced

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> DiskFile:  # noqa: N802  SQLite's name
        self.check()
        return DiskFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.tick()
        self.files.pop(filename, None)
        path = Path(filename)
        if path.exists():
            self.removed[path] = path.read_bytes()
            self.made.discard(path)
        super().xDelete(filename, syncdir)
        if syncdir:
            self.settle_names(path.parent)

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
            self._tear_names()
            raise PowerGoneError
        if self.ticks == self.fails_at:
            raise apsw.IOError("staged")

    def settle_names(self, directory: Path) -> None:
        """What was made stays, what was removed is gone."""
        self.made = {path for path in self.made if path.parent != directory}
        self.removed = {path: content for path, content in self.removed.items() if path.parent != directory}

    def used_bytes(self) -> int:
        """What all open files and the ballasts beside them hold."""
        held = 0
        for name, file in self.files.items():
            beside = Path(f"{name}-ballast")
            held += len(file.view) + (beside.stat().st_size if beside.exists() else 0)
        return held

    def allocate(self, handle: int, offset: int, size_bytes: int) -> None:
        """In place of `os.posix_fallocate`."""
        held_bytes = os.fstat(handle).st_size
        if self.room_bytes is not None and self.used_bytes() - held_bytes + size_bytes > self.room_bytes:
            raise OSError(errno.ENOSPC, "staged")
        os.ftruncate(handle, max(held_bytes, offset + size_bytes))

    def _tear_names(self) -> None:
        for path in sorted(self.loose):
            if path.exists():
                content = path.read_bytes()
                path.write_bytes(content[: self.rng.randrange(len(content) + 1)])
        for path in sorted(self.made):
            if self.rng.random() < 0.5 and path.exists():
                _UNLINK(path)
        for path, content in sorted(self.removed.items()):
            if self.rng.random() < 0.5:
                path.write_bytes(content)


class DiskFile(apsw.VFSFile):
    """What SQLite reads is `view`; what the real file holds lags behind by the un-synced operations."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        assert name is not None  # temp_store=MEMORY: every file has a name
        self.path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        existed = self.path.exists()
        super().__init__("", name, flags)
        self.disk = disk
        if not existed:
            disk.made.add(self.path)
        disk.loose.discard(self.path)  # its content is minded here
        # SQLite syncs the directory with the first sync of a log or journal that it has opened.
        self.names_unsynced = self.path.name.endswith(("-wal", "-journal"))
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
        growth_bytes = max(0, offset + len(data) - len(self.view))
        room_bytes = self.disk.room_bytes
        if growth_bytes and room_bytes is not None and self.disk.used_bytes() + growth_bytes > room_bytes:
            raise apsw.FullError("staged")
        self._apply(self.view, offset, data)
        self.unsynced.append((offset, data))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self.disk.tick()
        self._apply(self.view, size, None)
        self.unsynced.append((size, None))

    def xSync(self, flags: int) -> None:  # noqa: N802
        try:
            self.disk.tick()
        except apsw.IOError:
            if not self.disk.off:  # after a failed sync nobody knows what is on the disk, and a second one says "fine"
                self.tear()
            raise
        self.flush()
        if self.names_unsynced:
            self.names_unsynced = False
            self.disk.settle_names(self.path.parent)

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
        rng, sector_bytes = self.disk.rng, self.disk.sector_bytes
        for offset, data in self.unsynced:
            if data is None:
                if rng.random() < 0.5:
                    self._apply(content, offset, None)
                continue
            for start in range(0, len(data), sector_bytes):
                sector = data[start : start + sector_bytes]
                fate = rng.random()
                if fate < 0.45:
                    self._apply(content, offset + start, sector)
                elif fate < 0.55:
                    self._apply(content, offset + start, rng.randbytes(len(sector)))
        self.unsynced.clear()
        self._store(content)

    def _store(self, content: bytearray) -> None:
        try:
            handle = os.open(self.path, os.O_WRONLY)  # never creates: a deleted file stays deleted
        except FileNotFoundError:
            return
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
_OPEN, _RENAME, _UNLINK = os.open, os.rename, os.unlink


@contextlib.contextmanager
def staged() -> Iterator[Disk]:
    """Files that are not SQLite's are on the staged disk as well, while this lasts: all that goes through `os`.

    A file's content is durable once it was synced, its name once its directory was.
    """

    def opened(path: str | Path, flags: int, mode: int = 0o777, **more: int) -> int:
        if flags & os.O_CREAT:
            DISK.check()
            if not Path(path).exists():
                DISK.made.add(Path(path))
            DISK.loose.add(Path(path))
        return _OPEN(path, flags, mode, **more)

    def synced(handle: int) -> None:
        try:
            DISK.tick()
        except PowerGoneError:
            raise
        except apsw.IOError:
            raise OSError(errno.EIO, "staged") from None
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path.is_dir():
            DISK.settle_names(path)
        DISK.loose.discard(path)

    def renamed(path: str | Path, target: str | Path) -> None:
        DISK.check()
        before, after = Path(path), Path(target)
        if after.exists() and after not in DISK.made:
            DISK.removed.setdefault(after, after.read_bytes())
        elif before in DISK.made:
            DISK.made.add(after)
        _RENAME(path, target)
        DISK.made.discard(before)
        if before in DISK.loose:
            DISK.loose.discard(before)
            DISK.loose.add(after)

    def unlinked(path: str | Path, **more: int) -> None:
        DISK.check()
        gone = Path(path)
        if gone.exists() and gone not in DISK.made:
            DISK.removed.setdefault(gone, gone.read_bytes())
        DISK.made.discard(gone)
        DISK.loose.discard(gone)
        _UNLINK(path, **more)

    with (
        mock.patch.object(os, "open", opened),
        mock.patch.object(os, "fsync", synced),
        mock.patch.object(os, "rename", renamed),
        mock.patch.object(os, "unlink", unlinked),
        mock.patch.object(os, "posix_fallocate", DISK.allocate),
    ):
        yield DISK
