"""The quick decoder says of every text what the strict one says, and is really used for what kiosks send."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kiosk.sync import strict_json
from simulators.backend import plain_json

LIMIT = 200
NUMBERS = ["0", "-0", "1", "01", "-1", "1.0", "1.50", "1e5", "1E5", "1e16", "1e-7", "-0.0", "NaN", "Infinity", "1e999",
           "9" * 20, "18446744073709551615", "18446744073709551616", "9" * 40, "9" * 41, "0." + "1" * 50]  # fmt: skip
TEXTS = ['""', '"a"', '"é"', r'"\u00e9"', r'"\ud800"', r'"\ud83d\ude00"', r'"\n"', '"\n"', r'"\/"', '"\x7f"', r'"\""',
         '"[{"']  # fmt: skip
VALUES = st.recursive(
    st.sampled_from([*NUMBERS, *TEXTS, "null", "true", "false", "nul"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: "[" + ",".join(parts) + "]"),
        st.lists(st.tuples(st.sampled_from(['"a"', '"b"', r'"\u0061"', "a"]), inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"
        ),
    ),
    max_leaves=6,
)
AROUND = st.sampled_from(["", "", "", "", " ", "\n", "\ufeff", "{}", "x"])


def told(value: Any) -> str:
    """With the type of every value: 1, 1.0 and True are equal."""
    return repr(value)


@settings(max_examples=500, deadline=None)
@given(st.builds(lambda before, value, after: (before + value + after).encode(), AROUND, VALUES, AROUND))
@example(b'{"a":1,"a":1}')
@example(b'{"b":{"a":1,"a":2}}')
@example(b'{"a":' * 16 + b"1" + b"}" * 16)
@example(b'{"a":' * 17 + b"1" + b"}" * 17)
@example(b'{"a":"\xff"}')
@example(b'{"a":"' + b"x" * LIMIT + b'"}')
@example(b"")
def test_it_says_what_the_strict_decoder_says(raw: bytes) -> None:
    assert told(plain_json.decode(raw, LIMIT)) == told(strict_json.decode(raw, LIMIT))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_it_says_so_of_any_bytes(raw: bytes) -> None:
    assert told(plain_json.decode(raw, LIMIT)) == told(strict_json.decode(raw, LIMIT))


@pytest.mark.parametrize("raw", [b"{}", b'{"a":"\xc3\xa9","b":[1,-2.5,null,true,{"c":""}]}'])
def test_what_a_kiosk_writes_needs_no_second_decoder(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "decode", None)
    assert strict_json.encode(json.loads(raw)) == raw
    assert plain_json.decode(raw, LIMIT) == json.loads(raw)
