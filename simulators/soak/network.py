"""The wire between kiosk and centre, cut on demand: before a request has left, or after it was carried out.

While a member waits for the centre, a lasting cut costs the kiosk's clock the time it would have waited, and no more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from unittest.mock import patch

from kiosk.sync.wire import RawAnswer, Wire, WireFailure
from simulators.soak.clock import JumpingClock

MEMBERS_THREADS = ("questions", "relay")
MARGIN_S = 0.5


class Side(StrEnum):
    """Where an exchange is cut."""

    BEFORE = "before"  # the request never leaves
    AFTER = "after"  # the centre carries it out, its answer is lost


@dataclass(frozen=True, slots=True)
class Cut:
    """From the `at`-th exchange of a member's visit on (1 = the next): one exchange, or all until `mend`."""

    side: Side
    at: int = 1
    lasting: bool = False


class Network:
    """`before_exchange(number)` runs on the member's thread before each exchange that a member waits for.

    centre_gone: its process was stopped. has_cut: whether the staged cut has met an exchange.
    """

    def __init__(self, clock: JumpingClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._cut: Cut | None = None
        self._since = 0
        self.centre_gone = False
        self.has_cut = False
        self._upload_lost = False
        self.before_exchange: Callable[[int], None] = lambda _number: None

    def cut(self, cut: Cut) -> None:
        """Stage a cut; the numbers begin again."""
        with self._lock:
            self._cut, self._since, self.has_cut, self._upload_lost = cut, 0, False, False

    def count_from_here(self) -> None:
        """The next exchange of the member's is number 1."""
        with self._lock:
            self._since = 0

    def mend(self) -> None:
        """All is well again."""
        with self._lock:
            self._cut = None
            self.before_exchange = lambda _number: None

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Every `Wire` of this process runs through here meanwhile."""
        real, network = Wire.exchange, self

        def exchange(wire: Wire, *args: Any, deadline_s: float, **limits: Any) -> RawAnswer | WireFailure:
            return network._pass(lambda: real(wire, *args, deadline_s=deadline_s, **limits), deadline_s)

        with patch.object(Wire, "exchange", exchange):
            yield

    def _pass(self, send: Callable[[], RawAnswer | WireFailure], deadline_s: float) -> RawAnswer | WireFailure:
        if not threading.current_thread().name.startswith(MEMBERS_THREADS):
            return self._in_background(send)
        with self._lock:
            self._since += 1
            number, cut = self._since, self._cut
            due = cut is not None and (number >= cut.at if cut.lasting else number == cut.at)
        self.before_exchange(number)
        if cut is None or not due:
            answer = send()
            if isinstance(answer, WireFailure) and self.centre_gone:
                self._clock.pass_s(deadline_s + MARGIN_S)
            return answer
        self.has_cut = True
        if cut.side is Side.AFTER and number == cut.at:
            send()
        if cut.lasting:
            self._clock.pass_s(deadline_s + MARGIN_S)
        return WireFailure("cut")

    def _in_background(self, send: Callable[[], RawAnswer | WireFailure]) -> RawAnswer | WireFailure:
        """The uploader's. A lasting cut behind a send takes the first answer of the uploader's too."""
        with self._lock:
            cut = self._cut
            is_cut = cut is not None and cut.lasting and self._since >= cut.at
            loses_answer = is_cut and cut is not None and cut.side is Side.AFTER and not self._upload_lost
            self._upload_lost = self._upload_lost or loses_answer
        if loses_answer or not is_cut:
            answer = send()
        return WireFailure("cut") if is_cut else answer
