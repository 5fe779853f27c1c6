"""SCP03 vectors as constants, from two computations that share no line with `scp03`: yubikit's, and one written out
below from FIPS 197, RFC 4493 and the rules of the hardware reference. AES-128, 192 and 256; S8 and S16.

One exchange: handshake at level 33, one command with data, its answer with data, one command without, answered by a
bare 9000. yubikit derives AES-128 keys only and speaks S8 only; with the keys given it takes every AES.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from yubikit.core.smartcard import scp as yubikit_scp

from simulators.card import KeySet, scp03
from simulators.card.scp03 import Answer, HostSession, Scp03Error
from simulators.card.secure_channel import CardChannel, Handshake
from tests.simulators.card.driver import Driver, card_with_large_file

PAYLOAD = bytes.fromhex("C31F8001018108") + b"20251112"
ANSWER = b"\x30\x81" * 3
UPDATE, READ = bytes.fromhex("84D69400"), bytes.fromhex("84B09400")


@dataclass(frozen=True)
class Vector:
    """Hex. `update`, `read`: whole protected commands without Le; `answer`, `bare`: their answers without SW 9000."""

    s_enc: str
    s_mac: str
    s_rmac: str
    card_cryptogram: str
    authenticate: str
    update: str
    answer: str
    read: str
    bare: str


# key length and mode, in bytes
VECTORS: dict[tuple[int, int], Vector] = {
    (16, 8): Vector(
        s_enc="d59948e5f27ef07e89e547c09ae08826",
        s_mac="b4a0fb935f5d66b2ab7084e5ebcb0544",
        s_rmac="d79177bce4a117955d5e5cfb7ff1ffef",
        card_cryptogram="bbec6d0bcaa97c5e",
        authenticate="848233001040e9e72167dcd8677194a84c7183db18",
        update="84d69400181e45aa8463241079144fe17b3dd4da1d1595968caa02f30c",
        answer="c50d4ffbadebecb7833c475c272e51b08f7aaa8163caaf85",
        read="84b094000821970bce95a908bd",
        bare="a49b9ff0b654fb0b",
    ),
    (16, 16): Vector(
        s_enc="fab5ebabd31db1bf1892157de1a1fbb4",
        s_mac="939becb94056b9a9de2006f3362722e5",
        s_rmac="164d29fd2df6a54b84f4e16e743f20b4",
        card_cryptogram="650f4664c6a7d37807c7d1e706334477",
        authenticate="8482330020698d468af05fe426f8770cb395b20baf3529cb9374fec3031bfd40dc8b67572a",
        update="84d69400204afebb4202ae90187bfc1bc20309bf274d46c95f538628d4de7fe342fe4f21e4",
        answer="589cc3c1d7bda28f6d92f966cad5c2d88f39b643fea5cbc4023888489671884d",
        read="84b0940010f3bc31561716b1b40a39b642c39a8f3c",
        bare="3db34d10d9d67da4da1bc7bdf17cbb0e",
    ),
    (24, 8): Vector(
        s_enc="d460b168cec06004d6696207bed55ab496837e08730146e9",
        s_mac="d97bdcc064b40df7d984aaa428598a6aca5beede6e4e4a96",
        s_rmac="0690cf361e2923b621950c2506edbd81806e92badcb914d3",
        card_cryptogram="f6dce81c1de2f903",
        authenticate="8482330010a841d484f03aaa3adca9822cd6b7f188",
        update="84d6940018d58bb670362dab439f755ec968c835997b70d8c19da6a8d6",
        answer="ee9552ba7380f8ed895075f9c44026fa3be87bad57ac70dd",
        read="84b094000851c90c2f800e4abb",
        bare="354143d6c8a049e0",
    ),
    (24, 16): Vector(
        s_enc="3d52b93b637156fac7157fcf962129ebcbb5bd4e1abf624b",
        s_mac="37a016d41ab5faa8263ef07d0da637e236f71579e193e92c",
        s_rmac="76a0c106de8431cf88ce8a1bd60ad29b27d3f53f3c82c780",
        card_cryptogram="2e08fb5ba3133ae8a552191cda5315c1",
        authenticate="848233002093443be2041e221daf700096d8b7c841459449eaf5497a155bab952b83abe6e1",
        update="84d6940020561564d52f80323cfbddc3d633dd664030d9e97b81ba5d45af0517945714a657",
        answer="2ed0891fa61849e29b9af95701f0d531231d1788ce56b2198f8c90a4ab43929f",
        read="84b09400106f07ce658a9a5915c24d386647ec5462",
        bare="78c84c6d22a10750eb2cea37134ce34d",
    ),
    (32, 8): Vector(
        s_enc="479e5eb7fd94b7be99a861dc035a8ef350ccac74aca9fdce64a6729b5f5906ff",
        s_mac="259833a7ce014fa3d2b2f689b2f6088a59d5197460728840b2e1d720637c2b4a",
        s_rmac="8020dd5e022d2c79860ca8127aaeea2a8635e0dacbb387e2784700424d1f3986",
        card_cryptogram="4c0628a10eda543a",
        authenticate="84823300103beec02b3b973cf502d776de64849d39",
        update="84d6940018a0a590b540fe30cccdd9474abc5d3970780dcd1d9b159262",
        answer="d81d885a67fd6eec1cb2e65fdf89fcacd1cfb22e6047d346",
        read="84b094000825da49a3eb931043",
        bare="2d857690d366149e",
    ),
    (32, 16): Vector(
        s_enc="0b27b3fa056f72ff70594dd7c5782b4ae67ae8b4e13fa72cead2dce54ce7c203",
        s_mac="bd5b8896b2e362c70186a0f6108bc5452ab6b18d93a50ccba7300271270b5db6",
        s_rmac="210bebe31bb309e22ff5142a7d59709ed4e583951f9beeae87c939bef3a60425",
        card_cryptogram="f3fa53c5aec7760c6855d3602642f371",
        authenticate="8482330020377773e08d0fec4b8fa50aa83a8cedc32ee88c948992e446f7380b569946c3b2",
        update="84d69400201c78fd87121d13144685bb32142312547ed7f7b9ecc8469b6c2d697cfe51640d",
        answer="b575829d55867af143c360568618c6041a8d8639b32031252165a4bc1004e4a4",
        read="84b09400109436fb5cbd416678fc55495d818fbac6",
        bare="f2b49812077fa1131e9fbe67790dd342",
    ),
}


def keys_of(key_bytes: int) -> KeySet:
    return KeySet(0x30, *(bytes(range(start, start + key_bytes)) for start in (0x10, 0x40, 0x70)))


def challenges_of(mode: int) -> tuple[bytes, bytes]:
    return bytes(range(0xA0, 0xA0 + mode)), bytes(range(0xC0, 0xC0 + mode))


# -- written out ------------------------------------------------------------------------------------------------------


def block(key: bytes, plain: bytes) -> bytes:
    encryptor = Cipher(AES(key), modes.ECB()).encryptor()  # noqa: S305  # the bare cipher, to build everything from
    return encryptor.update(plain) + encryptor.finalize()


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def doubled(value: bytes) -> bytes:
    number = int.from_bytes(value, "big") << 1
    return ((number ^ 0x87) & (1 << 128) - 1 if number >> 128 else number).to_bytes(16, "big")


def mac_of(key: bytes, text: bytes) -> bytes:
    """RFC 4493 §2.4."""
    k1 = doubled(block(key, bytes(16)))
    whole = bool(text) and len(text) % 16 == 0
    last = text[-16:] if whole else text[len(text) // 16 * 16 :]
    head = text[: len(text) - len(last)]
    last = xor(last, k1) if whole else xor((last + b"\x80").ljust(16, b"\x00"), doubled(k1))
    state = bytes(16)
    for start in range(0, len(head), 16):
        state = block(key, xor(state, head[start : start + 16]))
    return block(key, xor(state, last))


def derived(key: bytes, constant: int, bits: int, context: bytes) -> bytes:
    first, second = (
        mac_of(key, bytes.fromhex(f"0000000000000000000000{constant:02X}00{bits:04X}{i:02X}") + context) for i in (1, 2)
    )
    return (first + second)[: bits // 8]


def chained(key: bytes, initial: bytes, plain: bytes) -> bytes:
    """AES-CBC of plain text with its padding 80 00…"""
    plain += b"\x80"
    plain += bytes(-len(plain) % 16)
    secret, before = b"", initial
    for start in range(0, len(plain), 16):
        before = block(key, xor(before, plain[start : start + 16]))
        secret += before
    return secret


def written_out(key_bytes: int, mode: int) -> Vector:
    keys, (host, card) = keys_of(key_bytes), challenges_of(mode)
    context, bits = host + card, 8 * key_bytes
    s_enc, s_mac, s_rmac = (derived(k, c, bits, context) for k, c in ((keys.enc, 4), (keys.mac, 6), (keys.mac, 7)))
    proof = derived(s_mac, 1, 8 * mode, context)
    authenticate = bytes.fromhex("84823300") + bytes([2 * mode]) + proof
    chain = mac_of(s_mac, bytes(16) + authenticate)
    authenticate += chain[:mode]
    secret = chained(s_enc, block(s_enc, bytes(15) + b"\x01"), PAYLOAD)
    update = UPDATE + bytes([len(secret) + mode]) + secret
    chain = mac_of(s_mac, chain + update)
    update += chain[:mode]
    answer = chained(s_enc, block(s_enc, b"\x80" + bytes(14) + b"\x01"), ANSWER)
    answer += mac_of(s_rmac, chain + answer + b"\x90\x00")[:mode]
    read = READ + bytes([mode])
    chain = mac_of(s_mac, chain + read)
    read += chain[:mode]
    bare = mac_of(s_rmac, chain + b"\x90\x00")[:mode]
    proof = derived(s_mac, 0, 8 * mode, context)
    return Vector(*(v.hex() for v in (s_enc, s_mac, s_rmac, proof, authenticate, update, answer, read, bare)))


ALL = pytest.mark.parametrize(("key_bytes", "mode"), VECTORS)


@ALL
def test_the_constants_as_written_out(key_bytes: int, mode: int) -> None:
    assert written_out(key_bytes, mode) == VECTORS[key_bytes, mode]


def test_rfc_4493() -> None:
    """So that the writing out is not wrong in the same way as everything else."""
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    text = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411")
    assert mac_of(key, b"").hex() == "bb1d6929e95937287fa37d129b756746"
    assert mac_of(key, text[:16]).hex() == "070a16b46b4d4144f79bdd9dd04a287c"
    assert mac_of(key, text).hex() == "dfa66747de9ae63030ca32611497c827"


def test_the_constants_of_aes_128_and_s8_by_yubikit() -> None:
    keys, (host, card) = keys_of(16), challenges_of(scp03.S8)
    vector = VECTORS[16, scp03.S8]
    session = yubikit_scp.StaticKeys(keys.enc, keys.mac, keys.dek).derive(host + card)
    assert [key.hex() for key in session[:3]] == [vector.s_enc, vector.s_mac, vector.s_rmac]
    answered = bytes(10) + b"\x30\x03\x60" + card + bytes.fromhex(vector.card_cryptogram)
    parameters = yubikit_scp.Scp03KeyParams(
        yubikit_scp.KeyRef(yubikit_scp.ScpKid.SCP03, 0x30), yubikit_scp.StaticKeys(keys.enc, keys.mac, keys.dek)
    )
    _, proof = yubikit_scp.ScpState.scp03_init(lambda *_: answered, parameters, host_challenge=host)
    assert bytes.fromhex(vector.authenticate)[5:13] == proof


@pytest.mark.parametrize("key_bytes", [16, 24, 32])
def test_the_constants_of_s8_by_yubikits_channel(key_bytes: int) -> None:
    """Each command's encryption and MAC, each answer's, and the R-MAC on a bare 9000, which its client skips."""
    vector = VECTORS[key_bytes, scp03.S8]
    keys = yubikit_scp.SessionKeys(*(bytes.fromhex(key) for key in (vector.s_enc, vector.s_mac, vector.s_rmac)))
    state = yubikit_scp.ScpState(keys)
    authenticate, update, read = (bytes.fromhex(text) for text in (vector.authenticate, vector.update, vector.read))
    assert state.mac(authenticate[:-8]) == authenticate[-8:]
    assert state.encrypt(PAYLOAD) == update[5:-8]
    assert state.mac(update[:-8]) == update[-8:]
    assert state.decrypt(state.unmac(bytes.fromhex(vector.answer), 0x9000)) == ANSWER
    assert state.mac(read[:-8]) == read[-8:]
    assert state.unmac(bytes.fromhex(vector.bare), 0x9000) == b""


def opened(key_bytes: int, mode: int) -> tuple[HostSession, CardChannel, bytes, bytes]:
    """Both of our ends, what the card answered to INITIALIZE UPDATE, and EXTERNAL AUTHENTICATE."""
    keys, (host_challenge, card_challenge) = keys_of(key_bytes), challenges_of(mode)
    handshake = Handshake(keys, host_challenge, card_challenge)
    host, answer = HostSession(keys, host_challenge), handshake.answer(b"any")
    command = host.external_authenticate(answer)
    assert isinstance(command, bytes)
    channel = handshake.authenticate(command[:4], command[5:], extended=False)
    assert isinstance(channel, CardChannel)
    return host, channel, answer, command


@ALL
def test_both_of_our_ends_speak_the_constants(key_bytes: int, mode: int) -> None:
    vector = VECTORS[key_bytes, mode]
    host, channel, answer, authenticate = opened(key_bytes, mode)
    assert len(answer) == {scp03.S8: 29, scp03.S16: 45}[mode]
    assert answer[10:13] == b"\x30\x03\x60"
    assert answer[13:] == challenges_of(mode)[1] + bytes.fromhex(vector.card_cryptogram)
    assert authenticate.hex() == vector.authenticate
    update = host.wrap(0xD6, 0x94, 0x00, PAYLOAD)[:-1]
    assert update.hex() == vector.update
    assert channel.unwrap(update[:4], update[5:], extended=False) == PAYLOAD
    assert channel.wrap(ANSWER, 0x9000).hex() == vector.answer
    read = host.wrap(0xB0, 0x94, 0x00)[:-1]
    assert read.hex() == vector.read
    assert channel.unwrap(read[:4], read[5:], extended=False) == b""
    assert channel.wrap(b"", 0x9000).hex() == vector.bare
    assert host.unwrap(bytes.fromhex(vector.answer + "9000")) == Answer(ANSWER, 0x9000)
    assert host.unwrap(bytes.fromhex(vector.bare + "9000")) == Answer(b"", 0x9000)


@ALL
def test_a_bare_9000_without_its_r_mac_or_with_half_of_it_is_refused(key_bytes: int, mode: int) -> None:
    bare = bytes.fromhex(VECTORS[key_bytes, mode].bare)
    for mac in (b"", bare[: mode // 2], bare[:-1], bare[:-1] + bytes([bare[-1] ^ 1])):
        host, *_ = opened(key_bytes, mode)
        host.wrap(0xB0, 0x94, 0x00)
        assert host.unwrap(mac + b"\x90\x00") is Scp03Error.WRONG_R_MAC


@ALL
def test_a_whole_card_with_such_keys(key_bytes: int, mode: int) -> None:
    """Through APDUs: write, read back, longest payload, a spoiled MAC byte beyond the eighth ends the session."""
    card = card_with_large_file(keys=keys_of(key_bytes))
    card.power_on()
    driver = Driver(card)
    host = driver.session(keys_of(key_bytes), mode)
    data = bytes(range(host.max_payload_bytes))
    assert host.max_payload_bytes == {scp03.S8: 239, scp03.S16: 223}[mode]
    assert host.unwrap(driver.send(host.wrap(0xD6, 0x95, 0, data))) == Answer(b"", 0x9000)
    read = host.unwrap(driver.send(host.wrap(0xB0, 0x95, 0)))
    assert isinstance(read, Answer)
    assert read.data[: len(data)] == data
    spoiled = bytearray(host.wrap(0xD6, 0x95, 0, data))
    spoiled[-2] ^= 1  # the last byte before Le
    assert driver.send(bytes(spoiled)) == b"\x69\x82"
    assert driver.send(host.wrap(0xD6, 0x95, 0, data)) == b"\x69\x85"


@pytest.mark.parametrize("length", [0, 7, 9, 15, 17])
def test_a_host_challenge_of_another_length_is_6700(length: int) -> None:
    card = card_with_large_file()
    card.power_on()
    assert Driver(card).raw("80500000" + (f"{length:02X}" + "00" * length if length else "")) == "6700"


def test_the_two_modes_do_not_mix() -> None:
    """The longer EXTERNAL AUTHENTICATE after the shorter handshake, and an answer of the other mode."""
    _, _, long_answer, long_command = opened(16, scp03.S16)
    keys, (host_challenge, card_challenge) = keys_of(16), challenges_of(scp03.S8)
    assert HostSession(keys, host_challenge).external_authenticate(long_answer) is Scp03Error.MALFORMED
    handshake = Handshake(keys, host_challenge, card_challenge)
    assert handshake.authenticate(long_command[:4], long_command[5:], extended=False) == 0x6982
