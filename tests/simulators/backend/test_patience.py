"""Waiting for the database's thread: what has ended together wakes the loop once; what takes too long is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, cast

import pytest

from simulators.backend import patience
from simulators.backend.database import Database, DatabaseBusy
from simulators.backend.patience import Patience


class Thread:
    """A database whose thread does nothing until a test says so."""

    def __init__(self) -> None:
        self.asked: list[Future[Any]] = []

    def submit(self, _work: Callable[[Any], Any]) -> Future[Any]:
        self.asked.append(Future())
        return self.asked[-1]


def test_a_group_wakes_the_loop_once_and_each_gets_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> list[int | BaseException]:
        loop, waiting = asyncio.get_running_loop(), Patience(cast(Database, Thread()))
        wakes: list[object] = []
        real = loop.call_soon_threadsafe

        def wake(*of: Any) -> asyncio.Handle:
            wakes.append(of)
            return real(*of)

        monkeypatch.setattr(loop, "call_soon_threadsafe", wake)
        asked: list[Future[int]] = [Future() for _ in range(4)]
        answers = [asyncio.ensure_future(waiting.answer(each)) for each in asked]
        await asyncio.sleep(0)
        for number, each in enumerate(asked[:3]):
            assert each.set_running_or_notify_cancel()
            each.set_result(number)
        asked[3].set_exception(DatabaseBusy("locked"))
        told = await asyncio.gather(*answers, return_exceptions=True)
        assert len(wakes) == 1
        late: Future[int] = Future()
        last = asyncio.ensure_future(waiting.answer(late))
        await asyncio.sleep(0)
        late.set_result(9)  # after the loop has looked: it is woken again
        assert await last == 9
        assert len(wakes) == 2
        return told

    told = asyncio.run(run())
    assert told[:3] == [0, 1, 2]
    assert isinstance(told[3], DatabaseBusy)


def test_what_has_not_begun_in_time_is_never_done_and_nothing_more_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "ANSWER_LIMIT_S", 0.0)

    async def run() -> None:
        thread = Thread()
        waiting = Patience(cast(Database, thread))
        asked: Future[int] = Future()
        with pytest.raises(DatabaseBusy, match="no answer in time"):
            await waiting.answer(asked)
        assert asked.cancelled()
        assert waiting.is_over
        (back,) = thread.asked
        back.set_result(None)  # the thread has come to what was put behind it all
        assert not waiting.is_over

    asyncio.run(run())


def test_who_stops_waiting_takes_the_question_back() -> None:
    async def run() -> None:
        asked: Future[int] = Future()
        task = asyncio.ensure_future(Patience(cast(Database, Thread())).answer(asked))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asked.cancelled()

    asyncio.run(run())


def test_an_answer_at_the_last_moment_is_one() -> None:
    async def run() -> None:
        thread, asked = Thread(), Future[int]()
        waiting = Patience(cast(Database, thread))
        answer = asyncio.ensure_future(waiting.answer(asked))
        await asyncio.sleep(0)
        asked.set_result(7)
        loop, [told] = asyncio.get_running_loop(), [ended for ended, _ in waiting._ended]
        loop.call_soon(waiting._give_up, told)  # the limit, in the same turn
        assert await answer == 7
        assert (thread.asked, waiting.is_over) == ([], False)

    asyncio.run(run())
