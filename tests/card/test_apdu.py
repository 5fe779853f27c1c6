"""Command and response APDUs: the seven wire forms, their edges, and bytes from anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.card.apdu import (
    COMMAND_MAX_BYTES,
    ApduError,
    Case,
    CommandApdu,
    MalformedApdu,
    ResponseApdu,
    parse_command,
    parse_response,
)

HEADER = bytes.fromhex("00B08200")


@st.composite
def commands(draw: st.DrawFn) -> CommandApdu:
    extended = draw(st.booleans())
    data = draw(st.binary(max_size=300 if extended else 255))
    ne = draw(st.sampled_from((0, 1, 2, 255, 256, 257, 65_535, 65_536) if extended else (0, 1, 2, 255, 256)))
    cla, ins, p1, p2 = draw(st.tuples(*[st.integers(0, 255)] * 4))
    return CommandApdu(cla, ins, p1, p2, data, ne, extended and bool(data or ne))


@pytest.mark.parametrize(
    ("wire", "case", "lc", "ne", "extended"),
    [
        ("00A40000", Case.NO_DATA, 0, 0, False),
        ("00B0820000", Case.RESPONSE_ONLY, 0, 256, False),
        ("00B0820001", Case.RESPONSE_ONLY, 0, 1, False),
        ("00B08200FF", Case.RESPONSE_ONLY, 0, 255, False),
        ("00A40000023F00", Case.COMMAND_ONLY, 2, 0, False),
        ("00A40000023F0000", Case.BOTH, 2, 256, False),
        ("00A40000023F0010", Case.BOTH, 2, 16, False),
        ("00A4000001AA", Case.COMMAND_ONLY, 1, 0, False),
        ("00A40000FF" + "AA" * 255, Case.COMMAND_ONLY, 255, 0, False),
        ("00A40000FF" + "AA" * 255 + "00", Case.BOTH, 255, 256, False),
        ("00B08200000000", Case.RESPONSE_ONLY, 0, 65_536, True),
        ("00B08200000001", Case.RESPONSE_ONLY, 0, 1, True),
        ("00B0820000FFFF", Case.RESPONSE_ONLY, 0, 65_535, True),
        ("00D60000000001AA", Case.COMMAND_ONLY, 1, 0, True),
        ("00D60000000100" + "AA" * 256, Case.COMMAND_ONLY, 256, 0, True),
        ("00D60000000001AA0000", Case.BOTH, 1, 65_536, True),
        ("00D60000000001AA0100", Case.BOTH, 1, 256, True),
    ],
)
def test_every_wire_form(wire: str, case: Case, lc: int, ne: int, extended: bool) -> None:
    command = parse_command(bytes.fromhex(wire))
    assert isinstance(command, CommandApdu)
    assert (command.case, len(command.data), command.ne, command.extended) == (case, lc, ne, extended)
    assert command.to_bytes().hex().upper() == wire


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ("", "shorter than the 4-byte header"),
        ("00B082", "shorter than the 4-byte header"),
        ("00A4000002AA", "Lc announces 2 bytes, 1 follow"),
        ("00A4000001AABBCC", "Lc announces 1 bytes, 3 follow"),
        ("00A400000000", "extended length field cut short"),
        ("00A40000000000AA", "extended Lc of zero before data"),
        ("00A40000000002AA", "extended Lc announces 2 bytes, 1 follow"),
        ("00A40000000001AA00", "extended Lc announces 1 bytes, 2 follow"),
        ("00A40000000001AA000000", "extended Lc announces 1 bytes, 4 follow"),
    ],
)
def test_contradicting_lengths_are_refused(wire: str, reason: str) -> None:
    raw = bytes.fromhex(wire)
    assert parse_command(raw) == ApduError(len(raw), reason)


def test_longest_command_and_one_byte_more() -> None:
    longest = CommandApdu(0, 0xD6, 0, 0, bytes(65_535), 65_536, extended=True).to_bytes()
    assert len(longest) == COMMAND_MAX_BYTES
    assert isinstance(parse_command(longest), CommandApdu)
    assert parse_command(longest + b"\0") == ApduError(len(longest) + 1, f"longer than {COMMAND_MAX_BYTES} bytes")


@given(commands())
def test_round_trip(command: CommandApdu) -> None:
    assert parse_command(command.to_bytes()) == command


@given(st.one_of(st.binary(max_size=20), st.binary(max_size=16).map(lambda tail: HEADER + b"\0" + tail)))
@settings(max_examples=300)
def test_any_bytes_give_an_error_or_themselves(raw: bytes) -> None:
    command = parse_command(raw)
    if isinstance(command, ApduError):
        assert command.length_bytes == len(raw)
        assert command.reason
    else:
        assert command.to_bytes() == raw


@pytest.mark.parametrize(
    ("cla", "protected", "fetch_cla"),
    [
        (0x00, False, 0x00),
        (0x03, False, 0x03),
        (0x04, True, 0x00),
        (0x0C, True, 0x00),
        (0x0E, True, 0x02),
        (0x10, False, 0x00),
        (0x80, False, 0x00),
        (0x84, True, 0x00),
        (0x95, True, 0x01),
        (0x40, False, 0x40),
        (0x4F, False, 0x4F),
        (0x63, True, 0x43),
        (0x53, False, 0x43),
        (0xE1, True, 0x41),
        (0xC4, False, 0x44),
    ],
)
def test_secure_messaging_and_channel_bits(cla: int, protected: bool, fetch_cla: int) -> None:
    command = CommandApdu(cla, 0xD6, 0, 0, b"\0")
    assert command.secure_messaging is protected
    assert command.get_response_cla == fetch_cla


@pytest.mark.parametrize(
    "arguments",
    [
        (256, 0, 0, 0),
        (0, -1, 0, 0),
        (0, 0, 256, 0),
        (0, 0, 0, 256),
        (0, 0, 0, 0, bytes(256)),
        (0, 0, 0, 0, b"", 257),
        (0, 0, 0, 0, b"", -1),
        (0, 0, 0, 0, bytes(65_536), 0, True),
        (0, 0, 0, 0, b"", 65_537, True),
        (0, 0, 0, 0, b"", 0, True),
    ],
)
def test_impossible_commands_are_bugs(arguments: tuple[int, int, int, int]) -> None:
    with pytest.raises(MalformedApdu):
        CommandApdu(*arguments)


def test_repr_and_errors_never_show_data() -> None:
    command = CommandApdu(0, 0x20, 0, 1, bytes.fromhex("5A5B5C5D"), 16)
    assert repr(command) == "CommandApdu(00 20 00 01 lc=4 ne=16)"
    assert repr(CommandApdu(0, 0xB0, 0, 0, ne=300, extended=True)) == "CommandApdu(00 B0 00 00 lc=0 ne=300 extended)"
    assert repr(ResponseApdu(bytes.fromhex("5A5B5C5D"), 0x9000)) == "ResponseApdu(4 bytes, sw=9000)"
    assert "5a5b" not in repr(parse_command(bytes.fromhex("0020000104 5A5B5C"))).lower()


@given(st.binary(max_size=40))
def test_responses(raw: bytes) -> None:
    answer = parse_response(raw)
    if len(raw) < 2:
        assert answer == ApduError(len(raw), "no status word")
    else:
        assert isinstance(answer, ResponseApdu)
        assert (answer.data, answer.sw) == (raw[:-2], raw[-2] << 8 | raw[-1])
        assert answer.to_bytes() == raw


@pytest.mark.parametrize("sw", [-1, 0x10000])
def test_a_status_word_has_two_bytes(sw: int) -> None:
    with pytest.raises(MalformedApdu):
        ResponseApdu(b"", sw)
