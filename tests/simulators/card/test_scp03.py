"""SCP03 primitives against an independent implementation, and both of our ends against each other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yubikit.core.smartcard import scp as yubikit_scp

from simulators.card import KeySet, key_set, scp03
from simulators.card.scp03 import Answer, HostSession, Scp03Error
from simulators.card.secure_channel import SW_MAC_MISSING, SW_WRONG_CRYPTOGRAM, SW_WRONG_MAC, CardChannel, Handshake

HOST = bytes.fromhex("0102030405060708")
CARD = bytes.fromhex("1112131415161718")
KEYS = key_set("802500000204671322631")
block = st.binary(min_size=16, max_size=16)
challenge = st.binary(min_size=8, max_size=8)


@given(key=block, constant=st.integers(0, 255), length=st.sampled_from([64, 128]), context=block)
@settings(max_examples=50, deadline=None)
def test_kdf_equals_yubikit(key: bytes, constant: int, length: int, context: bytes) -> None:
    assert scp03.kdf(key, constant, length, context) == yubikit_scp._derive(key, constant, context, length)


def test_session_values_do_not_move() -> None:
    """Golden values, confirmed by yubikit's own derivation below: constants, order of challenges, key usage."""
    session = scp03.derive_session_keys(KEYS, HOST, CARD)
    other = yubikit_scp.StaticKeys(KEYS.enc, KEYS.mac, KEYS.dek).derive(HOST + CARD)
    assert (session.s_enc, session.s_mac, session.s_rmac) == (other.key_senc, other.key_smac, other.key_srmac)
    assert scp03.card_cryptogram(session, HOST, CARD) == yubikit_scp._derive(other.key_smac, 0, HOST + CARD, 0x40)
    assert scp03.host_cryptogram(session, HOST, CARD) == yubikit_scp._derive(other.key_smac, 1, HOST + CARD, 0x40)


@pytest.mark.parametrize("size_bytes", [16, 24, 32])
def test_session_keys_are_as_long_as_the_static_ones(size_bytes: int) -> None:
    keys = KeySet(0x30, bytes(size_bytes), bytes([1]) * size_bytes, bytes([2]) * size_bytes)
    session = scp03.derive_session_keys(keys, HOST, CARD)
    assert {len(session.s_enc), len(session.s_mac), len(session.s_rmac)} == {size_bytes}
    host, channel = _open(keys)
    command = host.wrap(0xD6, 0x94, 4, b"data")
    assert _unwrap(channel, command) == b"data"
    assert host.unwrap(channel.wrap(b"answer", 0x9000) + b"\x90\x00") == Answer(b"answer", 0x9000)


@given(data=st.binary(max_size=40))
def test_padding_comes_off_again(data: bytes) -> None:
    padded = scp03.pad(data)
    assert len(padded) % 16 == 0
    assert len(padded) > len(data)
    assert scp03.unpad(padded) == data


@pytest.mark.parametrize("data", [bytes(16), b"", b"\x01" * 16, b"\x80" + bytes(16)])
def test_padding_that_is_none(data: bytes) -> None:
    assert scp03.unpad(data) is None


def test_keys_differ_by_serial_and_purpose() -> None:
    other = key_set("802500000200000000013")
    assert len({KEYS.enc, KEYS.mac, KEYS.dek, other.enc, other.mac, other.dek}) == 6
    assert KEYS.kvn == 0x30


def test_reprs_show_no_secret() -> None:
    host, channel = _open(KEYS)
    for shown in (repr(KEYS), repr(host), repr(channel), repr(Answer(b"\xaa\xbb", 0x9000))):
        assert not any(secret.hex() in shown or repr(secret) in shown for secret in (KEYS.enc, KEYS.mac, HOST, CARD))
        assert "xaa" not in shown


