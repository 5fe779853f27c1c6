"""Talks T=0 to a simulated card, written apart from the product's transport: neither hides the other's mistakes."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.card.layout import AID_VITALE
from simulators.card import KeySet, SimulatedCard, build_card, key_set, open_persona
from simulators.card.content import file_system
from simulators.card.files import Df, Ef, FileSystem
from simulators.card.image import Image
from simulators.card.scp03 import S8, HostSession
from simulators.personas import load

SELECT_VITALE = bytes.fromhex("00A4040C0B") + AID_VITALE
SERIAL = "802500000204671322631"
ATR = bytes.fromhex("3b751300004309ea9000")
TEST_SFI = 0x15


@dataclass(slots=True)
class Driver:
    """A powered card."""

    card: SimulatedCard

    def raw(self, apdu: str) -> str:
        """One exchange, hex in and out (upper case, data and status word together)."""
        return self.card.transmit(bytes.fromhex(apdu)).hex().upper()

    def send(self, apdu: bytes) -> bytes:
        """Le of a case 4 dropped, then everything that 61xx announces."""
        if len(apdu) > 5 and len(apdu) == 6 + apdu[4]:
            apdu = apdu[:-1]
        answer = self.card.transmit(apdu)
        data = b""
        while answer[-2] == 0x61:
            data += answer[:-2]
            answer = self.card.transmit(bytes([0x00, 0xC0, 0x00, 0x00, answer[-1]]))
        return data + answer

    def session(self, keys: KeySet | None = None, mode: int = S8) -> HostSession:
        """VITALE selected, a level 33 session open."""
        assert self.send(SELECT_VITALE) == b"\x90\x00"
        host = HostSession(keys or key_set(SERIAL), bytes(range(mode)))
        command = host.external_authenticate(self.send(host.initialize_update())[:-2])
        assert isinstance(command, bytes)
        assert self.send(command) == b"\x90\x00"
        return host


def outdated() -> Driver:
    """The card of persona `outdated`, in memory, powered."""
    card = open_persona("outdated")
    card.power_on()
    return Driver(card)


def card_with_large_file(size_bytes: int = 4096, atr: bytes = ATR, keys: KeySet | None = None) -> SimulatedCard:
    """Persona `outdated` with one more writable file, to move more bytes than a Vitale's files hold."""
    persona = load("outdated")
    assert persona.card.chip is not None
    tree = file_system(persona.card.chip, ())
    directory, serial, vitale = tree.mf.children
    assert isinstance(vitale, Df)
    large = Ef(0x2015, TEST_SFI, bytes(size_bytes), writable=True)
    grown = Df(vitale.fid, vitale.aid, (*vitale.children, large))
    files = FileSystem(Df(tree.mf.fid, tree.mf.aid, (directory, serial, grown)))
    return build_card(atr, files, Image(files), SERIAL, factory_keys=keys)
