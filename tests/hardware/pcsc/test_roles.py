"""Roles follow a reader's identity, not its place in a list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.hardware.pcsc.roles import (
    MAX_NAME,
    BindingError,
    ReaderIdentity,
    find_reader,
    parse_bindings,
    reader_identity,
)
from kiosk.visit.ports import ReaderRole

PATIENT, STAFF = ReaderRole.PATIENT, ReaderRole.PROFESSIONAL


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("Virtual PCD 00 00", ReaderIdentity("Virtual PCD", 0)),
        ("Virtual PCD 0A 01", ReaderIdentity("Virtual PCD", 1)),
        ("Model [CCID Interface] (123 45) 01 0f", ReaderIdentity("Model [CCID Interface] (123 45)", 15)),
        ("  Model X 1 ", ReaderIdentity("Model X 1", None)),
        ("Model", ReaderIdentity("Model", None)),
        ("00 00", ReaderIdentity("00 00", None)),
    ],
)
def test_identity_drops_the_enumeration_and_keeps_the_slot(name: str, identity: ReaderIdentity) -> None:
    assert reader_identity(name) == identity


@given(st.text(max_size=40).map(str.strip).filter(bool), st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_replugging_never_changes_the_role(model: str, before: int, after: int, slot: int) -> None:
    bound = reader_identity(f"{model} {before:02X} {slot:02X}")
    assert find_reader(bound, [f"{model} {after:02X} {slot:02X}"]) is not None
    assert find_reader(bound, [f"{model} {after:02X} {slot ^ 1:02X}"]) is None


@pytest.mark.parametrize(
    "order", [("Virtual PCD 00 00", "Virtual PCD 00 01"), ("Virtual PCD 00 01", "Virtual PCD 00 00")]
)
def test_two_slots_of_one_reader_are_told_apart_in_either_order(order: tuple[str, ...]) -> None:
    bound = parse_bindings({PATIENT: "Virtual PCD 00 00", STAFF: "Virtual PCD 00 01"})
    assert not isinstance(bound, BindingError)
    assert find_reader(bound[PATIENT], order) == "Virtual PCD 00 00"
    assert find_reader(bound[STAFF], order) == "Virtual PCD 00 01"


def test_of_equal_readers_the_first_is_taken_and_of_none_nothing() -> None:
    bound = reader_identity("Model")
    assert find_reader(bound, ["Other 00 00", "Model 01 00", "Model 02 00"]) == "Model 01 00"
    assert find_reader(bound, ["Other 00 00"]) is None
    assert find_reader(bound, []) is None


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        ({PATIENT: "  "}, "patient: the reader's name is empty"),
        ({PATIENT: "x" * (MAX_NAME + 1)}, "patient: the reader's name is longer than 128 characters"),
        (
            {PATIENT: "Model 00 00", STAFF: "Model 01 00"},
            "professional: bound to the same reader as patient: Model 01 00",
        ),
        ({PATIENT: "Model", STAFF: "Model 01 01"}, "professional: bound to the same reader as patient: Model 01 01"),
    ],
)
def test_a_bad_binding_names_role_and_reason(texts: dict[ReaderRole, str], error: str) -> None:
    refused = parse_bindings(texts)
    assert isinstance(refused, BindingError)
    assert str(refused) == error
