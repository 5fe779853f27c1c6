"""The time a real card takes, against sums done by hand from ISO/IEC 7816-3; and its absence unless asked for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.card.atr import AtrError
from simulators.card import SimulatedCard, open_persona
from simulators.card.timing import CLOCK_HZ, Exchange, Timing, modelled_s
from tests.simulators.card.driver import SELECT_VITALE, Driver

VITALE_ATR = bytes.fromhex("3B751300004309EA9000")  # Fi 372, Di 4, TC1 00
DEFAULT_ETU_S = 372 / CLOCK_HZ
VITALE_ETU_S = DEFAULT_ETU_S / 4


def timing(atr: bytes) -> Timing:
    found = Timing.of(atr)
    assert isinstance(found, Timing)
    return found


@pytest.mark.parametrize(
    ("exchange", "etu"),
    [
        (Exchange(4, 2), (5 + 2) * 12 + 2 * 4),  # case 1: header with P3 = 00, status word
        (Exchange(5, 2), (5 + 2) * 12 + 2 * 4),  # case 2 refused or 6Cxx: no procedure byte
        (Exchange(5, 18), (5 + 1 + 16 + 2) * 12 + 2 * 4),  # case 2: header, INS, data, status word
        (Exchange(15, 2), (5 + 1 + 10 + 2) * 12 + 4 * 4),  # case 3: header, INS, data, status word: four turns
    ],
)
def test_characters_and_turns_of_t0(exchange: Exchange, etu: int) -> None:
    assert timing(VITALE_ATR).exchange_s(exchange) == pytest.approx(etu * VITALE_ETU_S)


@pytest.mark.parametrize(
    ("atr", "etu_s"),
    [
        ("3B00", DEFAULT_ETU_S),
        ("3B1011", DEFAULT_ETU_S),
        ("3B1013", VITALE_ETU_S),
        ("3B1095", 512 / 16 / CLOCK_HZ),
        ("3B10F0", DEFAULT_ETU_S),  # reserved
    ],
)
def test_speed_from_the_atr(atr: str, etu_s: float) -> None:
    assert timing(bytes.fromhex(atr)).etu_s == pytest.approx(etu_s)


def test_guard_time_is_the_readers() -> None:
    slow = timing(bytes.fromhex("3B40FF")), timing(bytes.fromhex("3B400A"))
    assert [(one.reader_character_etu, one.card_character_etu) for one in slow] == [(12, 12), (22, 12)]


def test_blocks_and_chaining_of_t1() -> None:
    """IFSC 32 unless TA3 says otherwise; each block but the last of a chain is acknowledged."""
    card = timing(bytes.fromhex("3B800181"))
    assert card.protocol == 1
    assert card.exchange_s(Exchange(10, 12)) == pytest.approx(((10 + 4 + 12 + 4) * 12 + 2 * 10) * DEFAULT_ETU_S)
    # 70 bytes: three blocks out, two acknowledgements, one block back
    assert card.exchange_s(Exchange(70, 2)) == pytest.approx(((70 + 12 + 2 + 12) * 12 + 6 * 10) * DEFAULT_ETU_S)
    long = timing(bytes.fromhex("3B808111FEEE"))
    assert long.ifsc_bytes == 0xFE


def test_power_up_and_negotiation_at_the_default_speed() -> None:
    assert timing(VITALE_ATR).power_up_s == pytest.approx((10 + 8) * 12 * DEFAULT_ETU_S)
    assert timing(bytes.fromhex("3B00")).power_up_s == pytest.approx(2 * 12 * DEFAULT_ETU_S)
    assert timing(bytes.fromhex("3B90131010")).power_up_s == pytest.approx(5 * 12 * DEFAULT_ETU_S)  # TA2


def test_each_page_takes_three_milliseconds() -> None:
    card = timing(VITALE_ATR)
    assert card.exchange_s(Exchange(5, 2, pages=4)) - card.exchange_s(Exchange(5, 2)) == pytest.approx(0.012)


@pytest.mark.parametrize("atr", [b"", bytes(2), b"\x3b" + bytes(33)])
def test_no_timing_without_an_atr(atr: bytes) -> None:
    assert isinstance(Timing.of(atr), AtrError)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.builds(Exchange, st.integers(4, 300), st.integers(2, 258), st.integers(0, 8)), max_size=5))
def test_a_trace_is_the_sum_of_its_exchanges_and_every_byte_takes_time(trace: list[Exchange]) -> None:
    for atr in (VITALE_ATR, b"\x3b\x80\x01\x81"):
        card = timing(atr)
        whole_s = modelled_s(trace, card)
        assert whole_s == pytest.approx(sum(card.exchange_s(one) for one in trace))
        grown = [Exchange(one.command_bytes + 1, one.answer_bytes + 1, one.pages) for one in trace]
        assert modelled_s(grown, card) > whole_s or not trace


def _used(timed: bool) -> tuple[list[float], list[Exchange]]:
    waited: list[float] = []
    noted: list[Exchange] = []
    card = open_persona("outdated")
    card._wait = waited.append
    card.note = noted.append
    if timed:
        card.run_in_real_time()
    card.power_on()
    driver = Driver(card)
    host = driver.session()
    driver.send(host.wrap(0xD6, 0x93, 0, b"\x01" * 224))
    return waited, noted


def test_off_unless_asked_for_and_then_exactly_as_modelled() -> None:
    assert _used(timed=False)[0] == []
    waited, noted = _used(timed=True)
    card = timing(VITALE_ATR)
    assert waited == [card.power_up_s, *(card.exchange_s(exchange) for exchange in noted)]
    assert [exchange.pages for exchange in noted if exchange.pages] == [4]
    assert noted[0] == Exchange(len(SELECT_VITALE), 2)


def test_a_card_without_a_proper_atr_takes_no_time() -> None:
    card = open_persona("mute")
    assert isinstance(card, SimulatedCard)
    card._wait = lambda _seconds: pytest.fail("no time to take")
    card.run_in_real_time()
    card.power_on()
