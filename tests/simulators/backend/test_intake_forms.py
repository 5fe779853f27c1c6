"""The quick look at a batch of events and the exact check of each say the same."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulators.backend.bodies import EVENT
from simulators.backend.intake import _judge, _plain_rows
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


def exactly(entries: list[Any]) -> tuple[list[Any], dict[int, str]]:
    """What `_judge` must say, told event by event."""
    rows, refused = [], {}
    for index, entry in enumerate(entries):
        if EVENT(entry, "event") is not None:
            refused[index] = "invalid"
        elif entry["schema_version"] != 1:
            refused[index] = "unsupported"
        else:
            body_json = json.dumps(entry["body"], separators=(",", ":"))
            fields = ("event_id", "aggregate", "aggregate_seq", "type", "created_utc_ms")
            rows.append((*(entry[name] for name in fields), body_json))
    return rows, refused


CHANGED = st.builds(
    lambda changes, body, drop: {
        name: value
        for name, value in {**event(1), **changes, **({} if body is None else {"body": body})}.items()
        if name != drop
    },
    st.dictionaries(st.sampled_from([*EVENT.fields, "more"]), ODD, max_size=2),
    st.one_of(st.none(), BODIES),
    st.one_of(st.none(), st.none(), st.sampled_from([*EVENT.fields])),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(st.just(event(2)), CHANGED, ODD), max_size=3))
@example([])
@example([event(1), event(2)])
@example([{"body": event(1)}])
@example([[event(1)]])
@example([[event(1), event(2)], event(3)])
@example([orjson.dumps(event(1)).decode()])
@example([event(1, body={"nested": event(2)})])
@example([event(1, body={"n": 10**30})])
@example([dict(reversed(event(1).items()))])
def test_the_quick_look_and_the_exact_check_say_the_same(entries: list[Any]) -> None:
    rows, refused = _judge(entries)
    assert (list(rows), refused) == exactly(entries)
    assert [[type(value) for value in row] for row in rows] == [[str, str, int, str, int, str]] * len(rows)


@pytest.mark.parametrize("body", [{}, {"mode": "SELF", "n": 0, "yes": True, "max": 10**15 - 1, "text": " ~" * 32}])
def test_an_ordinary_event_is_plain(body: dict[str, Any]) -> None:
    entries = [event(1, body=body), event(2)]
    rows = _plain_rows(entries)
    assert (rows, {}) == exactly(entries)


@pytest.mark.parametrize(
    "body",
    [{"n": MAX_INT + 1}, {"text": "a" * 65}, {"text": "a\n"}, {"a\nb": 1}, {"": 1}, {"a\n": 1}, {"A": 1}, {"n": 1.0},
     {"text": "é"}, {"text": "\x7f"}, {"n": []}, {f"n{i}": 1 for i in range(33)}],
)  # fmt: skip
def test_a_body_out_of_bounds_is_not_plain(body: dict[str, Any]) -> None:
    assert _plain_rows([event(1, body=body)]) is None
    assert EVENT(event(1, body=body), "event") is not None


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("odd", [None, [], 1, "x", {}, event(9, schema_version=2), event(9, more=1)])
def test_plain_events_hide_no_other(at: int, odd: Any) -> None:
    entries: list[Any] = [event(1), event(2)]
    entries.insert(at, odd)
    assert _plain_rows(entries) is None
