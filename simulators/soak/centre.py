"""The update centre as a soak sees it: a backend process that can be stopped or killed, and its books."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

from simulators.backend.admin import command
from simulators.backend.files import DataDir
from simulators.backend.server import Ready

STOP_LIMIT_S = 10.0


class Centre(Protocol):
    """What a walk may do to the centre."""

    def stop(self, *, kill: bool) -> None:
        """End the process; nothing if it does not run."""
        ...

    def start(self) -> None:
        """Start it again at the same origin; nothing if it runs."""
        ...

    def ask(self, do: str, **values: Any) -> dict[str, Any]:
        """Ask its books (see `books`)."""
        ...


class CentreProcess:
    """The process. No thread is needed to talk to it, so that the drill can fork beside it."""

    def __init__(self, folder: Path) -> None:
        self.data = DataDir(folder)
        self.ready: Ready
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """See `Centre`; raises RuntimeError with the end of the log if it does not start."""
        if self._process is not None:
            return
        self.data.create()
        log_file = self.data.root / "backend.log"
        with log_file.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "simulators.soak.books", str(self.data.root)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self._line()
        if not line:
            self.stop(kill=True)
            raise RuntimeError(f"the backend did not start: {log_file.read_text()[-2000:]}")
        self.ready = Ready(**json.loads(line))

    def stop(self, *, kill: bool) -> None:
        """See `Centre`."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill() if kill else process.terminate()
        process.wait(STOP_LIMIT_S)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def ask(self, do: str, **values: Any) -> dict[str, Any]:
        """See `Centre`."""
        if self._process is None or self._process.stdin is None:
            raise RuntimeError("the centre is not running")
        self._process.stdin.write(json.dumps({"do": do, **values}) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._line()))

    def command(self, do: str, kiosk: str, **values: Any) -> dict[str, Any]:
        """An operator's command."""
        return command(self.data, {"do": do, "kiosk": kiosk, **values})

    def _line(self) -> str:
        if self._process is None or self._process.stdout is None:
            raise RuntimeError("the centre is not running")
        return self._process.stdout.readline()
