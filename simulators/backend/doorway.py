"""Lets connections in a few at a time: an avalanche of TLS handshakes must not starve those who are connected.

All handshakes of a loop share one processor. Started all at once they all end late, most of them too late for their
kiosk, which then comes again; and each answer to somebody connected waits for all of them. Whoever is not let in yet
waits where it costs nothing, in the socket's backlog, and in order.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from simulators.backend.http_protocol import HEADER_LIMIT_S

AT_ONCE: Final = 32
"""Handshakes under way, each about 1.5 ms of processor: nobody connected waits for more than some 50 ms of them."""
COUNTS_FOR_S: Final = 1.0
"""A handshake that takes longer waits for its peer: it keeps nobody out any more, so that those who connect and say
nothing cannot shut the door."""
PAUSE_S: Final = 1.0
"""After the process could open no further file."""


class Doorway:
    """Of one listening socket, which it closes."""

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext | None, protocol: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        """`sock`: it listens and does not block. context: None for a listener without TLS."""
        self._loop = asyncio.get_running_loop()
        self._sock, self._context, self._protocol = sock, context, protocol
        self._entering: set[asyncio.Task[None]] = set()
        self._counting: set[asyncio.Task[None]] = set()
        self._is_watching = False
        self._look()

    @property
    def counting(self) -> int:
        """How many handshakes are under way that keep others out."""
        return len(self._counting)

    def close(self) -> None:
        """Let nobody in any more; who is on the threshold may still enter."""
        self._look_away()
        self._sock.close()

    def _look(self) -> None:
        if not self._is_watching and self._sock.fileno() >= 0:
            self._is_watching = True
            self._loop.add_reader(self._sock.fileno(), self._let_in)

    def _look_away(self) -> None:
        if self._is_watching:
            self._is_watching = False
            self._loop.remove_reader(self._sock.fileno())

    def _let_in(self) -> None:
        while self.counting < AT_ONCE:
            try:
                connection, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._look_away()
                self._loop.call_later(PAUSE_S, self._look)
                return
            if self._context and _has_left(connection):
                connection.close()
                continue
            connection.setblocking(False)
            task = self._loop.create_task(self._enter(connection))
            self._entering.add(task)
            self._counting.add(task)
            late = self._loop.call_later(COUNTS_FOR_S, self._count_no_more, task)
            task.add_done_callback(self._entering.discard)
            task.add_done_callback(self._count_no_more)
            task.add_done_callback(lambda _, late=late: late.cancel())  # type: ignore[misc]  # mypy: default of a lambda
        self._look_away()

    async def _enter(self, connection: socket.socket) -> None:
        with suppress(OSError):  # the peer's doing; its connection is closed
            await self._loop.connect_accepted_socket(
                self._protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=HEADER_LIMIT_S if self._context else None,
                ssl_shutdown_timeout=1.0 if self._context else None,
            )

    def _count_no_more(self, task: asyncio.Task[None]) -> None:
        self._counting.discard(task)
        if self.counting < AT_ONCE:
            self._look()


def _has_left(connection: socket.socket) -> bool:
    """Whether the peer has given up while it waited outside: its handshake would be work for nobody."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))
