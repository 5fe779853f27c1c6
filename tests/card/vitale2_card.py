"""A small ISO card and a well-formed set of files for it, for the tests of the Vitale 2 reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from kiosk.card import layout
from kiosk.card.apdu import ApduError, CommandApdu, ResponseApdu, parse_command
from kiosk.card.read_error import CardReadError
from kiosk.card.tlv import Tlv, build_tlv
from kiosk.card.values import Beneficiary, CardContent, Exemption, Generation, Organisation, RightsPeriod
from kiosk.card.vitale2 import read_vitale2

PAN, POINTERS, BENEFICIARIES, ORGANISATION, RIGHTS, STATE = 0x2F02, 0x2001, 0x2011, 0x2012, 0x2013, 0x2014


@dataclass(frozen=True)
class Gone:
    """Stands for the caller's own failure."""


class IsoCard:
    """Answers SELECT and READ BINARY as a T=0 card does once completed. `refusals`: status word by EF identifier."""

    def __init__(self, files: Mapping[int, bytes], *, end: int = 0x9000, select_sw: int = 0x9000) -> None:
        self.files = dict(files)
        self.refusals: dict[int, int] = {}
        self.read_refusals: dict[int, int] = {}
        self.aids = {layout.AID_VITALE, layout.AID_MF_VITALE}
        self.log: list[str] = []
        self.leaves_before = -1
        self._end = end  # status word of a READ BINARY that meets the end of the file
        self._select_sw = select_sw
        self._application = b""
        self._current = 0

    def exchange(self, wire: bytes) -> ResponseApdu | Gone:
        if len(self.log) == self.leaves_before:
            return Gone()
        self.log.append(wire.hex().upper())
        command = parse_command(wire)
        assert not isinstance(command, ApduError)
        assert command.cla == 0
        return self._select(command) if command.ins == 0xA4 else self._read(command)

    def _select(self, command: CommandApdu) -> ResponseApdu:
        assert not command.ne
        if command.p1 == 0x04:
            if command.data not in self.aids:
                return ResponseApdu(b"", 0x6A82)
            self._application = command.data
            return ResponseApdu(b"", self._select_sw)
        assert (command.p1, command.p2) == (0x02, 0x0C)
        identifier = int.from_bytes(command.data, "big")
        home = layout.AID_MF_VITALE if identifier >> 8 == 0x2F else layout.AID_VITALE
        if identifier not in self.files or home != self._application:
            return ResponseApdu(b"", 0x6A82)
        self._current = identifier
        return ResponseApdu(b"", self.refusals.get(identifier, 0x9000))

    def _read(self, command: CommandApdu) -> ResponseApdu:
        assert (command.ins, command.ne) == (0xB0, 256)
        assert command.p1 < 0x80  # beyond 15 bits P1 would name a short file identifier
        if self._current in self.read_refusals:
            return ResponseApdu(b"", self.read_refusals[self._current])
        content = self.files[self._current]
        offset = command.p1 << 8 | command.p2
        if offset >= len(content):
            return ResponseApdu(b"", 0x6B00)
        block = content[offset : offset + 256]
        return ResponseApdu(block, self._end if offset + 256 >= len(content) else 0x9000)


def digits(text: str) -> bytes:
    return text.encode("ascii")


def person(
    name: bytes = b"SPECIMEN", first: bytes = b"JEANNE", born: str = "19840517", nir: str = "284059999900279"
) -> Tlv:
    fields = (Tlv(0x80, name), Tlv(0x81, first), Tlv(0x82, digits(born)), Tlv(0x90, b"FR"), Tlv(0x93, digits(nir)))
    return Tlv(0x65, b"".join(item.to_bytes() for item in fields))


def without(item: Tlv, tag: int) -> Tlv:
    children = item.children()
    assert isinstance(children, tuple)
    return Tlv(item.tag, b"".join(child.to_bytes() for child in children if child.tag != tag))


CHILD = person(first=b"LEO", born="20150308", nir="115039999901174")
START = Tlv(0x66, build_tlv(0x80, b"20190402"))


def entry(name: str, identifier: int, application: int = layout.ENTRY_VITALE) -> Tlv:
    return Tlv(0x80, digits(name.ljust(8)) + application.to_bytes(2, "big") + identifier.to_bytes(2, "big"))


APPLICATIONS = Tlv(
    0xA0,
    build_tlv(0x82, b"\0\x01\0\0" + layout.AID_MF_VITALE) + build_tlv(0x82, b"\0\x02\0\0" + layout.AID_VITALE),
)
ENTRIES = [
    entry("EF_PAN", PAN, layout.ENTRY_MF_VITALE),
    entry("SIMBENEF", BENEFICIARIES),
    entry("SIMORGAN", ORGANISATION),
    entry("SIMRIGHT", RIGHTS),
    entry("SIMSTATE", STATE),
]


def pointers(*items: Tlv) -> bytes:
    return build_tlv(0xE0, items)


def people(*items: Tlv) -> bytes:
    return b"".join(item.to_bytes() for item in items)


def organisation(regime: str = "01", caisse: str = "999", centre: str = "9999") -> bytes:
    return build_tlv(0xC1, [Tlv(0x80, digits(regime)), Tlv(0x81, digits(caisse)), Tlv(0x82, digits(centre))])


def rights(*periods: str) -> bytes:
    return build_tlv(0xC2, [Tlv(0x83, bytes.fromhex(period)) for period in periods])


def state(flag: bytes = b"\0", day: str = "20240311", version: bytes = b"\x01") -> bytes:
    parts = [Tlv(0x80, flag), Tlv(0x81, digits(day)), Tlv(0x82, version), Tlv(0x8F, b"CARTE FICTIVE")]
    return build_tlv(0xC3, parts).ljust(64, b"\0")


FILES = {
    PAN: build_tlv(0x5A, bytes.fromhex("802500000204671322631F")),
    POINTERS: pointers(APPLICATIONS, *ENTRIES),
    BENEFICIARIES: people(person(), CHILD, START),
    ORGANISATION: organisation().ljust(64, b"\0"),
    RIGHTS: rights("00202401012025123100", "01202401012025123101").ljust(448, b"\0"),
    STATE: state(),
}
CONTENT = CardContent(
    generation=Generation.VITALE_2,
    iccsn="802500000204671322631",
    beneficiaries=(
        Beneficiary("SPECIMEN", "JEANNE", "19840517", "284059999900279"),
        Beneficiary("SPECIMEN", "LEO", "20150308", "115039999901174"),
    ),
    start_date=date(2019, 4, 2),
    organisation=Organisation("01", "999", "9999"),
    rights=(
        RightsPeriod(0, date(2024, 1, 1), date(2025, 12, 31), Exemption.NONE),
        RightsPeriod(1, date(2024, 1, 1), date(2025, 12, 31), Exemption.ALD),
    ),
    last_update=date(2024, 3, 11),
    unfinished=False,
)


def read(changes: dict[int, bytes] | None = None) -> CardContent | CardReadError | Gone:
    return read_vitale2(IsoCard(FILES | (changes or {})).exchange)
