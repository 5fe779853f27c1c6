"""The backend's process of a soak: the real server, plus a line of JSON on stdin that opens its books.

The centre's database admits one process only, so whoever wants to look, or to give a card its orders back, asks here.
Requests: `{"do": "reset", "persona": name, "tag": hex}`, `{"do": "books", "serial": digits}`, `{"do": "events"}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, delete, insert, select, update

from simulators.backend import schema
from simulators.backend.database import Database
from simulators.backend.files import DataDir
from simulators.backend.server import Ready, serve
from simulators.backend.simfiles import Content
from simulators.personas import load


def perform(connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
    """One request, inside a transaction."""
    match request["do"]:
        case "reset":
            return _reset(connection, request["persona"], request["tag"])
        case "books":
            return _books(connection, request["serial"])
        case "events":
            return _events(connection)
        case other:
            raise ValueError(f"do: unknown request {other!r}")


def _reset(connection: Connection, name: str, tag: str) -> dict[str, Any]:
    """The centre knows of this card what it knew at first, and has its orders again under numbers never used before."""
    persona = load(name)
    chip, centre = persona.card.chip, persona.centre
    if chip is None or centre is None:
        return {}
    for table in (schema.update_order, schema.conversation, schema.identity_try, schema.proof, schema.code):
        connection.execute(delete(table).where(table.c.serial == chip.serial))
    content = json.dumps(Content(chip.organisation, chip.rights).to_json())
    connection.execute(update(schema.card).where(schema.card.c.serial == chip.serial).values(content_json=content))
    for position, order in enumerate(centre.orders):
        connection.execute(
            insert(schema.update_order).values(
                serial=chip.serial,
                update_id=f"{tag}{position:02x}",
                position=position,
                service=order.service,
                priority=order.priority,
                description=order.description,
                after_json=json.dumps(Content(order.after.organisation, order.after.rights).to_json()),
                done=False,
            )
        )
    return {}


def _books(connection: Connection, serial: str) -> dict[str, Any]:
    """Orders not done, conversations not ended, what the centre believes to be on the chip."""
    orders, conversations, card = schema.update_order.c, schema.conversation.c, schema.card.c
    not_done = select(orders.update_id).where(orders.serial == serial, orders.done.is_(False))
    not_ended = select(conversations.id).where(conversations.serial == serial, conversations.state == "open")
    content = connection.execute(select(card.content_json).where(card.serial == serial)).scalar_one()
    return {
        "pending": len(connection.execute(not_done).all()),
        "open": len(connection.execute(not_ended).all()),
        "content": json.loads(content),
    }


def _events(connection: Connection) -> dict[str, Any]:
    """How often each fact (type and body) was applied, and whether a number of an aggregate is missing or doubled."""
    table = schema.event.c
    rows = connection.execute(select(table.aggregate, table.aggregate_seq, table.type, table.body_json)).all()
    facts = Counter(f"{kind} {json.dumps(json.loads(body), sort_keys=True)}" for _, _, kind, body in rows)
    numbers: dict[str, list[int]] = {}
    for aggregate, number, _, _ in rows:
        numbers.setdefault(aggregate, []).append(number)
    gaps = sum(sorted(found) != list(range(1, len(found) + 1)) for found in numbers.values())
    return {"facts": dict(facts), "gaps": gaps}


def main() -> None:
    """Serve the data directory of the first argument until SIGTERM or the end of stdin."""
    os.umask(0o077)
    opened: list[Database] = []
    create = Database.__init__

    def remember(database: Database, path: Path) -> None:
        create(database, path)
        opened.append(database)

    with patch.object(Database, "__init__", remember):
        asyncio.run(_serve(DataDir(Path(sys.argv[1])), lambda: opened[0]))


async def _serve(data: DataDir, database: Callable[[], Database]) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def answer() -> None:
        for line in sys.stdin:
            request = json.loads(line)
            result = database().run(partial(perform, request=request))
            print(json.dumps(result), flush=True)
        loop.call_soon_threadsafe(stop.set)  # whoever asked is gone, killed perhaps

    def on_ready(ready: Ready) -> None:
        print(ready.to_json(), flush=True)
        threading.Thread(target=answer, name="books", daemon=True).start()

    await serve(data, stop=stop, on_ready=on_ready)


if __name__ == "__main__":
    main()
