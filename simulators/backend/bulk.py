"""Statements that carry the rows of many requests at once, written in SQLAlchemy Core for both engines.

A request is a generator: it yields what it wants asked or stored, `Ask(statement, rows)`, and gets the statement's
answer; or a tuple of them, and gets a tuple. `together` moves a group of requests forward
in step, so that each statement runs once for the group: on PostgreSQL a statement costs a round trip, on SQLite as much
Python as it does work.

A statement is compiled once for each dialect and each power of two of rows, and run by the driver itself. Lookups and
changes fill up by repeating their last row; insertions are cut into powers of two and a few.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, Generic, TypeVar

import psycopg
from sqlalchemy import CTE, Column, Connection, Executable, Table, bindparam, column, insert, values
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql import ClauseElement

T = TypeVar("T")
A = TypeVar("A")
Row = tuple[Any, ...]

MAX_ROWS: Final = 128
"""Of one statement: with ten columns still far below each engine's limit of parameters."""

FEW_ROWS: Final = 16
"""As most requests add them: compiled for every number."""


class Wire:
    """The driver's side of a connection: statements go straight to it, in the connection's transaction."""

    __slots__ = ("connection", "dialect", "execute")

    def __init__(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        self.connection = connection
        self.dialect = connection.dialect.name
        # The raw cursor takes the server's own placeholders: the other rewrites a long statement each time.
        cursor: Any = psycopg.RawCursor(driver) if isinstance(driver, psycopg.Connection) else driver.cursor()
        self.execute: Callable[[str, Sequence[Any]], Any] = cursor.execute


class Statement(ABC, Generic[A]):
    """Anything that may be yielded."""

    @abstractmethod
    def on(self, wire: Wire, rows: Sequence[Row]) -> A:
        """Do it for all rows."""

    def run(self, connection: Connection, rows: Sequence[Row]) -> A:
        """The same, by itself."""
        return self.on(Wire(connection), rows)


@dataclass(slots=True)
class Ask:
    """What a request wants next; the answer is that of the whole group."""

    statement: Statement[Any]
    rows: Sequence[Row] = field(repr=False)


Asking = Generator[Ask | tuple[Ask, ...], Any, T]
"""A request under way, whose outcome is a T."""


def together(connection: Connection, requests: Sequence[Asking[T]]) -> list[T]:
    """Move all to their ends, in step; their outcomes in the same order."""
    wire = Wire(connection)
    outcomes: dict[int, T] = {}
    under_way: list[tuple[int, Asking[T], Any]] = [(index, request, None) for index, request in enumerate(requests)]
    while under_way:
        asked: list[tuple[int, Asking[T], Ask | tuple[Ask, ...]]] = []
        rows: dict[Statement[Any], list[Row]] = {}
        for index, request, answer in under_way:
            try:
                wanted = request.send(answer)
            except StopIteration as end:
                outcomes[index] = end.value
                continue
            asked.append((index, request, wanted))
            for ask in wanted if isinstance(wanted, tuple) else (wanted,):
                rows.setdefault(ask.statement, []).extend(ask.rows)
        answers = {statement: statement.on(wire, wanted) for statement, wanted in rows.items()}
        under_way = [
            (
                index,
                request,
                tuple(answers[ask.statement] for ask in wanted)
                if isinstance(wanted, tuple)
                else answers[wanted.statement],
            )
            for index, request, wanted in asked
        ]
    return [outcomes[index] for index in range(len(requests))]


_DIALECTS: Final = {
    "postgresql": PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # of the library
}


class _Compiled:
    """One statement in all its sizes."""

    def __init__(self, build: Callable[[int], Executable]) -> None:
        self._build = build
        self._sql: dict[tuple[str, int], str] = {}

    def on(self, wire: Wire, rows: Sequence[Row]) -> Any:
        """The driver's cursor."""
        key = wire.dialect, len(rows)
        sql = self._sql.get(key)
        if sql is None:
            sql = self._sql[key] = self._compile(wire.connection, len(rows))
        return wire.execute(sql, [*chain.from_iterable(rows)])

    def _compile(self, connection: Connection, count: int) -> str:
        statement = self._build(count)
        assert isinstance(statement, ClauseElement)  # noqa: S101  # every Core statement is one
        compiled = statement.compile(dialect=_DIALECTS.get(connection.dialect.name, connection.dialect))
        names: list[str] = getattr(compiled, "positiontup", None) or []
        order = [tuple(map(int, name.split("_"))) for name in names]
        assert order == sorted(order)  # noqa: S101  # row by row is the order of the parameters
        return str(compiled)


class Lookup(Statement[dict[Row, Row]]):
    """`asked` rows → found rows: a mapping from the first columns, as many as were asked with, to the others."""

    def __init__(self, asked: Mapping[str, Column[Any]], build: Callable[[CTE], Executable]) -> None:
        self._width = len(asked)
        self._compiled = _Compiled(lambda count: build(_asked(asked, count)))

    def on(self, wire: Wire, rows: Sequence[Row]) -> dict[Row, Row]:
        """What was not found is not in it."""
        return {
            tuple(found[: self._width]): tuple(found[self._width :])
            for part in _filled(rows)
            for found in self._compiled.on(wire, part).fetchall()
        }


class Change(Statement[None]):
    """Something done for each `asked` row; repeating a row must change nothing more."""

    def __init__(self, asked: Mapping[str, Column[Any]], build: Callable[[CTE], Executable]) -> None:
        self._compiled = _Compiled(lambda count: build(_asked(asked, count)))

    def on(self, wire: Wire, rows: Sequence[Row]) -> None:
        """Nothing comes back."""
        for part in _filled(rows):
            self._compiled.on(wire, part)


class Add(Statement[None]):
    """Rows added to a table, all columns in its order, by default with an error if one is there already."""

    def __init__(self, table: Table, build: Callable[[list[dict[str, Any]]], Executable] | None = None) -> None:
        make = build or insert(table).values
        self._compiled = _Compiled(lambda count: make(_rows(list(table.c), count)))

    def on(self, wire: Wire, rows: Sequence[Row]) -> None:
        """No key may be in the rows twice. In the order of their keys neighbours come to the same page."""
        for part in _powers(sorted(rows)):
            self._compiled.on(wire, part)


class AddNew(Statement[set[Row]]):
    """As `Add`, for rows that may be there already: the keys of those that were not."""

    def __init__(self, table: Table, build: Callable[[list[dict[str, Any]]], Executable]) -> None:
        self._compiled = _Compiled(lambda count: build(_rows(list(table.c), count)))

    def on(self, wire: Wire, rows: Sequence[Row]) -> set[Row]:
        """As the statement's RETURNING has them."""
        return {tuple(found) for part in _filled(rows) for found in self._compiled.on(wire, part).fetchall()}


def _asked(columns: Mapping[str, Column[Any]], count: int) -> CTE:
    """`WITH asked(…) AS (VALUES …)`: the one form of a table of parameters that both engines take."""
    names = [column(name, like.type) for name, like in columns.items()]
    data = [tuple(bindparam(f"{n}_{m}", type_=names[m].type) for m in range(len(names))) for n in range(count)]
    return values(*names, name="asked").data(data).cte("asked")


def _rows(columns: Sequence[Column[Any]], count: int) -> list[dict[str, Any]]:
    return [{of.name: bindparam(f"{n}_{m}", type_=of.type) for m, of in enumerate(columns)} for n in range(count)]


def _powers(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    """In parts of MAX_ROWS, then of ever smaller powers of two, then of what is left if it is few."""
    parts, start = [], 0
    while left := len(rows) - start:
        size = left if left <= FEW_ROWS else min(MAX_ROWS, 1 << (left.bit_length() - 1))
        parts.append(rows[start : start + size])
        start += size
    return parts


def _filled(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    """In parts of MAX_ROWS, the last filled up to a power of two with its last row."""
    parts = []
    for start in range(0, len(rows), MAX_ROWS):
        part = rows[start : start + MAX_ROWS]
        size = 1 << (len(part) - 1).bit_length()
        parts.append([*part, *[part[-1]] * (size - len(part))])
    return parts
