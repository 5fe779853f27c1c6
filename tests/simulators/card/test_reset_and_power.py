"""Checklist, lines "ATR" and "reset": what an ATR says is true, what a reset forgets, and what is in EEPROM before the
answer leaves, even if the machine dies between the two."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.card.atr import ATR_MAX_BYTES, Atr, parse_atr
from simulators.card import MUTE_ATR, FaultKind, PlannedFault, open_persona
from simulators.card.scp03 import Answer
from simulators.personas import names
from tests.simulators.card.driver import SELECT_VITALE, Driver, outdated
from tests.simulators.card.staff import ASK, RIGHT, SET_KEY, SIGN, WRONG, staff_driver
from tests.simulators.card.test_block_protocol import ATR_T1
from tests.simulators.card.test_image import whole_update

# -- ATR --------------------------------------------------------------------------------------------------------------

PERSONAS = [name for name in names() if name != "mute"]
_CAPABILITIES = 0x7  # compact-TLV tag of the historical bytes
_COMPACT_TLV = (0x00, 0x80)


@pytest.mark.parametrize("name", PERSONAS)
def test_atr_of_at_most_33_bytes_with_one_protocol_and_tck_only_if_other_than_t0(name: str) -> None:
    atr = open_persona(name).power_on()
    parsed = parse_atr(atr)  # refuses a TCK too many, too few or wrong
    assert isinstance(parsed, Atr), parsed
    assert len(atr) <= ATR_MAX_BYTES
    assert parsed.protocols == (0,)
    assert len(atr) == 2 + len(parsed.interface) + len(parsed.historical)
    t1 = parse_atr(ATR_T1)
    assert isinstance(t1, Atr)
    assert t1.protocols == (1,)
    assert len(ATR_T1) == 2 + len(t1.interface) + len(t1.historical) + 1


@pytest.mark.parametrize("name", PERSONAS)
def test_no_atr_claims_a_capability_that_the_card_has_not(name: str) -> None:
    """True in the strictest way: none names any. The published ATRs are proprietary or have no such object."""
    parsed = parse_atr(open_persona(name).power_on())
    assert isinstance(parsed, Atr)
    category, objects = parsed.historical[0], parsed.historical[1:]
    if category not in _COMPACT_TLV:
        return
    tags = set()
    body = objects[:-3] if category == 0 else objects  # category 00 ends with a status indicator of 3 bytes
    while body:
        tags.add(body[0] >> 4)
        body = body[1 + (body[0] & 0x0F) :]
    assert _CAPABILITIES not in tags


def test_cold_and_warm_atr_may_differ_and_the_cold_one_comes_back() -> None:
    warm = bytes.fromhex("3b751300004409ea9000")
    card = open_persona("outdated", faults=[PlannedFault(FaultKind.WARM_ATR, atr=warm)])
    cold = card.power_on()
    assert card.power_on(cold=False) == warm != cold
    assert Driver(card).raw(SELECT_VITALE.hex()) == "9000"
    card.power_off()
    assert card.power_on() == cold


def test_a_mute_card_has_one_byte_more_than_an_atr() -> None:
    assert open_persona("mute").power_on() == MUTE_ATR
    assert len(MUTE_ATR) == ATR_MAX_BYTES + 1


# -- reset ------------------------------------------------------------------------------------------------------------


def reset(driver: Driver, how: str) -> None:
    if how == "off and on":
        driver.card.power_off()
    driver.card.power_on(cold=how != "warm")


HOW = pytest.mark.parametrize("how", ["cold", "warm", "off and on"])


@HOW
def test_reset_selects_the_mf(how: str) -> None:
    driver = outdated()
    driver.raw(SELECT_VITALE.hex())
    driver.raw("00A4020C022014")
    reset(driver, how)
    assert driver.raw("00B0000001") == "6986"
    assert driver.raw("00A4020C022014") == "6A82"
    assert driver.raw("00A4020C022F02") == "9000"


@HOW
def test_reset_closes_channels(how: str) -> None:
    driver = outdated()
    driver.raw("0070000001")
    reset(driver, how)
    assert driver.raw("01A4000C") == "6881"


@HOW
def test_reset_ends_session_and_handshake(how: str) -> None:
    driver = outdated()
    host = driver.session()
    reset(driver, how)
    driver.raw(SELECT_VITALE.hex())
    assert driver.send(host.wrap(0xD6, 0x94, 4, b"\x01")) == b"\x69\x85"
    driver.send(host.initialize_update())
    reset(driver, how)
    driver.raw(SELECT_VITALE.hex())
    assert driver.raw("8482330010" + "00" * 16) == "6985"


@HOW
def test_reset_forgets_a_verified_pin_and_a_key_reference(how: str) -> None:
    driver = staff_driver()
    driver.raw(RIGHT)
    driver.raw(SET_KEY)
    assert driver.raw(SIGN) == "6140"
    reset(driver, how)
    assert driver.raw(ASK) == "63C3"
    assert driver.raw(SIGN) == "6982"
    driver.raw(RIGHT)
    assert driver.raw(SIGN) == "6985"


@HOW
def test_reset_drops_pending_and_chained_data(how: str) -> None:
    driver = outdated()
    driver.raw("00A40000")
    reset(driver, how)
    assert driver.raw("00C0000000") == "6985"
    host = driver.session()
    whole = host.wrap(0xD6, 0x94, 4, b"\x01").hex()
    assert driver.raw(f"94{whole[2:8]}08{whole[10:26]}") == "9000"
    reset(driver, how)
    driver.session()
    assert driver.raw(f"84{whole[2:8]}10{whole[26:58]}") == "6982"  # the last part alone


@HOW
def test_counters_and_content_outlast_a_reset(how: str) -> None:
    staff = staff_driver()
    assert staff.raw(WRONG) == "63C2"
    reset(staff, how)
    assert staff.raw(ASK) == "63C2"
    driver = outdated()
    host = driver.session()
    for write in whole_update():
        assert host.unwrap(driver.send(host.wrap(0xD6, *write))) == Answer(b"", 0x9000)
    after = driver.card.digest()
    reset(driver, how)
    assert driver.card.digest() == after


# -- before the answer leaves -----------------------------------------------------------------------------------------

_DIES_ANSWERING = """
import os, signal, sys
from pathlib import Path
from simulators.card import open_persona
name, image, *apdus = sys.argv[1:]
card = open_persona(name, Path(image))
card.power_on()
for apdu in apdus[:-1]:
    card.transmit(bytes.fromhex(apdu))
