"""Forgetting what is past its use, at most once a second and never in a request's own transaction."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as insert_or  # both engines compile it

from simulators.backend import schema
from simulators.backend.centre import SILENCE_S
from simulators.backend.clock import SECONDS_PER_DAY
from simulators.backend.database import Database

AT_ONCE: Final = 1000
"""Rows a transaction may take: nobody waits long behind it."""
READ_ONLY: Final = ("/v1/policy/state", "/v1/sync/state", "/v1/relay/flags")
"""Routes that change nothing: their answers leave nothing behind."""

CONVERSATION_KEPT_S: Final = 10 * SILENCE_S
TICKET_KEPT_S: Final = 30 * SECONDS_PER_DAY


class Tidying:
    """Called with the time of each request; several processes on one database do not wait for each other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wanted_at_s = 0
        self._is_asked = False

    def at(self, now_s: int) -> None:
        """Ask for it if it has not been asked for at this second; before a server that is frozen waits one at most."""
        if now_s != self._wanted_at_s:  # nor less often when the clock has gone back
            self._wanted_at_s = now_s
            if not self._is_asked:
                self._ask()

    def _ask(self) -> None:
        self._is_asked, now_s = True, self._wanted_at_s

        def again(done: Future[bool]) -> None:
            """In the database's thread. `at` changes the time before it looks: it is seen here, or there."""
            self._is_asked = False
            if self._wanted_at_s != now_s or (done.exception() is None and done.result()):
                self._ask()

        self._database.submit(lambda connection: forget_old(connection, now_s)).add_done_callback(again)


def forget_old(connection: Connection, now_s: int) -> bool:
    """Drop what is past its use, empty other answers past their life; True: there may be more.

    Only space and secrets depend on it: whether an answer is gone is judged by its time. What a route has *done* is
    remembered for ever, since a kiosk may sign a repeat anew whenever it likes: keys and hashes of its requests,
    numbers of batches, events (channel reference §4.4).
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
    counts = (
        dropped.rowcount + emptied.rowcount,
        _forget_nonces(connection, now_s),
        _forget_conversations(connection, now_s),
        _forget_tickets(connection, now_s),
    )
    return max(counts) >= AT_ONCE


def _forget_nonces(connection: Connection, now_s: int) -> int:
    """How many. The latest of their times is kept: should our clock go back, no message of theirs is new again.

    For the same reason one of a time far ahead stays, left by a clock that was there: it could be new again then, or as
    soon as the clock is there once more.
    """
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


def _forget_conversations(connection: Connection, now_s: int) -> int:
    """How many. One that has ended, or was silent for too long, is told the same as one that never was: expired.

    Its packages are answers of their own; of its update the order and the card know. What it held of the card goes with
    it. Kept a little longer than its silence, which other processes measure by their own reading of the clock.
    """
    table = schema.conversation
    return _forget(connection, table, table.c.touched_s < now_s - CONVERSATION_KEPT_S)


def _forget_tickets(connection: Connection, now_s: int) -> int:
    """How many. One that has expired, spent or not, is refused as one that never was: 401, and nothing is counted.

    Kept for a while because only the log tells the two apart, to whoever looks why an enrolment failed.
    """
    table = schema.ticket
    return _forget(connection, table, table.c.expires_s < now_s - TICKET_KEPT_S)


def _forget(connection: Connection, table: Table, is_over: ColumnElement[bool]) -> int:
    (key,) = table.primary_key.columns
    # Two statements: as a part of the other, the planner of a server asks this one for every row of the table.
    over = connection.scalars(select(key).where(is_over).limit(AT_ONCE).with_for_update(skip_locked=True)).all()
    if over:
        connection.execute(delete(table).where(key.in_(over)))
    return len(over)
