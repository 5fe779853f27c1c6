"""BER-TLV data objects as cards use them (ISO/IEC 7816-4 §5.2.2): tags of 1 to 3 bytes, definite lengths.

Bytes from a card go through `parse_tlvs`, which returns a `TlvError` value naming offset and cause at the first
malformed form. Building is for our own code: an impossible tag or size is a bug and raises `ValueError`.
Accepted although not minimal: length forms 81, 82 and 83 with leading zeros; cards use them and the standard allows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

MAX_VALUE_BYTES: Final = 65_535
MAX_INPUT_BYTES: Final = 3 + 4 + MAX_VALUE_BYTES
"""One object with the longest tag, the longest length field and the largest value."""


@dataclass(frozen=True, slots=True)
class TlvError:
    """A malformed object: `offset` in bytes from the start of the outermost input, `reason` as a clause."""

    offset: int
    reason: str

    def __str__(self) -> str:
        return f"offset {self.offset}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Tlv:
    """One data object. `tag` is the number its tag bytes spell (0x5A, 0x7F21); the value is kept out of `repr`.

    `value_offset` says where the value began in the input that was parsed, so that errors inside name the right byte.
    Raises `ValueError` for a tag that cannot exist or a value over 65,535 bytes.
    """

    tag: int
    value: bytes = field(repr=False)
    value_offset: int = field(default=0, compare=False, repr=False)

    def __post_init__(self) -> None:
        spelled = _spell_tag(self.tag)
        if _read_tag(spelled, 0, 0) != (self.tag, len(spelled)):
            raise ValueError(f"tag {self.tag:X} cannot exist")
        if len(self.value) > MAX_VALUE_BYTES:
            raise ValueError(f"value of {len(self.value)} bytes is too long")

    def to_bytes(self) -> bytes:
        """Tag, shortest length form, value."""
        length = len(self.value)
        if length < 0x80:
            head = bytes((length,))
        elif length <= 0xFF:
            head = bytes((0x81, length))
        else:
            head = b"\x82" + length.to_bytes(2, "big")
        return _spell_tag(self.tag) + head + self.value

    def children(self) -> tuple[Tlv, ...] | TlvError:
        """The value as a list of data objects, whatever the constructed bit of the tag says."""
        return parse_tlvs(self.value, base_offset=self.value_offset)


def build_tlv(tag: int, value: bytes | Iterable[Tlv]) -> bytes:
    """Encode one data object; an iterable of objects becomes its content."""
    content = value if isinstance(value, bytes) else b"".join(child.to_bytes() for child in value)
    return Tlv(tag, content).to_bytes()


def parse_tlvs(data: bytes, *, padded: bool = False, base_offset: int = 0) -> tuple[Tlv, ...] | TlvError:
    """Parse a sequence of data objects that fills `data`.

    With `padded`, the last object may be followed by bytes 00 and FF only, as in a file larger than its content.
    `base_offset` is added to every offset reported.
    """
    if len(data) > MAX_INPUT_BYTES:
        return TlvError(base_offset, f"longer than {MAX_INPUT_BYTES} bytes")
    found: list[Tlv] = []
    position = 0
    while position < len(data):
        if padded and data[position] in (0x00, 0xFF) and not data[position:].strip(b"\x00\xff"):
            break
        head = _read_tag(data, position, base_offset)
        if isinstance(head, TlvError):
            return head
        tag, length_at = head
        span = _read_length(data, length_at, base_offset)
        if isinstance(span, TlvError):
            return span
        length, start = span
        if length > MAX_VALUE_BYTES:
            return TlvError(base_offset + length_at, f"length {length} is over {MAX_VALUE_BYTES}")
        if start + length > len(data):
            left = len(data) - start
            return TlvError(base_offset + length_at, f"length {length} of tag {tag:X}, {left} bytes left")
        found.append(Tlv(tag, data[start : start + length], base_offset + start))
        position = start + length
    return tuple(found)


def _spell_tag(tag: int) -> bytes:
    return max(tag, 0).to_bytes(max(1, (tag.bit_length() + 7) // 8), "big")


def _read_tag(data: bytes, position: int, base: int) -> tuple[int, int] | TlvError:
    """The tag at `position` and the position after it."""
    first = data[position]
    if first == 0:
        return TlvError(base + position, "tag 00 is not a data object")
    if first & 0x1F != 0x1F:
        return first, position + 1
    rest = data[position + 1 : position + 3]
    if not rest:
        return TlvError(base + position, "tag cut short")
    if rest[0] == 0x80 or rest[0] < 0x1F:
        return TlvError(base + position, "tag has a shorter spelling")
    if rest[0] < 0x80:
        return first << 8 | rest[0], position + 2
    if len(rest) < 2:
        return TlvError(base + position, "tag cut short")
    if rest[1] >= 0x80:
        return TlvError(base + position, "tag longer than 3 bytes")
    return first << 16 | rest[0] << 8 | rest[1], position + 3


def _read_length(data: bytes, position: int, base: int) -> tuple[int, int] | TlvError:
    """The length at `position` and the position of the value."""
    if position == len(data):
        return TlvError(base + position, "length missing")
    first = data[position]
    if first < 0x80:
        return first, position + 1
    count = first - 0x80
    if count == 0:
        return TlvError(base + position, "indefinite length")
    if count > 3:
        return TlvError(base + position, f"length form {first:02X} is not used by cards")
    digits = data[position + 1 : position + 1 + count]
    if len(digits) < count:
        return TlvError(base + position, "length cut short")
    return int.from_bytes(digits, "big"), position + 1 + count
