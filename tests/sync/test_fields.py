"""Each missing, mistyped or out-of-range field is one error naming field and cause."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest

from kiosk.sync.fields import FieldError, Fields, read


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


HEX = re.compile(r"[0-9a-f]{2}")
GOOD: dict[str, Any] = {
    "t": "ab",
    "n": 5,
    "f": True,
    "c": "red",
    "l": ["aa", "bb"],
    "o": {"n": 1},
    "os": [{"n": 1}, {"n": 2}],
    "none": None,
}
READERS: dict[str, Callable[[Fields], Any]] = {
    "t": lambda f: f.text("t", pattern=HEX),
    "n": lambda f: f.whole("n", 1, 9),
    "f": lambda f: f.flag("f"),
    "c": lambda f: f.one_of("c", Colour),
    "l": lambda f: f.texts("l", pattern=HEX, low=1, high=2),
    "o": lambda f: f.object("o").whole("n", 1, 1),
    "os": lambda f: [each.whole("n", 1, 2) for each in f.objects("os", high=2)],
    "none": lambda f: f.optional("none", f.text),
}


@pytest.mark.parametrize("name", READERS)
def test_good_and_missing(name: str) -> None:
    assert not isinstance(read(GOOD, READERS[name]), FieldError)
    without = {key: value for key, value in GOOD.items() if key != name}
    assert read(without, READERS[name]) == FieldError(name, "missing")


@pytest.mark.parametrize(
    ("name", "value", "where", "reason"),
    [
        ("t", 1, "t", "a text expected"),
        ("t", "zz", "t", "the form [0-9a-f]{2} expected"),
        ("t", "ab\n", "t", "the form [0-9a-f]{2} expected"),
        ("t", "a" * 201, "t", "at most 200 characters expected"),
        ("t", None, "t", "a text expected"),
        ("n", 0, "n", "a whole number from 1 to 9 expected"),
        ("n", 10, "n", "a whole number from 1 to 9 expected"),
        ("n", True, "n", "a whole number from 1 to 9 expected"),
        ("n", 1.0, "n", "a whole number from 1 to 9 expected"),
        ("n", "1", "n", "a whole number from 1 to 9 expected"),
        ("f", 1, "f", "true or false expected"),
        ("c", "green", "c", "one of red, blue expected"),
        ("c", ["red"], "c", "one of red, blue expected"),
        ("l", "aa", "l", "a list of 1 to 2 expected"),
        ("l", [], "l", "a list of 1 to 2 expected"),
        ("l", ["aa", "bb", "cc"], "l", "a list of 1 to 2 expected"),
        ("l", ["aa", 1], "l[1]", "the form [0-9a-f]{2} expected"),
        ("o", [], "o", "an object expected"),
        ("o", {"n": 2}, "o.n", "a whole number from 1 to 1 expected"),
        ("os", [{"n": 1}, 3], "os[1]", "an object expected"),
        ("os", [{"n": 1}, {}], "os[1].n", "missing"),
        ("none", 1, "none", "a text expected"),
    ],
)
def test_each_trouble_is_named(name: str, value: Any, where: str, reason: str) -> None:
    assert read({**GOOD, name: value}, READERS[name]) == FieldError(where, reason)


def test_a_rule_of_the_caller() -> None:
    def build(fields: Fields) -> int:
        inner = fields.object("o")
        inner.refuse("n", "odd")

    assert read(GOOD, build) == FieldError("o.n", "odd")
    assert str(FieldError("o.n", "odd")) == "o.n: odd"


@pytest.mark.parametrize(
    "value", ["", "00", "0", "00112", "0011aA", "00 11", "0011\n", "00112233445566", None, 1, [], "zz11"]
)
def test_octets_are_lower_case_hex_within_bounds(value: object) -> None:
    error = read({"apdu": value}, lambda fields: fields.octets("apdu", 2, 4))
    assert error == FieldError("apdu", "2 to 4 bytes in lower-case hex expected")


@pytest.mark.parametrize("value", ["0011", "00112233", "ffffff"])
def test_octets_are_bytes(value: str) -> None:
    assert read({"apdu": value}, lambda fields: fields.octets("apdu", 2, 4)) == bytes.fromhex(value)
