"""A driver that hangs must not be felt on the screen: its timers go on, and the next card works."""

from __future__ import annotations

import itertools
import time
from queue import SimpleQueue

import pytest
from PySide6.QtCore import Qt, QTimer

from kiosk.card.values import CardContent
from kiosk.hardware.pcsc.connection import Deadlines
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.events import CardInserted, ReaderFailed, ReaderReady
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.pages import Reading
from kiosk.visit.ports import ReaderRole
from simulators import samples
from simulators.card import FaultKind, PlannedFault, open_persona
from simulators.screen import wait_until
from tests.hardware.pcsc.hands import Hands
from tests.hardware.pcsc.support import RealClock, Recorder
from tests.ui.pages import opened, show

PERIOD_MS = 50
SLIP_MS = 100
HANG = Deadlines(connect_s=1.0, apdu_s=0.6, watch_every_s=0.05)


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("at", [1, 5])
def test_a_hanging_command_delays_no_timer_of_the_screen(hands: Hands, events: Recorder, at: int) -> None:
    hub = ReaderHub(hands.scard, {ReaderRole.PATIENT: hands.readers[0]}, events, RealClock(), deadlines=HANG)
    hub.start()
    answers: SimpleQueue[CardContent | Fault] = SimpleQueue()
    ticks: list[float] = []
    with opened() as screen:
        show(screen, samples.state(Reading(), card=True))
        hands.insert(0, open_persona("outdated", faults=[PlannedFault(FaultKind.HANG, at=at)]))
        session = events.wait_event(CardInserted).card_session
        timer = QTimer()
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(lambda: ticks.append(time.monotonic()))
        timer.start(PERIOD_MS)
        hub.read(session, answers.put)
        wait_until(lambda: "ReaderFailed" in events.kinds(), "the hanging call to be given up")
        timer.stop()
        timer.timeout.disconnect()
    assert events.wait_event(ReaderFailed).fault.cause is Cause.READER_HUNG
    hands.remove(0)
    events.wait_event(ReaderReady, 2)
    hands.insert(0, open_persona("corsican"))
    hub.read(events.wait_event(CardInserted, 2).card_session, answers.put)
    hung, next_card = answers.get(timeout=10), answers.get(timeout=10)
    hub.stop()
    assert (isinstance(hung, Fault), isinstance(next_card, CardContent)) == (True, True)
    slips_ms = [(later - earlier) * 1000 - PERIOD_MS for earlier, later in itertools.pairwise(ticks)]
    assert len(ticks) >= HANG.apdu_s * 1000 / (PERIOD_MS + SLIP_MS)
    assert max(slips_ms) <= SLIP_MS, f"late by {max(slips_ms):.0f} ms"
