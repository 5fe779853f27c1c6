"""Checklist, lines "SELECT" and "READ/UPDATE BINARY", generated: every way of naming a file with every occurrence and
template, every partial name; reads and writes of any length around the end of a file against a model of it."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulators.card.scp03 import Answer
from tests.simulators.card.driver import ATR, SELECT_VITALE, TEST_SFI, Driver, card_with_large_file, outdated
from tests.simulators.card.test_block_protocol import ATR_T1

NAME_VITALE, NAME_MF = "D250000002564954414C45", "D2500000024D465F564954414C45"
STARTS = {"mf": [], "vitale": [SELECT_VITALE.hex()], "file": [SELECT_VITALE.hex(), "00A4020C022014"]}
PROBES = ["00B0000002", "00A4020C022F02", "00A4020C022014"]
"""What shows the selection; the last two change it."""

MF, DIR, PAN, VITALE, STATE = "3F00", "2F00", "2F02", "3F10", "2014"
NONE = ""
# P1, data, and the file found from the MF and from inside the application
WAYS = [
    ("00", "", MF, MF),
    ("00", MF, MF, MF),
    ("00", VITALE, VITALE, VITALE),
    ("00", PAN, PAN, NONE),
    ("00", STATE, NONE, STATE),
    ("00", "FFFF", NONE, NONE),
    ("01", VITALE, VITALE, NONE),
    ("01", PAN, NONE, NONE),
    ("02", PAN, PAN, NONE),
    ("02", STATE, NONE, STATE),
    ("02", VITALE, NONE, NONE),
    ("03", "", NONE, MF),
    ("04", NAME_VITALE, VITALE, VITALE),
    ("04", NAME_MF, MF, MF),
    ("04", NAME_MF + "00", NONE, NONE),
    ("08", PAN, PAN, PAN),
    ("08", VITALE + STATE, STATE, STATE),
    ("08", STATE, NONE, NONE),
    ("08", PAN + PAN, NONE, NONE),
    ("09", VITALE + STATE, STATE, NONE),
    ("09", STATE, NONE, STATE),
    ("09", DIR, DIR, NONE),
]


def started(start: str) -> Driver:
    driver = outdated()
    for apdu in STARTS[start]:
        assert driver.raw(apdu) == "9000"
    return driver


def selection(driver: Driver) -> list[str]:
    return [driver.raw(probe) for probe in PROBES]


def select(p1: str, p2: str, data: str) -> str:
    return f"00A4{p1}{p2}" + (f"{len(data) // 2:02X}{data}" if data else "")


def known_files() -> dict[str, list[str]]:
    """The selection that each file's own shortest way leaves."""
    ways = {MF: [MF], DIR: [DIR], PAN: [PAN], VITALE: [VITALE], STATE: [VITALE, STATE]}
    found = {}
    for fid, path in ways.items():
        driver = outdated()
        for step in path:
            assert driver.raw(f"00A4000C02{step}") == "9000"
        found[fid] = selection(driver)
    return found


KNOWN = known_files()


@pytest.mark.parametrize(("way", "p2", "start"), [*product(WAYS, ("00", "04", "0C"), STARTS)])
def test_select_by_every_way_with_every_template(way: tuple[str, str, str, str], p2: str, start: str) -> None:
    p1, data, from_mf, from_vitale = way
    expected = from_mf if start == "mf" else from_vitale
    driver = started(start)
    announced = driver.raw(select(p1, p2, data))
    if not expected:
        assert announced == "6A82"
        assert selection(driver) == selection(started(start))
        return
    if p2 == "0C":
        assert announced == "9000"
    else:
        template = driver.raw("00C00000" + announced[2:])
        assert template[:2] == {"00": "6F", "04": "62"}[p2]
        assert f"8302{expected}" in template
        assert template.endswith("9000")
    assert selection(driver) == KNOWN[expected]


@pytest.mark.parametrize("p2", ["02", "06", "0E"])
def test_the_next_occurrence_is_for_names_only(p2: str) -> None:
    for p1 in ("00", "01", "02", "03", "08", "09"):
        assert outdated().raw(select(p1, p2, PAN)) == "6A86"
    assert outdated().raw(select("04", p2, NAME_VITALE))[:2] in ("90", "61")


