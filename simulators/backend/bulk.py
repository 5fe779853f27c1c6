"""Statements that carry the rows of many requests at once, written in SQLAlchemy Core for both engines.

A request is a generator: it yields what it wants asked or stored, `Ask(statement, rows)`, and gets the statement's
answer. `together` moves a group of requests forward in step, so that each statement runs once for the group: on
PostgreSQL a statement costs a round trip, on SQLite as much Python as it does work.

A statement is compiled once for each dialect and each power of two of rows, and run by the driver itself. Lookups and
changes fill up by repeating their last row; insertions are cut into powers of two.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

import psycopg
from sqlalchemy import CTE, Column, Connection, Executable, Table, bindparam, column, insert, values
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql import ClauseElement

T = TypeVar("T")
Row = tuple[Any, ...]

MAX_ROWS: Final = 128
"""Of one statement: with ten columns still far below each engine's limit of parameters."""


class Statement(Protocol):
    """Anything that may be yielded."""

    def run(self, connection: Connection, rows: Sequence[Row]) -> Any:
        """Do it for all rows, in the connection's transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request wants next; the answer is that of the whole group."""

    statement: Statement
    rows: Sequence[Row] = field(repr=False)


Asking = Generator[Ask, Any, T]
"""A request under way, whose outcome is a T."""


def together(connection: Connection, requests: Sequence[Asking[T]]) -> list[T]:
    """Move all to their ends, in step; their outcomes in the same order."""
    outcomes: dict[int, T] = {}
    asks: dict[int, Ask] = {}

    def go_on(index: int, answer: Any) -> None:
        try:
            asks[index] = requests[index].send(answer)
        except StopIteration as end:
            outcomes[index] = end.value

    for index in range(len(requests)):
        go_on(index, None)
    while asks:
        step, asks = asks, {}
        rows: dict[Statement, list[Row]] = {}
        for ask in step.values():
            rows.setdefault(ask.statement, []).extend(ask.rows)
        answers = {statement: statement.run(connection, wanted) for statement, wanted in rows.items()}
        for index, ask in step.items():
            go_on(index, answers[ask.statement])
    return [outcomes[index] for index in range(len(requests))]


_DIALECTS: Final = {
    "postgresql": PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # of the library
}


class _Compiled:
    """One statement in all its sizes."""

    def __init__(self, build: Callable[[int], Executable]) -> None:
        self._build = build
        self._sql: dict[tuple[str, int], str] = {}

    def run(self, connection: Connection, rows: Sequence[Row]) -> Any:
        """The driver's cursor."""
        key = connection.dialect.name, len(rows)
        sql = self._sql.get(key)
        if sql is None:
            sql = self._sql[key] = self._compile(connection, len(rows))
        driver: Any = connection.connection.driver_connection
        # The raw cursor takes the server's own placeholders: the other rewrites a long statement each time.
        cursor: Any = psycopg.RawCursor(driver) if isinstance(driver, psycopg.Connection) else driver.cursor()
        return cursor.execute(sql, [value for row in rows for value in row])

    def _compile(self, connection: Connection, count: int) -> str:
        statement = self._build(count)
        assert isinstance(statement, ClauseElement)  # noqa: S101  # every Core statement is one
        compiled = statement.compile(dialect=_DIALECTS.get(connection.dialect.name, connection.dialect))
        names: list[str] = getattr(compiled, "positiontup", None) or []
        order = [tuple(map(int, name.split("_"))) for name in names]
        assert order == sorted(order)  # noqa: S101  # row by row is the order of the parameters
        return str(compiled)


class Lookup:
    """`asked` rows → found rows: a mapping from the first columns, as many as were asked with, to the others."""

    def __init__(self, asked: Mapping[str, Column[Any]], build: Callable[[CTE], Executable]) -> None:
        self._width = len(asked)
        self._compiled = _Compiled(lambda count: build(_asked(asked, count)))

    def run(self, connection: Connection, rows: Sequence[Row]) -> dict[Row, Row]:
        """What was not found is not in it."""
        return {
            tuple(found[: self._width]): tuple(found[self._width :])
            for part in _filled(rows)
            for found in self._compiled.run(connection, part).fetchall()
        }


class Change:
    """Something done for each `asked` row; repeating a row must change nothing more."""

    def __init__(self, asked: Mapping[str, Column[Any]], build: Callable[[CTE], Executable]) -> None:
        self._compiled = _Compiled(lambda count: build(_asked(asked, count)))

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Nothing comes back."""
        for part in _filled(rows):
            self._compiled.run(connection, part)


class Add:
    """Rows added to a table, all columns in its order."""

    def __init__(self, table: Table) -> None:
        self._compiled = _Compiled(lambda count: insert(table).values(_rows(list(table.c), count)))

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """An error if one is there already."""
        for part in _powers(rows):
            self._compiled.run(connection, part)


class AddNew:
    """As `Add`, for rows that may be there already: the keys of those that were not."""

    def __init__(self, table: Table, build: Callable[[list[dict[str, Any]]], Executable]) -> None:
        self._compiled = _Compiled(lambda count: build(_rows(list(table.c), count)))

    def run(self, connection: Connection, rows: Sequence[Row]) -> set[Row]:
        """As the statement's RETURNING has them."""
        return {tuple(found) for part in _filled(rows) for found in self._compiled.run(connection, part).fetchall()}


def _asked(columns: Mapping[str, Column[Any]], count: int) -> CTE:
    """`WITH asked(…) AS (VALUES …)`: the one form of a table of parameters that both engines take."""
    names = [column(name, like.type) for name, like in columns.items()]
    data = [tuple(bindparam(f"{n}_{m}", type_=names[m].type) for m in range(len(names))) for n in range(count)]
    return values(*names, name="asked").data(data).cte("asked")


def _rows(columns: Sequence[Column[Any]], count: int) -> list[dict[str, Any]]:
    return [{of.name: bindparam(f"{n}_{m}", type_=of.type) for m, of in enumerate(columns)} for n in range(count)]


def _powers(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """In parts of MAX_ROWS, then of ever smaller powers of two."""
    start = 0
    while left := len(rows) - start:
        size = min(MAX_ROWS, 1 << (left.bit_length() - 1))
        yield rows[start : start + size]
        start += size


def _filled(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """In parts of MAX_ROWS, the last filled up to a power of two with its last row."""
    for start in range(0, len(rows), MAX_ROWS):
        part = rows[start : start + MAX_ROWS]
        size = 1 << (len(part) - 1).bit_length()
        yield [*part, *[part[-1]] * (size - len(part))]
