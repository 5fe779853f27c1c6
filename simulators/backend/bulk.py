"""Statements that carry the rows of many requests at once, written in SQLAlchemy Core for both engines.

A request says first what it wants asked, then what is to be stored: `Ask(statement, rows)`. `together` does so for a
group of requests with each statement once: by itself it costs on SQLite as much Python as it does work. To PostgreSQL
a group is two messages, what is asked and what is stored, the COMMIT with it; the statements of each are done in the
order in which the group's first request names them.

How rows travel is the one difference. A server takes an array for each column: one statement for any number of rows,
planned once. SQLite takes a parameter for each value, in a statement compiled for each of a few numbers of rows:
lookups and changes fill up by repeating their last row, insertions are cut. The driver itself runs either.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, Generic, TypeVar, cast

import psycopg
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Executable,
    FromClause,
    LargeBinary,
    Table,
    Text,
    bindparam,
    column,
    func,
    select,
    values,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert
from sqlalchemy.dialects.postgresql import insert as insert_or  # both engines compile it; SQLite's own only SQLite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql import ClauseElement

from simulators.backend.message import Message

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
        self._driver: Any = connection.connection.driver_connection
        self.takes_columns = isinstance(self._driver, psycopg.Connection)
        self._message: Message | None = None

    def execute(self, sql: str, parameters: Sequence[Any]) -> Any:
        """What has the rows: a cursor, or within `at_once` what will have them afterwards."""
        return (self._message or self._driver).execute(sql, parameters)

    def commit(self) -> None:
        """A server is told in the same message; SQLite, which is asked nothing over a distance, by whoever began."""
        if self._message:
            self._message.commit()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is executed within goes to a server in one message."""
        if self.takes_columns:
            self._message = Message(self._driver, self.connection.info.setdefault("prepared", {}))
        yield
        message, self._message = self._message, None
        if message:
            message.send()


class Statement(ABC, Generic[A]):
    """One statement in all its sizes, for both engines."""

    def __init__(self, columns: Sequence[Column[Any]], build: Callable[[int | None], Executable]) -> None:
        """`columns` of its rows. `build`: for so many rows; for a server, which takes columns, None."""
        self._columns = columns
        self._build = build
        self._sql: dict[int | None, str] = {}

    def start(self, wire: Wire, rows: Sequence[Row]) -> Sequence[Any]:
        """Ask for it for all rows: the driver's cursors."""
        if wire.takes_columns:
            return [wire.execute(self._text(wire, None), array_literals(self._columns, rows))]
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

    def _text(self, wire: Wire, count: int | None) -> str:
        sql = self._sql.get(count)
        if sql is None:
            sql = self._sql[count] = self._compile(wire.connection, count)
        return sql

    def _compile(self, connection: Connection, count: int | None) -> str:
        statement = self._build(count)
        assert isinstance(statement, ClauseElement)  # noqa: S101  # every Core statement is one
        compiled = statement.compile(dialect=connection.dialect if count else _SERVER)
        names: list[str] = getattr(compiled, "positiontup", None) or []
        order = [tuple(map(int, name.split("_"))) for name in names]
        assert order == sorted(order)  # noqa: S101  # row by row, or column by column, is the order of the parameters
        return str(compiled)


@dataclass(slots=True)
class Ask:
    """What a request wants asked or stored; the answer is that of the whole group."""

    statement: Statement[Any]
    rows: Sequence[Row] = field(repr=False)


