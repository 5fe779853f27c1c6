"""The PIN of staff cards: its counter is paid before anything is compared, kept over resets, and nothing is shown."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kiosk.card.professional import PinStatus, read_pin_status
from simulators.card import CardGoneError, FaultKind, PlannedFault, open_persona
from simulators.card.files import FID_MF, Df, FileSystem
from simulators.card.image import Image
from simulators.card.pin import Pin, counter_file
from tests.simulators.card.driver import Driver
from tests.simulators.card.staff import ASK, RIGHT, SIGN, STAFF, WRONG, exchange, staff_driver


def test_wrong_pins_count_down_and_block_and_a_question_costs_nothing() -> None:
    driver = staff_driver()
    assert [driver.raw(ASK) for _ in range(5)] == ["63C3"] * 5
    assert driver.raw(WRONG) == "63C2"
    assert driver.raw(ASK) == "63C2"
    assert driver.raw(WRONG) == "63C1"
    assert driver.raw(WRONG) == "63C0"
    assert driver.raw(ASK) == "6983"
    assert driver.raw(RIGHT) == "6983"
    assert driver.raw(SIGN) == "6983"


def test_the_right_pin_gives_all_tries_back_and_a_wrong_one_ends_its_effect() -> None:
    driver = staff_driver()
    driver.raw(WRONG)
    driver.raw(WRONG)
    assert driver.raw(RIGHT) == "9000"
    assert driver.raw(ASK) == "9000"
    assert driver.raw(ASK + "00") == "9000"
    assert driver.raw(WRONG) == "63C2"
    assert driver.raw(ASK) == "63C2"


@pytest.mark.parametrize("name", STAFF)
@pytest.mark.parametrize("wrong", range(4))
def test_the_product_reads_the_tries_left(name: str, wrong: int) -> None:
    driver = staff_driver(name)
    for _ in range(wrong):
        driver.raw("0020000104" + b"0000".hex())
    for _ in range(2):
        assert read_pin_status(driver.card.atr, lambda apdu: exchange(driver.card, apdu)) == PinStatus(3 - wrong)


@pytest.mark.parametrize("cold", [True, False])
def test_a_reset_forgets_the_verification_not_the_counter(cold: bool) -> None:  # parametrised
    driver = staff_driver()
    driver.raw(RIGHT)
    driver.card.power_on(cold=cold)
    assert driver.raw(ASK) == "63C3"
    driver.raw(WRONG)
    driver.card.power_on(cold=cold)
    assert driver.raw(ASK) == "63C2"


def test_the_counter_is_in_the_image_before_the_answer_leaves(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    driver = staff_driver(image=path)
    for answer in ("63C2", "63C1"):
        assert driver.raw(WRONG) == answer
        assert path.read_bytes() == driver.card.image_bytes()
        assert staff_driver(image=path).raw(ASK) == answer
    driver.raw(RIGHT)
    assert staff_driver(image=path).raw(ASK) == "63C3"
    assert b"2580" not in path.read_bytes()


@pytest.mark.parametrize(("write", "tries_after"), [(1, "63C3"), (2, "63C2")])
@pytest.mark.parametrize("pin", [RIGHT, WRONG])
def test_a_card_pulled_during_verify_never_gives_a_try_for_nothing(
    pin: str, write: int, tries_after: str, tmp_path: Path
) -> None:
    """Torn before the first write nothing was compared; before the second (the right PIN's) the try is lost."""
    path = tmp_path / "card.img"
    card = open_persona("pharmacist", path, faults=[PlannedFault(FaultKind.TORN_WRITE, at=write)])
    card.power_on()
    if pin == WRONG and write == 2:
        assert Driver(card).raw(pin) == "63C2"  # a wrong PIN writes once
    else:
        with pytest.raises(CardGoneError):
            card.transmit(bytes.fromhex(pin))
    assert staff_driver(image=path).raw(ASK) == tries_after


def test_a_try_that_cannot_be_written_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    driver = staff_driver(image=path)
    path.unlink()
    assert driver.raw(RIGHT) == "6581"
    assert driver.raw(ASK) == "63C3"
    assert driver.raw(SIGN) == "6982"


def test_another_persons_image_is_refused(tmp_path: Path) -> None:
    staff_driver("pharmacist", tmp_path / "card.img")
    with pytest.raises(ValueError, match=r"an image of this card|another card"):
        open_persona("assistant", tmp_path / "card.img")


def test_the_pin_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    driver = staff_driver()
    driver.raw(RIGHT)
    driver.raw(WRONG)
    counter = counter_file(1)
    files = FileSystem(Df(FID_MF, b"", (counter,)))
    assert repr(Pin("2580", Image(files), counter)) == "Pin()"
    assert caplog.text == ""
    assert b"2580" not in driver.card.image_bytes()


def test_the_counters_file_is_found_by_no_command() -> None:
    driver = staff_driver()
    for select in ("00A4000C020011", "00A4020C020011", "00A4080C020011", "00A4090C020011"):
        assert driver.raw(select) == "6A82"
    assert {driver.raw(f"00B0{0x80 | sfi:02X}0001")[-4:] for sfi in range(1, 31)} == {"9000", "6A82"}
    assert b"\x03" in driver.card.image_bytes()
