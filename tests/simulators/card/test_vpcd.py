"""The card's end of the vpcd wire, against a reader of our own; the real driver is tested with the reader layer."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from simulators.card import FaultKind, PlannedFault, SimulatedCard, open_persona
from simulators.card.vpcd import SlotProblem, VpcdCard
from tests.simulators.card.driver import SELECT_VITALE
from tests.simulators.card.vpcd_reader import LIMIT_S, VpcdReader

OFF, ON, RESET, ATR = b"\x00", b"\x01", b"\x02", b"\x04"


@pytest.fixture
def reader() -> Iterator[VpcdReader]:
    with VpcdReader() as reader:
        yield reader


@pytest.fixture
def insert(reader: VpcdReader) -> Iterator[Callable[[SimulatedCard], VpcdCard]]:
    """Insert a card while the reader accepts it and asks for its ATR."""
    slots: list[VpcdCard] = []

    def insert(card: SimulatedCard) -> VpcdCard:
        slot = VpcdCard(card, "127.0.0.1", reader.port)
        slots.append(slot)
        problems: list[SlotProblem | None] = []
        thread = threading.Thread(target=lambda: problems.append(slot.insert(LIMIT_S)))
        thread.start()
        reader.accept()
        assert reader.ask(ATR) == card.atr
        thread.join(LIMIT_S)
        assert problems == [None]
        return slot

    yield insert
    for slot in slots:
        slot.remove()


def test_power_atr_and_apdus(reader: VpcdReader, insert: Callable[[SimulatedCard], VpcdCard]) -> None:
    insert(open_persona("outdated"))
    reader.send(ON)
    assert reader.ask(SELECT_VITALE) == b"\x90\x00"
    assert reader.ask(bytes.fromhex("00B0940001")) == b"\xc3\x90\x00"
    reader.send(RESET)
    assert reader.ask(bytes.fromhex("00B0940001")) == b"\x6a\x82"  # MF selected again
    assert reader.ask(ATR) == bytes.fromhex("3b751300004309ea9000")


def test_atr_is_answered_while_the_power_is_off(
    reader: VpcdReader, insert: Callable[[SimulatedCard], VpcdCard]
) -> None:
    insert(open_persona("mute"))
    reader.send(ON)
    reader.send(OFF)
    assert len(reader.ask(ATR)) == 34


def test_frame_in_pieces_and_empty_frame(reader: VpcdReader, insert: Callable[[SimulatedCard], VpcdCard]) -> None:
    insert(open_persona("outdated"))
    reader.send(ON)
    reader.send(b"")  # taken for nothing
    frame = len(SELECT_VITALE).to_bytes(2, "big") + SELECT_VITALE
    assert reader._card is not None
    for byte in frame:
        reader._card.sendall(bytes([byte]))
    assert reader.receive() == b"\x90\x00"


def test_answer_leaves_in_one_piece(reader: VpcdReader, insert: Callable[[SimulatedCard], VpcdCard]) -> None:
    insert(open_persona("outdated"))
    reader.send(ON)
    reader.ask(SELECT_VITALE)
    reader.send(bytes.fromhex("00B0930000"))
    assert len(reader.receive_raw(1000)) == 2 + 256 + 2


def test_hundred_apdus_do_not_wait_for_acknowledgements(
    reader: VpcdReader, insert: Callable[[SimulatedCard], VpcdCard]
) -> None:
    """The driver writes length and payload in two calls: without TCP_QUICKACK each APDU costs 44 ms, with it 0.05 ms.

    Half of them tell: a loaded machine delays some, never most."""
    insert(open_persona("outdated"))
    reader.send(ON)
    assert reader._card is not None
    took_s = []
    for _ in range(100):
        start_s = time.monotonic()
        reader._card.sendall(len(SELECT_VITALE).to_bytes(2, "big"))
        reader._card.sendall(SELECT_VITALE)
        assert reader.receive() == b"\x90\x00"
        took_s.append(time.monotonic() - start_s)
    assert statistics.median(took_s) < 0.02


def test_pulled_out_and_put_back(reader: VpcdReader, insert: Callable[[SimulatedCard], VpcdCard]) -> None:
    card = open_persona("outdated")
    slot = insert(card)
    reader.send(ON)
    assert reader.ask(SELECT_VITALE) == b"\x90\x00"
    slot.remove()
    assert reader.receive() == b""
    assert slot.gone.is_set()
    assert card.transmit(SELECT_VITALE) == b""
    slot.remove()  # nothing to do
    reader.eject()
    insert(card)
    reader.send(ON)
    assert reader.ask(SELECT_VITALE) == b"\x90\x00"


@pytest.mark.parametrize("kind", [FaultKind.REMOVED_BEFORE, FaultKind.REMOVED_AFTER])
def test_planned_removal_closes_the_slot(
    kind: FaultKind, reader: VpcdReader, insert: Callable[[SimulatedCard], VpcdCard]
) -> None:
    card = open_persona("outdated", faults=[PlannedFault(kind, at=2)])
    slot = insert(card)
    reader.send(ON)
    assert reader.ask(SELECT_VITALE) == b"\x90\x00"
    assert reader.ask(SELECT_VITALE) == b""
    assert slot.gone.wait(LIMIT_S)
    assert card.vanished


def test_hang_is_silence_until_the_card_is_pulled(
    reader: VpcdReader, insert: Callable[[SimulatedCard], VpcdCard]
) -> None:
    slot = insert(open_persona("outdated", faults=[PlannedFault(FaultKind.HANG, at=1)]))
    reader.send(ON)
    reader.send(SELECT_VITALE)
    assert reader.ask(ATR) == slot.card.atr  # the frame after the command is the ATR: nothing came before it
    assert not slot.gone.is_set()
    slot.remove()
    assert reader.receive() == b""


def test_command_without_power_never_sends_an_empty_frame(
    reader: VpcdReader, insert: Callable[[SimulatedCard], VpcdCard]
) -> None:
    slot = insert(open_persona("outdated"))
    assert reader.ask(SELECT_VITALE) == b""  # closed, not an empty frame
    assert slot.gone.wait(LIMIT_S)


def test_reader_closed(reader: VpcdReader, insert: Callable[[SimulatedCard], VpcdCard]) -> None:
    slot = insert(open_persona("outdated"))
    reader.eject()
    assert slot.gone.wait(LIMIT_S)


def test_slot_taken_and_no_reader() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slot = VpcdCard(open_persona("outdated"), "127.0.0.1", silent.getsockname()[1])
        assert slot.insert(0.05) is SlotProblem.SLOT_TAKEN
        assert slot.gone.is_set()
    assert slot.insert(0.05) is SlotProblem.NO_READER


def test_a_card_pulled_while_it_is_late_executes_nothing_any_more(
    reader: VpcdReader, insert: Callable[[SimulatedCard], VpcdCard]
) -> None:
    """Else the late command would be executed by a thread of the past, on a card that is in again."""
    card = open_persona("outdated", faults=[PlannedFault(FaultKind.DELAY, at=1, delay_ms=600_000)])
    slot = insert(card)
    reader.send(ON)
    reader.send(SELECT_VITALE)
    slot.remove()
    assert slot.gone.is_set()
    reader.eject()
    insert(card)
    reader.send(ON)
    assert reader.ask(bytes.fromhex("00B0940001")) == b"\x6a\x82"  # nothing is selected
    assert reader.ask(SELECT_VITALE) == b"\x90\x00"