Judge = Callable[[Connection, Sequence[Any]], tuple[T, Sequence[Ask]]]


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A kiosk's request that shares its statements with others.

    `begin` tells what it asks, and its judge: who is told the open connection and the answers, and tells the outcome
    and what to store of it. Both may be called twice: they leave no trace but through the connection.
    """

    kiosk: str
    begin: Callable[[], tuple[Sequence[Ask], Judge[T]]]


def together(connection: Connection, requests: Sequence[Request[T]], *, commits: bool = False) -> list[T]:
    """Ask, judge and store for all of them; their outcomes in the same order.

    commits: a server's transaction ends with it; SQLite's is for whoever began it.
    """
    wire = Wire(connection)
    begun = [request.begin() for request in requests]
    with wire.at_once():
        asked = _start(wire, [asks for asks, _ in begun])
    answers = {statement: statement.end(cursors) for statement, cursors in asked.items()}
    judged = [judge(connection, [answers[ask.statement] for ask in asks]) for asks, judge in begun]
    with wire.at_once():
        _start(wire, [effects for _, effects in judged])
        if commits:
            wire.commit()
    return [outcome for outcome, _ in judged]


def _start(wire: Wire, asked: Iterable[Sequence[Ask]]) -> dict[Statement[Any], Sequence[Any]]:
    """The cursors of each statement."""
    rows: dict[Statement[Any], list[Row]] = {}
    for ask in chain.from_iterable(asked):
        rows.setdefault(ask.statement, []).extend(ask.rows)
    return {statement: statement.start(wire, wanted) for statement, wanted in rows.items()}


_SERVER: Final = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # of the library


class Lookup(Statement[dict[Row, Row]]):
    """`asked` rows → found rows: a mapping from the first columns, as many as were asked with, to the others."""

    def __init__(self, asked: Mapping[str, Column[Any]], build: Callable[[FromClause], Executable]) -> None:
        super().__init__([*asked.values()], lambda count: build(_asked(asked, count)))
        self._width = len(asked)

    def end(self, cursors: Sequence[Any]) -> dict[Row, Row]:
        """What was not found is not in it."""
        width = self._width
        return {row[:width]: row[width:] for cursor in cursors for row in cursor.fetchall()}


class Change(Statement[None]):
    """Something done for each `asked` row; repeating a row must change nothing more."""

    def __init__(self, asked: Mapping[str, Column[Any]], build: Callable[[FromClause], Executable]) -> None:
        super().__init__([*asked.values()], lambda count: build(_asked(asked, count)))

    def end(self, cursors: Sequence[Any]) -> None:
        """Nothing comes back."""


class Add(Statement[None]):
    """Rows added to a table, all columns in its order, by default with an error if one is there already."""

    def __init__(self, table: Table, build: Callable[[Insert], Executable] = lambda adding: adding) -> None:
        super().__init__([*table.c], lambda count: build(_adding(table, count)))

    def start(self, wire: Wire, rows: Sequence[Row]) -> Sequence[Any]:
        """In the order of their keys neighbours come to the same page. No key may be in the rows twice."""
        return super().start(wire, sorted(rows))

    def _parts(self, rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
        return _powers(rows)

    def end(self, cursors: Sequence[Any]) -> None:
        """Nothing comes back."""


class AddNew(Statement[set[Row]]):
    """As `Add`, for rows that may be there already: the keys of those that were not."""

    def __init__(self, table: Table, build: Callable[[Insert], Executable]) -> None:
        super().__init__([*table.c], lambda count: build(_adding(table, count)))

    def end(self, cursors: Sequence[Any]) -> set[Row]:
        """As the statement's RETURNING has them."""
        return {row for cursor in cursors for row in cursor.fetchall()}


def array_literals(columns: Sequence[Column[Any]], rows: Sequence[Row]) -> list[str]:
    """A server's literal for each column (PostgreSQL, 8.15.2): a type of the driver's own for each value costs more."""
    return [_LITERALS[type(of.type)](of_column) for of, of_column in zip(columns, zip(*rows, strict=True), strict=True)]


def _numbers(column: Sequence[int | None]) -> str:
    return f"{{{','.join(map(str, column))}}}".replace("None", "NULL")


def _texts(column: Sequence[str | None]) -> str:
    if None not in column:  # nearly always: all at once, in half of the time
        together = _BETWEEN.join(cast(Sequence[str], column))
        if together.count(_BETWEEN) == len(column) - 1:
            return f"{{{_quoted(together).replace(_BETWEEN, _NEXT)}}}"
    return f"{{{','.join('NULL' if text is None else _quoted(text) for text in column)}}}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def _bytes(column: Sequence[bytes | None]) -> str:
    quoted = ["NULL" if data is None else f'"\\\\x{data.hex()}"' for data in column]
    return f"{{{','.join(quoted)}}}"


_BETWEEN: Final = "\x1f"
_NEXT: Final = '","'
_LITERALS: Final[Mapping[type[Any], Callable[[Sequence[Any]], str]]] = {
    BigInteger: _numbers,
    Text: _texts,
    LargeBinary: _bytes,
}


def _asked(columns: Mapping[str, Column[Any]], count: int | None) -> FromClause:
    """`asked`, a table of parameters: an array for each column, or a row of parameters for each of so many rows."""
    if count is None:
        arrays = [bindparam(str(m), type_=ARRAY(like.type)) for m, like in enumerate(columns.values())]
        return func.unnest(*arrays).table_valued(*columns, name="asked").render_derived()
    names = [column(name, like.type) for name, like in columns.items()]
    data = [tuple(bindparam(f"{n}_{m}", type_=names[m].type) for m in range(len(names))) for n in range(count)]
    return values(*names, name="asked").data(data).cte("asked")


def _adding(table: Table, count: int | None) -> Insert:
    if count is None:
        names = [of.name for of in table.c]
        return insert_or(table).from_select(names, select(_asked(dict(zip(names, table.c, strict=True)), None)))
    rows = [{of.name: bindparam(f"{n}_{m}", type_=of.type) for m, of in enumerate(table.c)} for n in range(count)]
    return insert_or(table).values(rows)


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
