"""An independent SCP03 client (yubikit) against the card, in process. `init_scp` alone proves nothing: it ignores the
status word of EXTERNAL AUTHENTICATE, so each test sends a protected command after it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from yubikit.core import TRANSPORT, BadResponseError, Version
from yubikit.core.smartcard import ApduError, ApduFormat, SmartCardConnection, SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, StaticKeys
from yubikit.securitydomain import SecurityDomainSession

from kiosk.card.layout import AID_VITALE
from simulators.card import CardGoneError, FaultKind, PlannedFault, SimulatedCard, key_set, open_persona
from simulators.card.scp03 import Answer
from simulators.card.stored_keys import check_value
from tests.simulators.card.driver import SERIAL, TEST_SFI, Driver, card_with_large_file


class Wire(SmartCardConnection):
    """A yubikit connection over `transmit`; `flip` spoils a byte of the n-th command from now on, `trace` keeps all."""

    def __init__(self, card: SimulatedCard) -> None:
        self.card = card
        self.flip: tuple[int, int] | None = None
        self.trace: list[bytes] = []
        card.power_on()

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        if self.flip is not None and self.flip[0] == len(self.trace):
            spoiled = bytearray(apdu)
            spoiled[self.flip[1]] ^= 0x01
            apdu = bytes(spoiled)
        self.trace.append(apdu)
        answer = self.card.transmit(apdu)
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def close(self) -> None:
        self.card.power_off()


def _connect(
    keys: StaticKeys | None = None, *, extended: bool = False, kvn: int = 0x30, card: SimulatedCard | None = None
) -> tuple[Wire, SmartCardProtocol]:
    ours = key_set(SERIAL)
    wire = Wire(card or card_with_large_file())
    protocol = SmartCardProtocol(wire)
    protocol.select(AID_VITALE)
    if extended:
        protocol.configure(Version(5, 4, 3))
    params = Scp03KeyParams(KeyRef(ScpKid.SCP03, kvn), keys or StaticKeys(ours.enc, ours.mac, ours.dek))
    protocol.init_scp(params)
    return wire, protocol


def _write(protocol: SmartCardProtocol, data: bytes) -> bytes:
    answer = protocol.send_apdu(0x80, 0xD6, 0x80 | TEST_SFI, 0, data)
    assert isinstance(answer, bytes)
    return answer


def _content(wire: Wire, length: int) -> bytes:
    """The large file is the last of the application; the MF's two files follow in whole pages."""
    image = wire.card.image_bytes()
    start = len(image) - 4096 - 2 * 64
    return image[start : start + length]


SIZES = [1, 7, 15, 16, 17, 223, 231, 239, 240, 247, 248, 255, 256, 257, 487, 495, 1000, 2000]


@pytest.mark.parametrize("size", SIZES)
def test_short_and_chained_writes(size: int) -> None:
    wire, protocol = _connect()
    data = bytes(index * 7 % 251 for index in range(size))
    assert _write(protocol, data) == b""
    assert _content(wire, size) == data
    assert any(apdu[0] == 0x94 for apdu in wire.trace) == (size > 239)


@pytest.mark.parametrize("size", [1, 239, 240, 1000, 3000])
def test_extended_writes(size: int) -> None:
    wire, protocol = _connect(extended=True)
    assert protocol._apdu_format is ApduFormat.EXTENDED
    data = bytes(index * 5 % 253 for index in range(size))
    assert _write(protocol, data) == b""
    assert _content(wire, size) == data


def test_long_answer_through_61xx_and_a_session_that_goes_on() -> None:
    wire, protocol = _connect()
    data = bytes(range(200)) * 5
    _write(protocol, data)
    assert protocol.send_apdu(0x00, 0xB0, 0x80 | TEST_SFI, 0) == data[:256]
    assert protocol.send_apdu(0x84, 0xB0, 0x01, 0x00) == data[256:512]
    assert any(apdu[1] == 0xC0 for apdu in wire.trace)


def test_long_extended_answer() -> None:
    _, protocol = _connect(extended=True)
    _write(protocol, b"\x5a" * 3000)
    assert protocol.send_apdu(0x80, 0xB0, 0x80 | TEST_SFI, 0) == b"\x5a" * 3000 + bytes(1096)


def test_key_version_zero_means_the_first_set() -> None:
    wire, protocol = _connect(kvn=0)
    _write(protocol, b"ok")
    assert _content(wire, 2) == b"ok"


