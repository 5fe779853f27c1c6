"""How the store fails, as values. Nothing here holds a row, a parameter or a key."""

from __future__ import annotations

from dataclasses import dataclass

import apsw


@dataclass(frozen=True, slots=True)
class StoreError:
    """Why the store cannot be opened or written: `field` names what is wrong, `reason` is for the technician.

    field: `path`, `key`, `file`, `lock`, `disk`, `disk_space`, `sqlite_version`, `user_version`, `store`, or a pragma.
    """

    field: str
    reason: str


class StoreFailedError(Exception):
    """Carried by the future of a transaction that the disk, not the code, has stopped. Nothing was acknowledged."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(f"{error.field}: {error.reason}")
        self.error = error


_REASONS: dict[type[apsw.Error], StoreError] = {
    apsw.NotADBError: StoreError("key", "wrong key, or the file is damaged"),
    apsw.CorruptError: StoreError("file", "damaged content"),
    apsw.BusyError: StoreError("lock", "another process holds the file"),
    apsw.FullError: StoreError("disk_space", "no room left to write"),
    apsw.CantOpenError: StoreError("path", "cannot be opened"),
    apsw.ReadOnlyError: StoreError("path", "read-only"),
    apsw.PermissionsError: StoreError("path", "access denied"),
    apsw.IOError: StoreError("disk", "read or write error"),
    apsw.NoMemError: StoreError("disk", "out of memory"),
}


def as_store_error(error: BaseException) -> StoreError | None:
    """The expected failure behind an exception of the database, or None when it is a bug of ours."""
    return next((reason for kind, reason in _REASONS.items() if isinstance(error, kind)), None)
