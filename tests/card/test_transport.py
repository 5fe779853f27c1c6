"""Completion of 61xx and 6Cxx by case, against a card that follows a script: any other byte sent fails the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.card.apdu import CommandApdu, ResponseApdu, parse_command
from kiosk.card.transport import MAX_ROUNDS, TransportError, TransportProblem, complete_t0, complete_t1

READ = "00B08200"
SELECT = "00A40400" + "02" + "3F00"
A, B = "AA" * 256, "BB" * 256


@dataclass(frozen=True)
class Gone:
    """Stands for the caller's own failure."""


class ScriptedCard:
    """Answers exactly the commands of its script, in order; `None` stands for a card that left."""

    def __init__(self, *script: tuple[str, str | None]) -> None:
        self._script = list(script)

    def send(self, wire: bytes) -> bytes | Gone:
        expected, answer = self._script.pop(0)
        assert wire.hex().upper() == expected
        return Gone() if answer is None else bytes.fromhex(answer)

    def finished(self) -> bool:
        return not self._script


def command(wire: str) -> CommandApdu:
    parsed = parse_command(bytes.fromhex(wire))
    assert isinstance(parsed, CommandApdu)
    return parsed


Script = tuple[tuple[str, str | None], ...]

T0_ROWS: list[tuple[str, str, Script, str]] = [
    ("case 1", "00440000", (("00440000", "9000"),), "9000"),
    ("case 1, 61xx is final", "00440000", (("00440000", "6110"),), "6110"),
    ("case 1, 6Cxx is final", "00440000", (("00440000", "6C10"),), "6C10"),
    ("case 2", READ + "04", ((READ + "04", "01020304" + "9000"),), "010203049000"),
    ("case 2, data with a warning", READ + "00", ((READ + "00", "01026282"),), "01026282"),
    ("case 2, warning alone fetches nothing", READ + "04", ((READ + "04", "6282"),), "6282"),
    ("case 2, 6Cxx", READ + "00", ((READ + "00", "6C02"), (READ + "02", "AABB9000")), "AABB9000"),
    ("case 2, 6C00 means 256", READ + "FF", ((READ + "FF", "6C00"), (READ + "00", A + "9000")), A + "9000"),
    ("case 2, 6Cxx once only", READ + "00", ((READ + "00", "6C02"), (READ + "02", "6C03")), "6C03"),
    (
        "case 2, 6Cxx then 61xx",
        READ + "00",
        ((READ + "00", "6C02"), (READ + "02", "6102"), ("00C0000002", "AABB9000")),
        "AABB9000",
    ),
    ("case 2, 61xx", READ + "00", ((READ + "00", "6102"), ("00C0000002", "AABB9000")), "AABB9000"),
    ("case 2 protected is sent once", "84CA000000", (("84CA000000", "6C02"),), "6C02"),
    ("case 3", "00D68200" + "01AA", (("00D68200" + "01AA", "9000"),), "9000"),
    ("case 3, 61xx is final", SELECT, ((SELECT, "6110"),), "6110"),
    ("case 3, 6Cxx is final", SELECT, ((SELECT, "6C10"),), "6C10"),
    ("case 3, warning is final", "0020000102" + "0102", (("0020000102" + "0102", "63C2"),), "63C2"),
    ("case 4 loses Le", SELECT + "00", ((SELECT, "9000"),), "9000"),
    ("case 4, 61xx", SELECT + "00", ((SELECT, "6103"), ("00C0000003", "0102039000")), "0102039000"),
    ("case 4, 6100 means 256", SELECT + "00", ((SELECT, "6100"), ("00C0000000", A + "9000")), A + "9000"),
    ("case 4, short Le wins", SELECT + "02", ((SELECT, "6103"), ("00C0000002", "01026101")), "01026101"),
    ("case 4, Le larger than offered", SELECT + "05", ((SELECT, "6103"), ("00C0000003", "0102039000")), "0102039000"),
    (
        "case 4, short Le over two rounds",
        SELECT + "05",
        ((SELECT, "6103"), ("00C0000003", "010203" + "6109"), ("00C0000002", "0405" + "6107")),
        "0102030405" + "6107",
    ),
    (
        "case 4, long answer",
        SELECT + "00",
        ((SELECT, "6100"), ("00C0000000", A + "6100"), ("00C0000000", B + "6101"), ("00C0000001", "CC9000")),
        A + B + "CC9000",
    ),
    ("case 4, 6Cxx is final", SELECT + "00", ((SELECT, "6C10"),), "6C10"),
    (
        "6Cxx to GET RESPONSE is repeated",
        SELECT + "00",
        ((SELECT, "6105"), ("00C0000005", "6C02"), ("00C0000002", "01029000")),
        "01029000",
    ),
    (
        "6Cxx to GET RESPONSE twice is final",
        SELECT + "00",
        ((SELECT, "6105"), ("00C0000005", "6C02"), ("00C0000002", "6C01")),
        "6C01",
    ),
    ("error while fetching", SELECT + "00", ((SELECT, "6105"), ("00C0000005", "6F00")), "6F00"),
    ("warning hides data", SELECT + "00", ((SELECT, "6283"), ("00C0000000", "01029000")), "01026283"),
    ("warning with its data", SELECT + "00", ((SELECT, "01026283"),), "01026283"),
    ("warning hides nothing", SELECT + "00", ((SELECT, "63C2"), ("00C0000000", "6985")), "63C2"),
    ("warning, GET RESPONSE unknown", SELECT + "10", ((SELECT, "6300"), ("00C0000010", "6D00")), "6300"),
    (
        "warning hides data of another length",
        SELECT + "00",
        ((SELECT, "6283"), ("00C0000000", "6C02"), ("00C0000002", "01029000")),
        "01026283",
    ),
    (
        "warning hides a long answer",
        SELECT + "00",
        ((SELECT, "6283"), ("00C0000000", "01026101"), ("00C0000001", "039000")),
        "0102036283",
    ),
    (
        "warning behind 61xx",
        SELECT + "00",
        ((SELECT, "6102"), ("00C0000002", "01026283")),
        "01026283",
    ),
    (
        "protected case 4",
        "84D6920001AA00",
        (("84D6920001AA", "6108"), ("00C0000008", "11" * 8 + "9000")),
        "11" * 8 + "9000",
    ),
    ("protected case 4 is sent once", "84D6920001AA00", (("84D6920001AA", "6C08"),), "6C08"),
    (
        "GET RESPONSE keeps the channel",
        "0DD6920001AA00",
        (("0DD6920001AA", "6101"), ("01C0000001", "119000")),
        "119000",
    ),
    ("further channel", "63D6920001AA00", (("63D6920001AA", "6101"), ("43C0000001", "119000")), "119000"),
]