card.note = lambda exchange: os.kill(os.getpid(), signal.SIGKILL)
card.transmit(bytes.fromhex(apdus[-1]))
print("the answer left")
"""


def die_answering(name: str, image: Path, *apdus: str) -> None:
    """Another process has the last answer ready, and is killed before it can give it."""
    done = subprocess.run(
        [sys.executable, "-c", _DIES_ANSWERING, name, str(image), *apdus],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL, b"", b"")


def test_killed_between_counting_a_try_and_the_answer_the_try_is_counted(tmp_path: Path) -> None:
    """Whoever cuts the power at the answer has no endless supply of tries."""
    image = tmp_path / "card.img"
    die_answering("pharmacist", image, WRONG)
    assert staff_driver(image=image).raw(ASK) == "63C2"
    die_answering("pharmacist", image, WRONG, WRONG)
    assert staff_driver(image=image).raw(ASK) == "6983"


def test_killed_before_the_answer_to_the_right_pin_all_tries_are_back(tmp_path: Path) -> None:
    image = tmp_path / "card.img"
    die_answering("pharmacist", image, WRONG, WRONG, RIGHT)
    assert staff_driver(image=image).raw(ASK) == "63C3"


@pytest.mark.parametrize("after_answer", [False, True])
def test_a_card_pulled_before_its_answer_has_counted(after_answer: bool, tmp_path: Path) -> None:  # parametrised
    """The same without a process: the answer is made, and never leaves."""
    image = tmp_path / "card.img"
    faults = [] if after_answer else [PlannedFault(FaultKind.TRUNCATED, keep_bytes=0)]
    card = open_persona("pharmacist", image, faults=faults)
    card.power_on()
    assert card.transmit(bytes.fromhex(WRONG)) == (b"\x63\xc2" if after_answer else b"")
    assert staff_driver(image=image).raw(ASK) == "63C2"
