"""Checklist, lines "chaining" and "reset", and what opens and ends a secure session, on raw T=0 exchanges."""

from __future__ import annotations

import pytest

from simulators.card import key_set, open_persona, scp03
from simulators.card.scp03 import Answer, HostSession
from tests.simulators.card.driver import SELECT_VITALE, SERIAL, Driver, card_with_large_file, outdated

SELECT = SELECT_VITALE.hex()
INIT = "8050300008" + "00" * 8


def _run(*apdus: str) -> str:
    """Answer to the last of several commands to a fresh card."""
    driver = outdated()
    return [driver.raw(apdu) for apdu in apdus][-1]


def test_session_ends_with_the_application() -> None:
    driver = outdated()
    host = driver.session()
    driver.raw(SELECT)
    assert driver.send(host.wrap(0xD6, 0x94, 4, b"\x01")) == b"\x69\x85"


def test_selecting_a_file_keeps_the_session() -> None:
    driver = outdated()
    host = driver.session()
    assert driver.raw("00A4020C022014") == "9000"
    assert host.unwrap(driver.send(host.wrap(0xD6, 0x00, 4, b"\x01"))) == Answer(b"", 0x9000)


def test_wrong_mac_ends_the_session_then_6985() -> None:
    driver = outdated()
    host = driver.session()
    good = host.wrap(0xD6, 0x94, 4, b"\x01")
    spoiled = good[:-2] + bytes([good[-2] ^ 1]) + good[-1:]
    assert driver.send(spoiled) == b"\x69\x82"
    assert driver.send(good) == b"\x69\x85"


def test_protected_command_without_mac() -> None:
    driver = outdated()
    driver.session()
    assert driver.raw("84D6940401AA") == "6987"
    assert driver.raw("84D6940401AA") == "6985"


def test_one_try_for_each_handshake() -> None:
    driver = outdated()
    driver.raw(SELECT)
    host = HostSession(key_set(SERIAL))
    good = host.external_authenticate(driver.send(host.initialize_update())[:-2])
    assert isinstance(good, bytes)
    assert driver.send(good[:-1] + bytes([good[-1] ^ 1])) == b"\x69\x82"
    assert driver.send(good) == b"\x69\x85"


def test_unknown_key_version_is_6a88() -> None:
    assert _run(SELECT, INIT.replace("805030", "805031")) == "6A88"


def _chained(host: HostSession, data: bytes, cut: int) -> list[str]:
    """One protected command as two chained parts."""
    whole = host.wrap(0xD6, 0x95, 0, data)
    body = whole[5:-1]
    head, tail = body[:cut], body[cut:]
    return [
        f"94D69500{len(head):02X}{head.hex()}",
        f"84D69500{len(tail):02X}{tail.hex()}",
    ]


def _in_session() -> tuple[Driver, HostSession]:
    card = card_with_large_file()
    card.power_on()
    driver = Driver(card)
    return driver, driver.session()


@pytest.mark.parametrize("cut", [1, 8, 16, 100])
def test_chained_parts_make_one_command(cut: int) -> None:
    driver, host = _in_session()
    first, last = _chained(host, bytes(range(200)), cut)
    assert driver.raw(first) == "9000"
    assert driver.raw(last) == "6108"
    assert host.unwrap(bytes.fromhex(driver.raw("00C0000008"))) == Answer(b"", 0x9000)


@pytest.mark.parametrize("between", ["00B0950001", "00C0000000", "00FF0000", "FF000000", "00"])
def test_another_command_aborts_a_chain_but_not_the_session(between: str) -> None:
    driver, host = _in_session()
    state = host.to_json()
    first, last = _chained(host, bytes(50), 20)
    driver.raw(first)
    driver.raw(between)
    assert driver.raw(first) == "9000"
    assert driver.raw(last) == "6108"
    driver.raw(first)
    driver.raw(between)
    host = HostSession.from_json(state, host.keys)
    assert driver.raw(last) == "6982"  # the last part alone


def test_new_chain_before_the_last_part_is_6883() -> None:
    driver, host = _in_session()
    first, _ = _chained(host, bytes(50), 20)
    assert driver.raw(first) == "9000"
    assert driver.raw(first.replace("94D69500", "94D69501")) == "6883"


def test_chain_has_a_size_cap() -> None:
    driver, _ = _in_session()
    part = "94D69500FF" + "00" * 255
    answers = [driver.raw(part) for _ in range(17)]
    assert answers == ["9000"] * 16 + ["6700"]


def test_chaining_without_session_or_secure_messaging() -> None:
    assert _run(SELECT, "94D6950001AA") == "6985"
    assert _run("10D6000001AA") == "6884"
    assert _run(SELECT, "9482330010" + "00" * 16) == "6884"


@pytest.mark.parametrize("cold", [True, False])
def test_reset_forgets_selection_session_and_pending_data(cold: bool) -> None:  # parametrised
    driver = outdated()
    host = driver.session()
    driver.raw("00A4020C022014")
    driver.raw("00A4020402" + "2014")
    assert driver.card.power_on(cold=cold) == driver.card.atr
    assert driver.raw("00C0000000") == "6985"
    assert driver.raw("00B0000001") == "6986"
    assert driver.raw("00A4020C022F02") == "9000"
    driver.raw(SELECT)
    assert driver.send(host.wrap(0xD6, 0x94, 4, b"\x01")) == b"\x69\x85"


def test_no_power_no_answer() -> None:
    card = open_persona("outdated")
    assert card.transmit(SELECT_VITALE) == b""
    card.power_on()
    card.power_off()
    assert card.transmit(SELECT_VITALE) == b""


@pytest.mark.parametrize("level", [0x01, 0x03, 0x11, 0x13])
def test_lower_levels_open_but_do_not_write(level: int) -> None:
    driver = outdated()
    driver.raw(SELECT)
    host = HostSession(key_set(SERIAL))
    answer = driver.send(host.initialize_update())[:-2]
    session = scp03.derive_session_keys(host.keys, host.host_challenge, answer[13:21])
    cryptogram = scp03.host_cryptogram(session, host.host_challenge, answer[13:21])
    header = bytes([0x84, 0x82, level, 0x00])
    chain = scp03.command_chain(session, scp03.EMPTY_CHAIN, header, cryptogram, extended=False)
    assert driver.send(header + b"\x10" + cryptogram + chain[:8]) == b"\x90\x00"
    counter = 0

    def protected(header: str, data: bytes) -> bytes:
        nonlocal chain, counter
        counter += 1
        if data and level & scp03.LEVEL_C_ENC:
            data = scp03.crypt(session.s_enc, counter, scp03.pad(data), response=False, encrypt=True)
        chain = scp03.command_chain(session, chain, bytes.fromhex(header), data, extended=False)
        return driver.send(bytes.fromhex(header) + bytes([len(data) + 8]) + data + chain[:8])

    assert protected("84D69404", b"\x01") == b"\x69\x82"
    assert protected("84D83081", b"\x01") == b"\x69\x82"
    read = protected("84B09404", b"")
    assert read[-2:] == b"\x90\x00"  # the refusals above were not the end of the session
    assert len(read) - 2 == 60 + (8 if level & scp03.LEVEL_R_MAC else 0)
