"""What the embedded reader does beside the raw contract: power, hands at odd moments, hanging drivers."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from kiosk.hardware.pcsc.api import CardProtocol, Disposition, ReaderSnapshot
from kiosk.hardware.pcsc.connection import ANY_PROTOCOL
from simulators.card import CardGoneError, FaultKind, PlannedFault, open_persona
from simulators.reader.embedded import READERS, EmbeddedScard
from simulators.reader.scripted import Row, ScriptedScard, ScriptError
from tests.hardware.pcsc.support import LIMIT_S, ToyChip, wait_until

COMMAND = bytes.fromhex("00840000")


def connected(scard: EmbeddedScard, chip: object) -> tuple[int, int]:
    """(context, card handle) on the first reader."""
    scard.insert(READERS[0], chip)  # type: ignore[arg-type]  # chips and cards alike
    _, context = scard.establish_context()
    result, (card, _) = scard.connect_exclusive(context, READERS[0], ANY_PROTOCOL)
    assert result == 0
    return context, card


class Noticed:
    """In place of the flag of a driver that hangs: tells when a command has come to it."""

    def __init__(self, scard: EmbeddedScard) -> None:
        self._noticed = threading.Event()
        scard._readers[READERS[0]].hanging = self  # type: ignore[assignment]  # only asked whether it is true

    def __bool__(self) -> bool:
        self._noticed.set()
        return True

    def wait(self) -> None:
        """The command waits in the driver when this returns: nothing can happen to the reader before it does."""
        assert self._noticed.wait(LIMIT_S)


def transmit_in_background(scard: EmbeddedScard, card: int) -> SimpleQueue[tuple[int, bytes]]:
    answers: SimpleQueue[tuple[int, bytes]] = SimpleQueue()
    threading.Thread(target=lambda: answers.put(scard.transmit(card, CardProtocol.T0, COMMAND)), daemon=True).start()
    return answers


@pytest.mark.parametrize(
    ("disposition", "power"),
    [
        (Disposition.LEAVE, ["cold"]),
        (Disposition.RESET, ["cold", "warm"]),
        (Disposition.UNPOWER, ["cold", "off"]),
    ],
)
def test_the_disposition_is_what_happens_to_the_card(disposition: Disposition, power: list[str]) -> None:
    scard, chip = EmbeddedScard(), ToyChip()
    context, card = connected(scard, chip)
    scard.disconnect(card, disposition)
    assert chip.power == power
    scard.connect_exclusive(context, READERS[0], ANY_PROTOCOL)
    assert chip.power == power + (["cold"] if disposition is Disposition.UNPOWER else [])


def test_releasing_a_context_resets_its_card_and_frees_it() -> None:
    scard, chip = EmbeddedScard(), ToyChip()
    context, card = connected(scard, chip)
    assert scard.release_context(context) == (0, None)
    assert chip.power == ["cold", "warm"]
    assert scard.transmit(card, CardProtocol.T0, COMMAND)[0] == 0x80100003
    assert scard.release_context(context)[0] == 0x80100003


def test_a_hand_pulls_the_card_from_inside_its_own_command() -> None:
    scard = EmbeddedScard()
    chip = ToyChip(before=lambda _: scard.remove(READERS[0]))
    _, card = connected(scard, chip)
    assert scard.transmit(card, CardProtocol.T0, COMMAND) == (0, b"")
    assert chip.power == ["cold", "off"]  # only when the command had ended
    assert scard.transmit(card, CardProtocol.T0, COMMAND)[0] == 0x80100069


@pytest.mark.parametrize(
    ("event", "answer"),
    [("remove", (0, b"")), ("service_down", (0x80100013, b""))],
)
@pytest.mark.parametrize("who", ["card", "driver"])
def test_a_hang_ends_with_the_card_or_the_service(who: str, event: str, answer: tuple[int, bytes]) -> None:
    scard = EmbeddedScard()
    card_object = open_persona("outdated", faults=[PlannedFault(FaultKind.HANG)] if who == "card" else [])
    _, card = connected(scard, card_object)
    driver = Noticed(scard) if who == "driver" else None
    answers = transmit_in_background(scard, card)
    if driver is None:
        wait_until(lambda: not card_object._powered)
    else:
        driver.wait()
    assert answers.empty()
    if event == "remove":
        scard.remove(READERS[0])
    else:
        scard.service_down()
    assert answers.get(timeout=LIMIT_S) == answer


def test_a_driver_that_comes_back_answers() -> None:
    scard = EmbeddedScard()
    _, card = connected(scard, ToyChip())
    with scard.hanging(READERS[0]):
        driver = Noticed(scard)
        answers = transmit_in_background(scard, card)
        driver.wait()
        assert answers.empty()
    assert answers.get(timeout=LIMIT_S) == (0, b"\x90\x00")


def test_one_card_a_slot_and_none_to_remove_is_fine() -> None:
    scard = EmbeddedScard()
    scard.remove(READERS[0])
    scard.insert(READERS[0], ToyChip())
    with pytest.raises(ValueError, match="there is a card in Embedded Reader 00 00"):
        scard.insert(READERS[0], ToyChip())
    with pytest.raises(KeyError):
        scard.insert("no such reader", ToyChip())


def test_a_card_may_be_changed_while_the_reader_is_unplugged() -> None:
    scard, first, second = EmbeddedScard(), ToyChip(), ToyChip()
    scard.insert(READERS[0], first)
    scard.unplug(READERS[0])
    assert first.power == ["cold", "off"]
    scard.remove(READERS[0])
    scard.insert(READERS[0], second)
    scard.replug(READERS[0])
    _, context = scard.establish_context()
    assert scard.connect_exclusive(context, READERS[0], ANY_PROTOCOL)[0] == 0


def snapshot(scard: EmbeddedScard) -> ReaderSnapshot:
    _, context = scard.establish_context()
    _, (found,) = scard.get_status_change(context, 0, [(READERS[0], 0)])
    return found


def test_a_swap_is_seen_by_the_counter_alone_and_the_old_card_loses_its_power() -> None:
    scard, first, second = EmbeddedScard(), ToyChip(), ToyChip()
    first.before = lambda _: scard.swap(READERS[0], second)
    _, card = connected(scard, first)
    before = snapshot(scard)
    assert scard.transmit(card, CardProtocol.T0, COMMAND) == (0, b"")
    assert snapshot(scard).present
    assert snapshot(scard).counter == before.counter + 2
    assert first.power == ["cold", "off"]
    assert second.power == ["cold"]
    assert scard.transmit(card, CardProtocol.T0, COMMAND)[0] == 0x80100069
    assert second.received == []


def test_a_card_that_left_by_itself_and_is_back_already_is_not_pulled_again() -> None:
    scard = EmbeddedScard()

    def vanish_and_return(_: bytes) -> None:
        scard.remove(READERS[0])
        scard.insert(READERS[0], chip)
        raise CardGoneError

    chip = ToyChip(before=vanish_and_return)
    _, card = connected(scard, chip)
    assert scard.transmit(card, CardProtocol.T0, COMMAND) == (0, b"")
    assert snapshot(scard).present


def test_a_reset_by_another_program_waits_for_the_command_and_is_heard_by_the_next() -> None:
    scard, chip = EmbeddedScard(), ToyChip()
    context, card = connected(scard, chip)
    chip.before = lambda _: scard.reset_by_other(READERS[0])
    assert scard.transmit(card, CardProtocol.T0, COMMAND) == (0, b"\x90\x00")
    chip.before = None
    assert chip.power == ["cold", "warm"]
    assert [scard.transmit(card, CardProtocol.T0, COMMAND)[0] for _ in range(2)] == [0x80100068] * 2
    assert chip.received == [COMMAND]
    scard.disconnect(card, Disposition.LEAVE)
    _, (again, _) = scard.connect_exclusive(context, READERS[0], ANY_PROTOCOL)
    assert scard.transmit(again, CardProtocol.T0, COMMAND) == (0, b"\x90\x00")


def test_a_reset_of_a_card_nobody_uses_concerns_nobody() -> None:
    scard, chip = EmbeddedScard(), ToyChip()
    scard.insert(READERS[0], chip)
    scard.reset_by_other(READERS[0])
    assert chip.power == ["cold", "warm"]
    _, context = scard.establish_context()
    _, (card, _) = scard.connect_exclusive(context, READERS[0], ANY_PROTOCOL)
    assert scard.transmit(card, CardProtocol.T0, COMMAND) == (0, b"\x90\x00")


@pytest.mark.parametrize("gone", [False, True], ids=["card stays", "card leaves as well"])
def test_a_reader_unplugged_during_a_command(gone: bool) -> None:
    scard = EmbeddedScard()

    def unplug(_: bytes) -> None:
        scard.unplug(READERS[0])
        if gone:
            raise CardGoneError

    chip = ToyChip(before=unplug)
    _, card = connected(scard, chip)
    assert scard.transmit(card, CardProtocol.T0, COMMAND) == (0x80100017, b"")
    assert chip.power == ["cold", "off"]
    scard.replug(READERS[0])
    assert snapshot(scard).present is not gone


def test_the_script_minds_order_and_end() -> None:
    scard = ScriptedScard([Row("establish_context", 0, 1)])
    assert scard.establish_context() == (0, 1)
    assert scard.ended
    with pytest.raises(ScriptError, match="list_readers called, the script expects the end"):
        scard.list_readers(1)
    with pytest.raises(ScriptError, match="cancel called, the script expects list_readers"):
        ScriptedScard([Row("list_readers")]).cancel(1)
