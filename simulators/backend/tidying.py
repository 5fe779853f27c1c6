"""Forgetting what is past its use, at most once a second and never in a request's own transaction."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Final

from sqlalchemy import Connection, delete, select, tuple_, update

from simulators.backend import schema
from simulators.backend.database import Database

AT_ONCE: Final = 1000
"""Rows a transaction may take: nobody waits long behind it."""


class Tidying:
    """Called with the time of each request; several processes on one database do not wait for each other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tidy_at_s = 0

    def at(self, now_s: int) -> None:
        """Ask for it if it has not been done at this second."""
        if now_s > self._tidy_at_s:
            self._tidy_at_s = now_s
            self._ask(now_s)

    def _ask(self, now_s: int) -> None:
        def again_if_more(done: Future[bool]) -> None:
            if done.exception() is None and done.result():
                self._ask(now_s)

        self._database.submit(lambda connection: forget_old(connection, now_s)).add_done_callback(again_if_more)


def forget_old(connection: Connection, now_s: int) -> bool:
    """Drop nonces past their use, empty answers past their life; True when there may be more of either.

    Only space and secrets depend on it: whether an answer is gone is judged by its time.
    """
    nonce, stored = schema.nonce, schema.response
    old = (
        select(nonce.c.keyid, nonce.c.nonce)
        .where(nonce.c.keep_until_s < now_s)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    ended = (
        select(stored.c.kiosk, stored.c.idem_key)
        .where(stored.c.gone_at_s <= now_s, stored.c.body.is_not(None))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    dropped = connection.execute(delete(nonce).where(tuple_(nonce.c.keyid, nonce.c.nonce).in_(old)))
    emptied = connection.execute(
        update(stored).where(tuple_(stored.c.kiosk, stored.c.idem_key).in_(ended)).values(body=None)
    )
    return AT_ONCE in (dropped.rowcount, emptied.rowcount)
