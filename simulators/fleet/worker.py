"""A process full of kiosks: every so-many-th of the fleet, one coroutine each, one event loop."""

from __future__ import annotations

import asyncio
import gc
import resource
import time
from asyncio.sslproto import SSLProtocol
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event
from typing import Final

from kiosk.chores.documents import POLL_S
from kiosk.sync.profile import KeyRefusal, register_key
from kiosk.sync.wire import IDLE_LIMIT_S
from simulators.fleet.identity import TlsIdentities, signing_key
from simulators.fleet.machine import Backend, Kiosk, RunClock
from simulators.fleet.plan import Plan
from simulators.fleet.tally import KioskEnd, Second, Tally

SAMPLE_S: Final = 1.0
READ_BYTES: Final = 16 * 1024
"""Read at once from a connection: one TLS record. The buffer of this size lives as long as the connection."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker needs. `certificates`: DER of its kiosks, by number in the fleet."""

    plan: Plan
    secret: bytes = field(repr=False)
    ca_pem: str = field(repr=False)
    host: str
    port: int
    server_key: tuple[str, str, bytes]  # keyid, alg, SPKI
    certificates: Mapping[int, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class WorkerEnd:
    """What a worker sends last. `cpu_s`: user and system time since the start of the run."""

    tally: Tally
    kiosks: list[KioskEnd]
    cpu_s: float
    peak_rss_bytes: int


def work(task: Task, pipe: Pipe, is_away: Event) -> None:
    """Main function of the process: starts when told through the pipe, sends a `Second` each second, then the end."""
    _make_room()
    tls = TlsIdentities(task.secret, task.ca_pem)
    record = register_key(*task.server_key)
    if isinstance(record, KeyRefusal):
        raise ValueError(f"server key: {record}")  # an error value
    backend = Backend(task.host, task.port, {record.keyid: record})
    pipe.send("ready")
    start_s: float = pipe.recv()
    began_s = time.process_time()
    tally, kiosks = asyncio.run(_live(task, backend, tls, start_s=start_s, pipe=pipe, is_away=is_away))
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    pipe.send(WorkerEnd(tally, kiosks, time.process_time() - began_s, peak_bytes))
    tls.close()
    pipe.close()


async def _live(
    task: Task, backend: Backend, tls: TlsIdentities, *, start_s: float, pipe: Pipe, is_away: Event
) -> tuple[Tally, list[KioskEnd]]:
    plan, tally = task.plan, Tally()
    clock = RunClock(start_s, plan.pace)
    kiosks: list[Kiosk] = []
    for number, certificate in task.certificates.items():
        life = plan.life(number, POLL_S)
        kiosks.append(
            Kiosk(
                life,
                key=signing_key(task.secret, life.kiosk),
                tls=partial(tls.context, life.kiosk, certificate),
                backend=backend,
                clock=clock,
                tally=tally,
                is_away=is_away.is_set,
                idle_limit_s=IDLE_LIMIT_S / plan.visits_factor,
            )
        )
    gc.collect()
    gc.freeze()  # what lives to the end need not be looked through again and again
    await asyncio.sleep(max(0.0, -clock.run_s()))
    lives = asyncio.gather(*(kiosk.live(plan.end_s) for kiosk in kiosks))
    while not lives.done():
        await asyncio.wait([lives], timeout=SAMPLE_S)
        moment: Second = tally.at(clock.run_s())
        pipe.send(moment)
        if pipe.poll():
            break  # told that nobody has anything left
    if lives.done():
        lives.result()  # a kiosk that ended by an exception is a defect of this program
    lives.cancel()
    with suppress(asyncio.CancelledError):
        await lives
    return tally, [kiosk.end() for kiosk in kiosks]


def _make_room() -> None:
    """As many open connections as this process may have at all, and none with the 256 KiB it is given by default."""
    SSLProtocol.max_size = READ_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
