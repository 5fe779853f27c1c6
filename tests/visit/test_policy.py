"""Policy bodies: each wrong value gives one error that names its field; each good one is kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.visit.policy import Policy, PolicyError, parse_policy

TEXTS = ("kiosk_number", "phone", "phone_hours", "help_place")


@pytest.mark.parametrize("number", ["0", "0999", "A-12", "borne-0999-A"])
def test_a_kiosk_number_is_short_and_plain(number: str) -> None:
    assert parse_policy({"kiosk_number": number}) == Policy(kiosk_number=number)


@pytest.mark.parametrize("number", ["", "<b>", "1234567890123", "09 99", "é", "0999\n", "٣", 999])
def test_a_kiosk_number_is_nothing_else(number: Any) -> None:
    error = parse_policy({"kiosk_number": number})
    assert isinstance(error, PolicyError)
    assert error.field == "kiosk_number"


@pytest.mark.parametrize("bad", ["\n", "\x00", "\x1b[2J", "\x7f", "\u2028", "\u202e", "\ud800"])
@pytest.mark.parametrize("field", TEXTS)
def test_what_is_shown_and_printed_has_no_control_characters(field: str, bad: str) -> None:
    error = parse_policy({field: f"3676{bad}"})
    assert isinstance(error, PolicyError)
    assert error.field == field


def test_no_break_spaces_are_good_french() -> None:
    hours = "8\u00a0h\u00a030\u202f– 17 h"
    assert parse_policy({"phone_hours": hours}) == Policy(phone_hours=hours)
    assert parse_policy({"phone": "09\u00a072\u00a072\u00a040\u00a060"}) == Policy(
        phone="09\u00a072\u00a072\u00a040\u00a060"
    )


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.lists(st.none(), max_size=1)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*Policy.__slots__, "surprise"]), VALUES, max_size=3))
def test_any_body_is_a_policy_or_one_error_that_names_a_field(body: dict[str, Any]) -> None:
    result = parse_policy(body)
    assert isinstance(result, Policy) or result.field in body
