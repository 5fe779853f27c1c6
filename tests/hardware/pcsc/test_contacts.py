"""Contacts of a reader: gone and back at once is counted, a member who takes a card out is not."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from kiosk.hardware.pcsc.connection import Deadlines
from kiosk.hardware.pcsc.contacts import BACK_WITHIN_S, FLAKY_TIMES, FLAKY_WITHIN_S, ContactCounter, Contacts
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.events import CardInserted, CardRemoved, ReaderFailed, ReaderReady
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import ReaderRole
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.hardware.pcsc.support import BANK_ATR, VITALE_2_ATR, FakeClock, Recorder, ToyChip, exchange

LONG = Deadlines(watch_every_s=3600.0)


def vanish(counter: ContactCounter, at_s: float, away_s: float = 0.1, atr: bytes = VITALE_2_ATR) -> bool:
    """The card that is in leaves and one with that ATR is in after this long."""
    counter.emptied(at_s)
    return counter.filled(atr, mute=not atr, now_s=at_s + away_s)


@pytest.fixture
def counter() -> ContactCounter:
    made = ContactCounter()
    assert not made.filled(VITALE_2_ATR, mute=False, now_s=0.0)
    return made


@pytest.mark.parametrize(
    ("away_s", "atr", "vanished"),
    [
        (0.0, VITALE_2_ATR, 1),
        (BACK_WITHIN_S, VITALE_2_ATR, 1),
        (BACK_WITHIN_S + 0.01, VITALE_2_ATR, 0),  # a hand
        (0.1, BANK_ATR, 0),  # another card
        (0.1, b"", 0),  # counted as mute
    ],
)
def test_gone_and_back_at_once(counter: ContactCounter, away_s: float, atr: bytes, vanished: int) -> None:
    vanish(counter, 10.0, away_s, atr)
    assert counter.counts == Contacts(vanished=vanished, mute=int(not atr))


@pytest.mark.parametrize(("within_s", "flaky"), [(FLAKY_WITHIN_S, 1), (FLAKY_WITHIN_S + 0.01, 0)])
def test_so_many_within_so_long_are_a_flaky_contact(counter: ContactCounter, within_s: float, flaky: int) -> None:
    told = [vanish(counter, 10.0 + number * within_s / (FLAKY_TIMES - 1), 0.0) for number in range(FLAKY_TIMES)]
    assert told == [False] * (FLAKY_TIMES - 1) + [bool(flaky)]
    assert counter.counts == Contacts(vanished=FLAKY_TIMES, flaky=flaky)


def test_a_flaky_contact_is_told_once_until_it_proves_itself_again(counter: ContactCounter) -> None:
    told = [vanish(counter, 10.0 + number) for number in range(2 * FLAKY_TIMES)]
    assert told == [number % FLAKY_TIMES == FLAKY_TIMES - 1 for number in range(2 * FLAKY_TIMES)]


def test_a_dirty_contact_stays_one_until_a_hand_has_taken_the_card_out(counter: ContactCounter) -> None:
    def dirty_after(at_s: float, away_s: float = 0.1, atr: bytes = VITALE_2_ATR) -> bool:
        vanish(counter, at_s, away_s, atr)
        return counter.dirty

    assert [dirty_after(10.0 + number) for number in range(FLAKY_TIMES)] == [False] * (FLAKY_TIMES - 1) + [True]
    assert dirty_after(20.0)  # gone and back again: nobody has wiped it
    assert not dirty_after(30.0, BACK_WITHIN_S + 0.01)
    assert not dirty_after(40.0)
    assert [dirty_after(150.0 + number) for number in range(FLAKY_TIMES)][-1]
    assert not dirty_after(160.0, 0.1, BANK_ATR)


def test_a_reader_that_was_gone_clears_its_contact(counter: ContactCounter) -> None:
    for number in range(FLAKY_TIMES):
        vanish(counter, 10.0 + number)
    counter.lost()
    assert not counter.dirty


def test_a_card_found_again_after_the_reader_was_gone_says_nothing(counter: ContactCounter) -> None:
    counter.emptied(10.0)
    counter.lost()
    counter.filled(VITALE_2_ATR, mute=False, now_s=10.1)
    counter.lost()
    counter.emptied(10.2)
    counter.filled(VITALE_2_ATR, mute=False, now_s=10.3)
    assert counter.counts == Contacts()


# --- through the hub ---------------------------------------------------------------------------------------------


class SilentScard(EmbeddedScard):
    """Its card is in and does not answer."""

    def transmit(self, card: int, protocol: object, command: bytes) -> tuple[int, bytes]:
        return 0x80100016, b""


class Readers:
    """A hub with its counts."""

    def __init__(self, scard: EmbeddedScard) -> None:
        self.scard, self.events, self.clock = scard, Recorder(), FakeClock()
        self.told: list[tuple[ReaderRole, Contacts]] = []
        bindings = {ReaderRole.PATIENT: READERS[0], ReaderRole.PROFESSIONAL: READERS[1]}
        self.hub = ReaderHub(
            scard,
            bindings,
            self.events,
            self.clock,
            deadlines=LONG,
            tell_contacts=lambda role, counts: self.told.append((role, counts)),
        )
        self.hub.start()
        self.events.wait_event(ReaderReady, 2)

    def put(self, atr: bytes, count: int) -> None:
        self.scard.insert(READERS[0], ToyChip(atr))
        self.events.wait_event(CardInserted, count)

    def pull(self, count: int) -> None:
        self.scard.remove(READERS[0])
        self.events.wait_event(CardRemoved, count)

    def counts(self) -> Contacts:
        return self.hub.contacts()[ReaderRole.PATIENT]


def test_counts_are_by_role_and_told_when_the_contact_is_flaky_and_at_the_end() -> None:
    readers = Readers(EmbeddedScard())
    for number in range(1, FLAKY_TIMES + 1):
        readers.put(VITALE_2_ATR, number)
        readers.pull(number)
    assert (readers.counts(), readers.told) == (Contacts(vanished=FLAKY_TIMES - 1), [])
    readers.put(VITALE_2_ATR, FLAKY_TIMES + 1)
    flaky = Contacts(vanished=FLAKY_TIMES, flaky=1)
    assert readers.told == [(ReaderRole.PATIENT, flaky)]
    readers.pull(FLAKY_TIMES + 1)
    readers.put(bytes(34), FLAKY_TIMES + 2)
    readers.hub.stop()
    at_the_end = Contacts(vanished=FLAKY_TIMES, mute=1, flaky=1)
    assert readers.told == [(ReaderRole.PATIENT, flaky), (ReaderRole.PATIENT, at_the_end)]
    assert readers.hub.contacts()[ReaderRole.PROFESSIONAL] == Contacts()


def test_a_card_with_dirty_contacts_gets_no_command_until_it_was_taken_out() -> None:
    readers = Readers(EmbeddedScard())

    def read(count: int) -> Cause | None:
        answers: SimpleQueue[object] = SimpleQueue()
        readers.hub.read(readers.events.wait_event(CardInserted, count).card_session, answers.put)
        answer = answers.get(timeout=10)
        return answer.cause if isinstance(answer, Fault) else None

    for number in range(1, FLAKY_TIMES + 1):
        readers.put(VITALE_2_ATR, number)
        readers.pull(number)
    card = ToyChip(VITALE_2_ATR)
    readers.scard.insert(READERS[0], card)
    assert read(FLAKY_TIMES + 1) is Cause.CARD_DIRTY
    assert card.received == []
    readers.pull(FLAKY_TIMES + 1)
    readers.clock.now_s += BACK_WITHIN_S + 1
    readers.scard.insert(READERS[0], card)
    assert read(FLAKY_TIMES + 2) is not Cause.CARD_DIRTY
    assert card.received != []
    readers.hub.stop()


def test_a_member_who_puts_the_card_back_is_no_contact_problem_and_nothing_is_told() -> None:
    readers = Readers(EmbeddedScard())
    readers.put(VITALE_2_ATR, 1)
    readers.pull(1)
    readers.clock.now_s += BACK_WITHIN_S + 1
    readers.put(VITALE_2_ATR, 2)
    readers.hub.stop()
    assert readers.told == []


def test_a_replugged_reader_is_no_contact_problem() -> None:
    readers = Readers(EmbeddedScard())
    readers.put(VITALE_2_ATR, 1)
    readers.scard.unplug(READERS[0])
    readers.events.wait_event(ReaderFailed)
    readers.scard.replug(READERS[0])
    readers.events.wait_event(CardInserted, 2)
    readers.hub.stop()
    assert readers.told == []


def test_a_silent_card_is_counted_whoever_asked_it() -> None:
    readers = Readers(SilentScard())
    readers.scard.insert(READERS[0], ToyChip(VITALE_2_ATR))
    session = readers.events.wait_event(CardInserted).card_session
    fault = exchange(readers.hub, session, bytes.fromhex("0084000008"))
    assert isinstance(fault, Fault)
    assert fault.cause is Cause.CARD_SILENT
    assert readers.counts() == Contacts(silent=1)
    answered = threading.Event()
    readers.hub.read(session, lambda _: answered.set())
    assert answered.wait(10)
    assert readers.counts() == Contacts(silent=2)
    readers.hub.stop()
