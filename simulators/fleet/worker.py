"""A process full of kiosks: every so-many-th of the fleet, one coroutine each, one event loop."""

from __future__ import annotations

import asyncio
import gc
import resource
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event
from typing import Final

from kiosk.chores.documents import POLL_S
from kiosk.sync.profile import KeyRefusal, register_key
from simulators.fleet.clock import RunClock
from simulators.fleet.identity import TlsIdentities, signing_key
from simulators.fleet.machine import Backend, Kiosk
from simulators.fleet.plan import Plan
from simulators.fleet.tally import KioskEnd, Tally

SAMPLE_S: Final = 1.0


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
    """Main function of the process: starts when told through the pipe, sends a `Second` each second, then the end.

    It ends without a word when nobody holds the other end of the pipe any more.
    """
    tally, clock = Tally(), task.plan.clock
    kiosks = _kiosks(task, clock, tally, is_away)
    gc.disable()  # nothing here is a cycle, and looking through ten thousand kiosks stops them all
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        pipe.send("ready")
        clock.start_s = pipe.recv()
        began_s = time.process_time()
        ends = asyncio.run(_live(kiosks, task.plan, clock, tally, pipe))
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        pipe.send(WorkerEnd(tally, ends, time.process_time() - began_s, peak_bytes))


def _kiosks(task: Task, clock: RunClock, tally: Tally, is_away: Event) -> list[Kiosk]:
    """Everything that costs time is made before the run: in life each kiosk has a processor of its own."""
    record = register_key(*task.server_key)
    if isinstance(record, KeyRefusal):
        raise ValueError(f"server key: {record}")  # an error value
    backend = Backend(task.host, task.port, {record.keyid: record})
    tls = TlsIdentities(task.secret, task.ca_pem)
    kiosks: list[Kiosk] = []
    for number, certificate in task.certificates.items():
        life = task.plan.life(number, POLL_S)
        kiosks.append(
            Kiosk(
                life,
                key=signing_key(task.secret, life.kiosk),
                tls=tls.context(life.kiosk, certificate),
                backend=backend,
                clock=clock,
                tally=tally,
                is_away=is_away.is_set,
                idle_limit_s=task.plan.idle_limit_s,
            )
        )
    tls.close()
    return kiosks


async def _live(kiosks: Sequence[Kiosk], plan: Plan, clock: RunClock, tally: Tally, pipe: Pipe) -> list[KioskEnd]:
    lives = asyncio.gather(*(kiosk.live(plan.end_s) for kiosk in kiosks))
    due_s, began_s = clock.run_s(), time.process_time()
    while not lives.done():
        due_s += SAMPLE_S
        await asyncio.wait([lives], timeout=due_s - clock.run_s())
        now_s = clock.run_s()
        tally.late_s = max(tally.late_s, now_s - due_s)
        due_s = max(due_s, now_s - SAMPLE_S)
        pipe.send(tally.moment(now_s, time.process_time() - began_s))
        if pipe.poll() or now_s > plan.end_s + SAMPLE_S:
            break  # told that nobody has anything left; or the last ones still wait for an answer
    if lives.done():
        lives.result()  # a kiosk that ended by an exception is a defect of this program
    lives.cancel()
    with suppress(asyncio.CancelledError):
        await lives
    return [kiosk.end() for kiosk in kiosks]