@pytest.mark.parametrize(("wire", "script", "answer"), [row[1:] for row in T0_ROWS], ids=[row[0] for row in T0_ROWS])
def test_t0_by_case(wire: str, script: Script, answer: str) -> None:
    card = ScriptedCard(*script)
    outcome = complete_t0(card.send, command(wire))
    assert isinstance(outcome, ResponseApdu)
    assert outcome.to_bytes().hex().upper() == answer
    assert card.finished()


T1_ROWS: list[tuple[str, str, Script, str]] = [
    ("case 4 goes out whole", SELECT + "00", ((SELECT + "00", "01029000"),), "01029000"),
    ("extended", "00B08200000200", (("00B08200000200", A + "9000"),), A + "9000"),
    ("61xx chunks", SELECT + "00", ((SELECT + "00", A + "6101"), ("00C0000001", "119000")), A + "119000"),
    ("extended Le is a limit", "00B08200000100", (("00B08200000100", A + "6110"),), A + "6110"),
    ("6Cxx for a plain case 2", READ + "00", ((READ + "00", "6C01"), (READ + "01", "119000")), "119000"),
    ("6Cxx for case 4 is final", SELECT + "00", ((SELECT + "00", "6C01"),), "6C01"),
    ("warning fetches nothing", SELECT + "00", ((SELECT + "00", "6283"),), "6283"),
    ("case 3, 61xx is final", SELECT, ((SELECT, "6110"),), "6110"),
]


@pytest.mark.parametrize(("wire", "script", "answer"), [row[1:] for row in T1_ROWS], ids=[row[0] for row in T1_ROWS])
def test_t1(wire: str, script: Script, answer: str) -> None:
    card = ScriptedCard(*script)
    outcome = complete_t1(card.send, command(wire))
    assert isinstance(outcome, ResponseApdu)
    assert outcome.to_bytes().hex().upper() == answer
    assert card.finished()


