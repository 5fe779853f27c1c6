"""Forgetting what is past its use, at most once a second and never in a request's own transaction."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Final

from sqlalchemy import Connection, delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as insert_or  # both engines compile it

from simulators.backend import schema
from simulators.backend.database import Database

AT_ONCE: Final = 1000
"""Rows a transaction may take: nobody waits long behind it."""
READ_ONLY: Final = ("/v1/policy/state", "/v1/sync/state", "/v1/relay/flags")
"""Routes that change nothing: their answers leave nothing behind."""


class Tidying:
    """Called with the time of each request; several processes on one database do not wait for each other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tidied_at_s = 0

    def at(self, now_s: int) -> None:
        """Ask for it if it has not been done at this second."""
        if now_s != self._tidied_at_s:  # nor less often when the clock has gone back
            self._tidied_at_s = now_s
            self._ask(now_s)

    def _ask(self, now_s: int) -> None:
        def again_if_more(done: Future[bool]) -> None:
            if done.exception() is None and done.result():
                self._ask(now_s)

        self._database.submit(lambda connection: forget_old(connection, now_s)).add_done_callback(again_if_more)


def forget_old(connection: Connection, now_s: int) -> bool:
    """Drop nonces and repeatable answers past their use, empty other answers past their life; True: there may be more.

    Only space and secrets depend on it: whether an answer is gone is judged by its time. What a route has *done* is
    remembered for ever, since a kiosk may sign a repeat anew whenever it likes.
    """
    stored = schema.response
    due = (
        select(stored.c.kiosk, stored.c.idem_key)
        .where(stored.c.gone_at_s <= now_s, stored.c.body.is_not(None))
        .order_by(stored.c.gone_at_s)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    is_due = tuple_(stored.c.kiosk, stored.c.idem_key).in_(due)
    dropped = connection.execute(delete(stored).where(is_due, stored.c.path.in_(READ_ONLY)))
    emptied = connection.execute(update(stored).where(is_due, stored.c.path.not_in(READ_ONLY)).values(body=None))
    forgotten = _forget_nonces(connection, now_s)
    return forgotten == AT_ONCE or dropped.rowcount + emptied.rowcount >= AT_ONCE


def _forget_nonces(connection: Connection, now_s: int) -> int:
    """How many. The latest of their times is kept: should our clock go back, no message of theirs is new again."""
    nonce = schema.nonce
    old = (
        select(nonce.c.keyid, nonce.c.nonce)
        .where(nonce.c.keep_until_s < now_s, nonce.c.keyid != "")
        .order_by(nonce.c.keep_until_s)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    times_s = connection.scalars(
        delete(nonce).where(tuple_(nonce.c.keyid, nonce.c.nonce).in_(old)).returning(nonce.c.keep_until_s)
    ).all()
    if times_s:
        latest = insert_or(nonce).values(keyid="", nonce="", keep_until_s=max(times_s))
        connection.execute(
            latest.on_conflict_do_update(
                index_elements=[nonce.c.keyid, nonce.c.nonce],
                set_={"keep_until_s": latest.excluded.keep_until_s},
                where=nonce.c.keep_until_s < latest.excluded.keep_until_s,
            )
        )
    return len(times_s)
