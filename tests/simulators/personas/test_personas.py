"""Personas: the built-in ones make sense; a bad file gives one error with path and cause."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.card.layout import SIM_MAX_PERIODS
from kiosk.card.professional import StaffRole
from kiosk.card.values import CardKind, Exemption
from kiosk.visit.policy import INELIGIBLE_REASONS
from simulators.personas import Persona, PersonaError, load, load_file, load_text, names
from simulators.personas.loader import MAX_FILE_BYTES

FOLDER = Path(load_file.__code__.co_filename).parent
ISSUE_NAMES = {
    "outdated",
    "losing-rights",
    "up-to-date",
    "nineteen-beneficiaries",
    "corsican",
    "provisional-nir",
    "opposed",
    "no-bank-details",
    "two-ribs",
    "vitale1",
    "torn",
    "mute",
    "bank-card",
    "unknown-card",
}
STAFF_NAMES = {"pharmacist", "assistant", "technician"}
OUTDATED: dict[str, Any] = json.loads((FOLDER / "outdated.json").read_text("utf-8"))


def _text(document: object) -> bytes:
    return json.dumps(document).encode()


def test_names_are_those_of_the_issue() -> None:
    assert set(names()) == ISSUE_NAMES | STAFF_NAMES


@pytest.mark.parametrize("name", sorted(ISSUE_NAMES | STAFF_NAMES))
def test_built_in_persona_is_the_same_from_a_file(name: str, tmp_path: Path) -> None:
    copied = tmp_path / "copy.json"
    copied.write_bytes((FOLDER / f"{name}.json").read_bytes())
    assert load_file(copied) == load(name)
    assert load(name).name == name


def test_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        load("nobody")
    with pytest.raises(KeyError):
        load("schema")


def test_serials_and_nirs_are_distinct_over_all_personas() -> None:
    chips = [chip for name in names() if (chip := load(name).card.chip) is not None]
    serials = [chip.serial for chip in chips]
    nirs = [person.nir for chip in chips for person in chip.beneficiaries]
    assert len(set(serials)) == len(serials) == 10
    assert len(set(nirs)) == len(nirs)
    update_ids = [o.update_id for name in names() if (c := load(name).centre) is not None for o in c.orders]
    assert len(set(update_ids)) == len(update_ids)


def test_published_vectors_are_used() -> None:
    """Serial numbers and NIRs that the domain reference lists as fictional."""
    people = [person.nir for name in names() if (c := load(name).card.chip) is not None for person in c.beneficiaries]
    assert {"162019999900177", "284059999900279"} <= set(people)
    serials = {c.serial for name in names() if (c := load(name).card.chip) is not None}
    assert {
        "802500000200000000013",
        "802500000201234567892",
        "802500000204671322631",
        "802500000299999999904",
    } <= serials


def test_each_story_is_told() -> None:
    def centre_of(name: str) -> Any:
        return load(name).centre

    def chip_of(name: str) -> Any:
        return load(name).card.chip

    (order,) = centre_of("outdated").orders
    assert chip_of("outdated").organisation.regime == "91"
    assert order.after.organisation.regime == "01"
    assert {p.exemption for p in order.after.rights} >= {Exemption.ALD}
    lost = set(chip_of("losing-rights").rights) - set(centre_of("losing-rights").orders[0].after.rights)
    assert [p.exemption for p in lost] == [Exemption.C2S]
    assert centre_of("up-to-date").orders == ()
    assert len(chip_of("nineteen-beneficiaries").beneficiaries) == 19
    assert [p.nir[5:7] for p in chip_of("corsican").beneficiaries] == ["2A", "2B"]
    assert chip_of("provisional-nir").beneficiaries[0].nir.startswith("7")
    assert centre_of("opposed").opposition
    reasons = {name: centre_of(name).ineligible_reason for name in ("provisional-nir", "no-bank-details", "two-ribs")}
    assert reasons == {
        "provisional-nir": "provisional_nir",
        "no-bank-details": "no_bank_details",
        "two-ribs": "two_ribs",
    }
    assert not centre_of("two-ribs").eligible
    assert centre_of("outdated").eligible
    assert chip_of("torn").unfinished
    assert centre_of("torn").orders
    kinds = {name: load(name).card.kind for name in names() if chip_of(name) is None}
    assert kinds == {
        "vitale1": CardKind.VITALE_1,
        "mute": CardKind.MUTE,
        "bank-card": CardKind.BANK,
        "unknown-card": CardKind.OTHER,
        **dict.fromkeys(STAFF_NAMES, CardKind.PROFESSIONAL),
    }
    roles = {name: staff.role for name in names() if (staff := load(name).card.staff) is not None}
    assert roles == {
        "pharmacist": StaffRole.PHARMACIEN_TITULAIRE,
        "assistant": StaffRole.PREPARATEUR,
        "technician": StaffRole.TECHNICIEN,
    }


def test_schema_knows_the_reasons_and_exemptions_of_the_product() -> None:
    schema = json.loads((FOLDER / "schema.json").read_text("utf-8"))
    assert schema["$defs"]["centre"]["properties"]["ineligible_reason"]["enum"] == [None, *INELIGIBLE_REASONS]
    assert schema["$defs"]["staff"]["properties"]["role"]["enum"] == list(StaffRole)
    rights = schema["$defs"]["rights"]
    assert rights["items"]["properties"]["exemption"]["enum"] == list(Exemption)
    assert rights["maxItems"] == SIM_MAX_PERIODS


def _change(path: str, value: Any, persona: dict[str, Any] = OUTDATED) -> dict[str, Any]:
    """The persona `outdated`, or another one, with one field changed; `value` ... removes it."""
    document = copy.deepcopy(persona)
    parts = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path)]
    here: Any = document
    for part in parts[:-1]:
        here = here[part]
    if value is ...:
        del here[parts[-1]]
    else:
        here[parts[-1]] = value
    return document


CHIP = "card.chip"
HOLDER = f"{CHIP}.beneficiaries[0]"
ORDER = "centre.orders[0]"
BAD = [
    # what is changed, new value, JSON path of the error, words of the cause
    ("fictional", False, "$.fictional", "true expected"),
    ("fictional", ..., "$", "missing 'fictional'"),
    ("surprise", 1, "$", "unknown field 'surprise'"),
    ("card.kind", "vitale3", "$.card.kind", "one of"),
    ("card.kind", "vitale1", "$.card.chip", "belongs to kind vitale2"),
    ("card.atr", "3b7", "$.card.atr", "form"),
    ("card.atr", "3b00", "$.card.atr", "not the ATR of a Vitale 2"),
    ("card.atr", "3b" + "00" * 33, "$.card.atr", "mute"),
    ("card.atr", "3bf5130000014309ea9000d6", "$.card.atr", "not the ATR of a Vitale 2"),  # T=1 with a wrong TCK
    ("card.atr", "3bf5130000814309ea900057", "$.card.atr", "not the ATR of a Vitale 2"),  # T=1 and more behind it
    ("card.chip", None, "$.card.chip", "belongs to kind vitale2"),
    ("centre", None, "$.centre", "exactly when"),
    ("centre", [], "$.centre", "object expected"),
    (f"{CHIP}.serial", "80250000020467132263", "$.card.chip.serial", "form"),
    (f"{CHIP}.serial", "802500000104671322631", "$.card.chip.serial", "form"),
    (f"{CHIP}.serial", 802500000204671322631, "$.card.chip.serial", "string expected"),
    (f"{CHIP}.start_date", "2019-02-29", "$.card.chip.start_date", "no such day"),
    (f"{CHIP}.last_update", "2019-04-01", "$.card.chip.last_update", "before the card's start"),
    (f"{CHIP}.beneficiaries", [], "$.card.chip.beneficiaries", "at least 1"),
    (f"{HOLDER}.name", "LEROY", "$.card.chip.beneficiaries[0].name", "SPECIMEN"),
    (f"{HOLDER}.name", "Spécimen", "$.card.chip.beneficiaries[0].name", "form"),
    (f"{HOLDER}.nir", "284059999900280", "$.card.chip.beneficiaries[0].nir", "key"),
    (f"{HOLDER}.nir", "255081416802538", "$.card.chip.beneficiaries[0].nir", "invented NIR"),
    (f"{HOLDER}.nir", "115039999901174", "$.card.chip.beneficiaries", "two people"),
    (f"{CHIP}.organisation.caisse", "751", "$.card.chip.organisation.caisse", '"999" expected'),
    (f"{CHIP}.organisation.centre", "0001", "$.card.chip.organisation.centre", '"9999" expected'),
    (f"{CHIP}.rights[0].beneficiary", 2, "$.card.chip.rights[0].beneficiary", "only 2"),
    (f"{CHIP}.rights[0].end", "2023-12-31", "$.card.chip.rights[0].end", "before the start"),
    (f"{CHIP}.rights[1].exemption", "X", "$.card.chip.rights[1].exemption", "one of"),
    (f"{CHIP}.interrupted_after_bytes", 0, "$.card.chip.interrupted_after_bytes", "at least 1"),
    (f"{ORDER}.update_id", "0" * 42, "$.centre.orders[0].update_id", "form"),
    (f"{ORDER}.update_id", "abc", "$.centre.orders[0].update_id", "form"),
    (f"{ORDER}.description", "x" * 121, "$.centre.orders[0].description", "at most 120"),
    (f"{ORDER}.service", "CMS", "$.centre.orders[0].service", '"VSD" expected'),
    (f"{ORDER}.after.rights[0].end", "2031-13-01", "$.centre.orders[0].after.rights[0].end", "no such day"),
    (f"{ORDER}.after.rights[0].beneficiary", 5, "$.centre.orders[0].after.rights[0].beneficiary", "only 2"),
    ("centre.orders", OUTDATED["centre"]["orders"] * 2, "$.centre.orders", "twice"),
    ("centre.ineligible_reason", "bored", "$.centre.ineligible_reason", "one of"),
    ("centre.postcode", "7502", "$.centre.postcode", "form"),
    ("centre.outage_s", 0, "$.centre.outage_s", "at least 1"),
    ("centre.opposition", "no", "$.centre.opposition", "boolean expected"),
    # the whole text counts, its end too
    ("name", "outdated\n", "$.name", "form"),
    ("card.atr", "3b751300004309ea9000\n", "$.card.atr", "form"),
    (f"{CHIP}.serial", "802500000204671322631\n", "$.card.chip.serial", "form"),
    (f"{CHIP}.start_date", "2019-04-02\n", "$.card.chip.start_date", "form"),
    (f"{HOLDER}.nir", "284059999900279\n", "$.card.chip.beneficiaries[0].nir", "form"),
    (f"{HOLDER}.first_name", "JEANNE\n", "$.card.chip.beneficiaries[0].first_name", "form"),
    ("centre.postcode", "75020\n", "$.centre.postcode", "form"),
    # a number of things is written without a point
    (f"{CHIP}.rights[0].beneficiary", 0.0, "$.card.chip.rights[0].beneficiary", "integer expected"),
    (f"{CHIP}.interrupted_after_bytes", 64.0, "$.card.chip.interrupted_after_bytes", "integer expected"),
    ("centre.outage_s", 60.0, "$.centre.outage_s", "integer expected"),
    ("centre.outage_s", True, "$.centre.outage_s", "integer expected"),
    # days that are
    (f"{HOLDER}.birth_date", "19840230", "$.card.chip.beneficiaries[0].birth_date", "no such day"),
    (f"{HOLDER}.birth_date", "19841301", "$.card.chip.beneficiaries[0].birth_date", "no such day"),
    (f"{HOLDER}.birth_date", "19840032", "$.card.chip.beneficiaries[0].birth_date", "no such day"),
    # what is shown can be shown
    ("title", "", "$.title", "printable"),
    ("title", "Jeanne\n", "$.title", "printable"),
    ("title", "Jeanne\x1b[2J", "$.title", "printable"),
    (f"{ORDER}.description", "droits\x00", "$.centre.orders[0].description", "printable"),
    (f"{ORDER}.description", "droits\u202e", "$.centre.orders[0].description", "printable"),
    ("sur\nprise" + "x" * 900, 1, "$", "unknown field 'sur\\nprise"),
]


@pytest.mark.parametrize("born", ["19840500", "19840017", "19840000", "19849999", "19849917", "20000229"])
def test_parts_of_a_birth_date_may_be_unknown(born: str) -> None:
    assert isinstance(load_text(_text(_change(f"{HOLDER}.birth_date", born)), "good.json"), Persona)


@pytest.mark.parametrize(("field", "value", "path", "cause"), BAD, ids=[f"{b[0]}={b[1]!s:.12}" for b in BAD])
def test_bad_persona_gives_path_and_cause(field: str, value: Any, path: str, cause: str) -> None:
    error = load_text(_text(_change(field, value)), "bad.json")
    assert isinstance(error, PersonaError)
    assert (error.file, error.path) == ("bad.json", path)
    assert cause in error.cause
    assert len(str(error).splitlines()) == 1
    assert len(str(error)) < 300
    quoted = OUTDATED["card"]["chip"]["serial"], OUTDATED["card"]["chip"]["beneficiaries"][0]["nir"]
    assert not any(secret in str(error) for secret in quoted)


def test_an_unfinished_card_needs_its_order() -> None:
    document = _change(f"{CHIP}.interrupted_after_bytes", 64)
    document["centre"]["orders"] = []
    error = load_text(_text(document), "bad.json")
    assert isinstance(error, PersonaError)
    assert error.path == "$.centre.orders"


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b"", "not JSON"),
        (b'{"a":\n  1 "b"}', "not JSON (line 2, column 5)"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a": 1, "a": 2}', "a duplicate key"),
        (b'{"a": NaN}', "NaN"),
        (b"[" * 60_000, "deeper than 16 levels"),
        (b" " * (MAX_FILE_BYTES + 1), "longer than 65536 bytes"),
        (b"[]", "object expected"),
        (b'{"a": ' + b"9" * 5000 + b"}", "number out of range"),
        (b'{"a": 1e999}', "number out of range"),
        (b'{"a": "\\ud800"}', "surrogate"),
    ],
)
def test_text_that_is_no_persona(raw: bytes, cause: str) -> None:
    error = load_text(raw, "bad.json")
    assert isinstance(error, PersonaError)
    assert error.path == "$"
    assert cause in error.cause


def test_missing_file_is_an_error_value(tmp_path: Path) -> None:
    error = load_file(tmp_path / "absent.json")
    assert isinstance(error, PersonaError)
    assert str(tmp_path) not in str(error)


STAFF = "card.staff"
BAD_STAFF = [
    # persona, what is changed, new value, JSON path of the error, words of the cause
    ("pharmacist", STAFF, None, "$.card.staff", "belongs to kind professional"),
    ("outdated", STAFF, STAFF, "$.card.staff", "belongs to kind professional"),
    ("pharmacist", "card.atr", "3b6a0000544543484e494349454e", "$.card.atr", "not the ATR of a CPS3"),
    ("technician", "card.atr", "3bac00402a001225006480000310009000", "$.card.atr", "not the ATR of a CPS3"),
    ("pharmacist", f"{STAFF}.role", "MEDECIN", "$.card.staff.role", "one of"),
    ("pharmacist", f"{STAFF}.pin", "258", "$.card.staff.pin", "form"),
    ("pharmacist", f"{STAFF}.pin", 2580, "$.card.staff.pin", "string expected"),
    ("pharmacist", f"{STAFF}.identifier", "899700366240", "$.card.staff.identifier", "form"),
    ("pharmacist", f"{STAFF}.identifier", "T99990001", "$.card.staff.identifier", "technician's begins with T"),
    ("technician", f"{STAFF}.identifier", "899999990001", "$.card.staff.identifier", "technician's begins with T"),
    ("pharmacist", f"{STAFF}.name", "MARCHAND", "$.card.staff.name", "SPECIMEN"),
    ("pharmacist", f"{STAFF}.serial", None, "$.card.staff.serial", "has a number"),
    ("technician", f"{STAFF}.serial", "8025000001999900018", "$.card.staff.serial", "has none"),
    ("pharmacist", f"{STAFF}.serial", "8025000001999900012", "$.card.staff.serial", "last digit"),
    ("pharmacist", f"{STAFF}.actua", "half", "$.card.staff.actua", "one of"),
    ("technician", f"{STAFF}.actua", "good", "$.card.staff.actua", "no such file"),
    ("assistant", f"{STAFF}.pin", ..., "$.card.staff", "missing 'pin'"),
]


@pytest.mark.parametrize(("name", "field", "value", "path", "cause"), BAD_STAFF)
def test_each_deviation_of_a_staff_card_is_one_error(name: str, field: str, value: Any, path: str, cause: str) -> None:
    document = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    if value == STAFF:
        value = json.loads((FOLDER / "pharmacist.json").read_text("utf-8"))["card"]["staff"]
    error = load_text(_text(_change(field, value, document)), "bad.json")
    assert isinstance(error, PersonaError)
    assert error.path == path
    assert cause in error.cause


def test_staff_numbers_are_distinct() -> None:
    staff = [one for name in names() if (one := load(name).card.staff) is not None]
    assert len({one.identifier for one in staff}) == len(staff) == 3
    assert len({one.serial for one in staff}) == 3
    shown = "".join(map(repr, staff))
    assert not any(
        secret in shown for one in staff for secret in (one.pin, one.name, one.identifier, one.serial or one.pin)
    )


def test_repr_shows_no_person() -> None:
    shown = repr(load("outdated"))
    assert "JEANNE" not in shown
    assert "8025" not in shown
    assert "75020" not in shown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
PATHS = sorted({bad[0] for bad in BAD})


@settings(max_examples=150, deadline=None)
@given(field=st.sampled_from(PATHS), value=JSON)
def test_any_json_in_any_field_is_a_persona_or_one_error(field: str, value: Any) -> None:
    assert isinstance(load_text(_text(_change(field, value)), "any.json"), Persona | PersonaError)


@settings(max_examples=150, deadline=None)
@given(raw=st.binary(max_size=60))
def test_any_bytes_are_one_error(raw: bytes) -> None:
    assert isinstance(load_text(raw, "any.json"), PersonaError)
