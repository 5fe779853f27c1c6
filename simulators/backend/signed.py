"""The signed listener with its revocation list: of the process that holds the database, or of a front."""

from __future__ import annotations

import asyncio
import socket
import ssl

from kiosk.sync.keys import SoftwareKey
from simulators.backend.app import SignedApp
from simulators.backend.books import Books
from simulators.backend.certificates import ListInForce
from simulators.backend.clock import UtcSeconds
from simulators.backend.listener import Listener
from simulators.backend.metrics import Metrics
from simulators.backend.registry import KeyRegistry


class SignedListener:
    """Opened with `open`."""

    def __init__(self, listener: Listener, revoked: ListInForce) -> None:
        self._listener, self._revoked = listener, revoked
        self._keeping = asyncio.create_task(revoked.keep())

    @classmethod
    async def open(
        cls,
        books: Books,
        registry: KeyRegistry,
        server_key: SoftwareKey,
        sock: socket.socket,
        context: ssl.SSLContext,
        *,
        origin: str,
        metrics: Metrics,
        utc_s: UtcSeconds,
    ) -> SignedListener:
        """Serve; the list is loaded before anybody can connect. Raises DatabaseBusy."""
        revoked = ListInForce(context, books.revocation_list)
        await revoked.refresh()
        app = SignedApp(books, registry, server_key, origin, utc_s)
        return cls(await Listener.open(app, sock, context, metrics), revoked)

    async def refresh(self) -> None:
        """A certificate may have been revoked just now."""
        await self._revoked.refresh()

    async def drain(self) -> None:
        """Finish the requests at hand."""
        self._keeping.cancel()
        await self._listener.drain()
