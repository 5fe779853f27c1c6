"""A hub on the embedded reader, with a clock that a test moves."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from kiosk.hardware.pcsc.connection import Deadlines
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.events import CardInserted
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardSession, ReaderRole
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.hardware.pcsc.support import LIMIT_S, FakeClock, Recorder, exchange

PATIENT, STAFF = ReaderRole.PATIENT, ReaderRole.PROFESSIONAL
BINDINGS = {PATIENT: READERS[0], STAFF: READERS[1]}
COMMAND = bytes.fromhex("00D6000003A1A2A3")
SLOW_WATCH = Deadlines(connect_s=5.0, apdu_s=10.0, watch_every_s=3600.0)  # the test calls check_deadlines itself


class Kiosk:
    """A hub on the embedded reader."""

    def __init__(self, scard: EmbeddedScard | None = None) -> None:
        self.scard = scard or EmbeddedScard()
        self.events = Recorder()
        self.clock = FakeClock()
        self.hub = ReaderHub(self.scard, BINDINGS, self.events, self.clock, deadlines=SLOW_WATCH)

    def insert(self, chip: object, count: int = 1) -> CardSession:
        self.scard.insert(READERS[0], chip)  # type: ignore[arg-type]  # chips and cards alike
        return self.events.wait_event(CardInserted, count).card_session

    def exchange_in_background(self, session: CardSession) -> SimpleQueue[bytes | Fault]:
        """The relay's thread, which blocks."""
        answers: SimpleQueue[bytes | Fault] = SimpleQueue()
        threading.Thread(target=lambda: answers.put(exchange(self.hub, session, COMMAND)), daemon=True).start()
        return answers

    def exchange(self, session: CardSession) -> bytes | Fault:
        return self.exchange_in_background(session).get(timeout=LIMIT_S)

    def busy(self) -> bool:
        """Whether the patient's card thread is inside a call."""
        return self.hub._slots[PATIENT].worker._busy is not None


def cause(outcome: object) -> Cause | None:
    return outcome.cause if isinstance(outcome, Fault) else None
