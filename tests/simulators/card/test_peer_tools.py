"""Tools that nobody here wrote, for the citizen's, the pharmacist's and the technician's card: `opensc-explorer` finds
and reads files by FCI and has a PIN checked, `pcsc_scan -n` sees each card come and go with the right counter."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from kiosk.card import professional
from kiosk.card.layout import AID_VITALE
from simulators.card import SimulatedCard, open_persona
from simulators.personas import load
from simulators.reader.private_pcscd import VPCD_READERS, PrivatePcscd
from tests.hardware.pcsc.hands import PcscdHands, private_pcscd
from tests.simulators.reader.test_peers import Insert, insert, run

__all__ = ["insert", "private_pcscd"]

pytestmark = pytest.mark.pcscd
READER = VPCD_READERS[0]
LIMIT_S = 30.0


def explore(daemon: PrivatePcscd, *commands: str) -> str:
    """What the explorer prints; without `-c default` its drivers would try dozens of applications."""
    script = "\n".join([*commands, "quit", ""])
    return run(daemon, "opensc-explorer", "-c", "default", "-r", READER, text=script)


def dumped(text: str, command: str) -> bytes:
    """The bytes of the hex dump that follows a command."""
    dump = text.split(f"> {command}\n", 1)[1].split("OpenSC [", 1)[0]
    rows = re.findall("^[0-9A-F]{8}: ((?:[0-9A-F]{2} ){1,16})", dump, re.MULTILINE)
    return bytes.fromhex("".join(rows))


def sent_by_the_explorer(card: SimulatedCard, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Each command as it reaches the card."""
    seen: list[bytes] = []
    transmit = card.transmit

    def spy(apdu: bytes) -> bytes:
        seen.append(apdu)
        return transmit(apdu)

    monkeypatch.setattr(card, "transmit", spy)
    return seen


