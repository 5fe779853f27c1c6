"""The quick look at an event never takes what the exact check would not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.backend.bodies import EVENT
from simulators.backend.intake import _are_plain
from simulators.backend.shapes import MAX_INT
from tests.simulators.backend.test_intake import event

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**54), 2**54),
    st.floats(allow_nan=False),
    st.text(max_size=70),
    st.sampled_from(
        ["visit:1", "a", "a\n", "A", "é", "a" * 64, "a" * 65, "0199c0de-0000-7000-8000-000000000001", "\x7f"]
    ),
    st.lists(st.integers(), max_size=2),
)
BODIES = st.one_of(ODD, st.dictionaries(st.one_of(st.text(max_size=41), st.sampled_from(["mode", "a\nb"])), ODD))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*EVENT.fields, "more"]), ODD, max_size=3), st.one_of(st.none(), BODIES))
def test_what_is_plain_is_an_event(changes: dict[str, Any], body: Any) -> None:
    entry = {**event(1), **changes, **({} if body is None else {"body": body})}
    if _are_plain([entry]):
        assert EVENT(entry, "event") is None


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2), st.dictionaries(st.sampled_from([*EVENT.fields]), ODD, max_size=2), st.one_of(st.none(), BODIES)
)
def test_plain_events_hide_no_other(at: int, changes: dict[str, Any], body: Any) -> None:
    entries = [event(number) for number in (1, 2, 3)]
    entries[at] = {**entries[at], **changes, **({} if body is None else {"body": body})}
    assert _are_plain(entries) == _are_plain([entries[at]])


@pytest.mark.parametrize("entry", [None, [], 1, "x", {}, {"body": {}}])
def test_what_is_no_object_of_these_fields_is_not_plain(entry: Any) -> None:
    assert not _are_plain([entry])


@pytest.mark.parametrize("body", [{}, {"mode": "SELF", "n": 0, "yes": True, "max": MAX_INT, "text": " ~" * 32}])
def test_an_ordinary_event_is_plain(body: dict[str, Any]) -> None:
    assert _are_plain([event(1, body=body)])


@pytest.mark.parametrize(
    "body",
    [{"n": MAX_INT + 1}, {"text": "a" * 65}, {"text": "a\n"}, {"a\nb": 1}, {"": 1}, {"a\n": 1}, {"A": 1},
     {f"n{i}": 1 for i in range(33)}],
)  # fmt: skip
def test_a_body_out_of_bounds_is_not_plain(body: dict[str, Any]) -> None:
    assert not _are_plain([event(1, body=body)])
    assert EVENT(event(1, body=body), "event") is not None