def test_t1_repeats_an_extended_case_2_in_its_own_form() -> None:
    """6Cxx counts to 256 only, so a short Le would do; but the form of a command is the caller's."""
    card = ScriptedCard(("00B08200000200", "6C05"), ("00B08200000005", "11" * 5 + "9000"))
    assert complete_t1(card.send, command("00B08200000200")) == ResponseApdu(b"\x11" * 5, 0x9000)


@pytest.mark.parametrize("wire", ["00B08200000000", "00D60000000001AA", "00D60000000001AA0000"])
def test_extended_length_never_reaches_a_t0_card(wire: str) -> None:
    assert complete_t0(ScriptedCard().send, command(wire)) == TransportError(TransportProblem.EXTENDED_ON_T0)


@pytest.mark.parametrize("answer", ["", "90"])
@pytest.mark.parametrize("complete", [complete_t0, complete_t1])
def test_an_answer_without_status_word(answer: str, complete: Callable[..., object]) -> None:
    card = ScriptedCard((READ + "00", answer))
    assert complete(card.send, command(READ + "00")) == TransportError(TransportProblem.NO_STATUS_WORD)


FAILING: list[tuple[str, Script]] = [
    (READ + "00", ((READ + "00", None),)),
    (READ + "00", ((READ + "00", "6C02"), (READ + "02", None))),
    (SELECT + "00", ((SELECT, None),)),
    (SELECT + "00", ((SELECT, "6102"), ("00C0000002", None))),
    (SELECT + "00", ((SELECT, "6102"), ("00C0000002", "6C01"), ("00C0000001", None))),
    (SELECT + "00", ((SELECT, "6283"), ("00C0000000", None))),
]


@pytest.mark.parametrize(("wire", "script"), FAILING)
def test_the_callers_failure_comes_back_as_it_is(wire: str, script: Script) -> None:
    card = ScriptedCard(*script)
    assert complete_t0(card.send, command(wire)) == Gone()
    assert card.finished()


@pytest.mark.parametrize(("chunk", "rounds"), [(b"", MAX_ROUNDS), (bytes(256), MAX_ROUNDS), (bytes(4096), 17)])
def test_an_endless_answer_ends(chunk: bytes, rounds: int) -> None:
    sent: list[bytes] = []

    def send(wire: bytes) -> bytes:
        sent.append(wire)
        return (chunk if len(sent) > 1 else b"") + b"\x61\x00"

    assert complete_t0(send, command(SELECT + "00")) == TransportError(TransportProblem.ENDLESS_ANSWER)
    assert len(sent) == 1 + rounds


def test_the_longest_answer_fits() -> None:
    left = [65_536]

    def send(wire: bytes) -> bytes:
        if wire[1] != 0xC0:
            return b"\x61\x00"
        left[0] -= 256
        return bytes(256) + (b"\x61\x00" if left[0] else b"\x90\x00")

    assert complete_t0(send, command(SELECT + "00")) == ResponseApdu(bytes(65_536), 0x9000)


@given(
    st.binary(min_size=4, max_size=4),
    st.binary(max_size=20),
    st.integers(0, 256),
    st.lists(st.tuples(st.sampled_from((0x61, 0x6C, 0x62, 0x63, 0x90, 0x69)), st.integers(0, 255)), max_size=8),
)
def test_only_le_may_change_and_only_get_response_is_added(
    header: bytes, data: bytes, ne: int, script: list[tuple[int, int]]
) -> None:
    cla, ins, p1, p2 = header
    asked = CommandApdu(cla, ins, p1, p2, data, ne)
    sent: list[bytes] = []

    def send(wire: bytes) -> bytes:
        sent.append(wire)
        return bytes(script[len(sent) - 1]) if len(sent) <= len(script) else b"\x90\x00"

    complete_t0(send, asked)
    without_le = asked.to_bytes()[: 5 + len(data)] if data else header
    fetches = [wire for wire in sent[1:] if wire[:4] == bytes((asked.get_response_cla, 0xC0, 0, 0)) and len(wire) == 5]
    repeats = [wire for wire in sent[1:] if wire not in fetches]
    assert sent[0] == (without_le if data else asked.to_bytes())
    assert all(wire[:4] == header and len(wire) == 5 for wire in repeats)
    assert len(repeats) <= (1 if ne and not data and not asked.secure_messaging else 0)
