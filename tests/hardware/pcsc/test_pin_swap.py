"""A PIN belongs to the card it was typed for: a VERIFY prepared for one card session reaches no other card, a removal
during VERIFY is never a wrong PIN, and nothing sends a PIN a second time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, cast

import pytest

from kiosk.hardware.pcsc.api import ReaderSnapshot, ReaderState, Scard
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.hardware.pcsc.worker import CardWorker, Job
from kiosk.visit.events import CardInserted, CardRemoved
from kiosk.visit.failures import Cause
from kiosk.visit.ports import CardAnswers, CardSession, CardStep, ReaderRole
from simulators.card import FaultKind, PlannedFault, SimulatedCard, open_persona
from simulators.card.staff_chip import INS_VERIFY
from simulators.card.timing import Exchange
from tests.hardware.pcsc.conftest import StartHub
from tests.hardware.pcsc.hands import EmbeddedHands, Hands
from tests.hardware.pcsc.support import LIMIT_S, RealClock, Recorder, wait_until

STAFF_SLOT = 1
SELECT_MF = CardStep(bytes.fromhex("00A4000C023F00"), frozenset({0x9000}))
HOW_MANY_TRIES = CardStep(bytes.fromhex("00200001"), frozenset({0x63C3}))
VERIFY_PHARMACIST = CardStep(bytes.fromhex("0020000104") + b"2580", frozenset({0x9000}))
OLD_CARD = (Cause.CARD_REMOVED, False)


def tries_left(card: SimulatedCard) -> bytes:
    """Status word of a question asked at the contacts, which costs nothing."""
    card.power_on()
    return card.transmit(HOW_MANY_TRIES.command)


def verifies_reaching(card: SimulatedCard) -> list[Exchange]:
    """Filled with each VERIFY that has data and is answered by this card."""
    seen: list[Exchange] = []

    def note(exchange: Exchange) -> None:
        if exchange.command_bytes == len(VERIFY_PHARMACIST.command):
            seen.append(exchange)

    card.note = note
    return seen


def inserted(hands: Hands, events: Recorder, card: SimulatedCard, count: int) -> CardSession:
    hands.insert(STAFF_SLOT, card)
    event = events.wait_event(CardInserted, count)
    assert event.role is ReaderRole.PROFESSIONAL
    return event.card_session


def answered(answers: CardAnswers) -> tuple[Cause, bool] | None:
    return None if answers.fault is None else (answers.fault.cause, answers.fault.command_sent)


def words(answers: CardAnswers) -> list[str]:
    return [response[-2:].hex() for response in answers.responses]


@pytest.mark.parametrize("other", ["assistant", "pharmacist"])
def test_a_verify_prepared_for_one_card_is_not_sent_to_the_card_that_replaced_it(
    hands: Hands, start_hub: StartHub, events: Recorder, other: str
) -> None:
    """The holder types while the cards are swapped; even for a twin of the first card the PIN must be asked again."""
    hub = start_hub()
    first = open_persona("pharmacist")
    session = inserted(hands, events, first, 1)
    assert words(hub.execute(session, [SELECT_MF, HOW_MANY_TRIES])) == ["9000", "63c3"]
    prepared = [SELECT_MF, VERIFY_PHARMACIST]

    hands.remove(STAFF_SLOT)
    second = open_persona(other)
    reached = verifies_reaching(second)
    new_session = inserted(hands, events, second, 2)

    refused = hub.execute(session, prepared)
    assert (answered(refused), refused.responses) == (OLD_CARD, ())
    assert words(hub.execute(new_session, [HOW_MANY_TRIES])) == ["63c3"]
    assert reached == []
    hands.remove(STAFF_SLOT)
    events.wait_event(CardRemoved, 2)
    assert (tries_left(first), tries_left(second)) == (b"\x63\xc3", b"\x63\xc3")


def test_a_card_swapped_before_the_hub_knows_gets_no_verify_either(
    hands: Hands, start_hub: StartHub, events: Recorder
) -> None:
    """The dialogue is with the old card: what comes after it in the slot is not in it, however fast the hand is."""
    hub = start_hub()
    first, second = open_persona("pharmacist"), open_persona("assistant")
    reached = verifies_reaching(second)
    session = inserted(hands, events, first, 1)
    assert words(hub.execute(session, [HOW_MANY_TRIES])) == ["63c3"]
    hands.remove(STAFF_SLOT)
    hands.insert(STAFF_SLOT, second)
    refused = hub.execute(session, [VERIFY_PHARMACIST])
    assert refused.fault is not None
    assert refused.fault.cause is Cause.CARD_REMOVED
    assert refused.responses == ()
    events.wait_event(CardInserted, 2)
    hands.remove(STAFF_SLOT)
    events.wait_event(CardRemoved, 2)
    assert reached == []
    assert (tries_left(first), tries_left(second)) == (b"\x63\xc3", b"\x63\xc3")


@pytest.mark.parametrize(
    ("kind", "tries"),
    [
        (FaultKind.REMOVED_BEFORE, b"\x63\xc3"),
        (FaultKind.REMOVED_AFTER, b"\x63\xc3"),
        (FaultKind.TORN_WRITE, b"\x63\xc2"),
    ],
    ids=["before it arrives", "before the answer leaves", "while the try is paid back"],
)
def test_a_removal_during_verify_is_a_removal_and_the_pin_is_not_sent_again(
    hands: Hands, start_hub: StartHub, events: Recorder, kind: FaultKind, tries: bytes
) -> None:
    """Only the card says "wrong PIN": the fault has no status word, and the card that is back hears no VERIFY."""
    fault = PlannedFault(kind, at=2) if kind is FaultKind.TORN_WRITE else PlannedFault(kind, ins=INS_VERIFY)
    card = open_persona("pharmacist", faults=[fault])
    hub = start_hub()
    session = inserted(hands, events, card, 1)
    pulled = hub.execute(session, [SELECT_MF, VERIFY_PHARMACIST])
    assert answered(pulled) == (Cause.CARD_REMOVED, True)
    assert words(pulled) == ["9000"]
    assert events.wait_event(CardRemoved).card_session == session

    reached = verifies_reaching(card)
    again = inserted(hands, events, card, 2)
    assert words(hub.execute(again, [HOW_MANY_TRIES])) == [tries.hex()]  # not verified: nobody sent the PIN to it
    assert answered(hub.execute(session, [VERIFY_PHARMACIST])) == OLD_CARD
    assert reached == []
    hands.remove(STAFF_SLOT)
    events.wait_event(CardRemoved, 2)
    assert tries_left(card) == tries


def test_a_verify_waiting_behind_another_dialogue_when_its_card_leaves_is_not_sent(
    hands: Hands, start_hub: StartHub, events: Recorder
) -> None:
    """Queued while the card thread was busy: looked at again before each command, not only when it was asked for."""
    hub = start_hub()
    entered, pulled = threading.Event(), threading.Event()
    first, second = open_persona("pharmacist"), open_persona("assistant")
    reached = [verifies_reaching(first), verifies_reaching(second)]
    session = inserted(hands, events, first, 1)
    note = first.note

    def hold(exchange: Exchange) -> None:
        if note is not None:
            note(exchange)
        entered.set()
        assert pulled.wait(LIMIT_S)

    first.note = hold
    answers: list[CardAnswers] = []
    asker = threading.Thread(target=lambda: answers.append(hub.execute(session, [SELECT_MF, VERIFY_PHARMACIST])))
    asker.start()
    assert entered.wait(LIMIT_S)
    waiting = threading.Thread(target=lambda: answers.append(hub.execute(session, [VERIFY_PHARMACIST])))
    waiting.start()
    puller = threading.Thread(target=hands.remove, args=(STAFF_SLOT,))
    puller.start()
    events.wait_event(CardRemoved)
    pulled.set()
    for thread in (puller, asker, waiting):
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    inserted(hands, events, second, 2)
    assert [one.fault is not None and one.fault.cause for one in answers] == [Cause.CARD_REMOVED] * 2
    hands.remove(STAFF_SLOT)
    events.wait_event(CardRemoved, 2)
    assert reached == [[], []]
    assert (tries_left(first), tries_left(second)) == (b"\x63\xc3", b"\x63\xc3")


def test_a_verify_waiting_for_its_turn_is_not_sent_to_the_card_after_its_own(
    events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three cards pass while the card thread is held: the second's VERIFY waits without a dialogue of its own, and
    would begin one with the third. Only in process: behind pcscd a command ends with its card."""
    hands = EmbeddedHands()
    hub = ReaderHub(hands.scard, {ReaderRole.PROFESSIONAL: hands.readers[STAFF_SLOT]}, events, RealClock())
    hub.start()
    entered, let_go, queued = threading.Event(), threading.Event(), threading.Event()
    first, second, third = (open_persona(name) for name in ("pharmacist", "assistant", "technician"))
    reached = [verifies_reaching(second), verifies_reaching(third)]

    def hold(_: Exchange) -> None:
        entered.set()
        assert let_go.wait(LIMIT_S)

    first.note = hold
    sessions = [inserted(hands, events, first, 1)]
    holder = threading.Thread(target=hub.execute, args=(sessions[0], [SELECT_MF]))
    holder.start()
    assert entered.wait(LIMIT_S)
    hands.remove(STAFF_SLOT)
    sessions.append(inserted(hands, events, second, 2))
    answers: list[CardAnswers] = []
    asker = threading.Thread(target=lambda: answers.append(hub.execute(sessions[1], [VERIFY_PHARMACIST])))
    submit = CardWorker.submit

    def tell(worker: CardWorker, job: Job[Any]) -> None:
        submit(worker, job)
        if threading.current_thread() is asker:
            queued.set()

    monkeypatch.setattr(CardWorker, "submit", tell)
    asker.start()
    assert queued.wait(LIMIT_S)
    hands.remove(STAFF_SLOT)
    inserted(hands, events, third, 3)
    let_go.set()
    for thread in (holder, asker):
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    hub.stop()
    assert [(answered(one), one.responses) for one in answers] == [(OLD_CARD, ())]
    hands.remove(STAFF_SLOT)
    assert reached == [[], []]
    assert [tries_left(card) for card in (first, second, third)] == [b"\x63\xc3"] * 3


