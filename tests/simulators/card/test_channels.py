"""Checklist, line "channels 0-3: own selection and security state; 6881 if unsupported"."""

from __future__ import annotations

import pytest
from yubikit.core.smartcard import SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, StaticKeys

from kiosk.card.layout import AID_VITALE
from simulators.card import key_set, open_persona
from simulators.card.scp03 import Answer, HostSession
from tests.simulators.card.driver import SELECT_VITALE, SERIAL, TEST_SFI, Driver, card_with_large_file, outdated
from tests.simulators.card.test_block_protocol import ATR_T1, Wire

VITALE = SELECT_VITALE.hex()[2:]  # without CLA
OPEN = "0070000001"
READ_FIRST = "B0000001"  # without CLA


def on(channel: int, apdu: str) -> str:
    """A command with its class left open, on a channel."""
    return f"{channel:02X}{apdu}"


def test_each_free_channel_once_and_a_closed_one_again() -> None:
    driver = outdated()
    assert [driver.raw(OPEN) for _ in range(4)] == ["019000", "029000", "039000", "6A81"]
    assert driver.raw("00708002") == "9000"
    assert driver.raw("02A4000C") == "6881"
    assert driver.raw("00708002") == "6200"
    assert driver.raw(OPEN) == "029000"
    assert driver.raw("01708000") == "9000"  # the channel of the command
    assert driver.raw("01708000") == "6881"
    assert driver.raw("03700001") == "9000"  # by number, and from another one
    assert driver.raw("00700001") == "6A81"
    assert driver.raw("0070000100") == "6A81"  # case 1 as T=0 spells it


@pytest.mark.parametrize("channel", [1, 2, 3])
def test_a_selection_of_its_own(channel: int) -> None:
    driver = outdated()
    driver.raw(on(0, VITALE))
    driver.raw("00A4020C022014")
    assert driver.raw(f"007000{channel:02X}") == "9000"
    assert driver.raw(on(channel, READ_FIRST)) == "6986"  # nothing selected
    assert driver.raw(on(channel, "A4020C022F02")) == "9000"  # at the MF
    assert driver.raw(on(channel, READ_FIRST)) == "5A9000"
    assert driver.raw(on(0, READ_FIRST)) == "C39000"
    assert driver.raw(on(channel, "A4040C02FFFF")) == "6A82"
    assert driver.raw(on(channel, READ_FIRST)) == "5A9000"


def test_opened_on_another_channel_it_begins_at_the_origins_application() -> None:
    driver = outdated()
    driver.raw(OPEN)
    driver.raw(on(1, VITALE))
    driver.raw(on(1, "A4020C022014"))
    assert driver.raw("0170000001") == "029000"
    assert driver.raw(on(2, READ_FIRST)) == "6986"
    assert driver.raw(on(2, "A4020C022014")) == "9000"
    assert driver.raw(OPEN) == "039000"
    assert driver.raw(on(3, "A4020C022014")) == "6A82"  # the basic channel's begins at the MF


def _on_channel(apdu: bytes, channel: int) -> bytes:
    return bytes([apdu[0] | channel]) + apdu[1:]


def test_a_secure_session_of_its_own_with_the_mac_over_the_class_of_channel_0() -> None:
    driver = outdated()
    basic = driver.session()
    driver.raw(OPEN)
    host = HostSession(key_set(SERIAL))
    write = (0xD6, 0x94, 4, b"\x01")
    assert driver.raw(on(1, VITALE)) == "9000"
    assert driver.raw("85D69404080011223344556677") == "6985"  # the session of channel 0 is not this one's
    assert driver.raw(_on_channel(host.initialize_update()[:-1], 1).hex()) == "611D"
    command = host.external_authenticate(bytes.fromhex(driver.raw("01C000001D"))[:-2])
    assert isinstance(command, bytes)
    assert driver.raw(_on_channel(command, 1).hex()) == "9000"
    assert driver.raw(_on_channel(host.wrap(*write)[:-1], 1).hex()) == "6108"
    assert host.unwrap(bytes.fromhex(driver.raw("01C0000008"))) == Answer(b"", 0x9000)
    assert basic.unwrap(driver.send(basic.wrap(*write))) == Answer(b"", 0x9000)  # undisturbed
    assert driver.raw("00708001") == "9000"
    driver.raw(OPEN)
    driver.raw(on(1, VITALE))
    assert driver.raw(_on_channel(host.wrap(*write)[:-1], 1).hex()) == "6985"  # ended with its channel


