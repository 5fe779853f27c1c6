"""A whole run: database, backend, fleet enrolled, kiosks living, backend killed and started again, check, result."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import resource
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from simulators.backend.authority import Authority, open_authority
from simulators.backend.clock import system_utc_s, utc
from simulators.backend.database import Database
from simulators.backend.files import DataDir
from simulators.backend.private_postgres import private_postgres
from simulators.backend.process import BackendProcess
from simulators.fleet.check import Check, check
from simulators.fleet.plan import Plan
from simulators.fleet.progress import Progress
from simulators.fleet.provision import provision
from simulators.fleet.result import POSTGRESQL, SQLITE, Cost, Result
from simulators.fleet.tally import KioskEnd, Second, Tally, together
from simulators.fleet.usage import cpu_s, kill_tree, rss_bytes
from simulators.fleet.worker import Task, WorkerEnd, work

KIOSKS_A_WORKER: Final = 200
"""Fewer are not worth a second process."""
START_S: Final = 0.2
"""From the word to the start, so that all processes start at the same moment."""
_ENDED_BY_ITSELF: Final = "a process of the fleet has ended by itself: is there enough memory?"
SPARE_FILES: Final = 500
"""Open files of a process beside its connections."""


@dataclass(frozen=True, slots=True)
class Where:
    """The engine to use. `url`: None for SQLite. `pid`: of its server, where it is ours."""

    url: str | None
    pid: int | None


@contextmanager
def engine(database_url: str | None, *, sqlite: bool) -> Iterator[Where]:
    """SQLite, the database of a URL, or a private PostgreSQL for as long as this lasts (PostgresUnavailable)."""
    if sqlite or database_url is not None:
        yield Where(database_url, None)
        return
    with private_postgres() as postgres:
        yield Where(postgres.new_database(), postgres.pid)


class RunFailed(Exception):  # noqa: N818  # states a fact, not a defect
    """The run could not begin or go on; the message says why in one line."""


def run(plan: Plan, where: Where, progress: Progress) -> Result:
    """Run the plan; raises OtherCentreError, RunFailed and what a backend raises that does not start."""
    folder = Path(tempfile.mkdtemp(prefix="kiosk-fleet-"))
    try:
        return _Run(plan, where, progress, DataDir(folder)).result()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Run:
    def __init__(self, plan: Plan, where: Where, progress: Progress, data: DataDir) -> None:
        self._plan, self._where, self._progress, self._data = plan, where, progress, data
        self._cores = len(os.sched_getaffinity(0))
        # A front on every core before one process that has the database: what all have brought shares a transaction.
        self._backend_processes = 1 + self._cores
        self._backend = BackendProcess(data.root, database_url=where.url, fronts=self._cores)
        self._context = multiprocessing.get_context("spawn")
        self._away: Event = self._context.Event()
        self._workers = min(self._cores, -(-plan.kiosks // KIOSKS_A_WORKER))
        self._moments: list[Second] = []
        self._backend_cpu_s = 0.0  # of the processes that were killed, less what the starts have cost
        self._database_before_s: float | None = None
        self._backend_rss_bytes = 0
        self._back_s = 0.0

    def result(self) -> Result:
        _make_room(-(-self._plan.kiosks // min(self._cores, self._workers)))
        load_before = os.getloadavg()[0]
        self._data.create()
        authority = open_authority(self._data, utc(system_utc_s()))
        secret = secrets.token_bytes(32)
        began_s = time.monotonic()
        certificates = self._provision(authority, secret)
        provision_s = time.monotonic() - began_s
        self._database_before_s = self._database_cpu_s()
        try:
            self._start_backend()
            ends = self._live(authority, secret, certificates)
            backend_cpu_s, database_cpu_s = self._backend_so_far_s(), self._database_so_far_s()
        finally:
            with suppress(subprocess.TimeoutExpired):  # then it was killed, and what it still had to do is not asked
                self._backend.stop()
        tally, kiosks = Tally(), [kiosk for end in ends for kiosk in end.kiosks]
        for end in ends:
            tally.add(end.tally)
        self._progress.show(1.0, "reading every event back")
        return Result(
            plan=self._plan,
            engine=SQLITE if self._where.url is None else POSTGRESQL,
            cores=self._cores,
            backend_processes=self._backend_processes,
            fleet_processes=self._workers,
            provision_s=provision_s,
            load_before=load_before,
            load_after=os.getloadavg()[0],
            back_s=self._back_s,
            tally=tally,
            moments=tuple(self._moments),
            cost=Cost(
                backend_cpu_s,
                database_cpu_s,
                sum(end.cpu_s for end in ends),
                self._backend_rss_bytes,
                sum(end.peak_rss_bytes for end in ends),
            ),
            check=self._check(kiosks),
            made=sum(kiosk.made for kiosk in kiosks),
        )

    def _provision(self, authority: Authority, secret: bytes) -> list[bytes]:
        self._progress.show(0.0, f"enrolling {self._plan.kiosks} kiosks")
        with closing(Database(self._where.url or self._data.database)) as database:
            return provision(
                database,
                authority,
                secret=secret,
                seed=self._plan.seed,
                kiosks=self._plan.kiosks,
                now_s=system_utc_s(),
            )

    def _check(self, kiosks: Sequence[KioskEnd]) -> Check:
        with closing(Database(self._where.url or self._data.database)) as database:
            return database.run(lambda connection: check(connection, self._plan.seed, kiosks))

    def _live(self, authority: Authority, secret: bytes, certificates: Sequence[bytes]) -> list[WorkerEnd]:
        address = urlsplit(self._backend.ready.origin)
        key = authority.server_key
        pipes: list[multiprocessing.connection.Connection[Any, Any]] = []
        processes: list[SpawnProcess] = []
        for place in range(self._workers):
            mine, theirs = self._context.Pipe()
            task = Task(
                plan=self._plan,
                secret=secret,
                ca_pem=self._data.ca_file.read_text("ascii"),
                host=address.hostname or "",
                port=address.port or 0,
                server_key=(key.keyid, key.alg, key.public_spki()),
                certificates={
                    number: certificates[number] for number in range(place, len(certificates), self._workers)
                },
            )
            process = self._context.Process(target=work, args=(task, theirs, self._away), daemon=True)
            with _interrupts_held():
                process.start()
            theirs.close()
            pipes.append(mine)
            processes.append(process)
        try:
            self._progress.show(0.0, "making keys and TLS contexts")
            for pipe in pipes:
                _told(pipe)
            start_s = time.monotonic() + START_S
            for pipe in pipes:
                _tell(pipe, start_s)
            return self._watch(pipes, start_s)
        finally:
            for process in processes:
                process.terminate()
                process.join()

    def _watch(
        self, pipes: Sequence[multiprocessing.connection.Connection[Any, Any]], start_s: float
    ) -> list[WorkerEnd]:
        """Collect a moment of each second, take the backend away and bring it back, until every worker has ended."""
        ends: dict[int, WorkerEnd] = {}
        latest: dict[int, Second] = {}
        killed_s, is_over = self._plan.killed_s, False
        while len(ends) < len(pipes):
            open_pipes = [pipe for place, pipe in enumerate(pipes) if place not in ends]
            for ready in multiprocessing.connection.wait(open_pipes, timeout=0.2):
                place = next(place for place, pipe in enumerate(pipes) if pipe is ready)
                told = _told(pipes[place])
                if isinstance(told, WorkerEnd):
                    ends[place] = told
                else:
                    latest[place] = told
            if len(latest) == len(pipes):
                self._note_moment(together(list(latest.values())))
                latest.clear()
                if not is_over and self._is_over():
                    is_over = True
                    for place, pipe in enumerate(pipes):
                        if place not in ends:
                            _tell(pipe, "stop")
            if killed_s is not None and time.monotonic() - start_s >= killed_s:
                killed_s = None
                self._backend_cpu_s = self._backend_so_far_s()
                self._away.set()
                kill_tree(self._backend.pid)
                self._backend.kill()
            if self._away.is_set() and time.monotonic() - start_s >= self._plan.return_s:
                self._start_backend()
                self._back_s = time.monotonic() - start_s
                self._away.clear()
        return list(ends.values())

    def _is_over(self) -> bool:
        moment = self._moments[-1]
        return moment.waiting == 0 and moment.at_s > self._plan.last_visit_s and not self._away.is_set()

    def _note_moment(self, moment: Second) -> None:
        if not self._away.is_set():
            rss = rss_bytes(self._backend.pid)
            if rss == 0:
                raise RunFailed(f"the backend has ended by itself: {_last_line(self._backend.log)}")
            self._backend_rss_bytes = max(self._backend_rss_bytes, rss)
        if self._where.pid is not None and rss_bytes(self._where.pid) == 0:
            raise RunFailed("PostgreSQL has ended by itself")
        self._moments.append(
            replace(moment, backend_cpu_s=self._backend_so_far_s(), database_cpu_s=self._database_so_far_s())
        )
        state = "backend away" if self._away.is_set() else f"{moment.connections} connections"
        self._progress.show(
            moment.at_s / self._plan.end_s,
            f"{moment.at_s:.0f} s · {moment.requests} answered · {moment.waiting} events wait · {state}",
        )

    def _start_backend(self) -> None:
        try:
            self._backend.start()
        except (RuntimeError, TimeoutError):
            raise RunFailed(f"the backend did not start: {_last_line(self._backend.log)}") from None
        self._backend_cpu_s -= cpu_s(self._backend.pid)  # what a start costs is no request's

    def _backend_so_far_s(self) -> float:
        return self._backend_cpu_s + (0.0 if self._away.is_set() else cpu_s(self._backend.pid))

    def _database_cpu_s(self) -> float | None:
        return None if self._where.pid is None else cpu_s(self._where.pid)

    def _database_so_far_s(self) -> float | None:
        now_s = self._database_cpu_s()
        return None if now_s is None else now_s - (self._database_before_s or 0.0)


def _told(pipe: multiprocessing.connection.Connection[Any, Any]) -> Any:
    try:
        return pipe.recv()
    except (EOFError, ConnectionResetError):
        raise RunFailed(_ENDED_BY_ITSELF) from None


def _tell(pipe: multiprocessing.connection.Connection[Any, Any], word: float | str) -> None:
    try:
        pipe.send(word)
    except BrokenPipeError:
        raise RunFailed(_ENDED_BY_ITSELF) from None


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C is for the whole group and for this process to act on: a child started here never takes it.

    A child that set it aside by itself would do so too late: what comes while Python starts ends in its own words.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _last_line(log: str) -> str:
    """Of those that are no record of an event: the end of a traceback, or a message."""
    said = [line for line in log.splitlines() if line and not line.startswith("{")]
    return said[-1] if said else "its log does not say why"


def _make_room(connections: int) -> None:
    """So many open connections for each process that is started from now on; raises RunFailed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections * 5 // 4 + SPARE_FILES  # the kernel does not share them out evenly
    if soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(hard, needed)))
    except (ValueError, OSError):
        raise RunFailed(f"open files: {needed} needed for {connections} connections, the limit is {hard}") from None
