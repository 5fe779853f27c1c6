"""What may reach a card: the built-in maximum, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.card.layout import SIM_WRITABLE_SFIS
from kiosk.sync.allow_list import BUILT_IN_INS, CommandRefusal, check_commands

MAC = "00" * 8


@pytest.mark.parametrize(
    "apdu",
    [
        "00a404000bd250000002564954414c45",
        "00a404000bd250000002564954414c4500",
        "00b0820000",
        "0084000008",
        "002241a4038401 01".replace(" ", ""),
        "8050000008" + "11" * 8 + "00",
        "8482330010" + "11" * 16,
        "0088000004" + "11" * 4 + "00",
        "84d6920009" + "11" * 9,
        "84d6930009" + "11" * 9,
        "84d69400ff" + "11" * 255,
    ],
)
def test_allowed(apdu: str) -> None:
    assert check_commands([bytes.fromhex(apdu)]) is None


@pytest.mark.parametrize(
    ("apdu", "reason"),
    [
        ("", "not a command APDU: shorter than the 4-byte header"),
        ("00a404", "not a command APDU: shorter than the 4-byte header"),
        ("00a404000bd25000", "not a command APDU: Lc announces 11 bytes, 3 follow"),
        ("00b08200000100", "extended length"),
        ("0cb0820000", "class 0C is not allowed"),
        ("04a40400", "class 04 is not allowed"),
        ("01b0820000", "class 01 is not allowed"),
        ("ffb0820000", "class FF is not allowed"),
        *[
            (f"00{ins}000000", f"instruction {ins.upper()} is not allowed")
            for ins in ("20", "24", "2c", "e0", "e4", "04", "44", "c0", "d0", "da", "cb", "0e")
        ],
        ("00d69200090000000000000000 00".replace(" ", ""), "write without secure messaging"),
        ("80d6920009" + "11" * 9, "write without secure messaging"),
        ("84d6920008" + MAC, "write without secure messaging"),
        ("84d69200", "write without secure messaging"),
        ("84d6910009" + "11" * 9, "write to a file that is not writable"),  # beneficiaries
        ("84d6950009" + "11" * 9, "write to a file that is not writable"),
        ("84d6120009" + "11" * 9, "write to a file that is not writable"),  # offset, not a short file identifier
        ("84d6b20009" + "11" * 9, "write to a file that is not writable"),
        ("84d6d20009" + "11" * 9, "write to a file that is not writable"),
    ],
)
def test_refused(apdu: str, reason: str) -> None:
    good = bytes.fromhex("00b0820000")
    assert check_commands([good, bytes.fromhex(apdu)]) == CommandRefusal(1, reason)


def test_policy_narrows_and_never_widens() -> None:
    read, select = bytes.fromhex("00b0820000"), bytes.fromhex("00a40400")
    assert check_commands([select, read], frozenset({0xA4})) == CommandRefusal(1, "instruction B0 is not allowed")
    verify_pin = bytes.fromhex("00200001")
    assert check_commands([verify_pin], BUILT_IN_INS | {0x20}) == CommandRefusal(0, "instruction 20 is not allowed")


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=300))
def test_whatever_passes_is_within_the_maximum(raw: bytes) -> None:
    for command in (raw, b"\x84\xd6" + raw):
        if check_commands([command]) is None:
            assert command[0] in (0x00, 0x80, 0x84)
            assert command[1] in BUILT_IN_INS
            if command[1] == 0xD6:
                assert command[0] == 0x84
                assert command[2] in {0x80 | sfi for sfi in SIM_WRITABLE_SFIS}
