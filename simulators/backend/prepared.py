"""Statements that run often, one request at a time: written in SQLAlchemy Core, compiled once for each dialect.

Building and compiling a statement anew costs more than most of ours take to run, even from the library's cache. What
is compiled here is the same SQL; what is left out is the result layer. Both drivers offer `connection.execute(sql,
parameters) -> cursor`, which is all that is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import ClauseElement


class Prepared:
    """One statement with named `bindparam`s. Results are the driver's rows: no type of ours needs converting."""

    def __init__(self, statement: Executable) -> None:
        assert isinstance(statement, ClauseElement)  # noqa: S101  # every Core statement is one
        self._statement = statement
        self._compiled: dict[str, tuple[str, tuple[tuple[str, Any], ...]]] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Execute in the connection's transaction; returns the driver's cursor."""
        compiled = self._compiled.get(connection.dialect.name)
        sql, binds = self._compile(connection.dialect) if compiled is None else compiled
        driver: Any = connection.connection.driver_connection
        return driver.execute(sql, [values.get(name, default) for name, default in binds])

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[tuple[str, Any], ...]]:
        compiled = self._statement.compile(dialect=dialect)
        names = getattr(compiled, "positiontup", None)
        assert names is not None  # noqa: S101  # both engines are opened with positional parameters
        entry = str(compiled), tuple((name, compiled.params[name]) for name in names)
        self._compiled[dialect.name] = entry
        return entry
