"""Several commands in one go on the card thread: how far they get when the card, the reader or the kiosk stops them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from kiosk.hardware.pcsc.api import PcscProblem
from kiosk.hardware.pcsc.connection import Deadlines, LinkError
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.events import CardInserted, CardRemoved, ReaderReady
from kiosk.visit.failures import Cause
from kiosk.visit.ports import CardAnswers, CardSession, CardStep, ReaderRole
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.hardware.pcsc.support import LIMIT_S, FakeClock, Recorder, ToyChip, wait_until

COMMANDS = [bytes((0x00, 0xD6, 0x00, number, 0x01, 0xAA)) for number in range(4)]
STEPS = [CardStep(command, frozenset({0x9000, 0x6283})) for command in COMMANDS]
OK = b"\x90\x00"
GONE = LinkError(PcscProblem.READER_GONE, "unplugged", command_sent=False)


class Bench:
    """A hub on the embedded reader whose limits the test checks itself."""

    def __init__(self) -> None:
        self.scard, self.events, self.clock = EmbeddedScard(), Recorder(), FakeClock()
        slow_watch = Deadlines(watch_every_s=3600.0)
        self.hub = ReaderHub(
            self.scard, {ReaderRole.PATIENT: READERS[0]}, self.events, self.clock, deadlines=slow_watch
        )

    def insert(self, before: Callable[[bytes], None], answers: dict[bytes, bytes] | None = None) -> CardSession:
        chip = ToyChip(before=before)
        chip.answers = answers or {}
        self.chip = chip
        self.scard.insert(READERS[0], chip)
        return self.events.wait_event(CardInserted).card_session

    def execute_in_background(self, session: CardSession) -> SimpleQueue[CardAnswers]:
        answers: SimpleQueue[CardAnswers] = SimpleQueue()
        threading.Thread(target=lambda: answers.put(self.hub.execute(session, STEPS)), daemon=True).start()
        return answers


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    made.hub.start()
    made.events.wait_event(ReaderReady)
    yield made
    made.hub.stop()


def nothing(_: bytes) -> None:
    """The card just answers."""


def test_every_command_is_answered_in_order(bench: Bench) -> None:
    session = bench.insert(nothing, {COMMANDS[1]: b"\x62\x83"})
    assert bench.hub.execute(session, STEPS) == CardAnswers((OK, b"\x62\x83", OK, OK))
    assert bench.chip.received == COMMANDS


def test_an_unexpected_status_word_is_the_last_answer(bench: Bench) -> None:
    session = bench.insert(nothing, {COMMANDS[2]: b"\x65\x81"})
    assert bench.hub.execute(session, STEPS) == CardAnswers((OK, OK, b"\x65\x81"))
    assert bench.chip.received == COMMANDS[:3]


def test_a_card_pulled_in_the_middle_keeps_the_answers_before(bench: Bench) -> None:
    def pulled(command: bytes) -> None:
        if command == COMMANDS[2]:
            bench.scard.remove(READERS[0])

    session = bench.insert(pulled)
    answers = bench.hub.execute(session, STEPS)
    assert answers.responses == (OK, OK)
    assert answers.fault is not None
    assert (answers.fault.cause, answers.fault.command_sent) == (Cause.CARD_REMOVED, True)
    assert bench.chip.received == COMMANDS[:3]


def test_a_session_that_ends_in_the_middle_sends_nothing_more(bench: Bench) -> None:
    def replaced(command: bytes) -> None:
        if command == COMMANDS[1]:
            bench.hub._slots[ReaderRole.PATIENT].void(GONE)

    session = bench.insert(replaced)
    answers = bench.hub.execute(session, STEPS)
    assert answers.responses == (OK, OK)
    assert answers.fault is not None
    assert (answers.fault.cause, answers.fault.command_sent) == (Cause.READER_LOST, False)
    assert bench.chip.received == COMMANDS[:2]


def test_a_command_over_its_limit_ends_the_list_and_its_late_answer_is_dropped(bench: Bench) -> None:
    released = threading.Event()

    def slow(command: bytes) -> None:
        if command == COMMANDS[2]:
            released.wait(LIMIT_S)

    session = bench.insert(slow)
    waiting = bench.execute_in_background(session)
    wait_until(lambda: bench.chip.received == COMMANDS[:3])
    bench.clock.now_s += 11
    bench.hub.check_deadlines()
    answers = waiting.get(timeout=LIMIT_S)
    assert answers.responses == (OK, OK)
    assert answers.fault is not None
    assert (answers.fault.cause, answers.fault.command_sent) == (Cause.READER_HUNG, True)
    released.set()
    wait_until(lambda: not bench.hub._slots[ReaderRole.PATIENT].stale)
    assert bench.chip.received == COMMANDS[:3]
    assert answers.responses == (OK, OK)


def test_every_command_has_its_own_limit(bench: Bench) -> None:
    def slow(_: bytes) -> None:
        bench.clock.now_s += 9.0
        bench.hub.check_deadlines()

    session = bench.insert(slow)
    assert bench.hub.execute(session, STEPS) == CardAnswers((OK,) * 4)


def test_no_command_leaves_when_one_is_malformed(bench: Bench) -> None:
    session = bench.insert(nothing)
    with pytest.raises(ValueError, match="not a command APDU"):
        bench.hub.execute(session, [*STEPS, CardStep(b"\x00", frozenset())])
    assert bench.chip.received == []


def test_a_card_that_has_left_is_not_asked(bench: Bench) -> None:
    session = bench.insert(nothing)
    bench.scard.remove(READERS[0])
    bench.events.wait_event(CardRemoved)
    answers = bench.hub.execute(session, STEPS)
    assert answers.responses == ()
    assert answers.fault is not None
    assert (answers.fault.cause, answers.fault.command_sent) == (Cause.CARD_REMOVED, False)


def test_answers_are_in_no_repr() -> None:
    assert "AA" not in repr(CardAnswers((b"AAAA\x90\x00",))) + repr(CardStep(b"AAAA", frozenset({0x9000})))
