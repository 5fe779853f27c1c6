"""The card's EEPROM: every file's content in one image, in memory or in one file that survives.

Layout: one 64-byte header (magic, digest of what identifies the card), then each EF in whole pages of 64 bytes. A page
is the unit of writing, as on a chip: erased whole, then programmed. A write that ends in the middle leaves the pages
before it programmed, and of its own page as much as was. Transaction flag, PIN counter and keys are written by way of
a backup page, as chips do for what must not tear: they are old until they are new. With a file behind it, a page is on
disk before the answer leaves.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from kiosk.card.layout import EEPROM_PAGE_BYTES, SIM_STATE
from kiosk.store.files import sync_directory
from simulators.card.faults import CardGoneError, Rest, Tear
from simulators.card.files import Ef, FileSystem

_MAGIC: Final = b"FICTION VITALE 1"
ERASED: Final = b"\xff"


@dataclass(frozen=True, slots=True)
class ImageError:
    """Why an image file is refused; the file is left as it is."""

    file: str
    cause: str

    def __str__(self) -> str:
        return f"{self.file}: {self.cause}"


class Image:
    """Contents of all EFs.

    `at_page` is asked before each page write how it ends, with the bytes that its command has written already and
    those it writes to this page: None for well. `pages_written` counts.
    """

    def __init__(self, files: FileSystem, path: Path | None = None) -> None:
        """A fresh image, in memory only: `open_image` ties one to a file."""
        self._path = path
        self._starts: dict[int, int] = {}
        pages = bytearray(_header(files))
        for ef in files.efs():
            self._starts[ef.fid] = len(pages)
            pages += ef.initial + bytes(-ef.size_bytes % EEPROM_PAGE_BYTES)
        self._pages = pages
        self.at_page: Callable[[int, int], Tear | None] = lambda _done, _length: None
        self.pages_written = 0

    def read(self, ef: Ef, offset: int, length: int) -> bytes:
        """Bytes of a file, within its size."""
        start = self._starts[ef.fid]
        return bytes(self._pages[start + offset : start + min(offset + length, ef.size_bytes)])

    def write(self, ef: Ef, offset: int, data: bytes) -> None:
        """Write within a file's size, page by page. Raises `OSError` if the disk refuses, `CardGoneError` at a tear."""
        start = self._starts[ef.fid]
        done = 0
        while done < len(data):
            position = start + offset + done
            part = data[done : done + EEPROM_PAGE_BYTES - position % EEPROM_PAGE_BYTES]
            tear = self.at_page(done, len(part))
            self.pages_written += 1
            if tear is not None:
                if not _is_backed_up(ef):
                    self._tear(position, part, tear)
                raise CardGoneError
            self._store(position, part)
            done += len(part)

    def to_bytes(self) -> bytes:
        """The whole image, header included."""
        return bytes(self._pages)

    def restore(self, image: bytes) -> ImageError | None:
        """Put back an image of this very card; the file, if any, is replaced atomically. Raises `OSError`."""
        error = self.load(image)
        if error is None and self._path is not None:
            replace_file(self._path, image)
        return error

    def load(self, image: bytes) -> ImageError | None:
        """Take over the content of an image of this very card, without touching the file."""
        name = self._path.name if self._path else "image"
        if len(image) != len(self._pages):
            return ImageError(name, f"an image of this card has {len(self._pages)} bytes")
        if image[: len(_MAGIC)] != _MAGIC:
            return ImageError(name, "not a card image")
        if image[:EEPROM_PAGE_BYTES] != self._pages[:EEPROM_PAGE_BYTES]:
            return ImageError(name, "the image of another card")
        self._pages[:] = image
        return None

    def _tear(self, position: int, part: bytes, tear: Tear) -> None:
        """The whole page is erased before it is programmed: bytes that the command does not name may be lost, too."""
        within = position % EEPROM_PAGE_BYTES
        page = position - within
        old = bytes(self._pages[page : page + EEPROM_PAGE_BYTES])
        programmed = old[:within] + part[: tear.programmed_bytes]
        behind = old[len(programmed) :] if tear.rest is Rest.OLD else ERASED * (EEPROM_PAGE_BYTES - len(programmed))
        self._store(page, programmed + behind)

    def _store(self, position: int, data: bytes) -> None:
        if self._path is not None:
            descriptor = os.open(self._path, os.O_WRONLY)
            try:
                os.pwrite(descriptor, data, position)
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
        self._pages[position : position + len(data)] = data


def open_image(files: FileSystem, path: Path) -> Image | ImageError:
    """The image kept in `path`: created from the card's initial content if missing, else loaded and checked."""
    image = Image(files, path)
    initial = image.to_bytes()
    try:
        if not path.exists():
            replace_file(path, initial)
        with path.open("rb") as stream:
            return image.load(stream.read(len(initial) + 1)) or image
    except OSError as error:
        return ImageError(path.name, error.strerror or "not readable and writable")


def lock_image(path: Path) -> BinaryIO | ImageError:
    """Hold an image, whatever name it is called by, until the file returned is closed or the process ends in any way.

    The lock is on a file beside it, which stays: an image that is missing, or replaced, cannot carry one.
    """
    image = Path(os.path.realpath(path))
    try:
        if image.is_dir():
            return ImageError(path.name or str(path), "is a folder")
        lock = (image.parent / f".{image.name}.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise
    except BlockingIOError:
        return ImageError(path.name, "in use: another process has this card in a reader")
    except OSError as error:
        return ImageError(path.name, f"cannot be locked: {error.strerror}")
    return lock


def replace_file(path: Path, content: bytes) -> None:
    """Old or new content, never a mixture: temporary file beside it, fsync, rename, fsync of the folder."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _is_backed_up(ef: Ef) -> bool:
    """Files of one page that a tear leaves entirely old: the transaction flag's, and the chip's own (counter, keys)."""
    return ef.internal or ef.fid == SIM_STATE[1]


def _header(files: FileSystem) -> bytes:
    """Ties an image to one card: places and sizes of all files, and the content of those that never change."""
    identity = hashlib.sha256()
    for ef in files.efs():
        identity.update(ef.fid.to_bytes(2, "big") + ef.size_bytes.to_bytes(2, "big"))
        identity.update(b"" if ef.writable else ef.initial)
    return (_MAGIC + identity.digest()).ljust(EEPROM_PAGE_BYTES, b"\x00")
