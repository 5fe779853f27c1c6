"""Restarting the PC/SC service: who can do it.

A driver that never lets go keeps its reader (and on some drivers every reader) until the service ends; nothing inside
the kiosk can free it. Hardware reference, "Failure catalogue": reader not answering.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Final, Protocol

RESTART_LIMIT_S: Final = 10.0
RESTART_COMMAND: Final = ("systemctl", "--no-ask-password", "restart", "pcscd.service")


@dataclass(frozen=True, slots=True)
class ServiceProblem:
    """Why the service was not restarted, for the technician."""

    reason: str


class ServiceManager(Protocol):
    """Who keeps the PC/SC service running."""

    def restart(self) -> ServiceProblem | None:
        """Restart it, whatever state it is in; blocks for a bounded time. None: done."""
        ...


class Systemd:
    """The machine's own manager. The account needs the right to it: see the polkit rule that is shipped."""

    def __init__(self, command: tuple[str, ...] = RESTART_COMMAND, limit_s: float = RESTART_LIMIT_S) -> None:
        self._command = command
        self._limit_s = limit_s

    def restart(self) -> ServiceProblem | None:
        """See `ServiceManager`."""
        try:
            # A fixed command of this file, without a shell.
            ended = subprocess.run(  # noqa: S603
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=self._limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return ServiceProblem(f"{self._command[0]} did not end within {self._limit_s:g} s")
        except OSError as error:
            return ServiceProblem(f"{self._command[0]} cannot be run: {error.strerror}")
        if ended.returncode:
            return ServiceProblem(f"{self._command[0]} ended with status {ended.returncode}")
        return None
