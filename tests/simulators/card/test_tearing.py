"""EEPROM truth: what a removal in the middle of a write leaves on the chip, byte by byte, and that it can be mended."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.card.apdu import CommandApdu, ResponseApdu, parse_command
from kiosk.card.layout import EEPROM_PAGE_BYTES, SIM_FILE_BYTES
from kiosk.card.transport import TransportError, complete_t0
from kiosk.card.values import CardContent
from kiosk.card.vitale2 import read_vitale2
from simulators.card import CardGoneError, FaultKind, PlannedFault, SimulatedCard, open_persona
from simulators.card.content import file_system
from simulators.card.faults import Rest
from simulators.card.scp03 import Answer
from simulators.personas import load
from tests.simulators.card.driver import Driver

NEW = bytes(range(1, 225))
RIGHTS_SFI = 0x13
FLAG_ON, FLAG_OFF = (0x94, 4, b"\x01"), (0x94, 4, b"\x00")


def rights_of(card: SimulatedCard) -> bytes:
    """SIMRIGHT, straight from the image."""
    persona = load("outdated")
    assert persona.card.chip is not None
    assert persona.centre is not None
    files = file_system(persona.card.chip, persona.centre.orders)
    start = EEPROM_PAGE_BYTES
    for ef in files.efs():
        if ef.sfi == RIGHTS_SFI and ef.writable:
            return card.image_bytes()[start : start + SIM_FILE_BYTES[RIGHTS_SFI]]
        start += ef.size_bytes + -ef.size_bytes % EEPROM_PAGE_BYTES
    raise AssertionError


def torn(fault: PlannedFault, offset: int, path: Path | None = None) -> tuple[bytes, bytes]:
    """SIMRIGHT before and after a write of `NEW` at this offset that ends as planned."""
    card = open_persona("outdated", path)
    card.power_on()
    driver = Driver(card)
    host = driver.session()
    before = rights_of(card)
    card.plan([fault])
    with pytest.raises(CardGoneError):
        driver.send(host.wrap(0xD6, 0x93, offset, NEW))
    assert card.vanished
    if path is not None:
        assert path.read_bytes() == card.image_bytes()
    return before, rights_of(card)


@settings(max_examples=60, deadline=None)
@given(byte=st.integers(0, len(NEW) - 1), offset=st.integers(0, 224), rest=st.sampled_from(Rest))
def test_exactly_the_pages_before_are_programmed_and_one_is_torn(byte: int, offset: int, rest: Rest) -> None:
    before, after = torn(PlannedFault(FaultKind.REMOVED_IN_WRITE, byte=byte, rest=rest), offset)
    reached = offset + byte
    page = reached - reached % EEPROM_PAGE_BYTES
    assert after[:offset] == before[:offset]
    assert after[offset:reached] == NEW[:byte]
    behind = b"\xff" * EEPROM_PAGE_BYTES if rest is Rest.ERASED else before[page : page + EEPROM_PAGE_BYTES]
    torn_from = max(reached, offset)
    assert after[torn_from : page + EEPROM_PAGE_BYTES] == behind[torn_from - page :]
    assert after[page + EEPROM_PAGE_BYTES :] == before[page + EEPROM_PAGE_BYTES :]


@pytest.mark.parametrize("rest", Rest)
def test_the_nth_page_and_a_byte_in_it(rest: Rest, tmp_path: Path) -> None:
    """Torn in the second page written, 10 bytes into it; the file holds the same as the chip."""
    fault = PlannedFault(FaultKind.TORN_WRITE, at=2, byte=10, rest=rest)
    before, after = torn(fault, 0, tmp_path / "card.img")
    assert after[:74] == NEW[:74]
    assert after[74:128] == (b"\xff" * 54 if rest is Rest.ERASED else before[74:128])
    assert after[128:] == before[128:]


def test_erasing_takes_bytes_of_the_page_that_were_not_written() -> None:
    """Written from byte 32 on: what the page held before those bytes stays, what it held behind is lost."""
    before, after = torn(PlannedFault(FaultKind.REMOVED_IN_WRITE, byte=0), 32)
    assert after[:32] == before[:32]
    assert after[32:64] == b"\xff" * 32
    assert after[64:] == before[64:]


@pytest.mark.parametrize("rest", Rest)
@pytest.mark.parametrize("byte", [0, 4, 5, 63])
def test_the_transaction_flag_is_old_until_it_is_new(byte: int, rest: Rest) -> None:
    card = open_persona("outdated")
    card.power_on()
    driver = Driver(card)
    host = driver.session()
    before = card.digest()
    page = bytes(driver.card.image_bytes()[-EEPROM_PAGE_BYTES:])
    card.plan([PlannedFault(FaultKind.REMOVED_IN_WRITE, byte=byte, rest=rest)])
    with pytest.raises(CardGoneError):
        driver.send(host.wrap(0xD6, 0x94, 0, page[:4] + b"\x01" + page[5:]))
    assert card.digest() == before


def test_a_byte_behind_the_end_of_a_write_never_comes() -> None:
    card = open_persona("outdated", faults=[PlannedFault(FaultKind.REMOVED_IN_WRITE, byte=1)])
    card.power_on()
    driver = Driver(card)
    host = driver.session()
    assert host.unwrap(driver.send(host.wrap(0xD6, *FLAG_ON))) == Answer(b"", 0x9000)


@pytest.mark.parametrize("rest", Rest)
@pytest.mark.parametrize("byte", [0, 1, 63, 64, 65, 127, 128, 200, 223])
def test_torn_after_the_flag_is_unfinished_until_the_whole_file_is_written_again(byte: int, rest: Rest) -> None:
    persona = load("outdated")
    assert persona.card.chip is not None
    card = open_persona("outdated")
    whole = rights_of(card)
    writes = [FLAG_ON, (0x93, 0, whole[:224]), (0x93, 224, whole[224:]), FLAG_OFF]
    before = card.digest()
    card.plan([PlannedFault(FaultKind.REMOVED_IN_WRITE, at=2, byte=byte, rest=rest)])
    card.power_on()
    with pytest.raises(CardGoneError):
        _write(Driver(card), writes)
    card.power_on()
    unfinished = _read(card)
    assert (unfinished.unfinished, unfinished.rights) == (True, ())
    card.power_on()
    _write(Driver(card), writes)
    card.power_on()
    assert (_read(card).unfinished, _read(card).rights) == (False, persona.card.chip.rights)
    assert card.digest() == before


def _write(driver: Driver, writes: list[tuple[int, int, bytes]]) -> None:
    host = driver.session()
    for write in writes:
        assert host.unwrap(driver.send(host.wrap(0xD6, *write))) == Answer(b"", 0x9000)


def _read(card: SimulatedCard) -> CardContent:
    def exchange(apdu: bytes) -> ResponseApdu | TransportError:
        command = parse_command(apdu)
        assert isinstance(command, CommandApdu)
        return complete_t0(card.transmit, command)

    content = read_vitale2(exchange)
    assert isinstance(content, CardContent)
    return content
