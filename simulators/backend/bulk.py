"""Statements that carry the rows of many requests at once, written in SQLAlchemy Core for both engines.

A request is a generator: it yields what it wants asked or stored, `Ask(statement, rows)`, and gets the statement's
answer; or a tuple of them, and gets a list. `together` moves a group of requests forward in step, so that each
statement runs once for the group: by itself it costs on SQLite as much Python as it does work. All statements of a step
are one round trip to PostgreSQL, and are done in the order in which the group's first request names them.

A statement is compiled once for each dialect and each of a few numbers of rows, and run by the driver itself. Lookups
and changes fill up by repeating their last row; insertions are cut.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
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

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.dialect = connection.dialect.name
        self._driver: Any = connection.connection.driver_connection

    def execute(self, sql: str, parameters: Sequence[Any]) -> Any:
        """The driver's cursor."""
        if isinstance(self._driver, psycopg.Connection):
            # The raw cursor takes the server's own placeholders: the other rewrites a long statement each time.
            return psycopg.RawCursor(self._driver).execute(sql, parameters)
        return self._driver.execute(sql, parameters)

    def at_once(self) -> AbstractContextManager[Any]:
        """What is executed within goes to a server in one message; cursors have their rows afterwards."""
        return self._driver.pipeline() if isinstance(self._driver, psycopg.Connection) else nullcontext()


class Statement(ABC, Generic[A]):
    """Anything that may be yielded: one statement in all its sizes."""

    def __init__(self, build: Callable[[int], Executable]) -> None:
        self._build = build
        self._sql: dict[tuple[str, int], str] = {}

    def start(self, wire: Wire, rows: Sequence[Row]) -> Sequence[Any]:
        """Ask for it for all rows: the driver's cursors."""
        return [wire.execute(self._text(wire, len(part)), [*chain.from_iterable(part)]) for part in self._parts(rows)]

    @abstractmethod
    def end(self, cursors: Sequence[Any]) -> A:
        """The answer of what was started."""

    def run(self, connection: Connection, rows: Sequence[Row]) -> A:
        """By itself."""
        wire = Wire(connection)
        with wire.at_once():
            cursors = self.start(wire, rows)
        return self.end(cursors)

    def _parts(self, rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
        return _filled(rows)

    def _text(self, wire: Wire, count: int) -> str:
        sql = self._sql.get((wire.dialect, count))
        if sql is None:
            sql = self._sql[wire.dialect, count] = self._compile(wire.connection, count)
        return sql

    def _compile(self, connection: Connection, count: int) -> str:
        statement = self._build(count)
        assert isinstance(statement, ClauseElement)  # noqa: S101  # every Core statement is one
        compiled = statement.compile(dialect=_DIALECTS.get(connection.dialect.name, connection.dialect))
        names: list[str] = getattr(compiled, "positiontup", None) or []
        order = [tuple(map(int, name.split("_"))) for name in names]
        assert order == sorted(order)  # noqa: S101  # row by row is the order of the parameters
        return str(compiled)


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
        answers = _answers(wire, rows)
        under_way = [
            (
                index,
                request,
                [answers[ask.statement] for ask in wanted] if isinstance(wanted, tuple) else answers[wanted.statement],
            )
            for index, request, wanted in asked
        ]
    return [outcomes[index] for index in range(len(requests))]


def _answers(wire: Wire, rows: Mapping[Statement[Any], Sequence[Row]]) -> dict[Statement[Any], Any]:
    if not rows:
        return {}
    with wire.at_once():
        started = {statement: statement.start(wire, wanted) for statement, wanted in rows.items()}
    return {statement: statement.end(cursors) for statement, cursors in started.items()}


_DIALECTS: Final = {
    "postgresql": PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # of the library
}


class Lookup(Statement[dict[Row, Row]]):
    """`asked` rows → found rows: a mapping from the first columns, as many as were asked with, to the others."""

    def __init__(self, asked: Mapping[str, Column[Any]], build: Callable[[CTE], Executable]) -> None:
        super().__init__(lambda count: build(_asked(asked, count)))
        self._width = len(asked)

    def end(self, cursors: Sequence[Any]) -> dict[Row, Row]:
        """What was not found is not in it."""
        width = self._width
        return {row[:width]: row[width:] for cursor in cursors for row in cursor.fetchall()}


class Change(Statement[None]):
    """Something done for each `asked` row; repeating a row must change nothing more."""

    def __init__(self, asked: Mapping[str, Column[Any]], build: Callable[[CTE], Executable]) -> None:
        super().__init__(lambda count: build(_asked(asked, count)))

    def end(self, cursors: Sequence[Any]) -> None:
        """Nothing comes back."""


class Add(Statement[None]):
    """Rows added to a table, all columns in its order, by default with an error if one is there already."""

    def __init__(self, table: Table, build: Callable[[list[dict[str, Any]]], Executable] | None = None) -> None:
        make = build or insert(table).values
        super().__init__(lambda count: make(_rows(list(table.c), count)))

    def _parts(self, rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
        # No key may be in the rows twice. In the order of their keys neighbours come to the same page.
        return _powers(sorted(rows))

    def end(self, cursors: Sequence[Any]) -> None:
        """Nothing comes back."""


class AddNew(Statement[set[Row]]):
    """As `Add`, for rows that may be there already: the keys of those that were not."""

    def __init__(self, table: Table, build: Callable[[list[dict[str, Any]]], Executable]) -> None:
        super().__init__(lambda count: build(_rows(list(table.c), count)))

    def end(self, cursors: Sequence[Any]) -> set[Row]:
        """As the statement's RETURNING has them."""
        return {row for cursor in cursors for row in cursor.fetchall()}


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
    """In parts of MAX_ROWS, the last filled up with its last row, to a power of two or to three quarters of one."""
    parts = []
    for start in range(0, len(rows), MAX_ROWS):
        part = rows[start : start + MAX_ROWS]
        size = 1 << (len(part) - 1).bit_length()
        if len(part) <= size // 4 * 3:
            size = size // 4 * 3
        parts.append([*part, *[part[-1]] * (size - len(part))] if size > len(part) else part)
    return parts