def test_an_answer_waits_on_its_channel_only() -> None:
    driver = outdated()
    driver.raw(OPEN)
    assert driver.raw("00A40000") == "611C"
    assert driver.raw("01C000001C") == "6985"
    assert driver.raw("00C000001C") == "6985"
    assert driver.raw("01A40000") == "611C"
    assert driver.raw("85C000001C")[-4:] == "9000"  # secure messaging bits do not matter, the channel's do


def test_a_command_on_another_channel_aborts_a_chain() -> None:
    driver = outdated()
    driver.session()
    driver.raw(OPEN)
    driver.session()
    for between, second_part in (("", "9000"), ("01A4000C", "9000"), (OPEN, "9000")):
        assert driver.raw("94D6940408" + "00" * 8) == "9000"
        if between:
            driver.raw(between)
            assert driver.raw("94D6940508" + "00" * 8) == second_part  # another command, and no 6883: no chain open
            driver.raw("00B0940001")  # ends it
        else:
            assert driver.raw("94D6940508" + "00" * 8) == "6883"


@pytest.mark.parametrize("cold", [True, False])
def test_a_reset_leaves_the_basic_channel_only(cold: bool) -> None:  # parametrised
    driver = outdated()
    driver.raw(OPEN)
    driver.raw(on(1, VITALE))
    driver.card.power_on(cold=cold)
    assert driver.raw(on(1, VITALE)) == "6881"
    assert driver.raw(OPEN) == "019000"
    assert driver.raw(on(1, "A4020C022014")) == "6A82"  # at the MF again


ORDER = [
    ("6E00", "2070FF0705AA"),
    ("6881", "0170FF0705AA"),
    ("6881", "4070FF0705AA"),
    ("6D00", "8470FF0705AA"),
    ("6882", "1470FF0705AA"),
    ("6882", "0C70FF0705AA"),
    ("6884", "1070FF0705AA"),
    ("6A86", "0070010005AA"),
    ("6A86", "0070000405AA"),
    ("6A86", "0070800405AA"),
    ("6A86", "0070800005AA"),  # the basic channel stays
    ("6700", "0070000005AA"),
    ("6700", "00700000"),
    ("6700", "0070000001AA"),
    ("6700", "0070000101"),
    ("6700", "0070800101"),
    ("6C01", "0070000000"),
    ("6C01", "0070000002"),
    ("6200", "00708001"),
    ("6200", "0070800100"),
]


@pytest.mark.parametrize(("sw", "apdu"), ORDER)
def test_order_of_checks(sw: str, apdu: str) -> None:
    driver = outdated()
    assert driver.raw(apdu) == sw
    assert driver.raw(OPEN) == "019000"  # nothing was opened


def test_under_t1_any_le_takes_the_number() -> None:
    card = card_with_large_file(atr=ATR_T1)
    card.power_on()
    assert Driver(card).raw("0070000000") == "019000"


@pytest.mark.parametrize("name", ["pharmacist", "technician", "bank-card"])
@pytest.mark.parametrize("channel", [1, 2, 3, 0x40, 0x4F])
def test_other_cards_have_the_basic_channel_only(name: str, channel: int) -> None:
    card = open_persona(name)
    card.power_on()
    driver = Driver(card)
    assert driver.raw(OPEN) == "6D00"
    assert driver.raw(on(channel, "A4000C")) == "6881"
    assert driver.raw(on(channel, "C0000000")) == "6881"


class OnChannelOne(Wire):
    """yubikit knows no channels: its commands are put on channel 1 below it, as a driver would."""

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        return super().send_and_receive(_on_channel(apdu, 1))


def test_yubikit_keeps_a_secure_session_on_channel_1() -> None:
    ours = key_set(SERIAL)
    wire = OnChannelOne(card_with_large_file())
    assert wire.card.transmit(bytes.fromhex(OPEN)) == b"\x01\x90\x00"
    protocol = SmartCardProtocol(wire)
    protocol.select(AID_VITALE)
    protocol.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, ours.kvn), StaticKeys(ours.enc, ours.mac, ours.dek)))
    data = bytes(range(250)) * 2
    protocol.send_apdu(0x80, 0xD6, 0x80 | TEST_SFI, 0, data)
    assert protocol.send_apdu(0x00, 0xB0, 0x80 | TEST_SFI, 0) == data[:256]
    assert wire.card.transmit(bytes.fromhex("00A4000C022015")) == b"\x6a\x82"  # channel 0 has stayed at the MF
