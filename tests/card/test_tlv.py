"""BER-TLV: round trips at every length form, each malformed form, bytes from anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.card.tlv import MAX_INPUT_BYTES, MAX_VALUE_BYTES, Tlv, TlvError, build_tlv, parse_tlvs

TAGS = (0x5A, 0x65, 0x80, 0xC3, 0xE0, 0x5F37, 0x7F21, 0x7F4E, 0x9F1F, 0xFF7F, 0x5F8101, 0x7FFF7F)
objects = st.builds(Tlv, st.sampled_from(TAGS), st.binary(max_size=300))


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize(
    ("length", "field"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7F"),
        (128, "8180"),
        (255, "81FF"),
        (256, "820100"),
        (65_535, "82FFFF"),
    ],
)
def test_round_trip_at_every_length_form(tag: int, length: int, field: str) -> None:
    value = bytes(index & 0xFF for index in range(length))
    wire = build_tlv(tag, value)
    assert wire == bytes.fromhex(f"{tag:X}" + field) + value
    assert parse_tlvs(wire) == (Tlv(tag, value),)


@given(st.lists(objects, max_size=6))
def test_a_list_comes_back(items: list[Tlv]) -> None:
    assert parse_tlvs(b"".join(item.to_bytes() for item in items)) == tuple(items)


@given(st.lists(objects, max_size=4), st.sampled_from((0x65, 0xA0, 0x7F21, 0xC3)))
def test_children_come_back_whatever_the_constructed_bit(items: list[Tlv], tag: int) -> None:
    parsed = parse_tlvs(build_tlv(tag, items))
    assert isinstance(parsed, tuple)
    assert parsed[0].children() == tuple(items)


@pytest.mark.parametrize(
    ("wire", "offset", "reason"),
    [
        ("00", 0, "tag 00 is not a data object"),
        ("0001AA", 0, "tag 00 is not a data object"),
        ("5A01AA0001AA", 3, "tag 00 is not a data object"),
        ("5F", 0, "tag cut short"),
        ("5F81", 0, "tag cut short"),
        ("5F1E00", 0, "tag has a shorter spelling"),
        ("5F8001", 0, "tag has a shorter spelling"),
        ("5F818100", 0, "tag longer than 3 bytes"),
        ("5A", 1, "length missing"),
        ("7F21", 2, "length missing"),
        ("5A80AA0000", 1, "indefinite length"),
        ("5A81", 1, "length cut short"),
        ("5A8201", 1, "length cut short"),
        ("5A830000", 1, "length cut short"),
        ("5A8400000001AA", 1, "length form 84 is not used by cards"),
        ("5AFF", 1, "length form FF is not used by cards"),
        ("5A83010000", 1, "length 65536 is over 65535"),
        ("5A02AA", 1, "length 2 of tag 5A, 1 bytes left"),
        ("5A01AA7F21820100AA", 5, "length 256 of tag 7F21, 1 bytes left"),
    ],
)
def test_each_malformed_form_names_offset_and_cause(wire: str, offset: int, reason: str) -> None:
    assert parse_tlvs(bytes.fromhex(wire)) == TlvError(offset, reason)
    assert str(TlvError(offset, reason)) == f"offset {offset}: {reason}"


@pytest.mark.parametrize("wire", ["5A8101AA", "5A820001AA", "5A83000001AA"])
def test_longer_length_forms_are_read(wire: str) -> None:
    assert parse_tlvs(bytes.fromhex(wire)) == (Tlv(0x5A, b"\xaa"),)


def test_errors_inside_name_the_byte_of_the_whole_input() -> None:
    outer = parse_tlvs(bytes.fromhex("5A0111" + "E006" + "A004" + "82055566"))
    assert isinstance(outer, tuple)
    middle = outer[1].children()
    assert isinstance(middle, tuple)
    assert middle[0].children() == TlvError(8, "length 5 of tag 82, 2 bytes left")


@pytest.mark.parametrize("padding", ["", "00", "FF", "000000", "FFFFFF", "00FF"])
def test_padding_after_the_last_object(padding: str) -> None:
    content = bytes.fromhex("5A01AA" + padding)
    assert parse_tlvs(content, padded=True) == (Tlv(0x5A, b"\xaa"),)
    if padding:
        assert isinstance(parse_tlvs(content), TlvError)


@pytest.mark.parametrize("wire", ["005A01AA", "5A01AA005A01AA", "FF00005A"])
def test_padding_between_objects_is_not_padding(wire: str) -> None:
    assert isinstance(parse_tlvs(bytes.fromhex(wire), padded=True), TlvError)


def test_limit_before_parsing() -> None:
    assert isinstance(parse_tlvs(bytes.fromhex("7FFF7F83 00FFFF") + bytes(MAX_VALUE_BYTES)), tuple)
    assert parse_tlvs(bytes(MAX_INPUT_BYTES + 1)) == TlvError(0, f"longer than {MAX_INPUT_BYTES} bytes")


@given(st.binary(max_size=64))
@settings(max_examples=300)
def test_any_bytes_give_an_error_inside_the_input_or_objects_that_cover_it(raw: bytes) -> None:
    parsed = parse_tlvs(raw)
    if isinstance(parsed, TlvError):
        assert 0 <= parsed.offset <= len(raw)
        assert parsed.reason
    else:
        assert all(raw[item.value_offset :].startswith(item.value) for item in parsed)
        assert parse_tlvs(b"".join(item.to_bytes() for item in parsed)) == parsed


@pytest.mark.parametrize("tag", [-1, 0, 0x1F, 0x5F1E, 0x5F80, 0x5A01, 0x5F8181, 0x5F818101])
def test_impossible_tags_are_bugs(tag: int) -> None:
    with pytest.raises(ValueError, match="cannot exist"):
        Tlv(tag, b"")


def test_impossible_sizes_are_bugs() -> None:
    with pytest.raises(ValueError, match="too long"):
        Tlv(0x5A, bytes(MAX_VALUE_BYTES + 1))


def test_repr_never_shows_the_value() -> None:
    assert repr(Tlv(0x93, b"secret")) == "Tlv(tag=147)"