def test_explorer_reads_a_vitale_by_path_by_name_and_by_identifier(
    insert: Insert, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = open_persona("outdated")
    sent = sent_by_the_explorer(card, monkeypatch)
    daemon = insert(card)
    out = explore(
        daemon,
        "info",
        "info 2F02",
        "cat 2F02",
        "cd 3F10",
        "cat 2014",
        "cd ..",
        f"cd aid:{AID_VITALE.hex()}",
        "info 2014",
    )
    assert "DF name:                 \\xD2P\\x00\\x00\\x02MF_VITALE" in out
    assert "Working Elementary File  ID 2F02, SFI 10" in out  # as coded: 02 in the upper five bits
    assert "File size:               13 bytes" in out
    assert dumped(out, "cat 2F02") == bytes.fromhex("5A0B802500000204671322631F")
    state = dumped(out, "cat 2014")
    assert len(state) == 64
    assert state.startswith(b"\xc3\x1f\x80\x01\x00")
    assert out.count("EF structure:            Transparent") == 2
    assert {apdu[:4].hex() for apdu in sent} >= {"00a40000", "00a40800", "00a40400", "00c00000", "00b00000"}


def test_explorer_is_told_what_a_vitale_has_not(insert: Insert) -> None:
    daemon = insert(open_persona("outdated"))
    done = subprocess.run(
        ["opensc-explorer", "-c", "default", "-r", READER],
        env=daemon.environment(),
        input="cat 2FFF\ncat sfi:2\nverify CHV1 31:32:33:34\nfind 2F00 2F03\nquit\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "File not found" in done.stderr
    assert "Unsupported INS" in done.stderr  # by short identifier it wants records
    assert "Code correct" not in done.stdout
    assert re.findall(r"^ 2F0\d", done.stdout, re.MULTILINE) == [" 2F00", " 2F02"]


@pytest.mark.parametrize("name", ["pharmacist", "technician"])
def test_explorer_has_the_pin_of_a_staff_card_checked(insert: Insert, name: str) -> None:
    daemon = insert(open_persona(name))
    aid = professional.AID_TECHNICIAN if name == "technician" else professional.AID_PKCS15_CONTACT
    staff = load(name).card.staff
    assert staff is not None
    out = explore(
        daemon,
        f"cd aid:{aid.hex()}",
        "cat C001",
        'verify CHV1 "0000"',
        f'verify CHV1 "{staff.pin}"',
        "apdu 00 20 00 01",
        "apdu 00 22 41 A4 03 84 01 01",
        "apdu 00 88 00 00 10 " + "5A " * 16 + "00",
    )
    assert dumped(out, "cat C001")[:2] == b"\x30\x82"  # a certificate
    assert "Incorrect code, 2 tries left." in out
    assert "Code correct." in out
    assert out.count("Received (SW1=0x90, SW2=0x00)") == 3
    assert len(dumped_answer(out)) == 64


def dumped_answer(out: str) -> bytes:
    """Data of the last answer."""
    rows = re.findall(r"^((?:[0-9A-F]{2} ){1,16})", out.rsplit("Received", 1)[1], re.MULTILINE)
    return bytes.fromhex("".join(rows))


class Scan:
    """A running `pcsc_scan -n`; without `-n` it would ask the network for names."""

    def __init__(self, daemon: PrivatePcscd) -> None:
        self._process = subprocess.Popen(
            ["pcsc_scan", "-n"], env=daemon.environment(), stdout=subprocess.PIPE, text=True, errors="replace"
        )
        self._told = ""
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while part := self._process.stdout.read(1):
            with self._more:
                self._told += part
                self._more.notify_all()

    def states(self) -> list[tuple[int, bool, str]]:
        """Counter, presence and ATR of reader 0: the last state told for each counter (its ATR may come later)."""
        pattern = (
            r"Reader 0: .*\n +Event number: (\d+)\n +Card state: Card (inserted|removed), \n(?: +ATR: ([0-9A-F ]+)\n)?"
        )
        told = {int(n): (state == "inserted", atr) for n, state, atr in re.findall(pattern, self._told)}
        return [(counter, *state) for counter, state in told.items()]

    def wait(self, condition: Callable[[list[tuple[int, bool, str]]], bool]) -> list[tuple[int, bool, str]]:
        self.wait_text(lambda _: condition(self.states()))
        return self.states()

    def wait_text(self, condition: Callable[[str], bool]) -> None:
        with self._more:
            assert self._more.wait_for(lambda: condition(self._told), LIMIT_S), self._told

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(LIMIT_S)
        self._reader.join(LIMIT_S)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def scan(private_pcscd: Callable[[], PrivatePcscd]) -> Iterator[tuple[Scan, PcscdHands]]:
    daemon = private_pcscd()
    hands = PcscdHands(daemon)
    hands.wait_empty((0,))
    running = Scan(daemon)
    yield running, hands
    running.close()
    hands.tidy()


def test_pcsc_scan_sees_each_card_come_and_go(scan: tuple[Scan, PcscdHands]) -> None:
    running, hands = scan
    (first, *_) = running.wait(lambda states: len(states) == 1)
    assert not first[1]
    cards = [open_persona(name) for name in ("outdated", "pharmacist", "technician")]
    for number, card in enumerate(cards):
        hands.insert(0, card)
        running.wait(lambda states, seen=number: len(states) >= 2 * seen + 2 and states[-1][2] != "")  # type: ignore[misc]
        hands.remove(0)
        running.wait(lambda states, seen=number: len(states) >= 2 * seen + 3 and not states[-1][1])  # type: ignore[misc]
    states = running.states()
    assert [present for _, present, _ in states] == [False, *[True, False] * 3]
    assert [counter - first[0] for counter, _, _ in states] == list(range(7))
    assert [bytes.fromhex(atr) for _, present, atr in states if present] == [card.atr for card in cards]


def test_pcsc_scan_calls_a_card_upside_down_mute(scan: tuple[Scan, PcscdHands]) -> None:
    running, hands = scan
    hands.insert(0, open_persona("mute"))
    running.wait_text(lambda told: "Card state: Card inserted, Unresponsive card" in told)