@pytest.mark.parametrize("length_bytes", range(1, 15))
def test_every_partial_name_first_and_next(length_bytes: int) -> None:
    """Applications come before the MF; behind the last match there is none, and the selection stays."""
    shared = NAME_MF[: 2 * length_bytes] == NAME_VITALE[: 2 * length_bytes]
    for name, own in ((NAME_MF, MF), (NAME_VITALE, VITALE)):
        part = name[: 2 * length_bytes]
        driver = outdated()
        for first_or_next, fid in zip(("0C", "0E", "0E"), ([VITALE, MF] if shared else [own]) + [NONE], strict=False):
            assert driver.raw(select("04", first_or_next, part)) == ("9000" if fid else "6A82"), part
            if fid:
                last = fid
        assert selection(driver) == KNOWN[last]


def test_all_other_parameters_are_6a86() -> None:
    p1s, p2s = (0x00, 0x01, 0x02, 0x03, 0x04, 0x08, 0x09), (0x00, 0x04, 0x0C)
    driver = outdated()
    for p1, p2 in {*product(range(256), (0x0C,)), *product(p1s, range(256))}:
        known = p1 in p1s and (p2 in p2s or (p1 == 0x04 and p2 & ~0x02 in p2s))
        assert (driver.raw(f"00A4{p1:02X}{p2:02X}022F02") != "6A86") is known, (p1, p2)


# -- READ BINARY, UPDATE BINARY ---------------------------------------------------------------------------------------

SIZES = st.sampled_from([1, 63, 64, 65, 128, 255, 256, 257, 300])
NEAR = st.integers(-3, 3)


def opened(size_bytes: int, atr: bytes) -> Driver:
    card = card_with_large_file(size_bytes, atr)
    card.power_on()
    return Driver(card)


def place(offset: int, by_sfi: bool) -> bytes:
    return bytes([0x80 | TEST_SFI, offset]) if by_sfi else offset.to_bytes(2, "big")


def expected_read(content: bytes, offset: int, le: int, *, under_t1: bool) -> str:
    left = content[offset : offset + (le or 256)]
    if offset >= len(content):
        return "6B00"
    if le == 0 and len(left) < 256 and not under_t1:
        return f"6C{len(left):02X}"
    return left.hex().upper() + ("6282" if len(left) < le else "9000")


@settings(max_examples=60, deadline=None)
@given(size=SIZES, back=NEAR, cut=NEAR, le=st.sampled_from([0, 1, 2, 64, 255]), atr=st.sampled_from([ATR, ATR_T1]))
@example(size=256, back=0, cut=0, le=0, atr=ATR)
@example(size=255, back=0, cut=0, le=0, atr=ATR)
def test_reads_around_the_end(size: int, back: int, cut: int, le: int, atr: bytes) -> None:
    driver = opened(size, atr)
    host = driver.session()
    content = bytes((index * 7 + 1) % 251 for index in range(size))
    for start in range(0, size, 200):
        part = content[start : start + 200]
        driver.raw("00A4020C022015")
        assert host.unwrap(driver.send(host.wrap(0xD6, start >> 8, start & 0xFF, part))) == Answer(b"", 0x9000)
    for offset in {0, size + back, size - (le or 256) + cut}:
        if offset < 0:
            continue
        for by_sfi in (False, True)[: 1 + (offset < 256)]:
            command = b"\x00\xb0" + place(offset, by_sfi) + bytes([le])
            expected = expected_read(content, offset, le, under_t1=atr == ATR_T1)
            assert driver.raw(command.hex()) == expected, command.hex()
            # 6Cxx has changed nothing, and its repetition gives all
            if expected.startswith("6C"):
                answer = driver.raw(command[:-1].hex() + expected[2:])
                assert answer == content[offset : offset + 256].hex().upper() + "9000"


@settings(max_examples=40, deadline=None)
@given(size=SIZES, writes=st.lists(st.tuples(NEAR, st.integers(1, 200), st.booleans()), min_size=1, max_size=4))
def test_writes_around_the_end(size: int, writes: list[tuple[int, int, bool]]) -> None:
    driver = opened(size, ATR)
    host = driver.session()
    content = bytearray(size)
    driver.raw("00A4020C022015")
    for number, (back, length, wants_sfi) in enumerate(writes):
        offset = max(0, size - length + back)
        p1, p2 = place(offset, wants_sfi and offset < 256)
        data = bytes([number + 1]) * length
        sw = 0x6B00 if offset >= size else 0x6A84 if offset + length > size else 0x9000
        if sw == 0x9000:
            content[offset : offset + length] = data
        assert host.unwrap(driver.send(host.wrap(0xD6, p1, p2, data))) == Answer(b"", sw)
    read = b""
    for start in range(0, size, 128):
        wanted = min(128, size - start)
        read += bytes.fromhex(driver.raw(f"00B0{start:04X}{wanted:02X}"))[:-2]
    assert read == content
