"""Waiting for the database's thread, but not for ever: a server that is frozen must not freeze whoever asks it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
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

    @property
    def is_over(self) -> bool:
        """Whether the thread still does what it was last waited for in vain."""
        return self._back is not None and not self._back.done()

    async def answer(self, asked: Future[T]) -> T:
        """What was asked of this database; raises DatabaseBusy after ANSWER_LIMIT_S.

        What has not begun by then is never done. What has begun may yet be: only a repeat tells.
        """
        try:
            return await asyncio.wait_for(asyncio.wrap_future(asked), ANSWER_LIMIT_S)
        except TimeoutError:
            if not self.is_over:
                self._back = self._database.submit(lambda _: None)
            raise DatabaseBusy("no answer in time") from None
