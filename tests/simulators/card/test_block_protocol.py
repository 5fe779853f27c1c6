"""The Vitale 2 under T=1: answers come at once, 61xx only for what Le left; through the product's own T=1 as well."""

from __future__ import annotations

from dataclasses import replace

import pytest
from yubikit.core import TRANSPORT
from yubikit.core.smartcard import SmartCardConnection, SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, StaticKeys

from kiosk.card.apdu import CommandApdu, ResponseApdu, parse_command
from kiosk.card.atr import Atr, parse_atr
from kiosk.card.layout import AID_VITALE
from kiosk.card.transport import TransportError, complete_t0, complete_t1
from kiosk.card.values import CardContent
from kiosk.card.vitale2 import read_vitale2
from kiosk.hardware.pcsc.api import CardProtocol
from simulators.card import SimulatedCard, key_set, open_card
from simulators.personas import load
from tests.hardware.pcsc.hands import Hands, hands, private_pcscd
from tests.simulators.card.driver import SELECT_VITALE, SERIAL, TEST_SFI, Driver, card_with_large_file, outdated
from tests.simulators.reader.test_raw_contract import Client

__all__ = ["hands", "private_pcscd"]

ATR_T1 = bytes.fromhex("3bf5130000014309ea9000d7")
"""Ours: the historical bytes of a Vitale 2, T=1 only, and therefore TCK."""

SELECT = SELECT_VITALE.hex()


def _driver() -> Driver:
    persona = load("outdated")
    card = open_card(replace(persona, card=replace(persona.card, atr=ATR_T1)))
    assert isinstance(card, SimulatedCard)
    card.power_on()
    return Driver(card)


def test_the_atr_offers_t1_alone() -> None:
    parsed = parse_atr(ATR_T1)
    assert isinstance(parsed, Atr), parsed
    assert parsed.protocols == (1,)
    assert len(ATR_T1) <= 33


def test_answers_come_at_once() -> None:
    driver = _driver()
    fci = driver.raw("00A404000B" + AID_VITALE.hex() + "00")
    assert fci.startswith("6F")
    assert fci.endswith("9000")
    assert driver.raw("00C0000000") == "6985"  # nothing is left
    assert driver.raw(SELECT) == "9000"
    assert driver.raw("00B0940202") == "80019000"


def test_le_00_of_a_short_file_needs_no_second_attempt() -> None:
    driver = _driver()
    driver.raw(SELECT)
    assert len(driver.raw("00B0940000")) == 2 * 66
    assert driver.raw("00B0943F02") == "006282"
    assert outdated().raw("00A4000000")[:2] == "6C"  # under T=0
    assert _driver().raw("00A4000000").startswith("6F")


def test_a_short_le_takes_the_chunk_and_61xx_names_the_rest() -> None:
    driver = _driver()
    whole = driver.raw("00A404000B" + AID_VITALE.hex() + "00")
    length = len(whole) // 2 - 2
    first = driver.raw("00A404000B" + AID_VITALE.hex() + "04")
    assert first == whole[:8] + f"61{length - 4:02X}"
    assert driver.raw(f"00C00000{length - 4:02X}") == whole[8:]


def test_without_le_all_waits() -> None:
    driver = _driver()
    assert driver.raw("00A404000B" + AID_VITALE.hex())[:2] == "61"
    driver.raw(SELECT)
    assert driver.raw("8050300008" + "00" * 8) == "611D"


def test_both_readers_choose_t1_and_pass_answers_at_once(hands: Hands) -> None:
    client = Client(hands)
    try:
        empty = client.state()
        hands.insert(0, _driver().card)
        client.wait(empty, present=True)
        result, (card, protocol) = client.connect()
        assert (result, protocol) == (0, CardProtocol.T1)
        fci = _driver().raw("00A404000B" + AID_VITALE.hex() + "00")
        select = bytes.fromhex("00A404000B" + AID_VITALE.hex() + "00")
        assert hands.scard.transmit(card, CardProtocol.T1, select) == (0, bytes.fromhex(fci))
    finally:
        hands.scard.release_context(client.context)


class Wire(SmartCardConnection):
    """A yubikit connection, which completes 61xx itself."""

    def __init__(self, card: SimulatedCard) -> None:
        self.card = card
        self.rounds = 0
        card.power_on()

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        answer = self.card.transmit(apdu)
        self.rounds += apdu[1] == 0xC0
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def close(self) -> None:
        self.card.power_off()


def test_secure_channel_with_an_answer_over_256_bytes() -> None:
    ours = key_set(SERIAL)
    wire = Wire(card_with_large_file(atr=ATR_T1))
    protocol = SmartCardProtocol(wire)
    protocol.select(AID_VITALE)
    keys = StaticKeys(ours.enc, ours.mac, ours.dek)
    protocol.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), keys))
    data = bytes(range(256))
    protocol.send_apdu(0x80, 0xD6, 0x80 | TEST_SFI, 0, data)
    before = wire.rounds
    assert protocol.send_apdu(0x00, 0xB0, 0x80 | TEST_SFI, 0) == data
    assert wire.rounds > before


def _read(card: SimulatedCard, *, under_t1: bool) -> tuple[CardContent, int]:
    """What the product reads, and in how many exchanges."""
    card.power_on()
    sent = 0

    def send(wire: bytes) -> bytes:
        nonlocal sent
        sent += 1
        return card.transmit(wire)

    def exchange(apdu: bytes) -> ResponseApdu | TransportError:
        command = parse_command(apdu)
        assert isinstance(command, CommandApdu)
        return (complete_t1 if under_t1 else complete_t0)(send, command)

    content = read_vitale2(exchange)
    assert isinstance(content, CardContent)
    return content, sent


@pytest.mark.parametrize("name", ["outdated", "nineteen-beneficiaries", "torn"])
def test_the_product_reads_it_with_fewer_exchanges(name: str) -> None:
    persona = load(name)
    exchanges = {}
    contents = []
    for atr in (persona.card.atr, ATR_T1):
        card = open_card(replace(persona, card=replace(persona.card, atr=atr)))
        assert isinstance(card, SimulatedCard)
        content, exchanges[atr] = _read(card, under_t1=atr == ATR_T1)
        contents.append(content)
    assert contents[0] == contents[1]
    assert exchanges[ATR_T1] < exchanges[persona.card.atr]
