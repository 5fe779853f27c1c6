"""Checklist, line "order of checks", for every command of every chip: a command that breaks several rules is refused
for the first of them. One row a command: the right one, then how it breaks each rule, in the order of checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import pytest

from simulators.card import key_set
from simulators.card.commands import INSTRUCTIONS
from simulators.card.scp03 import Answer, HostSession
from simulators.card.staff_chip import _COMMANDS as STAFF_COMMANDS
from tests.simulators.card.driver import SELECT_VITALE, SERIAL, Driver, outdated
from tests.simulators.card.staff import RIGHT, SET_KEY, staff_driver

SELECT = SELECT_VITALE.hex()
PKCS15 = "00A4040C0DE828BD080F8025000001FF0010"
BAD_LENGTH = "05AA"  # Lc without its data


@dataclass(frozen=True)
class Command:
    """`before`: what is sent first. Header and rest in hex; `or_cla`: bits added to the class."""

    header: str
    rest: str = ""
    before: tuple[str, ...] = ()
    or_cla: int = 0

    @property
    def apdu(self) -> str:
        return f"{int(self.header[:2], 16) | self.or_cla:02X}{self.header[2:]}{self.rest}"


@dataclass(frozen=True)
class Break:
    """A rule broken: status word, and what is changed in the command. `p1`, `p2`: None leaves them."""

    sw: str
    or_cla: int = 0
    cla: str | None = None
    ins: str | None = None
    p1: str | None = None
    p2: str | None = None
    rest: str | None = None
    before: tuple[str, ...] | None = None

    def apply(self, command: Command) -> Command:
        old = [command.header[start : start + 2] for start in range(0, 8, 2)]
        new = [mine if mine is not None else theirs for mine, theirs in zip(self._header(), old, strict=True)]
        rest = command.rest if self.rest is None else self.rest
        before = command.before if self.before is None else self.before
        return replace(command, header="".join(new), rest=rest, before=before, or_cla=command.or_cla | self.or_cla)

    def _header(self) -> tuple[str | None, ...]:
        return (self.cla, self.ins, self.p1, self.p2)


CLASS, CHANNEL, INSTRUCTION = Break("6E00", 0x20), Break("6881", 0x02), Break("6D00", ins="FE")
CHAINING, LENGTH = Break("6884", 0x10), Break("6700", rest=BAD_LENGTH)


def _sm(bits: int) -> Break:
    return Break("6882", bits)


# instruction: the right command, what it answers, the rules in order
Row = tuple[Command, str, list[Break]]
FILES: dict[int, Row] = {
    0xA4: (
        Command("00A4040C", SELECT[8:]),
        "9000",
        [_sm(4), CHAINING, Break("6A86", p2="FF"), LENGTH, Break("6A82", rest="02FFFF")],
    ),
    0xB0: (
        Command("00B09E00", "01", ("00A4000C",)),
        "619000",
        [_sm(8), CHAINING, Break("6A86", p1="E1"), LENGTH, Break("6A82", p1="8A"), Break("6B00", p2="FF")],
    ),
    0x84: (Command("00840000", "01"), "", [_sm(4), CHAINING, Break("6A86", p1="01"), LENGTH]),
}
VITALE: dict[int, Row] = {
    **FILES,
    0xD6: (
        Command("00D69404", "0101", (SELECT,)),
        "6982",
        [_sm(8), CHAINING, Break("6A86", p1="9F"), LENGTH],
    ),
    0x50: (
        Command("80503000", "08" + "00" * 8, (SELECT,)),
        "611D",
        [_sm(4), CHAINING, Break("6A86", p2="01"), LENGTH, Break("6985", before=()), Break("6A88", p1="31")],
    ),
    0x82: (
        Command("84823300", "10" + "00" * 16, (SELECT, "8050300008" + "00" * 8)),
        "6982",  # the wrong cryptogram: data, the last of all
        [_sm(8), CHAINING, Break("6A86", p2="01"), LENGTH, Break("6985", before=())],
    ),
    0xD8: (
        Command("84D83081", "08" + "00" * 8, (SELECT,)),
        "6985",  # without a session; with one: `test_order_inside_a_session`
        [_sm(8), Break("6987", cla="80")],
    ),
}
STAFF: dict[int, Row] = {
    **FILES,
    0xA4: (replace(FILES[0xA4][0], rest=PKCS15[8:]), *FILES[0xA4][1:]),
    0x20: (
        Command("00200001", RIGHT[8:]),
        "9000",
        [_sm(4), CHAINING, Break("6A86", p1="01"), LENGTH, Break("6A88", p2="02")],
    ),
    0x22: (
        Command("002241A4", SET_KEY[8:]),
        "9000",
        [_sm(4), CHAINING, Break("6A86", p1="81"), LENGTH, Break("6A80", rest="0184"), Break("6A88", rest="03840102")],
    ),
    0x88: (
        Command("00880000", "10" + "00" * 16, (RIGHT, SET_KEY)),
        "6140",
        [
            *(_sm(8), CHAINING, Break("6A86", p2="01"), LENGTH),
            *(Break("6982", before=(SET_KEY,)), Break("6985", before=(RIGHT,))),
        ],
    ),
    0xCB: (
        Command("00CB3FFF", "0A4D087006BF810102A080"),
        "61",
        [_sm(4), CHAINING, Break("6A86", p2="FE"), LENGTH, Break("6A88", rest="0101")],
    ),
}
MANAGE_CHANNEL: Row = (
    Command("00700000", "01"),
    "01",
    [_sm(4), CHAINING, Break("6A86", p2="04"), LENGTH],
)
PENDING = ("00A4040007D2500000025649",)
GET_RESPONSE: Row = (
    Command("00C00000", "00", PENDING),
    "6F",
    [CLASS, CHANNEL, Break("6A86", p1="01"), LENGTH, Break("6985", before=())],
)


def test_the_table_has_every_command() -> None:
    assert set(VITALE) == set(INSTRUCTIONS)
    assert set(STAFF) == set(STAFF_COMMANDS)


def _cases() -> Iterator[tuple[str, Row]]:
    for name, table in (("vitale", VITALE), ("pharmacist", STAFF)):
        for right, answer, rules in (*table.values(), *([MANAGE_CHANNEL] if name == "vitale" else [])):
            yield name, (right, answer, [CLASS, CHANNEL, INSTRUCTION, *rules])
    yield "vitale", GET_RESPONSE


CASES = [(name, *row) for name, row in _cases()]


@pytest.mark.parametrize(("name", "right", "answer", "rules"), CASES, ids=[f"{c[0]}-{c[1].header[2:4]}" for c in CASES])
def test_the_first_rule_broken_is_the_one_named(name: str, right: Command, answer: str, rules: list[Break]) -> None:
    def sent(command: Command) -> str:
        driver = outdated() if name == "vitale" else staff_driver()
        for apdu in command.before:
            driver.raw(apdu)
        return driver.raw(command.apdu)

    assert sent(right).startswith(answer)
    for count in (1, 2, 3, len(rules)):
        for broken in combinations(rules, count):
            command = right
            for rule in reversed(broken):
                command = rule.apply(command)
            assert sent(command) == broken[0].sw, (command.apdu, [rule.sw for rule in broken])


@pytest.mark.parametrize("name", ["vitale", "pharmacist"])
@pytest.mark.parametrize("cla", ["00", "80", "84", "8C", "10"])
def test_every_other_instruction_is_6d00_whatever_follows(name: str, cla: str) -> None:
    """6X and 9X among them, which no card may have: a reader under T=0 takes them for status bytes."""
    driver = outdated() if name == "vitale" else staff_driver()
    known = set(VITALE) | {0x70} if name == "vitale" else set(STAFF)
    assert not any(ins >> 4 in (0x6, 0x9) for ins in known)
    for ins in set(range(256)) - known - {0xC0}:
        for rest in ("", "00", "0000", "FFFF", "0000000000", "000001AA", "0000020102" + "00", "0000000000AA"):
            apdu = f"{cla}{ins:02X}{rest}"
            assert driver.raw(apdu) == ("6D00" if len(apdu) >= 8 else "6700"), apdu


# ins, p1, p2, data: the rules of a protected command that has passed its MAC, each with all that come after it broken
INSIDE = [
    (0x6A86, 0xD6, 0x9F, 0x00, b""),
    (0x6700, 0xD6, 0x91, 0xFF, b""),
    (0x6A82, 0xD6, 0x8A, 0xFF, b"\x00"),
    (0x6982, 0xD6, 0x91, 0xFF, b"\x00"),
    (0x6B00, 0xD6, 0x94, 0x40, bytes(99)),
    (0x6A84, 0xD6, 0x94, 0x3F, bytes(2)),
    (0x6A86, 0xD8, 0x31, 0x01, b""),
    (0x6700, 0xD8, 0x31, 0x81, b""),
    (0x6A84, 0xD8, 0x00, 0x81, b"\x00"),
    (0x6A88, 0xD8, 0x31, 0x81, b"\x00"),
    (0x6A80, 0xD8, 0x30, 0x81, b"\x00"),
]


@pytest.mark.parametrize(("sw", "ins", "p1", "p2", "data"), INSIDE)
def test_order_inside_a_session(sw: int, ins: int, p1: int, p2: int, data: bytes) -> None:
    driver = outdated()
    host = driver.session()
    before = driver.card.digest()
    assert host.unwrap(driver.send(host.wrap(ins, p1, p2, data))) == Answer(b"", sw)
    assert driver.card.digest() == before
    assert host.unwrap(driver.send(host.wrap(0xB0, 0x94, 0))) != Answer(b"", 0x6985)  # no refusal ends the session


@pytest.mark.parametrize(("p1", "ins"), [("9F", "D6"), ("30", "D8")])
def test_a_wrong_mac_comes_before_parameters_and_length(p1: str, ins: str) -> None:
    driver = outdated()
    driver.session()
    assert driver.raw(f"84{ins}{p1}FF08" + "00" * 8) == "6982"
    assert driver.raw(f"84{ins}{p1}FF08" + "00" * 8) == "6985"


def test_a_contradicting_length_inside_a_session_does_not_end_it() -> None:
    driver = Driver(outdated().card)
    driver.card.power_on()
    host: HostSession = driver.session(key_set(SERIAL))
    assert driver.raw("84D69404" + BAD_LENGTH) == "6700"
    assert host.unwrap(driver.send(host.wrap(0xD6, 0x94, 4, b"\x01"))) == Answer(b"", 0x9000)
