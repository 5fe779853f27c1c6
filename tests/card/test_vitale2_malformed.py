"""Every malformed form of every file of a Vitale 2 as a row: one error naming file and cause, and nothing personal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.card import layout
from kiosk.card.read_error import CardReadError
from kiosk.card.tlv import Tlv, build_tlv
from kiosk.card.values import CardContent
from tests.card.vitale2_card import (
    APPLICATIONS,
    BENEFICIARIES,
    CHILD,
    CONTENT,
    ENTRIES,
    FILES,
    ORGANISATION,
    PAN,
    POINTERS,
    RIGHTS,
    START,
    STATE,
    entry,
    organisation,
    people,
    person,
    pointers,
    read,
    rights,
    state,
    without,
)

NAMES = {
    PAN: "2F02",
    POINTERS: "POINTERS",
    BENEFICIARIES: "SIMBENEF",
    ORGANISATION: "SIMORGAN",
    RIGHTS: "SIMRIGHT",
    STATE: "SIMSTATE",
}

MALFORMED: list[tuple[str, int, bytes, str]] = [
    ("serial: empty file", PAN, b"", "tag 5A is missing from the file"),
    ("serial: other tag", PAN, build_tlv(0x5B, bytes(11)), "tag 5A is missing from the file"),
    ("serial: twice", PAN, FILES[PAN] * 2, "tag 5A is repeated in the file"),
    ("serial: length", PAN, build_tlv(0x5A, bytes(9)), "tag 5A: 10 or 11 bytes expected"),
    ("serial: issuer", PAN, build_tlv(0x5A, bytes(10)), "tag 5A: does not begin with 8025000002"),
    ("serial: cut", PAN, FILES[PAN][:-1], "offset 1: length 11 of tag 5A, 10 bytes left"),
    ("pointers: empty", POINTERS, b"", "tag E0 is missing from the file"),
    ("pointers: no A0", POINTERS, pointers(*ENTRIES), "tag A0 is missing from tag E0"),
    ("pointers: cut", POINTERS, FILES[POINTERS][:20], "offset 1: length 109 of tag E0, 18 bytes left"),
    (
        "pointers: inside cut",
        POINTERS,
        pointers(Tlv(0xA0, b"\x82\x7f")),
        "in tag A0: offset 5: length 127 of tag 82, 0 bytes left",
    ),
    (
        "pointers: no VITALE",
        POINTERS,
        pointers(Tlv(0xA0, build_tlv(0x82, b"\0\x01\0\0" + layout.AID_MF_VITALE)), *ENTRIES),
        "the application VITALE is not listed",
    ),
    (
        "pointers: short entry",
        POINTERS,
        pointers(APPLICATIONS, Tlv(0x80, b"SIMBENEF\0\x02\x20")),
        "tag 80 at offset 43: 12 bytes expected",
    ),
    (
        "pointers: name twice",
        POINTERS,
        pointers(APPLICATIONS, *ENTRIES, entry("SIMSTATE", 0x2020)),
        "SIMSTATE is listed twice",
    ),
    ("pointers: file twice", POINTERS, pointers(APPLICATIONS, *ENTRIES, entry("OTHER", STATE)), "2014 is listed twice"),
    (
        "pointers: too many",
        POINTERS,
        pointers(APPLICATIONS, *[entry("F", 0x3000 + i) for i in range(65)]),
        "more than 64 files",
    ),
    ("people: cut", BENEFICIARIES, people(person())[:-1], "offset 1: length 49 of tag 65, 48 bytes left"),
    (
        "people: inside cut",
        BENEFICIARIES,
        people(person(), Tlv(0x65, b"\x80\x09A")),
        "in tag 65: offset 54: length 9 of tag 80, 1 bytes left",
    ),
    *(
        (
            f"people: {name} missing",
            BENEFICIARIES,
            people(person(), without(CHILD, tag)),
            f"tag {tag:X} is missing from tag 65 number 2 ({name})",
        )
        for tag, name in ((0x80, "name"), (0x81, "first name"), (0x82, "birth date"), (0x93, "NIR"))
    ),
    (
        "people: name twice",
        BENEFICIARIES,
        people(Tlv(0x65, person().value + build_tlv(0x80, b"X"))),
        "tag 80 is repeated in tag 65 number 1 (name)",
    ),
    ("people: empty name", BENEFICIARIES, people(person(name=b"")), "tag 65 number 1/80: name is not a text"),
    ("people: blank name", BENEFICIARIES, people(person(name=b"  ")), "tag 65 number 1/80: name is not a text"),
    ("people: long name", BENEFICIARIES, people(person(name=b"A" * 81)), "tag 65 number 1/80: name is not a text"),
    ("people: control", BENEFICIARIES, people(person(first=b"A\nB")), "tag 65 number 1/81: first name is not a text"),
    (
        "people: right to left",
        BENEFICIARIES,
        people(person(first="A\u202eB".encode())),
        "tag 65 number 1/81: first name is not a text",
    ),
    (
        "people: birth date",
        BENEFICIARIES,
        people(person(born="1984051")),
        "tag 65 number 1/82: birth date of 8 digits expected",
    ),
    (
        "people: NIR key",
        BENEFICIARIES,
        people(person(nir="284059999900278")),
        "tag 65 number 1/93: NIR: the key does not match",
    ),
    (
        "start date",
        BENEFICIARIES,
        people(person(), Tlv(0x66, build_tlv(0x80, b"20190230"))),
        "tag 66/80: card start date is not a date",
    ),
    (
        "start date missing",
        BENEFICIARIES,
        people(person(), Tlv(0x66, b"")),
        "tag 80 is missing from tag 66 (card start date)",
    ),
    ("organisation: raw", ORGANISATION, bytes(64), "tag C1 is missing from the file"),
    ("organisation: cut", ORGANISATION, organisation()[:-1], "offset 1: length 15 of tag C1, 14 bytes left"),
    ("organisation: regime", ORGANISATION, organisation(regime="1"), "tag C1/80: regime of 2 digits expected"),
    ("organisation: caisse", ORGANISATION, organisation(caisse="99A"), "tag C1/81: caisse of 3 digits expected"),
    ("organisation: centre", ORGANISATION, organisation(centre="99999"), "tag C1/82: centre of 4 digits expected"),
    ("rights: erased", RIGHTS, b"\xff" * 448, "tag C2 is missing from the file"),
    ("rights: other tag", RIGHTS, build_tlv(0xC2, [Tlv(0x84, b"")]), "tag C2/84 number 1: tag 83 expected"),
    ("rights: length", RIGHTS, rights("002024010120251231"), "tag C2/83 number 1: 10 bytes expected"),
    ("rights: person", RIGHTS, rights("02202401012025123100"), "tag C2/83 number 1: no such beneficiary"),
    ("rights: start", RIGHTS, rights("0020240A012025123100"), "tag C2/83 number 1: start is not a date"),
    ("rights: end", RIGHTS, rights("00202401012025023000"), "tag C2/83 number 1: end is not a date"),
    (
        "rights: order",
        RIGHTS,
        rights("00202512312025123100", "00202512312025123000"),
        "tag C2/83 number 2: ends before it starts",
    ),
    ("rights: exemption", RIGHTS, rights("00202401012025123106"), "tag C2/83 number 1: unknown exemption"),
    ("state: raw", STATE, bytes(64), "tag C3 is missing from the file"),
    ("state: flag", STATE, state(b"\x02"), "tag C3/80: flag 00 or 01 expected"),
    ("state: flag length", STATE, state(b"\0\0"), "tag C3/80: flag 00 or 01 expected"),
    ("state: version", STATE, state(version=b"\x02"), "tag C3/82: schema version 1 expected"),
    ("state: day", STATE, state(day="20240230"), "tag C3/81: last update is not a date"),
    (
        "state: version missing",
        STATE,
        build_tlv(0xC3, [Tlv(0x80, b"\0"), Tlv(0x81, b"")]),
        "tag 82 is missing from tag C3 (schema version)",
    ),
]


@pytest.mark.parametrize(
    ("identifier", "content", "reason"), [row[1:] for row in MALFORMED], ids=[r[0] for r in MALFORMED]
)
def test_each_malformed_file_gives_one_error_naming_file_and_cause(
    identifier: int, content: bytes, reason: str
) -> None:
    assert read({identifier: content}) == CardReadError(NAMES[identifier], reason)


@pytest.mark.parametrize("content", [b"", START.to_bytes(), b"\xff" * 300, b"\x00" * 300])
def test_a_card_with_nobody_on_it(content: bytes) -> None:
    assert read({BENEFICIARIES: content}) == CardReadError("VITALE", "no beneficiary (tag 65) in any readable file")


@given(st.sampled_from(sorted(FILES)), st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_file_gives_a_value_or_one_error(identifier: int, data: st.DataObject) -> None:
    content = bytearray(FILES[identifier])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, min(len(content), 130) - 1))] = data.draw(st.integers(0, 255))
    outcome = read({identifier: bytes(content)})
    assert isinstance(outcome, CardContent | CardReadError)
    if isinstance(outcome, CardReadError):
        assert outcome.file
        assert outcome.reason


@given(st.sampled_from(sorted(FILES)), st.binary(max_size=80))
def test_any_bytes_as_a_file_give_a_value_or_one_error(identifier: int, content: bytes) -> None:
    assert isinstance(read({identifier: content}), CardContent | CardReadError)


def test_nothing_personal_in_errors_and_reprs() -> None:
    spoken = repr([CONTENT, *(read({identifier: content}) for _, identifier, content, _ in MALFORMED)])
    for secret in ("SPECIMEN", "JEANNE", "LEO", "19840517", "2840599999002", "0467132263", "20251231"):
        assert secret not in spoken
