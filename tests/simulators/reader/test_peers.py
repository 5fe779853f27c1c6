"""Independent programs on the simulated card, through a real pcscd: opensc-tool, scriptor, yubikit's SCP03."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from yubikit.core import TRANSPORT
from yubikit.core.smartcard import SmartCardConnection, SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, StaticKeys

from kiosk.card.layout import AID_VITALE
from kiosk.hardware.pcsc.api import CardProtocol, Disposition, PyscardScard, ReaderState
from kiosk.hardware.pcsc.connection import ANY_PROTOCOL
from simulators.card import SimulatedCard, key_set, open_persona
from simulators.reader.private_pcscd import VPCD_READERS, PrivatePcscd
from tests.hardware.pcsc.hands import PcscdHands
from tests.simulators.card.driver import SERIAL, TEST_SFI, card_with_large_file

pytestmark = pytest.mark.pcscd
READER = VPCD_READERS[0]
Insert = Callable[[SimulatedCard], PrivatePcscd]


@pytest.fixture
def insert(private_pcscd: Callable[[], PrivatePcscd]) -> Iterator[Insert]:
    """Puts a card into slot 0 and waits until the service has powered it."""
    daemon = private_pcscd()
    hands = PcscdHands(daemon)

    def put_in(card: SimulatedCard) -> PrivatePcscd:
        hands.insert(0, card)
        _, context = hands.scard.establish_context()
        known = int(ReaderState.UNAWARE)
        while True:
            _, (snapshot,) = hands.scard.get_status_change(context, 1000, [(READER, known)])
            if snapshot.present and snapshot.atr:
                break
            known = snapshot.known_state
        hands.scard.release_context(context)
        return daemon

    yield put_in
    hands.tidy()


def run(daemon: PrivatePcscd, *command: str, text: str = "") -> str:
    done = subprocess.run(
        command, env=daemon.environment(), input=text, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout


def test_opensc_tool_reads_the_atr_and_selects(insert: Insert) -> None:
    daemon = insert(open_persona("outdated"))
    tool = ("opensc-tool", "-c", "default", "-r", READER)
    assert run(daemon, *tool, "-a").strip() == open_persona("outdated").atr.hex(":")
    selected = run(daemon, *tool, "-s", f"00A4040C{len(AID_VITALE):02X}{AID_VITALE.hex()}", "-s", "00B0940040")
    assert selected.count("Received (SW1=0x90, SW2=0x00)") == 2
    rows = re.findall(r"^((?:[0-9A-F]{2} ){16})", selected, re.MULTILINE)
    content = bytes.fromhex("".join(rows))
    assert b"CARTE FICTIVE" in content


def test_opensc_tool_verifies_the_pin_of_a_professional_card_and_has_a_challenge_signed(insert: Insert) -> None:
    daemon = insert(open_persona("pharmacist"))
    commands = ["00A4000C023F00", "00A4020C02D003", "00B000000C"]
    commands += ["0020000104" + b"0000".hex(), "00200001", "0020000104" + b"2580".hex()]
    commands += ["002241A403840101", "0088000010" + "5A" * 16 + "00"]
    sent = [argument for command in commands for argument in ("-s", command)]
    out = run(daemon, "opensc-tool", "-c", "default", "-r", READER, *sent)
    words = re.findall(r"Received \(SW1=0x(..), SW2=0x(..)\)", out)
    assert ["".join(word) for word in words] == ["9000", "9000", "9000", "63C2", "63C2", "9000", "9000", "9000"]
    assert "5A 0A 80 25 00 00 01" in out


def test_scriptor_sees_raw_t0(insert: Insert) -> None:
    daemon = insert(open_persona("outdated"))
    script = "\n".join(
        [
            f"00 A4 04 00 0B {AID_VITALE.hex(' ')}",  # FCI offered: 61xx
            "00 A4 02 0C 02 20 01",
            "00 B0 00 00 01",
            "00 84 00 00",
            "00 C0 00 00 10",  # nothing pending
            "A0 A4 00 00",
            "",
        ]
    )
    out = run(daemon, "scriptor", "-r", READER, "-p", "T=0", text=script)
    answers = [line.split(":")[0].removeprefix("< ").strip() for line in out.splitlines() if line.startswith("< ")]
    assert answers[0].startswith("61 ")
    assert answers[1] == "90 00"
    assert answers[2] == "E0 90 00"
    assert answers[4:] == ["69 85", "6E 00"]


class PcscConnection(SmartCardConnection):
    """yubikit's connection on our own PC/SC calls (its own one would look for other programs to end)."""

    def __init__(self) -> None:
        self.scard = PyscardScard()
        _, self.context = self.scard.establish_context()
        result, (self.card, _) = self.scard.connect_exclusive(self.context, READER, ANY_PROTOCOL)
        assert result == 0

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        result, answer = self.scard.transmit(self.card, CardProtocol.T0, apdu)
        assert result == 0
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def close(self) -> None:
        self.scard.disconnect(self.card, Disposition.UNPOWER)
        self.scard.release_context(self.context)


def test_yubikit_talks_scp03_through_pcscd(insert: Insert) -> None:
    insert(card_with_large_file())
    keys = key_set(SERIAL)
    connection = PcscConnection()
    protocol = SmartCardProtocol(connection)
    protocol.select(AID_VITALE)
    protocol.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, keys.kvn), StaticKeys(keys.enc, keys.mac, keys.dek)))
    data = bytes(index * 7 % 251 for index in range(1000))
    assert protocol.send_apdu(0x80, 0xD6, 0x80 | TEST_SFI, 0, data) == b""
    assert protocol.send_apdu(0x00, 0xB0, 0x80 | TEST_SFI, 0) == data[:256]
    connection.close()


def test_yubikit_with_wrong_keys_gets_nowhere(insert: Insert) -> None:
    insert(card_with_large_file())
    connection = PcscConnection()
    protocol = SmartCardProtocol(connection)
    protocol.select(AID_VITALE)
    with pytest.raises(ValueError, match="Incorrect SCP parameters"):
        protocol.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), StaticKeys.default()))
    connection.close()


def test_no_command_waits_for_the_kernels_delayed_acknowledgement(insert: Insert) -> None:
    """40 ms each, and for nearly every one; a busy machine delays some of them and not the quickest."""
    insert(open_persona("outdated"))
    connection = PcscConnection()
    taken_s = []
    for _ in range(100):
        began_s = time.monotonic()
        assert connection.send_and_receive(bytes.fromhex("0084000008"))[1] == 0x9000
        taken_s.append(time.monotonic() - began_s)
    assert sorted(taken_s)[20] < 0.03
    connection.close()