class LateMonitor:
    """An `Scard` whose waits come back when the test lets them: the monitor is behind what happens at the slot."""

    def __init__(self, scard: Scard) -> None:
        self._scard = scard
        self.told = threading.Event()
        self.told.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scard, name)

    def wait_present(self, reader: str) -> None:
        """Until the service itself has seen the card that is in."""
        _, context = self._scard.establish_context()
        unaware = [(reader, int(ReaderState.UNAWARE))]
        wait_until(lambda: self._scard.get_status_change(context, 0, unaware)[1][0].present)
        self._scard.release_context(context)

    def get_status_change(
        self, context: int, timeout_ms: int, states: Sequence[tuple[str, int]]
    ) -> tuple[int, tuple[ReaderSnapshot, ...]]:
        answer = self._scard.get_status_change(context, timeout_ms, states)
        if timeout_ms:
            assert self.told.wait(LIMIT_S)
        return answer


@pytest.mark.parametrize("other", ["assistant", "pharmacist"])
def test_the_first_verify_of_a_session_does_not_reach_a_card_swapped_in_unseen(
    hands: Hands, events: Recorder, other: str
) -> None:
    """No dialogue was open that could end with the first card, and nobody has told the hub of the second."""
    scard = LateMonitor(hands.scard)
    bindings = {ReaderRole.PROFESSIONAL: hands.readers[STAFF_SLOT]}
    hub = ReaderHub(cast(Scard, scard), bindings, events, RealClock())
    hub.start()
    first, second = open_persona("pharmacist"), open_persona(other)
    reached = verifies_reaching(second)
    session = inserted(hands, events, first, 1)
    scard.told.clear()
    hands.remove(STAFF_SLOT)
    hands.insert(STAFF_SLOT, second)
    scard.wait_present(hands.readers[STAFF_SLOT])
    refused = hub.execute(session, [VERIFY_PHARMACIST])
    scard.told.set()
    events.wait_event(CardInserted, 2)
    hands.remove(STAFF_SLOT)
    events.wait_event(CardRemoved, 2)
    hub.stop()
    assert (answered(refused), refused.responses) == (OLD_CARD, ())
    assert reached == []
    assert (tries_left(first), tries_left(second)) == (b"\x63\xc3", b"\x63\xc3")
