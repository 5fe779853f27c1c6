"""An independent SCP03 client (yubikit) against the card, in process. `init_scp` alone proves nothing: it ignores the
status word of EXTERNAL AUTHENTICATE, so each test sends a protected command after it."""

from __future__ import annotations

import pytest
from yubikit.core import TRANSPORT, Version
from yubikit.core.smartcard import ApduError, ApduFormat, SmartCardConnection, SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, StaticKeys

from kiosk.card.layout import AID_VITALE
from simulators.card import SimulatedCard, key_set
from tests.simulators.card.driver import SERIAL, TEST_SFI, card_with_large_file


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
    keys: StaticKeys | None = None, *, extended: bool = False, kvn: int = 0x30
) -> tuple[Wire, SmartCardProtocol]:
    ours = key_set(SERIAL)
    wire = Wire(card_with_large_file())
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
