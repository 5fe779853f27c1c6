"""A file of nothing: room that is given back when the disk is full, so that what is owed can still be acknowledged."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

from kiosk.store.errors import StoreError

BALLAST_BYTES: Final = 16 * 1024 * 1024
"""The write-ahead log grows to 1000 pages of 4 KiB and one transaction; written back, the file may grow by as much."""
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Ballast:
    """Belongs to the store's thread. While it is not in place, only work that frees the outbox may write."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        """size_bytes: 0 for a store without one."""
        self._path, self._size_bytes = path, size_bytes
        self._in_place = size_bytes == 0

    def lay(self) -> StoreError | None:
        """Put it in place, unless it is; or say why there is no room for it."""
        if self._in_place:
            return None
        try:
            handle = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._size_bytes)
            finally:
                os.close(handle)
        except OSError as error:
            if error.errno in _FULL:
                return StoreError("disk_space", "no room left to write")
            return StoreError("disk", os.strerror(error.errno or 0))
        self._in_place = True
        return None

    def free(self) -> None:
        """Give the room back, if there is any to give. It stays away until `lay`."""
        if self._size_bytes > 0:
            self._in_place = False
            with contextlib.suppress(OSError):
                os.truncate(self._path, 0)