def _open(keys: KeySet) -> tuple[HostSession, CardChannel]:
    handshake = Handshake(keys, HOST, CARD)
    host = HostSession(keys, HOST)
    command = host.external_authenticate(handshake.answer(b"any"))
    assert isinstance(command, bytes)
    assert command[:5] == bytes.fromhex("8482330010")
    channel = handshake.authenticate(command[:4], command[5:], extended=False)
    assert isinstance(channel, CardChannel)
    return host, channel


def _unwrap(channel: CardChannel, command: bytes) -> bytes | int:
    """What the card makes of a short case 4 command."""
    assert len(command) == 6 + command[4]
    return channel.unwrap(command[:4], command[5:-1], extended=False)


@given(exchanges=st.lists(st.tuples(st.binary(max_size=239), st.binary(max_size=300)), max_size=6))
@settings(max_examples=40, deadline=None)
def test_any_package_goes_both_ways_through_json(exchanges: list[tuple[bytes, bytes]]) -> None:
    """Commands wrapped ahead as a package, the session kept as text between, answers checked afterwards."""
    host, channel = _open(KEYS)
    commands = [host.wrap(0xD6, 0x93, 0, data) for data, _ in exchanges]
    text = host.to_json()
    assert not any(key.hex() in text for key in (KEYS.enc, KEYS.mac, KEYS.dek))
    host = HostSession.from_json(text, KEYS)
    answers = []
    for command, (data, answer) in zip(commands, exchanges, strict=True):
        assert _unwrap(channel, command) == data
        answers.append(channel.wrap(answer, 0x9000) + b"\x90\x00")
    assert [host.unwrap(answer) for answer in answers] == [Answer(a, 0x9000) for _, a in exchanges]
    assert host.unwrap(b"\x90\x00") is Scp03Error.MALFORMED


@pytest.mark.parametrize("sw", [0x9000, 0x6282, 0x63C0])
def test_success_and_warnings_without_data_carry_a_mac(sw: int) -> None:
    host, channel = _open(KEYS)
    _unwrap(channel, host.wrap(0xD6, 0x94, 4, b"\x01"))
    protected = channel.wrap(b"", sw)
    assert len(protected) == 8
    assert host.unwrap(protected + sw.to_bytes(2, "big")) == Answer(b"", sw)


def test_error_status_goes_bare_and_success_never() -> None:
    host, channel = _open(KEYS)
    _unwrap(channel, host.wrap(0xD6, 0x94, 4, b"\x01"))
    assert channel.wrap(b"", 0x6A84) == b""
    assert host.unwrap(b"\x6a\x84") == Answer(b"", 0x6A84)
    host.wrap(0xD6, 0x94, 4, b"\x01")
    assert host.unwrap(b"\x90\x00") is Scp03Error.WRONG_R_MAC
    host.wrap(0xD6, 0x94, 4, b"\x01")
    assert host.unwrap(b"data\x6a\x84") is Scp03Error.MALFORMED


@given(bit=st.integers(0, 8 * 30 - 1))
@settings(max_examples=80, deadline=None)
def test_every_flipped_bit_of_a_command_is_seen(bit: int) -> None:
    host, channel = _open(KEYS)
    command = bytearray(host.wrap(0xD6, 0x94, 4, b"\x01"))
    bit %= 8 * (len(command) - 1)
    command[bit // 8] ^= 1 << bit % 8
    if bit // 8 == 4:
        return  # Lc: the frame itself breaks
    assert channel.unwrap(bytes(command[:4]), bytes(command[5:-1]), extended=False) == SW_WRONG_MAC


@given(bit=st.integers(0, 8 * 26 - 1))
@settings(max_examples=80, deadline=None)
def test_every_flipped_bit_of_an_answer_is_seen(bit: int) -> None:
    host, channel = _open(KEYS)
    _unwrap(channel, host.wrap(0xB0, 0x94, 0))
    answer = bytearray(channel.wrap(b"secret", 0x9000) + b"\x90\x00")
    answer[bit // 8] ^= 1 << bit % 8
    got = host.unwrap(bytes(answer))
    assert isinstance(got, Scp03Error)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", Scp03Error.MALFORMED),
        (bytes(28), Scp03Error.MALFORMED),
        (bytes(30), Scp03Error.MALFORMED),
        (bytes(29), Scp03Error.WRONG_PROTOCOL),
        (bytes(10) + b"\x31\x03" + bytes(17), Scp03Error.WRONG_PROTOCOL),
        (bytes(10) + b"\x30\x02" + bytes(17), Scp03Error.WRONG_PROTOCOL),
        (bytes(10) + b"\x30\x03" + bytes(17), Scp03Error.WRONG_CARD_CRYPTOGRAM),
    ],
)
def test_host_refuses_an_answer_to_initialize_update(answer: bytes, error: Scp03Error) -> None:
    assert HostSession(KEYS, HOST).external_authenticate(answer) is error


