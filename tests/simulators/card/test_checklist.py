"""The ISO/IEC 7816-4 checklist of the hardware reference on raw T=0 exchanges: examples, each spelled out.

Line by line and generated: `test_order_of_checks`, `test_select_and_binary`, `test_channels`, `test_sessions`
(chaining), `test_reset_and_power` (ATR, reset), `test_block_protocol` (T=1), `test_staff_pin` (VERIFY).
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.card import SimulatedCard, open_persona
from simulators.card.class_byte import ClassByte, parse_class
from simulators.card.scp03 import Answer
from tests.simulators.card.driver import SELECT_VITALE, outdated

SELECT = SELECT_VITALE.hex()
AID = "D250000002564954414C45"
MF_AID = "D2500000024D465F564954414C45"
INIT = "8050300008" + "00" * 8


def _run(*apdus: str) -> str:
    """Answer to the last of several commands to a fresh card."""
    driver = outdated()
    return [driver.raw(apdu) for apdu in apdus][-1]


# -- order of checks: class, instruction, secure messaging, parameters, length, security, data ------------------------

ORDER = [
    # every command breaks the rule of its row and, as far as bytes allow, those of the rows below
    ("6E00", "FFFFFFFF05"),
    ("6E00", "FFA40400"),
    ("6E00", "A0A40400"),
    ("6E00", "20A40400"),
    ("6E00", "C0A40400"),
    ("6881", "01A40400"),
    ("6881", "43A40400"),
    ("6881", "8250FFFF"),
    *(("6881", f"{base | channel:02X}A40400") for base in (0x00, 0x80) for channel in (1, 2, 3)),
    ("6881", "0170800000"),  # closed until opened (`test_channels`)
    ("6D00", "00FFFFFF05"),
    ("6D00", "0060000000"),
    ("6D00", "0090000000"),
    ("6D00", "0020000104" + "00" * 4),
    ("6D00", "00200001"),  # a Vitale has no PIN: neither VERIFY nor CHANGE REFERENCE DATA
    ("6D00", "0024000108" + "00" * 8),
    ("6D00", "002C000100"),
    ("6D00", "0088000010" + "00" * 16),
    ("6D00", "00D8308143" + "00" * 67),
    ("6D00", "0CFFFFFF05"),
    ("6D00", "0050300008" + "00" * 8),
    ("6D00", "0082330010" + "00" * 16),
    ("6D00", "80A4040C0B" + AID),
    ("6882", "0CA4FFFF05"),
    ("6882", "08B0FFFF05"),
    ("6882", "04A4FFFF05"),
    ("6882", "8450FFFF05"),
    ("6882", "8CD8FFFF05"),
    ("6882", "8C82FFFF05"),
    ("6884", "10A4FFFF05"),
    ("6987", "8082FFFF05"),
    ("6987", "80B0FFFF05"),
    ("6987", "80D8FFFF05"),
    ("6985", "84D6FFFF05"),
    ("6985", "84D8FFFF05"),
    ("6A86", "00A4FFFF05"),
    ("6A86", "00A4050C02"),
    ("6A86", "00A4040102"),
    ("6A86", "00A4040302"),
    ("6A86", "00A4020202"),
    ("6A86", "00A4040802"),
    ("6A86", "00A4041C02"),
    ("6A86", "00B0FFFF05AA"),
    ("6A86", "00B08000"),
    ("6A86", "00B09F00"),
    ("6A86", "00B0E100"),
    ("6A86", "00840100"),
    ("6A86", "8050FFFF05"),
    ("6A86", "8482003305"),
    ("6A86", "8482330105"),
    ("6700", "00A4040C05AA"),
    ("6700", "00A4040C"),
    ("6700", "00A4040C11" + "00" * 17),
    ("6700", "00A4020C013F"),
    ("6700", "00A4030C023F00"),
    ("6700", "00A4080C032F0000"),
    ("6700", "00B00000"),
    ("6700", "00B0000001AA"),
    ("6700", "00D60000"),
    ("6700", "00D600000000"),
    ("6700", "00D60000000000AA"),
    ("6700", "00840000"),
    ("6700", "0084000001AA"),
    ("6700", "80503000"),
    ("6700", "8050300007" + "00" * 7),
    ("6700", "848233000F" + "00" * 15),
    ("6982", "00D6000001AA"),
    ("6982", "00D6940401AA"),
    ("6985", INIT),
    ("6985", "8482330010" + "00" * 16),
    ("6986", "00B0000001"),
    ("6A82", "00B08A0001"),
    ("6A82", "00A4020C02FFFF"),
]


@pytest.mark.parametrize(("sw", "apdu"), ORDER, ids=[f"{row[0]}-{row[1][:14]}" for row in ORDER])
def test_order_of_checks(sw: str, apdu: str) -> None:
    assert _run(apdu) == sw


@pytest.mark.parametrize("apdu", ["", "00", "00A4", "00A404", "FFFFFF", "04"])
def test_less_than_a_header_is_6700(apdu: str) -> None:
    assert _run(apdu) == "6700"


def test_every_class_byte_is_decided() -> None:
    accepted = {cla for cla in range(256) if isinstance(parse_class(cla), ClassByte)}
    assert accepted == {base | high | low for base in (0, 0x80) for high in (0, 0x10) for low in range(16)}
    assert {parse_class(cla) for cla in set(range(256)) - accepted} == {0x6E00, 0x6881}


# -- SELECT -----------------------------------------------------------------------------------------------------------

SELECTIONS = [
    # commands, then the answer to reading the selected file's first byte (or the status word)
    (["00A4040C0B" + AID, "00A4020C022014"], "C39000"),
    (["00A4040C0B" + AID, "00A4000C022014"], "C39000"),
    (["00A4020C022F02"], "5A9000"),  # the MF is selected after a reset
    (["00A4000C022F02"], "5A9000"),
    (["00A4080C043F102014"], "C39000"),
    (["00A4010C023F10", "00A4090C022014"], "C39000"),
    (["00A4040C0B" + AID, "00A4030C", "00A4020C022F02"], "5A9000"),
    (["00A4040C0B" + AID, "00A4000C023F00", "00A4020C022F02"], "5A9000"),
    (["00A4040C0B" + AID, "00A4000C", "00A4020C022F02"], "5A9000"),
    (["00A4040C0B" + AID, "00A4000C023F10", "00A4020C022014"], "C39000"),
    (["00A4040C05D250000002", "00A4020C022014"], "C39000"),  # partial name: the application first
    (["00A4040C05D250000002", "00A4040E05D250000002", "00A4020C022F02"], "5A9000"),  # and the MF next
    (["00A4040C0E" + MF_AID, "00A4020C022F02"], "5A9000"),
]


@pytest.mark.parametrize(("commands", "first_byte"), SELECTIONS)
def test_select(commands: list[str], first_byte: str) -> None:
    driver = outdated()
    assert [driver.raw(command) for command in commands] == ["9000"] * len(commands)
    assert driver.raw("00B0000001") == first_byte


@pytest.mark.parametrize(
    "absent",
    [
        "00A4040C0C" + AID + "00",
        "00A4040C04A0000001",
        "00A4020C022F02",
        "00A4010C022014",
        "00A4080C0420142014",
        "00A4090C02FFFF",
    ],
)
def test_absent_file_keeps_the_selection(absent: str) -> None:
    driver = outdated()
    driver.raw(SELECT)
    driver.raw("00A4020C022014")
    assert driver.raw(absent) == "6A82"
    assert driver.raw("00B0000001") == "C39000"


def test_no_next_occurrence_keeps_the_selection() -> None:
    driver = outdated()
    assert driver.raw("00A4040E0E" + MF_AID) == "6A82"
    assert driver.raw("00A4020C022F02") == "9000"


def test_mf_has_no_parent() -> None:
    assert _run("00A4030C") == "6A82"


TEMPLATES = [
    ("00A4040007" + "D2500000025649", "6F", "840BD250000002564954414C45"),
    ("00A4040407" + "D2500000025649", "62", "83023F10"),
    ("00A4020002" + "2F02", "6F", "8002000D"),
    ("00A4020402" + "2F02", "62", "880110"),
]


@pytest.mark.parametrize(("apdu", "template", "contains"), TEMPLATES)
def test_fci_and_fcp_wait_for_get_response(apdu: str, template: str, contains: str) -> None:
    driver = outdated()
    announced = driver.raw(apdu)
    assert announced[:2] == "61"
    answer = driver.raw("00C00000" + announced[2:])
    assert answer.startswith(template)
    assert contains in answer
    assert answer.endswith("9000")


def test_fci_without_le_and_wrong_le_that_changes_nothing() -> None:
    driver = outdated()
    driver.raw(SELECT)
    driver.raw("00A4020C022014")
    wanted = driver.raw("00A4000001")  # case 2: select the MF, one byte of FCI
    assert wanted[:2] == "6C"
    assert driver.raw("00B0000001") == "C39000"
    assert driver.raw("00A40000" + wanted[2:])[-4:] == "9000"
    assert driver.raw("00B0000001") == "6986"
    assert driver.raw("00A40000")[:2] == "61"  # case 1


# -- READ BINARY, UPDATE BINARY ---------------------------------------------------------------------------------------


def test_read_by_offset_and_by_short_identifier() -> None:
    driver = outdated()
    driver.raw(SELECT)
    assert driver.raw("00B0940202") == "80019000"
    assert driver.raw("00B0000202") == "80019000"  # the short identifier made it current
    assert driver.raw("00B0003F01") == "009000"


def test_read_past_the_end_and_short() -> None:
    driver = outdated()
    driver.raw(SELECT)
    assert driver.raw("00B0944001") == "6B00"
    assert driver.raw("00B0944002") == "6B00"
    assert driver.raw("00B0943F02") == "006282"
    assert driver.raw("00B0943E02") == "00009000"
    assert driver.raw("00B07FFF01") == "6B00"


def test_le_00_of_a_short_file_names_the_length_and_changes_nothing() -> None:
    driver = outdated()
    driver.raw(SELECT)
    assert driver.raw("00B0940000") == "6C40"
    assert driver.raw("00B0000001") == "6986"
    assert len(driver.raw("00B0940040")) == 2 * 66
    assert len(driver.raw("00B0930000")) == 2 * 258


def test_update_needs_a_session_at_full_level_and_a_writable_file() -> None:
    driver = outdated()
    before = driver.card.digest()
    host = driver.session()
    for sfi, expected in ((0x11, 0x6982), (0x01, 0x6982), (0x1D, 0x6A82)):
        assert host.unwrap(driver.send(host.wrap(0xD6, 0x80 | sfi, 0, b"\x00"))) == Answer(b"", expected)
    assert driver.raw("00D6940401AA") == "6982"  # plain, in the middle of the session
    assert driver.card.digest() == before
    assert host.unwrap(driver.send(host.wrap(0xD6, 0x94, 4, b"\x01"))) == Answer(b"", 0x9000)
    assert driver.card.digest() != before


def test_update_past_the_end() -> None:
    driver = outdated()
    host = driver.session()
    before = driver.card.digest()
    assert host.unwrap(driver.send(host.wrap(0xD6, 0x94, 64, b"\x00"))) == Answer(b"", 0x6B00)
    assert host.unwrap(driver.send(host.wrap(0xD6, 0x94, 63, b"\x00\x00"))) == Answer(b"", 0x6A84)
    assert driver.card.digest() == before
    assert host.unwrap(driver.send(host.wrap(0xD6, 0x94, 63, b"\x07"))) == Answer(b"", 0x9000)
    assert host.unwrap(driver.send(host.wrap(0xB0, 0x00, 63))) == Answer(b"\x07", 0x9000)


# -- T=0: GET RESPONSE ------------------------------------------------------------------------------------------------


def test_get_response_in_chunks_with_any_secure_messaging_bits() -> None:
    driver = outdated()
    driver.raw(SELECT)
    assert driver.raw("00A404040B" + AID) == "6119"
    assert driver.raw("00C0000001") == "626118"
    assert driver.raw("04C0000001") == "176117"
    assert driver.raw("84C0000001") == "826116"
    assert driver.raw("0CC0000001") == "016115"
    assert driver.raw("00C0000016") == "6C15"  # more than there is: named, still pending
    assert driver.raw("00C0000100") == "6A86"
    assert driver.raw("00C0000001AA") == "6700"
    assert driver.raw("00C00000")[-4:] == "9000"
    assert driver.raw("00C0000000") == "6985"


def test_nothing_pending_is_never_9000_and_other_commands_discard() -> None:
    driver = outdated()
    assert driver.raw("00C0000000") == "6985"
    for between in ("00B0000001", "FFFFFFFF", "00", "00FF0000"):
        assert driver.raw("00A404000B" + AID)[:2] == "61"
        driver.raw(between)
        assert driver.raw("00C0000000") == "6985"


def test_get_challenge() -> None:
    driver = outdated()
    first, second = driver.raw("0084000008"), driver.raw("0084000008")
    assert first[-4:] == "9000"
    assert len(first) == 20
    assert first != second
    assert len(driver.raw("0084000000")) == 2 * 258


# -- no bytes break it ------------------------------------------------------------------------------------------------

HEADS = st.sampled_from(
    [bytes([cla, ins]) for cla in (0x00, 0x04, 0x80, 0x84, 0x94) for ins in (0xA4, 0xB0, 0xD6, 0x84, 0x50, 0x82, 0xC0)]
)
NEAR_COMMANDS = st.builds(lambda head, rest: head + rest, HEADS, st.binary(max_size=24))


@settings(max_examples=150, deadline=None)
@given(apdus=st.lists(st.binary(max_size=300) | NEAR_COMMANDS, min_size=1, max_size=12), authenticated=st.booleans())
def test_any_bytes_get_an_answer_and_change_nothing(apdus: list[bytes], authenticated: bool) -> None:
    driver = outdated()
    before = driver.card.digest()
    if authenticated:
        driver.session()
    for apdu in apdus:
        assert len(driver.card.transmit(apdu)) >= 2
    assert driver.card.digest() == before


@pytest.mark.parametrize("name", ["bank-card", "unknown-card", "vitale1"])
@settings(max_examples=60, deadline=None)
@given(apdu=st.binary(max_size=40) | NEAR_COMMANDS)
def test_cards_that_are_no_vitale_2_refuse_all(name: str, apdu: bytes) -> None:
    card = open_persona(name)
    assert len(card.power_on()) == 9
    assert card.transmit(SELECT_VITALE) == b"\x6a\x82"
    assert card.transmit(bytes.fromhex("00B0000001")) == b"\x6d\x00"
    assert card.transmit(apdu)[:1] >= b"\x60"
    assert card.image_bytes() == b""


def test_mute_card() -> None:
    card: SimulatedCard = open_persona("mute")
    assert len(card.power_on()) == 34
    assert card.transmit(SELECT_VITALE) == b""


def test_seeded_challenges_make_replays_byte_identical() -> None:
    def replay(card: SimulatedCard) -> list[bytes]:
        card.power_on()
        return [card.transmit(bytes.fromhex(a)) for a in (SELECT, INIT, "00C000001D", "0084000008")]

    card = open_persona("outdated", challenge_seed=b"bench")
    first = replay(card)
    assert card.restore(card.image_bytes()) is None
    assert replay(card) == first
    assert replay(open_persona("outdated", challenge_seed=b"bench")) == first
    assert replay(open_persona("outdated")) != first