def test_unknown_key_version() -> None:
    with pytest.raises(ValueError, match="Incorrect SCP parameters"):
        _connect(kvn=0x31)


def test_wrong_static_keys_are_seen_by_the_client() -> None:
    with pytest.raises(ValueError, match="Incorrect SCP parameters"):
        _connect(StaticKeys.default())


@pytest.mark.parametrize("position", [0, 2, 5, 20, -1])
def test_spoiled_command_ends_the_session(position: int) -> None:
    """Class, parameter, data, MAC: refused, nothing written, and the next command finds no session."""
    wire, protocol = _connect()
    before = wire.card.digest()
    wire.flip = (len(wire.trace), position)
    with pytest.raises(ApduError) as refused:
        _write(protocol, bytes(24))
    assert refused.value.sw in ({0x6881} if position == 0 else {0x6982})
    wire.flip = None
    with pytest.raises(ApduError) as after:
        _write(protocol, b"\x01")
    assert after.value.sw == (0x6982 if position == 0 else 0x6985)
    assert wire.card.digest() == before


class SpoilingWire(Wire):
    """Flips one bit of the next answer that brings data."""

    bit: int | None = None

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        data, sw = super().send_and_receive(apdu)
        if self.bit is not None and data:
            spoiled = bytearray(data)
            spoiled[self.bit // 8] ^= 1 << self.bit % 8
            data, self.bit = bytes(spoiled), None
        return data, sw


def test_every_spoiled_bit_of_an_answer_is_seen_by_the_client() -> None:
    """Data and R-MAC. The card has noticed nothing: the session goes on."""
    ours = key_set(SERIAL)
    wire = SpoilingWire(card_with_large_file(16))
    protocol = SmartCardProtocol(wire)
    protocol.select(AID_VITALE)
    protocol.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), StaticKeys(ours.enc, ours.mac, ours.dek)))
    _write(protocol, bytes(range(16)))
    for bit in range(8 * (32 + 8)):  # 16 bytes take two blocks
        wire.bit = bit
        with pytest.raises(BadResponseError, match="Wrong MAC"):
            protocol.send_apdu(0x00, 0xB0, 0x80 | TEST_SFI, 0)
    assert protocol.send_apdu(0x00, 0xB0, 0x80 | TEST_SFI, 0) == bytes(range(16))


def test_spoiled_authentication_leaves_no_session() -> None:
    """The trap: `init_scp` succeeds although the card refused."""
    ours = key_set(SERIAL)
    wire = Wire(card_with_large_file())
    protocol = SmartCardProtocol(wire)
    protocol.select(AID_VITALE)
    wire.flip = (len(wire.trace) + 2, 10)
    protocol.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), StaticKeys(ours.enc, ours.mac, ours.dek)))
    with pytest.raises(ApduError) as refused:
        _write(protocol, b"\x01")
    assert refused.value.sw == 0x6985


def test_replayed_command() -> None:
    wire, protocol = _connect()
    _write(protocol, b"\x01")
    assert wire.send_and_receive(next(a for a in wire.trace if a[1] == 0xD6))[1] == 0x6982


def test_reset_ends_the_session() -> None:
    wire, protocol = _connect()
    wire.card.power_on(cold=False)
    with pytest.raises(ApduError) as refused:
        _write(protocol, b"\x01")
    assert refused.value.sw == 0x6985


# -- PUT KEY ----------------------------------------------------------------------------------------------------------

NEW_KEY_BYTES = (b"NOUVELLE CLE ENC", b"NOUVELLE CLE MAC", b"NOUVELLE CLE DEK")
NEW_KEYS = StaticKeys(*NEW_KEY_BYTES)


def _security_domain(protocol: SmartCardProtocol) -> SecurityDomainSession:
    """Its own beginning selects another application; ours keeps the session that is open."""
    session = SecurityDomainSession.__new__(SecurityDomainSession)
    session.protocol = protocol
    return session


