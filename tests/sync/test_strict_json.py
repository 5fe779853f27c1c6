"""JSON without loopholes: tables of what the standard decoder would take, and a round trip."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kiosk.sync.strict_json import MAX_DEPTH, JsonError, _too_deep, decode, encode, is_plainly_shallow


@pytest.mark.parametrize(
    ("raw", "reason", "position"),
    [
        (b"", "not JSON", 0),
        (b"[]", "an object expected", 0),
        (b"1", "an object expected", 0),
        (b'{"a":1,"a":1}', "a duplicate key", -1),
        (b'{"b":{"a":1,"a":2}}', "a duplicate key", -1),
        (b'{"a":NaN}', "NaN or Infinity", -1),
        (b'{"a":-Infinity}', "NaN or Infinity", -1),
        (b'{"a":1e999}', "a number out of range", -1),
        (b'{"a":' + b"9" * 41 + b"}", "a number out of range", -1),
        (b'{"a":-' + b"9" * 40 + b"}", "a number out of range", -1),
        (b'{"a":"\xff"}', "not UTF-8", 6),
        (b'{"a":"\\ud800"}', "a lone surrogate", -1),
        (b'{"\\udfff":1}', "a lone surrogate", -1),
        (b"\xef\xbb\xbf{}", "not JSON", 0),
        (b"{} {}", "not JSON", 3),
        (b"{'a':1}", "not JSON", 1),
        (b'{"a":1,}', "not JSON", None),
        (b'{"a":"\n"}', "not JSON", 6),
        (b'{"a', "not JSON", 1),
        (b'{"a":' * MAX_DEPTH + b"[" + b"]" + b"}" * MAX_DEPTH, f"deeper than {MAX_DEPTH} levels", 5 * MAX_DEPTH),
    ],
)
def test_refused(raw: bytes, reason: str, position: int | None) -> None:
    error = decode(raw, 10_000)
    assert isinstance(error, JsonError)
    assert error.reason == reason
    assert position is None or error.position == position


def test_the_limit_comes_before_everything() -> None:
    assert decode(b"{}", 2) == {}
    assert decode(b"{ }", 2) == JsonError("longer than 2 bytes")


def test_depth_counts_brackets_outside_strings_only() -> None:
    assert decode(b'{"a":"' + b"[" * 100 + b'"}', 1000) == {"a": "[" * 100}
    assert decode(b'{"a":"\\"' + b"{" * 100 + b'"}', 1000) == {"a": '"' + "{" * 100}
    deepest = b'{"a":' * (MAX_DEPTH - 1) + b"{}" + b"}" * (MAX_DEPTH - 1)
    assert isinstance(decode(deepest, 1000), dict)


def test_the_longest_number() -> None:
    assert decode(b'{"a":' + b"9" * 40 + b"}", 100) == {"a": 10**40 - 1}
    assert decode(b'{"a":-' + b"9" * 39 + b',"b":"' + b"9" * 41 + b'"}', 100) == {"a": 1 - 10**39, "b": "9" * 41}


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='{}[]"\\a', max_size=60))
@example("{" * MAX_DEPTH + "}" * MAX_DEPTH)
@example("{" * (MAX_DEPTH + 1) + "}" * (MAX_DEPTH + 1))
@example('"{"""')
def test_what_is_plainly_shallow_the_exact_count_takes(text: str) -> None:
    assert not is_plainly_shallow(text.encode()) or _too_deep(text) is None


def test_pairs_of_surrogates_are_one_character() -> None:
    assert decode(b'{"a":"\\ud83d\\ude00"}', 100) == {"a": "😀"}


def test_errors_repeat_no_content() -> None:
    error = decode(b'{"nir":"155081416802538"', 100)
    assert isinstance(error, JsonError)
    assert "155081416802538" not in str(error)
    assert str(error) == "not JSON at 24"


def test_our_own_nan_is_a_bug() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        encode({"a": float("nan")})


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(value=st.dictionaries(st.text(max_size=5), _values, max_size=4))
def test_round_trip(value: dict[str, Any]) -> None:
    assert decode(encode(value), 100_000) == value


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=80) | st.text(alphabet='{}[]",:1\\ae\n', max_size=60).map(str.encode))
def test_what_is_accepted_the_standard_decoder_reads_alike(raw: bytes) -> None:
    value = decode(raw, 1000)
    if not isinstance(value, JsonError):
        assert json.loads(raw) == value
