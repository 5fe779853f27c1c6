"""Card put in → the monitor has published it, against a bare `SCardGetStatusChange` that waits for the same insertion.

Both wait at once, each on a thread and a PC/SC context of its own: a real service finds a card only when it looks, so
two insertions are not alike. Bare: returns at the first sight of a card, without waiting for its ATR.
"""

from __future__ import annotations

import queue
import threading
from statistics import median
from time import perf_counter
from typing import Final

from bench.figures import Figure
from kiosk.hardware.pcsc.api import ReaderState, Scard
from kiosk.hardware.pcsc.monitor import Monitor, MonitorEvent, ReadersChanged, SlotEmptied, SlotFilled
from kiosk.visit.ports import ReaderRole
from simulators.card import open_persona
from simulators.stage import Slots, slots

LIMIT_S: Final = 10.0
_LIMIT_MS: Final = round(LIMIT_S * 1000)


def figures(rounds: int) -> list[Figure]:
    """A private pcscd with the virtual reader. The first round is not counted."""
    events: queue.SimpleQueue[tuple[MonitorEvent, float]] = queue.SimpleQueue()
    with slots("pcsc") as hands:
        monitor = Monitor(hands.scard, lambda event: events.put((event, perf_counter())))
        monitor.start()
        try:
            _next(events, ReadersChanged)
            taken = [_round(hands, events) for _ in range(rounds + 1)][1:]
        finally:
            monitor.stop()
    monitor_s, bare_s = (median(column) for column in zip(*taken, strict=True))
    return [Figure("monitor wake-up / bare wait: pcscd, virtual reader", monitor_s * 1000, "ms", bare_s * 1000)]


def _round(hands: Slots, events: queue.SimpleQueue[tuple[MonitorEvent, float]]) -> tuple[float, float]:
    """Seconds until the monitor's event, and until the bare wait returned."""
    woken: queue.SimpleQueue[float] = queue.SimpleQueue()
    waiting = threading.Event()
    bare = threading.Thread(target=_wait, args=(hands.scard, hands.names[0], waiting, woken), daemon=True)
    bare.start()
    if not waiting.wait(LIMIT_S):
        raise RuntimeError("the reader is not seen empty")
    card = open_persona("outdated")
    began_s = perf_counter()
    hands.insert(ReaderRole.PATIENT, card)
    published_s = _next(events, SlotFilled)
    bare_s = woken.get(timeout=LIMIT_S)
    bare.join(LIMIT_S)
    hands.remove(ReaderRole.PATIENT)
    _next(events, SlotEmptied)
    return published_s - began_s, bare_s - began_s


def _wait(scard: Scard, reader: str, waiting: threading.Event, woken: queue.SimpleQueue[float]) -> None:
    """A thread: wait for a card with nothing else to do. It says so once it knows the slot to be empty."""
    _, context = scard.establish_context()
    known = int(ReaderState.UNAWARE)
    while True:
        result, (snapshot,) = scard.get_status_change(context, _LIMIT_MS, [(reader, known)])
        if result != 0:
            raise RuntimeError(f"the bare wait failed: {result & 0xFFFFFFFF:#010x}")
        if waiting.is_set() and snapshot.present:
            break
        known = snapshot.known_state
        if not snapshot.present and snapshot.counter % 2 == 0:  # pcscd has looked, and found the slot empty
            waiting.set()
    woken.put(perf_counter())
    scard.release_context(context)


def _next(events: queue.SimpleQueue[tuple[MonitorEvent, float]], kind: type[MonitorEvent]) -> float:
    """When the next event of this kind was published."""
    while True:
        event, at_s = events.get(timeout=LIMIT_S)
        if isinstance(event, kind):
            return at_s