def _put(protocol: SmartCardProtocol, kvn: int, replace_kvn: int) -> None:
    _security_domain(protocol).put_key(KeyRef(ScpKid.SCP03, kvn), NEW_KEYS, replace_kvn)


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("kvn", [0x01, 0x30, 0x7F])
def test_put_key_replaces_the_set_for_the_next_session_and_survives(extended: bool, kvn: int, tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    wire, protocol = _connect(extended=extended, card=open_persona("outdated", path))
    _put(protocol, kvn, 0x30)
    assert path.read_bytes() == wire.card.image_bytes()
    assert len(protocol.send_apdu(0x00, 0xB0, 0x94, 0)) == 64  # the session under the old keys goes on
    for card in (wire.card, open_persona("outdated", path)):
        _, again = _connect(NEW_KEYS, kvn=kvn, card=card)
        assert len(again.send_apdu(0x00, 0xB0, 0x94, 0)) == 64
        with pytest.raises(ValueError, match="Incorrect SCP parameters"):
            _connect(kvn=0, card=card)


def test_put_key_twice_uses_the_new_dek() -> None:
    wire, protocol = _connect()
    _put(protocol, 0x31, 0x30)
    _, protocol = _connect(NEW_KEYS, kvn=0x31, card=wire.card)
    _put(protocol, 0x32, 0x31)
    _connect(NEW_KEYS, kvn=0x32, card=wire.card)


def _data(kvn: int = 0x31) -> bytearray:
    """Data of PUT KEY, written apart from both sides."""
    data = bytes([kvn])
    for key in NEW_KEY_BYTES:
        encryptor = Cipher(AES(key_set(SERIAL).dek), modes.CBC(bytes(16))).encryptor()
        data += b"\x88\x10" + encryptor.update(key) + b"\x03" + check_value(key)
    return bytearray(data)


def _spoiled(position: int) -> bytes:
    data = _data()
    data[position] ^= 0x01
    return bytes(data)


BAD_KEYS = [
    # status word, P1, P2, data
    (0x6A86, 0xFF, 0x81, b""),
    (0x6A86, 0x30, 0x01, b""),
    (0x6700, 0x30, 0x81, b""),
    (0x6A84, 0x00, 0x81, b"?"),
    (0x6A88, 0x31, 0x81, b"?"),
    (0x6A80, 0x30, 0x81, b"?"),
    (0x6A80, 0x30, 0x81, bytes(_data(0x00))),
    (0x6A80, 0x30, 0x81, bytes(_data(0x80))),
    (0x6A80, 0x30, 0x81, bytes(_data()) + b"\x00"),
    (0x6A80, 0x30, 0x81, _spoiled(1)),
    (0x6A80, 0x30, 0x81, _spoiled(24)),
    (0x6A80, 0x30, 0x81, _spoiled(19)),
    (0x9485, 0x30, 0x81, _spoiled(3)),
    (0x9485, 0x30, 0x81, _spoiled(20)),
    (0x9485, 0x30, 0x81, _spoiled(66)),
]


@pytest.mark.parametrize(
    ("sw", "p1", "p2", "data"), BAD_KEYS, ids=[f"{row[0]:04X}-{n}" for n, row in enumerate(BAD_KEYS)]
)
def test_put_key_refused_changes_nothing(sw: int, p1: int, p2: int, data: bytes) -> None:
    wire, protocol = _connect()
    before = wire.card.digest()
    with pytest.raises(ApduError) as refused:
        protocol.send_apdu(0x80, 0xD8, p1, p2, data)
    assert refused.value.sw == sw
    assert wire.card.digest() == before
    assert protocol.send_apdu(0x80, 0xD8, 0x30, 0x81, bytes(_data()))[:1] == b"\x31"


def test_put_key_needs_a_session() -> None:
    wire, _ = _connect()
    assert Driver(wire.card).raw("80D8308100") == "6987"
    assert Driver(wire.card).raw("00D8308100") == "6D00"
    wire.card.power_on()
    assert Driver(wire.card).raw("84D8308100") == "6985"


def test_put_key_torn_leaves_the_old_set(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    card = open_persona("outdated", path, faults=[PlannedFault(FaultKind.TORN_WRITE, at=1)])
    _, protocol = _connect(card=card)
    with pytest.raises(CardGoneError):
        _put(protocol, 0x31, 0x30)
    _connect(card=open_persona("outdated", path))


def test_put_key_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    wire, protocol = _connect(card=open_persona("outdated", path))
    path.unlink()
    with pytest.raises(ApduError) as refused:
        _put(protocol, 0x31, 0x30)
    assert refused.value.sw == 0x6581
    _connect(card=wire.card)


def test_the_keys_file_is_found_by_no_command() -> None:
    driver = Driver(card_with_large_file())
    driver.card.power_on()
    host = driver.session()
    for select in ("00A4000C020010", "00A4020C020010", "00A4080C043F100010", "00A4090C020010"):
        assert driver.raw(select) == "6A82"
    assert host.unwrap(driver.send(host.wrap(0xD6, 0x80 | 30, 0, b"\x00"))) == Answer(b"", 0x6A82)
