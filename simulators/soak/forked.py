"""A kiosk in a forked process of its own, so that it can be killed; what it asks of the centre goes through its parent.

The parent must have no threads: it keeps the centre's process, which outlives every kiosk.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, TextIO

from kiosk.settings import Settings
from kiosk.visit.ports import Bitmap
from kiosk.visit.values import TicketContent
from simulators.soak.centre import Centre
from simulators.soak.rig import Rig, running

Work = Callable[[Rig], dict[str, Any]]
"""Done with the kiosk, in the child; its result (JSON values) is the child's last word."""


@dataclass(slots=True)
class End:
    """How a forked kiosk ended. `killed`: by SIGKILL. `said`: its last word."""

    killed: bool
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def violations(self) -> list[str]:
        """What it found."""
        return ["the kiosk's process died"] if self.killed else list(self.said.get("violations", []))


def forked(settings: Settings, centre: Centre, work: Work) -> End:
    """Run a kiosk in a child process and serve what it asks of the centre until it has ended."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        _child(settings, theirs, work)
    theirs.close()
    said: dict[str, Any] = {}
    with ours, ours.makefile("rw", encoding="utf-8") as line:
        for text in line:
            request = json.loads(text)
            if request["call"] == "end":
                said = request
                break
            line.write(json.dumps(_serve(centre, request)) + "\n")
            line.flush()
    _, status = os.waitpid(child, 0)
    return End(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, said)


def _serve(centre: Centre, request: dict[str, Any]) -> dict[str, Any]:
    match request["call"]:
        case "stop":
            centre.stop(kill=request["kill"])
        case "start":
            centre.start()
        case _:
            return centre.ask(request["do"], **request["values"])
    return {}


# --- in the child ------------------------------------------------------------------------------------------------


class _Remote:
    """The centre, asked through the parent: see `Centre`."""

    def __init__(self, line: TextIO) -> None:
        self._line, self._lock = line, threading.Lock()

    def stop(self, *, kill: bool) -> None:
        """See `Centre`."""
        self._call({"call": "stop", "kill": kill})

    def start(self) -> None:
        """See `Centre`."""
        self._call({"call": "start"})

    def ask(self, do: str, **values: Any) -> dict[str, Any]:
        """See `Centre`."""
        return self._call({"call": "ask", "do": do, "values": values})

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._line.write(json.dumps(request) + "\n")
            self._line.flush()
            return dict(json.loads(self._line.readline()))


def _child(settings: Settings, connection: socket.socket, work: Work) -> NoReturn:
    """The forked kiosk's whole life; ends without the parent's clean-up."""
    said: dict[str, Any]
    with connection, connection.makefile("rw", encoding="utf-8") as line:
        try:
            with running(settings, _Remote(line), _no_ticket) as rig:
                said = work(rig)
        except Exception:  # noqa: BLE001  # becomes a violation of this case
            said = {"violations": [traceback.format_exc()]}
        line.write(json.dumps({"call": "end", **said}) + "\n")
        line.flush()
    os._exit(0)


def _no_ticket(_ticket: TicketContent, _width_dots: int) -> Bitmap:
    raise AssertionError("a kiosk without a printer draws no ticket")
