"""The card worker: one thread per reader role, with its own PC/SC context and at most one dialogue.

A driver may block for ever and cannot be interrupted, so its limits are watched from outside, by the hub's watchdog.
When one is over the pending jobs are answered, the thread is abandoned (it ends by itself when the driver lets go; its
late results are dropped) and the hub makes a new worker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from kiosk.card.apdu import CommandApdu, ResponseApdu
from kiosk.hardware.pcsc.api import Disposition, PcscError, PcscProblem, Scard, denied_or_died, scard_call
from kiosk.hardware.pcsc.connection import CardConnection, CardLine, Deadlines, LinkError, Trace, open_connection
from kiosk.hardware.pcsc.monitor import SlotFilled
from kiosk.visit.ports import CardSession, Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BusyCall:
    """The blocking call in progress."""

    call: str
    until_s: float


class Job(Generic[T]):
    """Work on the card thread, answered once: by its result, or by the failure that came first."""

    def __init__(self, work: Callable[[Dialogue], T | LinkError], settled: Callable[[T | LinkError], None]) -> None:
        self._work = work
        self._settled = settled
        self._open = threading.Lock()

    def run(self, dialogue: Dialogue) -> None:
        """Do the work and answer, unless somebody has answered already."""
        self.settle(self._work(dialogue))

    def settle(self, result: T | LinkError) -> None:
        """Answer; every answer after the first is dropped."""
        if self._open.acquire(blocking=False):
            self._settled(result)


class Dialogue:
    """What a job may do with the card. Lives on the card thread."""

    def __init__(self, line: CardLine) -> None:
        self._line = line
        self._context: int | None = None
        self._connection: CardConnection | None = None
        self._session: CardSession | None = None

    def begin(self, session: CardSession, card: SlotFilled) -> LinkError | None:
        """Start a new dialogue from a powered-up card, ending the one there may be."""
        self.end()
        reader = card.reader
        if self._context is None:
            self._line.guard.enter("SCardEstablishContext", self._line.deadlines.connect_s)
            context = scard_call("SCardEstablishContext", reader, self._line.scard.establish_context())
            if isinstance(context, PcscError):
                context = denied_or_died(self._line.scard, context)
            late = self._line.guard.leave()
            if isinstance(context, PcscError):
                return LinkError(context.problem, str(context), command_sent=False)
            self._context = context
            if late is not None:
                return late
        opened = open_connection(self._line, self._context, reader, card.counter)
        if isinstance(opened, LinkError):
            if opened.problem is PcscProblem.SERVICE_LOST:
                self._drop_context()
            return opened
        self._connection, self._session = opened, session
        return None

    def exchange(self, session: CardSession, card: SlotFilled, command: CommandApdu) -> ResponseApdu | LinkError:
        """One command; connects on the first use of a card session, and never a second time by itself."""
        if self._session != session and (failed := self.begin(session, card)) is not None:
            return failed
        if self._connection is None:
            return LinkError(PcscProblem.CARD_RESET, "the dialogue was ended by the kiosk", command_sent=False)
        answer = self._connection.exchange(command)
        if isinstance(answer, LinkError) and answer.problem is PcscProblem.SERVICE_LOST:
            self._drop_context()
        return answer

    def end(self) -> None:
        """End the dialogue, if there is one, and switch the card off. The card session stays known as used."""
        self._close(Disposition.UNPOWER)

    def forget(self) -> None:
        """The card has left: end the dialogue without touching the card that may be in the slot by now."""
        self._close(Disposition.LEAVE)

    def leave(self) -> None:
        """End everything: the thread is about to end."""
        self.end()
        self._drop_context()

    def _close(self, disposition: Disposition) -> None:
        if self._connection is not None:
            self._connection.close(disposition)
            self._connection = None

    def _drop_context(self) -> None:
        if self._context is not None:
            self._line.guard.enter("SCardReleaseContext", self._line.deadlines.apdu_s)
            self._line.scard.release_context(self._context)
            self._line.guard.leave()
            self._context = None


class CardWorker:
    """One card thread, started at once. The watchdog calls `overdue` and `abandon`; the rest is for any thread."""

    def __init__(
        self,
        scard: Scard,
        name: str,
        *,
        clock: Clock,
        deadlines: Deadlines,
        trace: Trace | None,
        ended: Callable[[CardWorker], None],
    ) -> None:
        """`ended` is called on the card thread as its last act."""
        self._clock = clock
        self._ended = ended
        self._dialogue = Dialogue(CardLine(scard, self, deadlines, trace))
        self._lock = threading.Lock()
        self._busy: BusyCall | None = None
        self._late: LinkError | None = None  # why the thread was abandoned
        self._closed: LinkError | None = None  # why no further job is taken
        self._running: Job[Any] | None = None
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"card-{name}", daemon=True)
        self._thread.start()

    def submit(self, job: Job[Any]) -> None:
        """Queue a job. On an abandoned or stopped worker it is answered at once."""
        with self._lock:
            closed = self._closed
            if closed is None:
                self._jobs.put(job)
        if closed is not None:
            job.settle(LinkError(closed.problem, closed.detail, command_sent=False))

    def stop(self, wait_s: float) -> None:
        """Let the thread end after the jobs in its queue; wait for it that long."""
        with self._lock:
            self._closed = self._closed or LinkError(PcscProblem.READER_GONE, "the kiosk is stopping")
            self._jobs.put(None)
        self._thread.join(wait_s)

    @property
    def alive(self) -> bool:
        """Whether the thread is there; how long its calls take is the watchdog's concern."""
        return self._thread.is_alive()

    def overdue(self) -> BusyCall | None:
        """The blocking call in progress if it is over its limit; to be passed to `abandon`."""
        busy = self._busy
        return busy if busy is not None and self._clock.monotonic_s() >= busy.until_s else None

    def abandon(self, busy: BusyCall, problem: PcscProblem) -> bool:
        """Give up the thread in that call: answer its job and those behind it. False if the call has just ended."""
        with self._lock:
            if self._busy is not busy or self._late is not None:
                return False
            self._late = self._closed = LinkError(problem, f"{busy.call} over its limit")
            stale = [self._running, *self._drain()]
            self._jobs.put(None)
        sent = busy.call == "SCardTransmit"
        for job in stale:
            if job is not None:
                job.settle(LinkError(problem, self._late.detail, command_sent=sent))
            sent = False
        return True

    def enter(self, call: str, limit_s: float) -> None:
        """The card thread is about to block (see `Guard`)."""
        self._busy = BusyCall(call, self._clock.monotonic_s() + limit_s)

    def leave(self) -> LinkError | None:
        """The call returned (see `Guard`)."""
        with self._lock:
            self._busy = None
            return self._late

    def _drain(self) -> list[Job[Any]]:
        jobs = []
        try:
            while True:
                job = self._jobs.get_nowait()
                if job is not None:
                    jobs.append(job)
        except Empty:
            return jobs

    def _run(self) -> None:
        """The thread's body. A bug in a job ends the thread, but nobody waits for ever because of it."""
        bug = LinkError(PcscProblem.UNKNOWN, "the card thread failed")
        try:
            while (job := self._jobs.get()) is not None:
                self._running = job
                try:
                    job.run(self._dialogue)
                finally:
                    job.settle(bug)
                self._running = None
        finally:
            with self._lock:
                self._closed = self._closed or bug
                left = self._drain()
            for job in left:
                job.settle(bug)
            self._dialogue.leave()
            self._ended(self)
