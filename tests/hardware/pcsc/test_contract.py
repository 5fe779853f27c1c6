"""One contract for every reader: what the visit sees of a card is the same in process and through a real pcscd."""

from __future__ import annotations

from queue import SimpleQueue

import pytest

from kiosk.card.apdu import ResponseApdu, parse_command
from kiosk.card.generations import reader_for
from kiosk.card.transport import complete_t0
from kiosk.card.values import CardContent, CardKind
from kiosk.hardware.pcsc.connection import Deadlines
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.events import CardInserted, CardRemoved, ReaderFailed, ReaderReady
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardSession, ReaderRole
from simulators.card import FaultKind, PlannedFault, SimulatedCard, open_persona
from tests.hardware.pcsc.conftest import StartHub
from tests.hardware.pcsc.hands import Hands
from tests.hardware.pcsc.support import LIMIT_S, Recorder, exchange

SELECT_VITALE = bytes.fromhex("00A4040C0BD250000002564954414C45")
GET_CHALLENGE = bytes.fromhex("0084000008")
QUICK = Deadlines(connect_s=0.5, apdu_s=1.5, watch_every_s=0.05)


def read(hub: ReaderHub, session: CardSession) -> CardContent | Fault:
    """Read and wait for the answer."""
    answers: SimpleQueue[CardContent | Fault] = SimpleQueue()
    hub.read(session, answers.put)
    return answers.get(timeout=LIMIT_S)


def read_directly(card: SimulatedCard) -> object:
    """The same card without any reader in between."""
    card.power_on()

    def exchange(command: bytes) -> ResponseApdu:
        answer = complete_t0(card.transmit, parse_command(command))  # type: ignore[arg-type]  # our own commands parse
        assert isinstance(answer, ResponseApdu)
        return answer

    reader = reader_for(CardKind.VITALE_2)
    assert reader is not None
    return reader(exchange)


def cause(outcome: object) -> Cause | None:
    return outcome.cause if isinstance(outcome, Fault) else None


@pytest.mark.parametrize("persona", ["outdated", "nineteen-beneficiaries"])
def test_a_card_is_read_as_it_is_and_the_trace_is_redacted(
    hands: Hands, start_hub: StartHub, events: Recorder, trace: list[str], persona: str
) -> None:
    hub = start_hub()
    hands.insert(0, open_persona(persona))
    inserted = events.wait_event(CardInserted)
    assert (inserted.role, inserted.kind) == (ReaderRole.PATIENT, CardKind.VITALE_2)
    content = read(hub, inserted.card_session)
    assert isinstance(content, CardContent)
    assert content == read_directly(open_persona(persona))
    told = "\n".join(trace)
    assert " SW 9000 in " in told
    for datum in (content.iccsn, content.holder.nir, content.holder.name):
        assert datum not in told
        assert datum.encode().hex().upper() not in told.replace(" ", "")


OTHER_CARDS = {
    "mute": (CardKind.MUTE, Cause.CARD_MUTE),
    "vitale1": (CardKind.VITALE_1, Cause.CARD_VITALE_1),
    "bank-card": (CardKind.BANK, Cause.CARD_BANK),
    "unknown-card": (CardKind.OTHER, Cause.CARD_OTHER),
    "pharmacist": (CardKind.PROFESSIONAL, Cause.CARD_STAFF),
    "assistant": (CardKind.PROFESSIONAL, Cause.CARD_STAFF),
    "technician": (CardKind.PROFESSIONAL, Cause.CARD_STAFF),
}


@pytest.mark.parametrize("persona", OTHER_CARDS)
def test_each_other_card_is_told_apart(hands: Hands, start_hub: StartHub, events: Recorder, persona: str) -> None:
    hub = start_hub()
    hands.insert(0, open_persona(persona))
    inserted = events.wait_event(CardInserted)
    assert (inserted.kind, cause(read(hub, inserted.card_session))) == OTHER_CARDS[persona]


def test_both_roles_have_their_own_card(hands: Hands, start_hub: StartHub, events: Recorder) -> None:
    hub = start_hub()
    hands.insert(1, open_persona("corsican"))
    staff = events.wait_event(CardInserted)
    hands.insert(0, open_persona("outdated"))
    patient = events.wait_event(CardInserted, 2)
    assert (staff.role, patient.role) == (ReaderRole.PROFESSIONAL, ReaderRole.PATIENT)
    assert read(hub, patient.card_session) != read(hub, staff.card_session)
    hands.remove(1)
    assert events.wait_event(CardRemoved) == CardRemoved(ReaderRole.PROFESSIONAL, staff.card_session)
    assert isinstance(exchange(hub, patient.card_session, GET_CHALLENGE), bytes)


def test_a_swap_ends_one_session_and_begins_another(hands: Hands, start_hub: StartHub, events: Recorder) -> None:
    hub = start_hub()
    hands.insert(0, open_persona("outdated"))
    first = events.wait_event(CardInserted).card_session
    assert isinstance(read(hub, first), CardContent)
    hands.remove(0)
    hands.insert(0, open_persona("corsican"))
    second = events.wait_event(CardInserted, 2).card_session
    assert events.kinds()[-2:] == ["CardRemoved", "CardInserted"]
    assert second != first
    old = exchange(hub, first, GET_CHALLENGE)
    assert isinstance(old, Fault)
    assert (old.cause, old.command_sent) == (Cause.CARD_REMOVED, False)
    assert read(hub, second) == read_directly(open_persona("corsican"))


