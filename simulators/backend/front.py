"""A front: a process with the signed listener and no database, and no key but the server's signing and TLS keys."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

from simulators.backend.authority import server_key
from simulators.backend.children import collect_rarely, order_of_parent, run
from simulators.backend.clock import system_utc_s
from simulators.backend.files import DataDir
from simulators.backend.link import RemoteBooks
from simulators.backend.metrics import Metrics
from simulators.backend.registry import KeyRegistry
from simulators.backend.signed import SignedListener
from simulators.backend.tls import ServerTls


async def main() -> None:
    """The process: until it is told to stop."""
    stop = asyncio.Event()
    order = order_of_parent(stop)
    data, books = DataDir(Path(order["data"])), RemoteBooks()
    tls = ServerTls(data)
    sock, link = (socket.socket(fileno=number) for number in order["descriptors"])
    await books.connect(link, _holder_ended)
    listener = await SignedListener.open(
        books,
        KeyRegistry(),
        server_key(data),
        sock,
        tls.signed,
        origin=order["origin"],
        metrics=Metrics(),
        utc_s=system_utc_s,
    )
    collect_rarely()
    print("ready", flush=True)
    with tls.kept():
        await stop.wait()
    await listener.drain()
    books.close()


def _holder_ended() -> None:
    """Whether what was asked has had its effect is unknown: silence is the only true answer."""
    sys.stderr.flush()
    os._exit(os.EX_UNAVAILABLE)


if __name__ == "__main__":
    run(main())
