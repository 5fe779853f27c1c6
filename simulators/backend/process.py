"""Starting a backend from Python: as a process of its own, or in a thread with a clock of the test's."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import uvloop

from simulators.backend.admin import command
from simulators.backend.clock import UtcSeconds, system_utc_s
from simulators.backend.files import DataDir
from simulators.backend.server import Ready, serve
from simulators.personas import Persona

START_LIMIT_S: Final = 20.0
STOP_LIMIT_S: Final = 10.0


class BackendProcess:
    """A backend in its own process. `start` again after `stop` or `kill`: same directory, same origin."""

    def __init__(
        self,
        data_dir: Path,
        personas: Sequence[Path] = (),
        *,
        database_url: str | None = None,
        processes: int = 1,
        fronts: int = 0,
        ops_port: int | None = None,
    ) -> None:
        """`personas`: files of cards that the centre shall know beside the built-in ones.

        database_url: PostgreSQL in place of SQLite; with it, more processes than one. fronts: for each of them.
        """
        self.data = DataDir(data_dir)
        self.ready: Ready
        self._process: subprocess.Popen[str] | None = None
        self._log = data_dir / "backend.log"
        self._options = [f"--processes={processes}", f"--fronts={fronts}", *(f"--persona={path}" for path in personas)]
        if ops_port is not None:
            self._options.append(f"--ops-port={ops_port}")
        if database_url is not None:
            self._options.append(f"--database-url={database_url}")

    def start(self) -> Ready:
        """Start and wait for the line that says it is ready; raises RuntimeError with the log's end otherwise."""
        self.data.create()
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "simulators.backend", "serve", "--data", str(self.data.root), *self._options],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line: Future[str] = Future()
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101  # asked for with PIPE
        threading.Thread(target=lambda: line.set_result(stdout.readline()), daemon=True).start()
        text = line.result(START_LIMIT_S)
        if not text:
            self.kill()
            raise RuntimeError(f"the backend did not start: {self._log.read_text()[-2000:]}")
        self.ready = Ready(**json.loads(text))
        return self.ready

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        return self._end(kill=False)

    def kill(self) -> int:
        """SIGKILL: as if the power had gone."""
        return self._end(kill=True)

    def command(self, do: str, kiosk: str, **values: Any) -> dict[str, Any]:
        """An operator's command: `ticket` (site_kind), `policy` (set), `quarantine` (level)."""
        return command(self.data, {"do": do, "kiosk": kiosk, **values})

    @property
    def pid(self) -> int:
        """Of the running backend; its workers, if it has any, are below it."""
        assert self._process is not None  # noqa: S101  # asked of a running one only
        return self._process.pid

    @property
    def log(self) -> str:
        """What the server has written to stderr so far."""
        return self._log.read_text()

    def _end(self, *, kill: bool) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if kill:
            process.kill()
        else:
            process.terminate()
        try:
            return process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            if process.stdout is not None:
                process.stdout.close()


@contextmanager
def running(data_dir: Path, personas: Sequence[Path] = ()) -> Iterator[BackendProcess]:
    """A backend process, started and ready; stopped at the end if it still runs."""
    backend = BackendProcess(data_dir, personas)
    try:
        backend.start()
        yield backend
    finally:
        backend.stop()


@contextmanager
def in_thread(
    data_dir: Path,
    utc_s: UtcSeconds = system_utc_s,
    personas: Iterable[Persona] | None = None,
    *,
    ops_port: int | None = None,
    database_url: str | None = None,
) -> Iterator[Ready]:
    """A backend in a thread of this process, whose application lives at `utc_s()`; the rest as `serve`."""
    ready: Future[Ready] = Future()
    handle: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def main() -> None:
        stop = asyncio.Event()
        handle.set_result((asyncio.get_running_loop(), stop))
        await serve(
            DataDir(data_dir),
            stop=stop,
            on_ready=ready.set_result,
            utc_s=utc_s,
            personas=personas,
            ops_port=ops_port,
            database_url=database_url,
        )

    def run() -> None:
        try:
            uvloop.run(main())
        except BaseException as error:  # belongs to whoever started us
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name="backend", daemon=True)
    thread.start()
    try:
        yield ready.result(START_LIMIT_S)
    finally:
        loop, stop = handle.result(START_LIMIT_S)
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join(STOP_LIMIT_S)
