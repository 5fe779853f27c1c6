"""What a piece of work sees of the database: one transaction, plain tuples, and a table of named values."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

SqlValue = int | float | str | bytes | None
Row = tuple[SqlValue, ...]


class Transaction:
    """One IMMEDIATE transaction. Valid only inside the function it was given to; it commits when that returns."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection: apsw.Connection | None = connection

    def execute(self, sql: str, parameters: Sequence[SqlValue] = ()) -> list[Row]:
        """Run one statement; returns all its rows. Raises on a bug (SQL, constraint) or a failing disk."""
        if self._connection is None:
            raise RuntimeError("this transaction is over")
        return self._connection.execute(sql, tuple(parameters)).fetchall()

    def changes(self) -> int:
        """Rows touched by the last INSERT, UPDATE or DELETE."""
        if self._connection is None:
            raise RuntimeError("this transaction is over")
        return self._connection.changes()

    def end(self) -> None:
        """For the store only: the function has returned."""
        self._connection = None


def whole(value: SqlValue) -> int:
    """A cell of a column of numbers that holds no NULL: every table is STRICT."""
    if not isinstance(value, int):
        raise TypeError("a whole number expected")
    return value


def read_meta(tx: Transaction, key: str) -> bytes | None:
    """A value of the program itself (head, floor, secret), or None."""
    for (value,) in tx.execute("SELECT value FROM meta WHERE key = ?", (key,)):
        assert isinstance(value, bytes)  # noqa: S101  the table is STRICT
        return value
    return None


def write_meta(tx: Transaction, key: str, value: bytes) -> None:
    """Set it, or replace it."""
    tx.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value", (key, value))


def drop_meta(tx: Transaction, key: str) -> None:
    """Forget it, if it is there."""
    tx.execute("DELETE FROM meta WHERE key = ?", (key,))


def read_meta_int(tx: Transaction, key: str, default: int = 0) -> int:
    """A number of the program itself, kept as ASCII decimal digits."""
    value = read_meta(tx, key)
    return default if value is None else int(value)


def write_meta_int(tx: Transaction, key: str, value: int) -> None:
    """Set it, or replace it."""
    write_meta(tx, key, b"%d" % value)
