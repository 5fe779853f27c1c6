"""The embedded reader answers as a real pcscd does, call by call: results, states, counters."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from kiosk.hardware.pcsc.api import CardProtocol, Disposition, ReaderSnapshot, ReaderState
from kiosk.hardware.pcsc.connection import ANY_PROTOCOL
from simulators.card import FaultKind, PlannedFault, SimulatedCard, open_persona
from simulators.card.chip import BareChip
from tests.hardware.pcsc.hands import Hands

GET_CHALLENGE = bytes.fromhex("0084000008")


def code(result: tuple[int, object]) -> int:
    return result[0] & 0xFFFFFFFF


class Client:
    """One program with one context."""

    def __init__(self, hands: Hands) -> None:
        self.hands = hands
        result, self.context = hands.scard.establish_context()
        assert result == 0

    def state(self, slot: int = 0) -> ReaderSnapshot:
        result, (snapshot,) = self.hands.scard.get_status_change(self.context, 0, [(self.hands.readers[slot], 0)])
        assert result == 0
        return snapshot

    def wait(self, known: ReaderSnapshot, *, present: bool) -> ReaderSnapshot:
        """Wait, as the monitor does, until the slot is as said."""
        while known.present != present or (present and not (known.atr or known.mute)):
            result = self.hands.scard.get_status_change(self.context, 5000, [(known.reader, known.known_state)])
            assert code(result) == 0
            (known,) = result[1]
        return known

    def connect(self, slot: int = 0, protocols: CardProtocol = ANY_PROTOCOL) -> tuple[int, tuple[int, int]]:
        return self.hands.scard.connect_exclusive(self.context, self.hands.readers[slot], protocols)


@pytest.fixture
def client(hands: Hands) -> Iterator[Client]:
    made = Client(hands)
    yield made
    hands.scard.release_context(made.context)


def test_lists_its_two_slots(hands: Hands, client: Client) -> None:
    result, names = hands.scard.list_readers(client.context)
    assert (result, set(names)) == (0, set(hands.readers))


def test_an_empty_slot_and_an_unknown_reader(hands: Hands, client: Client) -> None:
    assert client.state().event_state & 0xFFFF == ReaderState.EMPTY | ReaderState.CHANGED
    assert code(client.connect()) == 0x8010000C
    assert code(hands.scard.connect_exclusive(client.context, "No Such Reader 00 00", ANY_PROTOCOL)) == 0x80100009
    assert code(hands.scard.get_status_change(client.context, 0, [("No Such Reader 00 00", 0)])) == 0x80100009


def test_states_and_counter_from_insertion_to_removal(hands: Hands, client: Client) -> None:
    empty = client.state()
    hands.insert(0, open_persona("outdated"))
    inserted = client.wait(empty, present=True)
    assert inserted.counter == empty.counter + 1
    assert inserted.atr == open_persona("outdated").atr
    _, (card, protocol) = client.connect()
    assert protocol == CardProtocol.T0
    connected = client.state()
    assert connected.in_use
    assert connected.event_state & ReaderState.EXCLUSIVE
    assert connected.counter == inserted.counter
    assert code(Client(hands).connect()) == 0x8010000B
    result, answer = hands.scard.transmit(card, CardProtocol.T0, GET_CHALLENGE)
    assert (result, len(answer), answer[-2:]) == (0, 10, b"\x90\x00")
    assert code(hands.scard.disconnect(card, Disposition.UNPOWER)) == 0
    assert not client.state().in_use
    hands.remove(0)
    assert client.wait(client.state(), present=False).counter == inserted.counter + 1


def test_a_card_taken_away_under_a_connection(hands: Hands, client: Client) -> None:
    empty = client.state()
    hands.insert(0, open_persona("outdated", faults=[PlannedFault(FaultKind.REMOVED_BEFORE, at=1)]))
    inserted = client.wait(empty, present=True)
    _, (card, _) = client.connect()
    assert hands.scard.transmit(card, CardProtocol.T0, GET_CHALLENGE) == (0, b"")  # success, and no answer
    client.wait(inserted, present=False)
    assert code(hands.scard.transmit(card, CardProtocol.T0, GET_CHALLENGE)) == 0x80100069
    hands.scard.disconnect(card, Disposition.LEAVE)
    assert code(hands.scard.transmit(card, CardProtocol.T0, GET_CHALLENGE)) == 0x80100003


def test_a_mute_card(hands: Hands, client: Client) -> None:
    hands.insert(0, open_persona("mute"))
    snapshot = client.wait(client.state(), present=True)
    assert snapshot.mute
    assert snapshot.atr == b""
    assert code(client.connect()) == 0x80100067


def test_another_atr_after_a_warm_reset(hands: Hands, client: Client) -> None:
    warm = bytes.fromhex("3B00")
    card = open_persona("outdated", faults=[PlannedFault(FaultKind.WARM_ATR, atr=warm)])
    hands.insert(0, card)
    inserted = client.wait(client.state(), present=True)
    assert inserted.atr == card.atr != warm
    for _ in range(2):
        _, (handle, _) = client.connect()
        assert code(hands.scard.transmit(handle, CardProtocol.T0, GET_CHALLENGE)) == 0
        hands.scard.disconnect(handle, Disposition.RESET)
        assert client.state().atr == warm
    assert client.state().counter == inserted.counter  # no new card
    _, (handle, _) = client.connect()
    hands.scard.disconnect(handle, Disposition.UNPOWER)
    _, (handle, _) = client.connect()
    assert client.state().atr == open_persona("outdated").atr


def test_one_byte_is_success_with_one_byte_and_the_card_stays(hands: Hands, client: Client) -> None:
    hands.insert(0, open_persona("outdated", faults=[PlannedFault(FaultKind.TRUNCATED, at=1, keep_bytes=1)]))
    client.wait(client.state(), present=True)
    _, (card, _) = client.connect()
    result, answer = hands.scard.transmit(card, CardProtocol.T0, GET_CHALLENGE)
    assert (result, len(answer)) == (0, 1)
    assert client.state().present
    assert code(hands.scard.transmit(card, CardProtocol.T0, GET_CHALLENGE)) == 0


@pytest.mark.parametrize(("atr", "protocols"), [("3B751300004309EA9000", CardProtocol.T1), ("0000", ANY_PROTOCOL)])
def test_no_common_protocol(hands: Hands, client: Client, atr: str, protocols: CardProtocol) -> None:
    hands.insert(0, SimulatedCard(bytes.fromhex(atr), BareChip()))
    client.wait(client.state(), present=True)
    assert code(client.connect(protocols=protocols)) == 0x8010000F


def test_a_wait_ends_by_time_and_by_cancel_and_an_early_cancel_is_lost(hands: Hands, client: Client) -> None:
    known = client.state()
    waiting = [(known.reader, known.known_state)]
    assert code(hands.scard.cancel(client.context)) == 0
    assert code(hands.scard.get_status_change(client.context, 20, waiting)) == 0x8010000A
    results: list[int] = []
    waiter = threading.Thread(
        target=lambda: results.append(code(hands.scard.get_status_change(client.context, 10_000, waiting)))
    )
    waiter.start()
    while waiter.is_alive():  # as often as it takes: a cancel before the wait is lost
        hands.scard.cancel(client.context)
        waiter.join(0.02)
    assert results == [0x80100002]


def test_a_dead_service_and_a_new_one(hands: Hands) -> None:
    client = Client(hands)
    hands.insert(0, open_persona("outdated"))
    known = client.wait(client.state(), present=True)
    _, (card, _) = client.connect()
    known = client.state()
    results: list[int] = []
    waiter = threading.Thread(
        target=lambda: results.append(
            code(hands.scard.get_status_change(client.context, 10_000, [(known.reader, known.known_state)]))
        )
    )
    waiter.start()
    hands.kill_service()
    waiter.join()
    assert results[0] in {0x80100013, 0x8010001D, 0x8010006A}  # by the moment at which the daemon was hit
    assert code(hands.scard.list_readers(client.context)) == 0x8010001D
    assert code(hands.scard.transmit(card, CardProtocol.T0, GET_CHALLENGE)) in {0x8010001D, 0x80100003}
    assert code(hands.scard.establish_context()) == 0x8010001D
    hands.start_service()
    assert code(hands.scard.list_readers(client.context)) == 0x8010001D  # the old context stays dead
    hands.scard.release_context(client.context)
    fresh = Client(hands)
    assert fresh.wait(fresh.state(), present=True).atr == open_persona("outdated").atr
    hands.scard.release_context(fresh.context)
