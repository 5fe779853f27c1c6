"""The child of the kill loop: commits facts and says so, uploads over its standard streams, until it is killed.

Lines out: `saved <n>` once fact n is on the disk; `send <key> <hex of the body>` for a batch. Lines in: the answer to
the last `send`, a JSON object. `python -m tests.properties.mortal <state directory> [<no more facts than>]`
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiosk.clock import SystemClock
from kiosk.facts import Facts
from kiosk.state import open_store
from kiosk.store.errors import StoreError
from kiosk.sync import faults
from kiosk.sync.faults import Answer
from kiosk.sync.outbox import Outbox, pending
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import Uploader


class Streams:
    """The channel: whoever holds the other ends is the backend."""

    def call_raw(self, route: str, body: bytes, idempotency_key: str, /) -> Answer:
        """See `EventChannel`."""
        del route
        print("send", idempotency_key, body.hex(), flush=True)
        line = sys.stdin.readline()
        return dict(json.loads(line)) if line else faults.network("nobody there")

    def call(self, route: str, body: Mapping[str, Any], /) -> Answer:
        """See `EventChannel`."""
        raise AssertionError("only a new enrolment, or many failures, make an uploader ask")


def main(state: Path, most: int) -> None:
    """Until killed, or until all is told."""
    store = open_store(state)
    if isinstance(store, StoreError):
        raise SystemExit(f"{store.field}: {store.reason}")
    clock = SystemClock()
    facts = Facts(store, Outbox(clock), lambda: int(clock.utc_s() * 1000))
    uploader = Uploader(store, Streams(), clock, Turn("borne-7", clock))
    number = store.submit(lambda tx: tx.execute("SELECT count(*) FROM journal")[0][0]).result()
    assert isinstance(number, int)
    while number < most or store.submit(pending).result():
        for _ in range(5):
            if number < most:
                number += 1
                facts.commit(
                    "update_ended", {"outcome": "updated", "packages": number, "apdus": 0, "wrote": True}
                ).result()
                print("saved", number, flush=True)
        uploader.step()
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10**9)