def test_keys_of_another_serial_fail_at_the_card_cryptogram() -> None:
    answer = Handshake(key_set("802500000200000000013"), HOST, CARD).answer(b"any")
    assert HostSession(KEYS, HOST).external_authenticate(answer) is Scp03Error.WRONG_CARD_CRYPTOGRAM


def test_card_refuses_a_host_without_the_keys() -> None:
    handshake = Handshake(KEYS, HOST, CARD)
    session = scp03.derive_session_keys(KEYS, HOST, CARD)
    header = bytes.fromhex("84823300")
    wrong = bytes(8)
    mac = scp03.command_chain(session, scp03.EMPTY_CHAIN, header, wrong, extended=False)[:8]
    assert handshake.authenticate(header, wrong + mac, extended=False) == SW_WRONG_CRYPTOGRAM
    assert handshake.authenticate(header, wrong + bytes(8), extended=False) == SW_WRONG_MAC


def test_mac_covers_the_wire_form_of_lc() -> None:
    host, channel = _open(KEYS)
    command = host.wrap(0xD6, 0x94, 4, b"\x01")
    assert channel.unwrap(command[:4], command[5:-1], extended=True) == SW_WRONG_MAC


def test_replayed_command_is_refused() -> None:
    host, channel = _open(KEYS)
    command = host.wrap(0xD6, 0x94, 4, b"\x01")
    assert _unwrap(channel, command) == b"\x01"
    assert _unwrap(channel, command) == SW_WRONG_MAC


def test_command_without_mac() -> None:
    _, channel = _open(KEYS)
    assert channel.unwrap(bytes.fromhex("84D69404"), bytes(7), extended=False) == SW_MAC_MISSING


@pytest.mark.parametrize("size", [0, 239])
def test_empty_payload_is_not_encrypted_and_the_longest_fits(size: int) -> None:
    host, channel = _open(KEYS)
    command = host.wrap(0xD6, 0x93, 0, bytes(size))
    assert command[4] == (8 if size == 0 else 248)
    assert _unwrap(channel, command) == bytes(size)
    with pytest.raises(ValueError, match="at most 239"):
        host.wrap(0xD6, 0x93, 0, bytes(240))


def test_empty_payload_as_one_encrypted_block_is_accepted_too() -> None:
    """yubikit's form; the counter moves on either way."""
    host, channel = _open(KEYS)
    session = scp03.derive_session_keys(KEYS, HOST, CARD)
    host.counter += 1
    secret = scp03.crypt(session.s_enc, host.counter, scp03.pad(b""), response=False, encrypt=True)
    header = bytes.fromhex("84B09400")
    host.chain = scp03.command_chain(session, host.chain, header, secret, extended=False)
    assert channel.unwrap(header, secret + host.chain[:8], extended=False) == b""
    assert _unwrap(channel, host.wrap(0xD6, 0x94, 4, b"\x01")) == b"\x01"


def test_nothing_is_wrapped_before_authentication() -> None:
    with pytest.raises(ValueError, match="not authenticated"):
        HostSession(KEYS).wrap(0xD6, 0x94, 4, b"\x01")


def test_host_challenges_differ() -> None:
    assert HostSession(KEYS).initialize_update() != HostSession(KEYS).initialize_update()
