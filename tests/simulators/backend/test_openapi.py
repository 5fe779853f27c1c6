"""The API document: current, complete, and of one mind with the checks that it is made from."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync import profile
from kiosk.sync.renewal import REENROLL_ROUTE
from simulators.backend import openapi
from simulators.backend.answers import ANSWERS, REDEEMED, TRUST, signed_refusals
from simulators.backend.bodies import BODIES, EVENT, RECOVER, REDEEM
from simulators.backend.enrol_app import EnrolApp
from simulators.backend.http import REFUSAL_STATUSES
from simulators.backend.shapes import Check, Either, Items, JudgedLater, Maybe, Named, Null, OneOf, Record, Text, Whole
from tests.simulators.backend.test_protocol_document import examples

KEPT = Path(__file__).parents[3] / "docs" / "openapi.json"
CHECKS: dict[str, Check] = {
    **{f"request {path}": check for path, check in BODIES.items()},
    **{f"answer {path}": check for path, check in ANSWERS.items()},
    **{f"refusal {status}": check for status, check in signed_refusals().items()},
    "event": EVENT,
    "redeem": REDEEM,
    "recover": RECOVER,
    "redeemed": REDEEMED,
    "trust": TRUST,
}
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.just(2**53), st.text(max_size=3),
    st.sampled_from(["A", "١", "é", "\n", "SELF\n"]), st.just([]), st.just({}), st.just({"a": 1}), st.just(0.5),
)  # fmt: skip


def values(check: Check) -> st.SearchStrategy[Any]:
    """What the check takes."""
    match check:
        case Record():
            return st.fixed_dictionaries({name: values(inner) for name, inner in check.fields.items()})
        case Text():
            return st.from_regex(rf"\A(?:{check.pattern})\Z").filter(lambda text: not text.endswith("\n"))
        case OneOf():
            return st.sampled_from(check.words)
        case Whole():
            return st.integers(check.lowest, check.highest)
        case Maybe():
            return st.none() | values(check.check)
        case Either():
            return st.one_of(*(values(inner) for inner in check.checks))
        case Items():
            return st.lists(values(check.check), max_size=min(check.most, 2))
        case Named():
            return st.dictionaries(values(check.key), values(check.check), max_size=min(check.most, 2))
        case JudgedLater():
            return values(check.check) | JUNK
        case Null():
            return st.none()
    return st.booleans()


def spoilt(value: Any, data: st.DataObject) -> Any:
    """The value with junk at one place, or with a field or an entry too many or too few."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(value)))
        return {**value, name: spoilt(value[name], data)}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        return [spoilt(value[0], data), *value[1:]]
    match data.draw(st.integers(0, 3)):
        case 0 if isinstance(value, dict) and value:
            return dict(list(value.items())[1:])
        case 1 if isinstance(value, dict):
            return {**value, data.draw(st.sampled_from(["x", "X", "١", "policy "])): 1}
        case 2 if isinstance(value, str):
            return value + data.draw(st.sampled_from([" ", "x", "\n", "0"]))
    return data.draw(JUNK)


@pytest.mark.parametrize("name", CHECKS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_the_schema_says_what_the_check_does(name: str, data: st.DataObject) -> None:
    check = CHECKS[name]
    judge = jsonschema_rs.validator_for({"$schema": "https://json-schema.org/draft/2020-12/schema", **check.schema()})
    good = data.draw(values(check))
    assert check(good, "") is None
    assert judge.is_valid(good)
    bad = spoilt(good, data)
    assert (check(bad, "") is None) == judge.is_valid(bad)


def test_the_kept_document_is_the_printed_one() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "simulators.backend", "openapi"], capture_output=True, text=True, check=True, timeout=30
    )
    assert printed.stderr == ""
    assert KEPT.read_text(encoding="utf-8") == printed.stdout


def test_every_route_of_both_listeners_is_described_and_no_other() -> None:
    described = {(method.upper(), path) for path, item in openapi.document()["paths"].items() for method in item}
    nothing: dict[str, Any] = dict.fromkeys(inspect.signature(EnrolApp).parameters)
    routes = {(method, path.decode()) for method, path in EnrolApp(**nothing)._routes}
    assert described == {("POST", path) for path in (*profile.ROUTES, REENROLL_ROUTE)} | routes
    assert set(BODIES) == set(ANSWERS) == set(profile.ROUTES)


def test_every_reference_leads_somewhere() -> None:
    document = openapi.document()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                target: Any = document
                for part in reference.removeprefix("#/").split("/"):
                    target = target[part]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)


def test_a_signed_refusal_is_documented_under_its_status_only() -> None:
    responses = openapi.document()["components"]["responses"]
    for status, check in signed_refusals().items():
        judge = jsonschema_rs.validator_for(responses[str(status)]["content"]["application/json"]["schema"])
        assert judge.is_valid({"status": status}) == (str(status) == "401")
        assert not judge.is_valid({})
        for other, foreign in signed_refusals().items():
            assert isinstance(check, Either)
            assert isinstance(foreign, Either)
            assert set(map(repr, check.checks)).isdisjoint(map(repr, foreign.checks)) or other == status
    assert set(signed_refusals()) | set(REFUSAL_STATUSES) >= {int(status) for status in responses}


@pytest.mark.parametrize("path", profile.ROUTES)
def test_the_examples_of_the_protocol_document_fit(path: str) -> None:
    request, answer = examples()[path]
    assert BODIES[path](request, "") is None
    assert ANSWERS[path](answer, "") is None
