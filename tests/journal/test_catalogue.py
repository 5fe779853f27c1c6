"""The catalogue: bad ones are refused precisely, the shipped one covers the machine, the document is up to date."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.card.values import Generation
from kiosk.journal.catalogue import (
    Catalogue,
    CatalogueError,
    EntryError,
    FieldType,
    FieldValue,
    parse_catalogue,
    shipped_catalogue,
)
from kiosk.journal.document import render
from kiosk.visit.failures import Cause
from kiosk.visit.ports import PrinterHealth, PrintState, ReaderRole
from kiosk.visit.values import Outcome, RecordType, TicketKind

GOOD = '[e]\nkind = "visit"\nupload = true\npseudonym = "never"\ndescription = "It happened."\n'
CARD = "0123456789abcdef0123456789abcdef"


def one(extra: str) -> Catalogue | CatalogueError:
    return parse_catalogue(GOOD + extra)


@pytest.mark.parametrize(
    ("text", "event", "field", "reason"),
    [
        ("[e", "", "", "not TOML"),
        ("[BAD]", "BAD", "", "a name of small letters"),
        ("e = 1", "e", "", "a table expected"),
        (GOOD + "note = 1", "e", "note", "unknown key"),
        (GOOD.replace('"visit"', '"party"'), "e", "kind", "one of visit, device"),
        (GOOD.replace('"visit"', "[]"), "e", "kind", "one of visit, device"),
        (GOOD.replace("upload = true\n", ""), "e", "upload", "true or false expected"),
        (GOOD.replace("true", "1"), "e", "upload", "true or false expected"),
        (GOOD.replace('"never"', '"always"'), "e", "pseudonym", "never or optional"),
        (GOOD.replace("happened.", "happened"), "e", "description", "full stop"),
        (GOOD.replace("It", "a | b"), "e", "description", "one line"),
        (GOOD + "fields = 1", "e", "fields", "a table expected"),
        (GOOD + 'fields.X = { type = "bool" }', "e", "X", "a name of small letters"),
        (GOOD + 'fields.x = "bool"', "e", "x", "a table with a type"),
        (GOOD + "fields.x = {}", "e", "x", "type: one of int, bool, enum, cause"),
        (GOOD + 'fields.x = { type = "text" }', "e", "x", "type: one of int, bool, enum, cause"),
        (GOOD + 'fields.x = { type = ["int"] }', "e", "x", "type: one of int, bool, enum, cause"),
        (GOOD + 'fields.x = { type = "bool", optional = 1 }', "e", "x", "optional: true or false"),
        (GOOD + 'fields.x = { type = "bool", values = [] }', "e", "x", "keys that do not belong"),
        (GOOD + 'fields.x = { type = "int" }', "e", "x", "missing from, type int"),
        (GOOD + 'fields.x = { type = "int", lowest = 2, highest = 1 }', "e", "x", "in order"),
        (GOOD + 'fields.x = { type = "int", lowest = false, highest = 1 }', "e", "x", "whole numbers"),
        (GOOD + 'fields.x = { type = "int", lowest = 0, highest = 9007199254740992 }', "e", "x", "whole numbers"),
        (GOOD + 'fields.x = { type = "enum", values = [] }', "e", "x", "values: different names"),
        (GOOD + 'fields.x = { type = "enum", values = "ab" }', "e", "x", "values: different names"),
        (GOOD + 'fields.x = { type = "enum", values = ["a", "a"] }', "e", "x", "values: different names"),
        (GOOD + 'fields.x = { type = "enum", values = ["a b"] }', "e", "x", "values: different names"),
        (GOOD + 'fields.x = { type = "enum", values = [1] }', "e", "x", "values: different names"),
    ],
)
def test_bad_catalogues(text: str, event: str, field: str, reason: str) -> None:
    refused = parse_catalogue(text)
    assert isinstance(refused, CatalogueError)
    assert (refused.event, refused.field) == (event, field)
    assert reason in refused.reason


FIELDS = """
fields.level = { type = "int", lowest = 1, highest = 2 }
fields.flag = { type = "bool" }
fields.mode = { type = "enum", values = ["card", "no_card"] }
fields.cause = { type = "cause", optional = true }
"""
ENTRY: dict[str, FieldValue] = {"level": 1, "flag": True, "mode": "card", "cause": "C-01"}


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({}, None, ""),
        ({"cause": None}, None, ""),
        ({"level": 2, "flag": False, "mode": "no_card"}, None, ""),
        ({"level": None}, "level", "missing"),
        ({"level": 0}, "level", "a whole number from 1 to 2 expected"),
        ({"level": 3}, "level", "a whole number from 1 to 2 expected"),
        ({"level": True}, "level", "a whole number from 1 to 2 expected"),
        ({"level": 1.0}, "level", "a whole number from 1 to 2 expected"),
        ({"flag": 1}, "flag", "true or false expected"),
        ({"mode": "DURAND"}, "mode", "one of card, no_card expected"),
        ({"mode": 1}, "mode", "one of card, no_card expected"),
        ({"cause": "Z-99"}, "cause", "a code of the failure catalogue expected"),
        ({"cause": ""}, "cause", "a code of the failure catalogue expected"),
        ({"name": "DURAND"}, "name", "unknown field"),
        ({"Mme DURAND": 1}, "?", "unknown field"),
    ],
)
def test_entries(change: dict[str, FieldValue | None], field: str | None, reason: str) -> None:
    catalogue = one(FIELDS)
    assert isinstance(catalogue, Catalogue)
    merged = {**ENTRY, **change}
    entry = {name: value for name, value in merged.items() if value is not None}
    refused = catalogue.check("e", None, entry)
    assert refused == (None if field is None else EntryError("e", field, reason))
    assert "DURAND" not in str(refused)


@pytest.mark.parametrize("value", ["", CARD[:-1], CARD + "0", CARD.upper(), CARD[:-1] + "\n", CARD[:-1] + "é"])
def test_pseudonym_form(value: str) -> None:
    refused = shipped_catalogue().check("serial_shown", value, {})
    assert refused == EntryError("serial_shown", "pseudonym", "32 lower-case hexadecimal digits expected")


def test_pseudonym_only_where_allowed() -> None:
    assert shipped_catalogue().check("kiosk_started", CARD, {}) == EntryError(
        "kiosk_started", "pseudonym", "not allowed here"
    )


def test_unknown_event() -> None:
    assert shipped_catalogue().check("weather", None, {}) == EntryError("weather", "", "not in the catalogue")
    assert shipped_catalogue().check("Mme DURAND", None, {}) == EntryError("?", "", "not in the catalogue")


@given(st.text(max_size=60))
def test_any_text_is_a_catalogue_or_an_error(text: str) -> None:
    assert isinstance(parse_catalogue(text), Catalogue | CatalogueError)


@given(st.dictionaries(st.text(max_size=8), st.text() | st.integers() | st.booleans() | st.floats(), max_size=5))
def test_no_field_carries_text_of_its_own(fields: dict[str, FieldValue]) -> None:
    """Whatever passes is made of values that the catalogue lists itself, or of numbers and flags."""
    for name, rule in shipped_catalogue().events.items():
        if shipped_catalogue().check(name, None, fields) is None:
            texts = [value for value in fields.values() if isinstance(value, str)]
            assert all(any(text in field.values for field in rule.fields.values()) for text in texts)


def test_every_fact_of_a_visit_is_listed() -> None:
    assert {record.value for record in RecordType} <= set(shipped_catalogue().events)


@pytest.mark.parametrize(
    ("event", "field", "kind"),
    [
        ("card_read", "generation", Generation),
        ("update_ended", "outcome", Outcome),
        ("ticket_queued", "kind", TicketKind),
        ("ticket_ended", "state", PrintState),
        ("printer_changed", "health", PrinterHealth),
        ("reader_failed", "role", ReaderRole),
        ("reader_ready", "role", ReaderRole),
    ],
)
def test_lists_agree_with_the_code(event: str, field: str, kind: type[StrEnum]) -> None:
    assert set(shipped_catalogue().events[event].fields[field].values) == {member.value for member in kind}


def test_every_cause_is_accepted() -> None:
    for cause in Cause:
        assert shipped_catalogue().check("card_problem", None, {"cause": cause.value}) is None


def test_a_wrong_shipped_catalogue_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.journal.catalogue.parse_catalogue", lambda _: CatalogueError("e", "x", "wrong"))
    shipped_catalogue.cache_clear()
    with pytest.raises(ValueError, match=r"catalogue\.toml: e\.x: wrong"):
        shipped_catalogue()
    shipped_catalogue.cache_clear()


def test_the_committed_document_is_the_generated_one() -> None:
    document = Path(__file__).parents[2] / "docs" / "journal-events.md"
    assert document.read_text(encoding="utf-8") == render(shipped_catalogue())


def test_closed_types_only() -> None:
    kinds = {field.type for rule in shipped_catalogue().events.values() for field in rule.fields.values()}
    assert kinds == set(FieldType)
