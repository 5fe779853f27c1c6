"""Fronts: processes that take the signed requests for the one that holds the database.

TLS, HTTP and signatures there; judgement and effect here: each has a core of its own (docs/decisions/0016).
"""

from __future__ import annotations

import socket
from asyncio.subprocess import Process
from dataclasses import dataclass

from simulators.backend.books import Books
from simulators.backend.children import Child, Children, spawn
from simulators.backend.files import DataDir
from simulators.backend.link import serve_books
from simulators.backend.registry import KeyRegistry


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has the database, as its fronts need it."""

    data: DataDir
    origin: str
    sock: socket.socket  # bound; all its fronts accept from it
    books: Books
    registry: KeyRegistry  # what `books` knows keys from

    def fronts(self, count: int) -> Children:
        """So many, not yet started."""
        return Children(Child("front", self._begin) for _ in range(count))

    async def _begin(self) -> Process:
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = [self.sock.fileno(), theirs.fileno()]
            order = {"data": str(self.data.root), "origin": self.origin, "descriptors": descriptors}
            try:
                process = await spawn("simulators.backend.front", order, descriptors)
            except OSError:
                ours.close()
                raise
        await serve_books(ours, self.books, self.registry)
        return process
