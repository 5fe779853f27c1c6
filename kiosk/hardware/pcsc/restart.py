"""When the PC/SC service is restarted, and what is said of it."""

from __future__ import annotations

import logging
from typing import Final

from kiosk.hardware.pcsc.service import ServiceManager

BETWEEN_RESTARTS_S: Final = 60.0
_log = logging.getLogger(__name__)


class RestartRule:
    """When to restart: a call was given up and its thread is still inside the service, and not too often."""

    def __init__(self, stuck_s: float) -> None:
        """`stuck_s`: how long a thread that was given up may take to come back by itself."""
        self._stuck_s = stuck_s
        self._last_s: float | None = None

    def due(self, stuck_since_s: float, now_s: float) -> bool:
        """Whether to restart now; monotonic seconds. Yes is an answer given at most once a minute."""
        if now_s < stuck_since_s + self._stuck_s:
            return False
        if self._last_s is not None and now_s < self._last_s + BETWEEN_RESTARTS_S:
            return False
        self._last_s = now_s
        return True


def restart(service: ServiceManager) -> None:
    """Do it, and log what became of it; blocks as long as the service manager does."""
    problem = service.restart()
    if problem is None:
        _log.warning("the PC/SC service was restarted: a reader's driver hung")
    else:
        _log.error("the PC/SC service could not be restarted: %s", problem.reason)
