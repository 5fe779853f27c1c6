"""The hub with a clock the test owns: limits, late results, bugs in a job, losses of reader and service, stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from kiosk.card.values import CardContent, CardKind
from kiosk.hardware.pcsc.connection import LinkError
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.events import CardInserted, CardRemoved, ReaderFailed, ReaderReady
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardSession
from simulators.card import open_persona
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.hardware.pcsc.hub_kiosk import BINDINGS, COMMAND, PATIENT, STAFF, Kiosk, cause
from tests.hardware.pcsc.support import (
    BANK_ATR,
    LIMIT_S,
    OTHER_ATR,
    STAFF_ATR,
    T1_ATR,
    FakeClock,
    Recorder,
    ToyChip,
    exchange,
    wait_until,
)


@pytest.fixture
def kiosk() -> Iterator[Kiosk]:
    made = Kiosk()
    made.hub.start()
    made.events.wait_event(ReaderReady, 2)
    yield made
    # The watchdog of these tests sleeps for an hour: wake it as `stop` does.
    made.hub.stop()


def test_a_command_over_its_limit_is_given_up_and_its_late_answer_dropped(kiosk: Kiosk) -> None:
    released = threading.Event()
    chip = ToyChip(before=lambda _: (released.wait(LIMIT_S), None)[1])
    session = kiosk.insert(chip)
    waiting = kiosk.exchange_in_background(session)
    wait_until(lambda: chip.received == [COMMAND])
    kiosk.clock.now_s += 9.9
    kiosk.hub.check_deadlines()
    assert waiting.empty()
    kiosk.clock.now_s += 0.2
    kiosk.hub.check_deadlines()
    fault = waiting.get(timeout=LIMIT_S)
    assert fault == Fault(Cause.READER_HUNG, "SCardTransmit over its limit", command_sent=True)
    assert kiosk.events.wait_event(ReaderFailed).fault.cause is Cause.READER_HUNG
    released.set()
    wait_until(lambda: not kiosk.hub._slots[PATIENT].stale)
    assert waiting.empty()
    assert len(kiosk.events.events) == 4  # not ready again: the card that hung it is still in
    kiosk.scard.remove(READERS[0])
    kiosk.events.wait_event(ReaderReady, 3)
    assert kiosk.exchange(kiosk.insert(ToyChip(), 2)) == b"\x90\x00"


def test_jobs_behind_a_hanging_command_are_answered_as_not_sent(kiosk: Kiosk) -> None:
    session = kiosk.insert(ToyChip())
    with kiosk.scard.hanging(READERS[0]):
        first = kiosk.exchange_in_background(session)
        wait_until(kiosk.busy)
        second = kiosk.exchange_in_background(session)
        wait_until(lambda: kiosk.hub._slots[PATIENT].worker._jobs.qsize() == 1)
        kiosk.clock.now_s += 11
        kiosk.hub.check_deadlines()
        outcomes = [queue.get(timeout=LIMIT_S) for queue in (first, second)]
    assert [(fault.cause, fault.command_sent) for fault in outcomes if isinstance(fault, Fault)] == [
        (Cause.READER_HUNG, True),
        (Cause.READER_HUNG, False),
    ]


def test_an_abandoned_thread_sends_nothing_more(kiosk: Kiosk) -> None:
    released = threading.Event()
    chip = open_persona("outdated")
    sent: list[bytes] = []
    transmit = chip.transmit

    def slow(apdu: bytes) -> bytes:
        sent.append(apdu)
        released.wait(LIMIT_S)
        return transmit(apdu)

    chip.transmit = slow  # type: ignore[method-assign]  # a slow card
    session = kiosk.insert(chip)
    answers: SimpleQueue[CardContent | Fault] = SimpleQueue()
    kiosk.hub.read(session, answers.put)
    wait_until(lambda: len(sent) == 1)
    kiosk.clock.now_s += 11
    kiosk.hub.check_deadlines()
    assert cause(answers.get(timeout=LIMIT_S)) is Cause.READER_HUNG
    released.set()
    wait_until(lambda: not kiosk.hub._slots[PATIENT].stale)
    assert len(sent) == 1
    assert answers.empty()


def test_an_idle_card_thread_has_no_limit(kiosk: Kiosk) -> None:
    session = kiosk.insert(ToyChip())
    assert kiosk.exchange(session) == b"\x90\x00"
    kiosk.clock.now_s += 86_400
    kiosk.hub.check_deadlines()
    assert kiosk.exchange(session) == b"\x90\x00"
    assert "ReaderFailed" not in kiosk.events.kinds()


def test_a_bug_in_a_job_is_seen_and_nobody_waits_for_it(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[type] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: seen.append(arguments.exc_type))

    def broken(_: bytes) -> None:
        raise ZeroDivisionError

    session = kiosk.insert(ToyChip(before=broken))
    assert cause(kiosk.exchange(session)) is Cause.PCSC_UNKNOWN
    wait_until(lambda: seen == [ZeroDivisionError])
    kiosk.scard.remove(READERS[0])
    assert kiosk.exchange(kiosk.insert(ToyChip(), 2)) == b"\x90\x00"  # on a new card thread


@pytest.mark.parametrize(
    ("atr", "kind", "expected"),
    [
        (STAFF_ATR, CardKind.PROFESSIONAL, Cause.CARD_STAFF),
        (BANK_ATR, CardKind.BANK, Cause.CARD_BANK),
        (bytes(34), CardKind.MUTE, Cause.CARD_MUTE),
        (b"\x00\x00", CardKind.OTHER, Cause.PROTOCOL_MISMATCH),  # no TS: pcscd cannot connect
    ],
)
def test_a_card_that_cannot_be_read_is_not_spoken_to(kiosk: Kiosk, atr: bytes, kind: CardKind, expected: Cause) -> None:
    chip = ToyChip(atr)
    session = kiosk.insert(chip)
    assert kiosk.events.wait_event(CardInserted).kind is kind
    answers: SimpleQueue[CardContent | Fault] = SimpleQueue()
    kiosk.hub.read(session, answers.put)
    assert cause(answers.get(timeout=LIMIT_S)) is expected
    assert chip.received == []


def test_a_t1_card_is_spoken_to_in_t1(kiosk: Kiosk) -> None:
    chip = ToyChip(T1_ATR)
    session = kiosk.insert(chip)
    case_4 = bytes.fromhex("00A4040001AA00")
    assert exchange(kiosk.hub, session, case_4) == b"\x90\x00"
    assert chip.received == [case_4]


def test_an_unknown_card_is_asked_what_it_is(kiosk: Kiosk) -> None:
    chip = ToyChip(OTHER_ATR, before=lambda _: None)
    chip.answers = {bytes.fromhex("00A404000BD250000002564954414C45"): b"\x6a\x82"}
    session = kiosk.insert(chip)
    answers: SimpleQueue[CardContent | Fault] = SimpleQueue()
    kiosk.hub.read(session, answers.put)
    assert cause(answers.get(timeout=LIMIT_S)) is Cause.CARD_BANK  # the toy answers 9000 to 1PAY.SYS.DDF01


def test_the_power_is_off_between_citizens(kiosk: Kiosk) -> None:
    chip = ToyChip()
    session = kiosk.insert(chip)
    kiosk.exchange(session)
    kiosk.hub.release(session)
    wait_until(lambda: chip.power == ["cold", "off"])
    assert cause(kiosk.exchange(session)) is Cause.CARD_RESET


def test_bytes_that_are_no_command_are_a_bug_of_the_caller_and_show_no_data(kiosk: Kiosk) -> None:
    session = kiosk.insert(ToyChip())
    with pytest.raises(ValueError, match="not a command APDU: Lc announces 5 bytes, 7 follow") as raised:
        exchange(kiosk.hub, session, b"\x00\xd6\x00\x00\x05SECRETS")
    assert "SECRET" not in repr(raised.value)


def test_a_session_never_heard_of_is_a_removed_card(kiosk: Kiosk) -> None:
    assert cause(exchange(kiosk.hub, CardSession(10**9), COMMAND)) is Cause.CARD_REMOVED
    answers: SimpleQueue[CardContent | Fault] = SimpleQueue()
    kiosk.hub.read(CardSession(10**9), answers.put)
    assert cause(answers.get(timeout=LIMIT_S)) is Cause.CARD_REMOVED
    kiosk.hub.release(CardSession(10**9))


def test_a_reader_unplugged_with_a_card_voids_it_and_comes_back_with_a_new_session(kiosk: Kiosk) -> None:
    session = kiosk.insert(ToyChip())
    kiosk.scard.unplug(READERS[0])
    failed = kiosk.events.wait_event(ReaderFailed)
    assert (failed.role, failed.fault.cause) == (PATIENT, Cause.READER_LOST)
    assert cause(kiosk.exchange(session)) in {Cause.READER_LOST, Cause.CARD_REMOVED}
    kiosk.scard.replug(READERS[0])
    kiosk.events.wait_event(ReaderReady, 3)
    again = kiosk.events.wait_event(CardInserted, 2).card_session
    assert again != session
    assert kiosk.exchange(again) == b"\x90\x00"


def test_only_the_role_whose_reader_is_missing_fails() -> None:
    scard, events = EmbeddedScard((READERS[1], "Something Else 00 00")), Recorder()
    hub = ReaderHub(scard, BINDINGS, events, FakeClock())
    hub.start()
    events.wait_for(lambda seen: len(seen) == 2)
    scard.unplug(READERS[1])  # the list changes twice; what is missing has been said
    events.wait_event(ReaderFailed, 2)
    scard.replug(READERS[1])
    events.wait_event(ReaderReady, 2)
    hub.stop()
    assert [event.role for event in events.events if isinstance(event, ReaderFailed)] == [PATIENT, STAFF]
    failed, ready = events.wait_event(ReaderFailed), events.wait_event(ReaderReady)
    assert (failed.role, failed.fault.cause) == (PATIENT, Cause.NO_READER)
    assert failed.fault.detail == "Embedded Reader not among 2 readers"
    assert ready.role is STAFF


def test_a_service_that_comes_and_goes_is_said_once_each_time(kiosk: Kiosk) -> None:
    for count in (1, 2, 3):
        kiosk.scard.service_down()
        kiosk.events.wait_event(ReaderFailed, 2 * count)
        kiosk.scard.service_up()
        kiosk.events.wait_event(ReaderReady, 2 * count + 2)
    assert kiosk.events.kinds() == ["ReaderReady"] * 2 + (["ReaderFailed"] * 2 + ["ReaderReady"] * 2) * 3


def test_a_swap_voids_the_first_card_before_the_second_is_told(kiosk: Kiosk) -> None:
    first = kiosk.insert(ToyChip())
    kiosk.scard.remove(READERS[0])
    second = kiosk.insert(ToyChip(), 2)
    assert kiosk.events.events[-2:] == [
        CardRemoved(PATIENT, first),
        CardInserted(PATIENT, second, CardKind.VITALE_2),
    ]
    assert second > first


def test_two_roles_on_one_reader_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="professional: bound to the same reader as patient"):
        ReaderHub(EmbeddedScard(), {PATIENT: READERS[0], STAFF: READERS[0]}, Recorder(), FakeClock())


def test_stop_answers_who_waits_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    kiosk = Kiosk()
    kiosk.hub.start()
    chip = ToyChip()
    session = kiosk.insert(chip)
    assert kiosk.exchange(session) == b"\x90\x00"
    kiosk.hub.stop()
    assert set(threading.enumerate()) <= before
    assert cause(kiosk.exchange(session)) is Cause.READER_LOST
    assert chip.power[-1] == "off"


def test_a_link_error_shows_no_card_data() -> None:
    assert set(LinkError.__dataclass_fields__) == {"problem", "detail", "command_sent"}


def test_a_hub_that_was_never_started_can_be_stopped() -> None:
    made = Kiosk()
    made.hub.stop()
    assert made.events.events == []
