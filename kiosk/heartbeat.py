"""The system's watchdog is fed only while screen, visit and readers are alive; else the kiosk is killed and restarted.

Protocol: sd_notify(3), one datagram to the socket named in NOTIFY_SOCKET; period: WATCHDOG_USEC, for WATCHDOG_PID.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Final

FED_PER_PERIOD: Final = 3
"""One late answer does not end the kiosk; a dead part does, within the period."""
_log = logging.getLogger(__name__)

Alive = Callable[[], bool]
"""Whether a part is alive; answers at once, from any thread."""
Ping = Callable[[Callable[[], None]], None]
"""Has the part's own thread call the function, when it next comes round. Returns at once."""


class Pinged:
    """`Alive` for a part that can be pinged: it has answered since it was last looked at. The first look is no miss."""

    def __init__(self, ping: Ping) -> None:
        self._ping = ping
        self._answered = threading.Event()
        self._asked = False

    def __call__(self) -> bool:
        if self._asked and not self._answered.is_set():
            return False
        self._asked = True
        self._answered.clear()
        self._ping(self._answered.set)
        return True


class Notifier:
    """Tells the service manager; one that does not listen is nobody's concern here."""

    def __init__(self, address: str) -> None:
        """`address`: a path, or an abstract name that begins with @."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def __call__(self, words: str) -> None:
        """Send an assignment such as `WATCHDOG=1`; never blocks."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as line:
            try:
                line.sendto(words.encode("ascii"), self._address)
            except OSError as error:
                _log.warning("the service manager was not told %s: %s", words, error.strerror)


class Heartbeat:
    """Asks every part each `every_s` seconds, on a thread of its own. `start` once the kiosk runs, `stop` first."""

    def __init__(self, parts: Mapping[str, Alive], tell: Callable[[str], None], every_s: float | None) -> None:
        """`every_s`: None where the service manager watches nothing and only wants to know that the kiosk is ready."""
        self._parts = parts
        self._tell = tell
        self._every_s = every_s
        self._missing: tuple[str, ...] = ()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Say that the kiosk is ready, and begin to look."""
        self._tell("READY=1")
        if self._every_s is not None:
            self._thread.start()

    def stop(self) -> None:
        """Say that the kiosk ends, and look no more."""
        self._ends.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._tell("STOPPING=1")

    def beat(self) -> None:
        """One look at every part; called by the thread, or by a test."""
        missing = tuple([name for name, alive in self._parts.items() if not alive()])  # every part is asked
        if missing and missing != self._missing:
            _log.error("no sign of life from: %s", ", ".join(missing))
        self._missing = missing
        if not missing:
            self._tell("WATCHDOG=1")

    def _run(self) -> None:
        while not self._ends.wait(self._every_s):
            self.beat()


def system_heartbeat(parts: Mapping[str, Alive], environment: Mapping[str, str]) -> Heartbeat | None:
    """The heartbeat the service manager asked for in this environment; None if nobody asked."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return None
    period_us = environment.get("WATCHDOG_USEC", "")
    mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    watched = mine and period_us.isascii() and period_us.isdigit() and int(period_us) > 0
    return Heartbeat(parts, Notifier(address), int(period_us) / 1e6 / FED_PER_PERIOD if watched else None)
