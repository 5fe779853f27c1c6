"""Reading a Vitale 2: the dialogue with a small ISO card, what may be missing, and a card that leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiosk.card import layout
from kiosk.card.apdu import ResponseApdu
from kiosk.card.read_error import CardReadError
from kiosk.card.tlv import build_tlv
from kiosk.card.values import CardContent
from kiosk.card.vitale2 import read_vitale2
from tests.card.vitale2_card import (
    APPLICATIONS,
    BENEFICIARIES,
    CHILD,
    CONTENT,
    FILES,
    ORGANISATION,
    PAN,
    POINTERS,
    RIGHTS,
    START,
    STATE,
    Gone,
    IsoCard,
    entry,
    people,
    person,
    pointers,
    read,
    rights,
    state,
)


def test_the_whole_dialogue_byte_by_byte() -> None:
    card = IsoCard(FILES)
    assert read_vitale2(card.exchange) == CONTENT
    assert card.log == [
        "00A404000ED2500000024D465F564954414C45",
        "00A4020C022F02",
        "00B0000000",
        "00A404000BD250000002564954414C45",
        "00A4020C022001",
        "00B0000000",
        "00A4020C022014",
        "00B0000000",
        "00A4020C022011",
        "00B0000000",
        "00A4020C022012",
        "00B0000000",
        "00A4020C022013",
        "00B0000000",  # 448 bytes, of which the first block shows that the rest is filling
    ]


@pytest.mark.parametrize("end", [0x9000, 0x6282])
@pytest.mark.parametrize("select_sw", [0x9000, 0x6110])
def test_other_ways_to_say_the_same(end: int, select_sw: int) -> None:
    assert read_vitale2(IsoCard(FILES, end=end, select_sw=select_sw).exchange) == CONTENT


@pytest.mark.parametrize(
    ("size", "end", "reads"),
    [
        (255, 0x9000, 1),
        (256, 0x9000, 2),  # the second one meets 6B00
        (257, 0x9000, 2),
        (511, 0x9000, 2),
        (512, 0x9000, 3),
        (513, 0x9000, 3),
        (255, 0x6282, 1),
        (256, 0x6282, 1),
        (512, 0x6282, 2),
    ],
)
def test_files_around_the_block_size(size: int, end: int, reads: int) -> None:
    card = IsoCard(FILES | {BENEFICIARIES: FILES[BENEFICIARIES].ljust(size, b"\xff")}, end=end)
    assert read_vitale2(card.exchange) == CONTENT
    start = card.log.index("00A4020C022011") + 1
    assert [apdu[:4] for apdu in card.log[start : start + reads + 1]] == ["00B0"] * reads + ["00A4"]


@pytest.mark.parametrize(
    ("periods", "reads"),
    [(1, 1), (21, 1), (22, 2), (37, 2)],  # 21 periods leave one byte of the first block to the filling
)
def test_rights_are_read_as_far_as_they_go(periods: int, reads: int) -> None:
    card = IsoCard(FILES | {RIGHTS: rights(*["00202401012025123100"] * periods).ljust(448, b"\0")})
    content = read_vitale2(card.exchange)
    assert isinstance(content, CardContent)
    assert len(content.rights) == periods
    start = card.log.index("00A4020C022013") + 1
    assert [apdu[:4] for apdu in card.log[start:]] == ["00B0"] * reads


def test_filling_of_an_empty_file_is_read_to_its_end() -> None:
    card = IsoCard(FILES | {RIGHTS: bytes(448)})
    assert read_vitale2(card.exchange) == CardReadError("SIMRIGHT", "tag C2 is missing from the file")
    assert card.log[-1] == "00B0010000"


def test_a_refusal_in_the_middle_of_a_file() -> None:
    card = IsoCard(FILES | {BENEFICIARIES: FILES[BENEFICIARIES].ljust(300, b"\0")})

    def exchange(wire: bytes) -> ResponseApdu | Gone:
        answer = card.exchange(wire)
        return ResponseApdu(b"", 0x6982) if wire == bytes.fromhex("00B0010000") else answer

    error = CardReadError("SIMBENEF", "READ BINARY: 6982 security not satisfied")
    assert read_vitale2(exchange) == error


def test_nineteen_people_over_several_blocks() -> None:
    content = read({BENEFICIARIES: people(*[person(first=b"P" + bytes((65 + i,))) for i in range(19)], START)})
    assert isinstance(content, CardContent)
    assert [someone.first_name for someone in content.beneficiaries] == ["P" + chr(65 + i) for i in range(19)]


def test_an_unfinished_card_never_shows_rights() -> None:
    """Organisation and rights are half written: they are not even read."""
    card = IsoCard(FILES | {STATE: state(b"\x01"), RIGHTS: b"\xc2\x7f\x83", ORGANISATION: b"\xc1\x55"})
    expected = replace(CONTENT, rights=(), organisation=None, unfinished=True)
    assert read_vitale2(card.exchange) == expected
    assert "00A4020C022012" not in card.log
    assert "00A4020C022013" not in card.log


@pytest.mark.parametrize("sw", [0x6982, 0x6A82])
def test_rights_count_only_behind_a_state_that_was_read(sw: int) -> None:
    card = IsoCard(FILES)
    card.refusals[STATE] = sw
    assert read_vitale2(card.exchange) == replace(CONTENT, rights=(), organisation=None, last_update=None)


def test_a_card_without_the_fictional_files() -> None:
    """As published cards are: only names, birth dates and NIRs; files that are raw or refuse are passed over."""
    listed = [entry("BENEF", 0x2030), entry("RAW1", 0x2031), entry("RAW2", 0x2032), entry("CERT", 0x2033)]
    card = IsoCard(
        {
            PAN: FILES[PAN],
            POINTERS: pointers(APPLICATIONS, *listed, entry("SECRET", 0x2034), entry("LOST", 0x2035)),
            0x2030: FILES[BENEFICIARIES],
            0x2031: b"\x00\x11\x22",
            0x2032: b"\x04\x00\x33",
            0x2033: build_tlv(0x7F21, build_tlv(0x5F37, b"signature")),
            0x2034: b"",
        }
    )
    card.read_refusals[0x2034] = 0x6982
    expected = replace(CONTENT, organisation=None, rights=(), last_update=None)
    assert read_vitale2(card.exchange) == expected


@pytest.mark.parametrize("absent", [ORGANISATION, RIGHTS])
def test_one_fictional_file_missing(absent: int) -> None:
    card = IsoCard(FILES)
    card.refusals[absent] = 0x6A82
    expected = replace(CONTENT, organisation=None) if absent == ORGANISATION else replace(CONTENT, rights=())
    assert read_vitale2(card.exchange) == expected


def test_twenty_digits_and_an_empty_last_update() -> None:
    content = read({PAN: build_tlv(0x5A, bytes.fromhex("80250000020467132263")), STATE: state(day="")})
    assert content == replace(CONTENT, iccsn="80250000020467132263", last_update=None)


@pytest.mark.parametrize(
    ("raw", "name"),
    [("GAËLLE".encode(), "GAËLLE"), ("GAËLLE".encode("iso-8859-1"), "GAËLLE"), (b" LE GOFF ", "LE GOFF")],
)
def test_names_in_either_encoding(raw: bytes, name: str) -> None:
    content = read({BENEFICIARIES: people(person(name=raw), CHILD)})
    assert isinstance(content, CardContent)
    assert content.holder.name == name


@pytest.mark.parametrize(
    ("identifier", "sw", "on_read", "expected"),
    [
        (PAN, 0x6982, False, CardReadError("2F02", "absent or refused")),
        (PAN, 0x6982, True, CardReadError("2F02", "absent or refused")),
        (POINTERS, 0x6A82, False, CardReadError("POINTERS", "absent or refused")),
        (POINTERS, 0x6F00, False, CardReadError("POINTERS", "SELECT: 6F00 no precise diagnosis")),
        (BENEFICIARIES, 0x6982, True, CardReadError("VITALE", "no beneficiary (tag 65) in any readable file")),
        (RIGHTS, 0x6581, True, CardReadError("SIMRIGHT", "READ BINARY: 6581 memory failure")),
        (STATE, 0x6C10, True, CardReadError("SIMSTATE", "READ BINARY: 6C10 checking error")),
        (STATE, 0x6283, False, CardReadError("SIMSTATE", "SELECT: 6283 warning")),
    ],
)
def test_status_words(identifier: int, sw: int, on_read: bool, expected: CardReadError) -> None:
    card = IsoCard(FILES)
    (card.read_refusals if on_read else card.refusals)[identifier] = sw
    assert read_vitale2(card.exchange) == expected


@pytest.mark.parametrize(("aid", "name"), [(layout.AID_VITALE, "VITALE"), (layout.AID_MF_VITALE, "MF_VITALE")])
def test_a_card_without_the_application(aid: bytes, name: str) -> None:
    card = IsoCard(FILES)
    card.aids.remove(aid)
    assert read_vitale2(card.exchange) == CardReadError(name, "SELECT: 6A82 file not found")


def test_a_card_that_never_ends_a_file() -> None:
    """Offsets end at 32,767: reading stops there whatever the card says."""
    assert isinstance(read({BENEFICIARIES: FILES[BENEFICIARIES].ljust(40_000, b"\0")}), CardContent)


def test_a_block_longer_than_asked() -> None:
    def exchange(wire: bytes) -> ResponseApdu:
        return ResponseApdu(bytes(257) if wire[1] == 0xB0 else b"", 0x9000)

    assert read_vitale2(exchange) == CardReadError("2F02", "READ BINARY: more bytes than asked for")


@pytest.mark.parametrize("apdu", range(14))
def test_a_card_pulled_before_any_apdu(apdu: int) -> None:
    card = IsoCard(FILES)
    card.leaves_before = apdu
    assert read_vitale2(card.exchange) == Gone()
    assert len(card.log) == apdu
