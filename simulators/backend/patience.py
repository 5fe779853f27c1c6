"""Waiting for the database's thread, but not for ever: a server that is frozen must not freeze whoever asks it."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from simulators.backend.database import Database, DatabaseBusy

T = TypeVar("T")

ANSWER_LIMIT_S: Final = 5.0
"""Longer than a full queue or a row that somebody else holds takes, shorter than any kiosk waits for its answer."""


class Patience:
    """Of one event loop. Once it has waited in vain, nothing more is asked until the thread has come back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._back: Future[Any] | None = None
        self._ended: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._is_woken = False

    @property
    def is_over(self) -> bool:
        """Whether the thread still does what it was last waited for in vain."""
        return self._back is not None and not self._back.done()

    async def answer(self, asked: Future[T]) -> T:
        """What was asked of this database; raises DatabaseBusy after ANSWER_LIMIT_S.

        What has not begun by then is never done. What has begun may yet be: only a repeat tells.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        asked.add_done_callback(partial(self._end, loop, answer))
        in_vain = loop.call_later(ANSWER_LIMIT_S, self._give_up, answer)
        try:
            return await answer
        finally:
            in_vain.cancel()
            asked.cancel()  # no more than a look at one that has ended

    def _end(self, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Any], asked: Future[Any]) -> None:
        """In the thread: a group's futures end one after the other, and wake the loop once."""
        self._ended.append((answer, asked))
        if not self._is_woken:
            self._is_woken = True
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._is_woken = False  # before the look: what comes after it wakes again
        while self._ended:
            answer, asked = self._ended.popleft()
            if answer.done():
                continue
            if error := asked.exception():
                answer.set_exception(error)
            else:
                answer.set_result(asked.result())

    def _give_up(self, answer: asyncio.Future[Any]) -> None:
        if answer.done():  # in this very turn of the loop
            return
        if not self.is_over:
            self._back = self._database.submit(lambda _: None)
        answer.set_exception(DatabaseBusy("no answer in time"))
