"""ATRs: structure, and the tables of the domain reference with the neighbours that must not match."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.card import professional
from kiosk.card.atr import ATR_MAX_BYTES, Atr, AtrError, classify, parse_atr
from kiosk.card.generations import GENERATIONS, reader_for
from kiosk.card.values import CardKind
from kiosk.card.vitale2 import read_vitale2

VITALE_2 = [f"3B75130000{x}09EA9000" for x in ("43", "44", "45", "46", "47", "48", "49", "4B", "4C")]
VITALE_2 += ["3B751300004509FA9000"]
VITALE_1 = [
    "3F652500 2209F99000",
    "3F652500 2209699000",
    "3F652500 2C09F99000",
    "3F652500 2C09699000",
    "3F652500 52096A9000",
    "3F652500 A3096A9000",
    "3F652500 A4096A9000",
]
BANK = ["3F652508 22046C9000", "3F65250843046C9010", "3F652500 24096B9000", "3F65250024096E9000"]
OTHER = [
    "3F6525002B09629000",  # laundry
    "3F6525002B09699000",  # parking
    "3F6525002B09EB9000",  # Bull SCOT 5
    "3F65250022096A9000",  # one byte off a Vitale 1
    "3F6525005209699000",
    "3F652500A209 6A9000",
    "3F652500 24096A9000",
    "3F652508 22046C9001",
    "3B751300004309DA9000",  # one nibble off a Vitale 2
    "3B751300004309EA9001",
    "3B751301004309EA9000",
    "3B751300004309EA90",
    "3B751300004309EA900000",
    "3BAC00402A001225006480000310009001",  # one byte off a CPS3
    "3B6A0000544543484E494349454F",  # one byte off a technician's
    "3B00",
    "3F",
    "00",
]
CPS = [
    professional.CPS2TER,
    professional.CPS3_CONTACT,
    professional.CPS3_CONTACTLESS,
    professional.CPS4,
    professional.CPS4_PRE_RELEASE,
    professional.CPS4_T0,
    professional.TECHNICIAN,
]

ROWS = [
    *((atr, CardKind.VITALE_2) for atr in [*VITALE_2, "3B751300004A09EA9000"]),
    *((atr, CardKind.VITALE_1) for atr in VITALE_1),
    *((atr.hex(), CardKind.PROFESSIONAL) for atr in CPS),
    *((atr, CardKind.BANK) for atr in BANK),
    *((atr, CardKind.OTHER) for atr in OTHER),
    ("", CardKind.MUTE),
    ("3B" + "00" * 32, CardKind.OTHER),
    ("3B" + "00" * 33, CardKind.MUTE),
    ("00" * 34, CardKind.MUTE),
]


@pytest.mark.parametrize(("atr", "kind"), ROWS)
def test_classification(atr: str, kind: CardKind) -> None:
    assert classify(bytes.fromhex(atr)) is kind


@pytest.mark.parametrize("atr", [*VITALE_2, *VITALE_1, *(atr.hex() for atr in CPS)])
def test_published_atrs_are_well_formed(atr: str) -> None:
    assert isinstance(parse_atr(bytes.fromhex(atr)), Atr)


def test_the_parts_of_an_atr() -> None:
    assert parse_atr(bytes.fromhex("3B751300004309EA9000")) == Atr(
        inverse=False,
        interface=(("TA1", 0x13), ("TB1", 0), ("TC1", 0)),
        historical=bytes.fromhex("4309EA9000"),
        protocols=(0,),
    )
    assert parse_atr(professional.CPS3_CONTACT) == Atr(
        inverse=False,
        interface=(("TB1", 0), ("TD1", 0x40), ("TC2", 0x2A)),
        historical=bytes.fromhex("001225006480000310009000"),
        protocols=(0,),
    )
    assert parse_atr(professional.CPS4) == Atr(
        inverse=False,
        interface=(("TA1", 0x18), ("TD1", 0x80), ("TD2", 1)),
        historical=bytes.fromhex("0012250064800401000090"),
        protocols=(0, 1),
    )
    first = parse_atr(bytes.fromhex(VITALE_1[0]))
    assert isinstance(first, Atr)
    assert first.inverse


@pytest.mark.parametrize(
    ("atr", "protocols"),
    [
        ("3B00", (0,)),
        ("3B8000", (0,)),
        ("3B800181", (1,)),
        ("3B80800101", (0, 1)),
        ("3B80801F0F10", (0,)),
        ("3B800F8F", (0,)),
    ],
)
def test_protocols_offered(atr: str, protocols: tuple[int, ...]) -> None:
    parsed = parse_atr(bytes.fromhex(atr))
    assert isinstance(parsed, Atr), parsed
    assert parsed.protocols == protocols


@pytest.mark.parametrize(
    ("atr", "offset", "reason"),
    [
        ("", 0, "an ATR has 2 to 33 bytes"),
        ("3B", 0, "an ATR has 2 to 33 bytes"),
        ("3B" + "00" * 33, 0, "an ATR has 2 to 33 bytes"),
        ("0300", 0, "TS is neither 3B nor 3F"),
        ("3B10", 2, "TA1 is missing"),
        ("3B7013", 3, "TB1 is missing"),
        ("3B8040", 3, "TC2 is missing"),
        ("3B054309EA90", 2, "5 historical bytes announced, 4 left"),
        ("3B054309EA900000", 7, "1 bytes too many"),
        ("3B8001", 3, "TCK is missing"),
        ("3B800180", 3, "TCK is wrong"),
        ("3B80018100", 3, "1 bytes too many"),
    ],
)
def test_each_malformed_atr_names_offset_and_cause(atr: str, offset: int, reason: str) -> None:
    assert parse_atr(bytes.fromhex(atr)) == AtrError(offset, reason)


@given(st.one_of(st.binary(max_size=40), st.binary(max_size=34).map(lambda tail: b"\x3b" + tail)))
@settings(max_examples=300)
def test_any_bytes_are_classified_and_parsed_without_raising(atr: bytes) -> None:
    parsed = parse_atr(atr)
    if isinstance(parsed, AtrError):
        assert 0 <= parsed.offset <= len(atr)
    else:
        assert len(atr) - len(parsed.historical) - len(parsed.interface) - 2 in (0, 1)
    assert (classify(atr) is CardKind.MUTE) == (not 0 < len(atr) <= ATR_MAX_BYTES)


def test_a_vitale_1_is_recognised_and_not_read() -> None:
    assert reader_for(CardKind.VITALE_2) is read_vitale2
    assert reader_for(CardKind.VITALE_1) is None
    assert reader_for(CardKind.BANK) is None
    assert {row.kind for row in GENERATIONS} == {CardKind.VITALE_1, CardKind.VITALE_2}