@pytest.mark.parametrize(
    "fault",
    [PlannedFault(FaultKind.REMOVED_BEFORE, at=1), PlannedFault(FaultKind.REMOVED_AFTER, at=5)],
    ids=["before the first APDU", "after the fifth"],
)
def test_a_card_pulled_during_a_command_is_removed_and_reads_when_it_is_back(
    hands: Hands, start_hub: StartHub, events: Recorder, fault: PlannedFault
) -> None:
    hub = start_hub()
    hands.insert(0, open_persona("outdated", faults=[fault]))
    session = events.wait_event(CardInserted).card_session
    assert cause(read(hub, session)) is Cause.CARD_REMOVED
    assert events.wait_event(CardRemoved).card_session == session
    hands.insert(0, open_persona("outdated"))
    assert isinstance(read(hub, events.wait_event(CardInserted, 2).card_session), CardContent)


def test_a_card_pulled_between_two_commands_is_removed_though_the_service_has_not_looked_yet(
    hands: Hands, start_hub: StartHub, events: Recorder
) -> None:
    hub = start_hub()
    hands.insert(0, open_persona("outdated"))
    session = events.wait_event(CardInserted).card_session
    assert exchange(hub, session, SELECT_VITALE) == b"\x90\x00"
    hands.remove(0)
    assert cause(exchange(hub, session, GET_CHALLENGE)) is Cause.CARD_REMOVED


def test_exchange_passes_bytes_and_release_ends_the_dialogue(
    hands: Hands, start_hub: StartHub, events: Recorder
) -> None:
    hub = start_hub()
    hands.insert(0, open_persona("outdated"))
    session = events.wait_event(CardInserted).card_session
    assert exchange(hub, session, SELECT_VITALE) == b"\x90\x00"
    challenge = exchange(hub, session, GET_CHALLENGE)
    assert isinstance(challenge, bytes)
    assert (len(challenge), challenge[-2:]) == (10, b"\x90\x00")
    hub.release(session)
    after = exchange(hub, session, GET_CHALLENGE)
    assert isinstance(after, Fault)
    assert (after.cause, after.command_sent) == (Cause.CARD_RESET, False)
    assert isinstance(read(hub, session), CardContent)
    assert isinstance(exchange(hub, session, GET_CHALLENGE), bytes)


def test_a_card_held_by_another_program_is_said_so_and_read_afterwards(
    hands: Hands, start_hub: StartHub, events: Recorder
) -> None:
    hub = start_hub()
    hands.insert(0, open_persona("outdated"))
    session = events.wait_event(CardInserted).card_session
    with hands.held_by_other(0):
        refused = read(hub, session)
    assert isinstance(refused, Fault)
    assert (refused.cause, refused.command_sent) == (Cause.HELD_BY_OTHER, False)
    assert isinstance(read(hub, session), CardContent)
    assert events.kinds() == ["ReaderReady", "ReaderReady", "CardInserted"]


def test_a_connect_blocked_by_a_foreign_transaction_ends_at_its_limit(
    hands: Hands, start_hub: StartHub, events: Recorder
) -> None:
    hub = start_hub(QUICK)
    hands.insert(0, open_persona("outdated"))
    session = events.wait_event(CardInserted).card_session
    with hands.in_foreign_transaction(0):
        refused = read(hub, session)
        assert isinstance(refused, Fault)
        assert (refused.cause, refused.command_sent) == (Cause.HELD_BY_OTHER, False)
        assert events.wait_event(ReaderFailed).fault.cause is Cause.HELD_BY_OTHER
        assert cause(exchange(hub, session, GET_CHALLENGE)) is Cause.HELD_BY_OTHER
    again = events.wait_event(CardInserted, 2).card_session
    assert isinstance(read(hub, again), CardContent)


def test_a_hanging_command_ends_at_its_limit_and_the_next_card_works(
    hands: Hands, start_hub: StartHub, events: Recorder
) -> None:
    hub = start_hub(QUICK)
    hands.insert(0, open_persona("outdated", faults=[PlannedFault(FaultKind.HANG, at=3)]))
    session = events.wait_event(CardInserted).card_session
    hung = read(hub, session)
    assert isinstance(hung, Fault)
    assert (hung.cause, hung.command_sent) == (Cause.READER_HUNG, True)
    assert events.wait_event(ReaderFailed).role is ReaderRole.PATIENT
    assert cause(exchange(hub, session, GET_CHALLENGE)) is Cause.READER_HUNG
    hands.remove(0)
    events.wait_event(ReaderReady, 3)
    hands.insert(0, open_persona("outdated"))
    assert isinstance(read(hub, events.wait_event(CardInserted, 2).card_session), CardContent)
    assert "CardRemoved" not in events.kinds()  # its session ended with the reader


def test_the_service_dies_with_a_card_in_and_comes_back(hands: Hands, start_hub: StartHub, events: Recorder) -> None:
    hub = start_hub()
    hands.insert(0, open_persona("outdated"))
    session = events.wait_event(CardInserted).card_session
    assert isinstance(read(hub, session), CardContent)
    hands.kill_service()
    assert {events.wait_event(ReaderFailed, n).fault.cause for n in (1, 2)} == {Cause.SERVICE_LOST}
    assert cause(exchange(hub, session, GET_CHALLENGE)) is Cause.SERVICE_LOST
    hands.start_service()
    events.wait_event(ReaderReady, 4)
    assert isinstance(read(hub, events.wait_event(CardInserted, 2).card_session), CardContent)
