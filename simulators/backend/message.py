"""One message to a PostgreSQL server: statements that are sent together, and their answers.

The driver's own pipeline sends each statement by itself: server and client wake each other as many times. Here libpq's
pipeline mode is filled first, through the driver's low-level interface; connection, transaction state, errors and the
types of answers stay the driver's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.generators import fetch_many, send
from psycopg.pq.abc import PGresult

_DONE: Final = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


class Reply:
    """Of one statement; it has rows once the message was sent."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []

    def fetchall(self) -> list[tuple[Any, ...]]:
        """As a cursor has them."""
        return self._rows

    def take(self, rows: list[tuple[Any, ...]]) -> None:
        """The answer."""
        self._rows = rows


class Message:
    """Filled with `execute`, gone with `send`. A transaction begins with it, if none is open."""

    def __init__(self, driver: psycopg.Connection[Any], prepared: dict[str, bytes]) -> None:
        """`prepared`: names of the statements that this connection knows; those that it learns are added."""
        self._driver, self._prepared = driver, prepared
        self._statements: list[tuple[str, list[bytes], Reply]] = []
        self._commits = False

    def execute(self, sql: str, parameters: Sequence[str]) -> Reply:
        """One more statement, with the server's own placeholders."""
        reply, encoding = Reply(), self._driver.info.encoding
        self._statements.append((sql, [parameter.encode(encoding) for parameter in parameters], reply))
        return reply

    def commit(self) -> None:
        """After what is in it."""
        self._commits = True

    def send(self) -> None:
        """Raises psycopg.Error: what the first statement that failed was answered; none after it was done."""
        if self._statements or self._commits:
            self._driver.wait(self._exchange())

    def _exchange(self) -> PQGen[None]:
        connection = self._driver.pgconn
        begins = connection.transaction_status == pq.TransactionStatus.IDLE
        new: dict[str, bytes] = {}
        awaited: list[Reply | str | None] = []  # for each answer there will be; a text: that of its preparation
        connection.enter_pipeline_mode()
        if begins:
            connection.send_query_params(b"BEGIN", None)
            awaited.append(None)
        for sql, parameters, reply in self._statements:
            name = self._prepared.get(sql) or new.get(sql)
            if name is None:
                name = new[sql] = b"kiosk_%d" % (len(self._prepared) + len(new))
                connection.send_prepare(name, sql.encode("ascii"))
                awaited.append(sql)
            connection.send_query_prepared(name, parameters)
            awaited.append(reply)
        if self._commits:
            connection.send_query_params(b"COMMIT", None)
            awaited.append(None)
        connection.pipeline_sync()
        yield from send(connection)
        results: list[PGresult] = []
        while len(results) <= len(awaited) and (found := (yield from fetch_many(connection))):
            results += found
        if connection.status == pq.ConnStatus.OK:
            connection.exit_pipeline_mode()
        types = Transformer(self._driver)
        for wanted, result in zip(awaited, results, strict=False):
            if result.status not in _DONE:
                raise error_from_result(result, encoding=self._driver.info.encoding)
            if isinstance(wanted, str):
                self._prepared[wanted] = new[wanted]  # for the connection's life, whatever becomes of the transaction
            elif wanted is not None and result.status == pq.ExecStatus.TUPLES_OK:
                types.set_pgresult(result)
                wanted.take(types.load_rows(0, result.ntuples, tuple))
        if len(results) <= len(awaited):  # the last says that the message has been read to its end
            raise psycopg.OperationalError("the server has gone")
