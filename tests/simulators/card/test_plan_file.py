"""Fault plans from JSON: everything a plan can say, and what a bad one is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.card import FaultKind, PlannedFault
from simulators.card.faults import READER_KINDS, Rest
from simulators.card.plan_file import FIELDS, MAX_PLAN_BYTES, FaultPlanError, Plan, help_text, load_plan, parse_plan

CARD: list[dict[str, Any]] = [
    {"kind": "removed_before", "at": 3},
    {"kind": "removed_after", "at": 1, "ins": "d6"},
    {"kind": "removed_in_write", "at": 2, "byte": 70, "rest": "old"},
    {"kind": "torn_write", "at": 4},
    {"kind": "wrong_sw", "at": 1, "ins": "D6", "sw": "6f00"},
    {"kind": "truncated", "at": 2, "keep_bytes": 1},
    {"kind": "hang", "at": 7},
    {"kind": "delay", "at": 2, "delay_ms": 500, "jitter_ms": 200, "times": 4},
    {"kind": "mute"},
    {"kind": "warm_atr", "atr": "3B00"},
    {"kind": "flaky", "at": 5, "times": 3, "for_ms": 900},
    {"kind": "swapped", "at": 4, "persona": "torn"},
]
READER: list[dict[str, Any]] = [
    {"kind": "unplugged", "at": 4, "for_ms": 100},
    {"kind": "service_killed", "at": 6, "ins": "b0", "for_ms": 300},
    {"kind": "reset_by_other", "at": 1},
]


def test_plan_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"seed": 7, "faults": CARD, "reader": READER}))
    plan = load_plan(path)
    assert isinstance(plan, Plan)
    assert plan.seed == 7
    assert {fault.kind for fault in plan.faults} == set(FaultKind) - READER_KINDS
    assert {fault.kind for fault in plan.reader} == READER_KINDS
    assert plan.faults[2] == PlannedFault(FaultKind.REMOVED_IN_WRITE, 2, byte=70, rest=Rest.OLD)
    assert plan.faults[4] == PlannedFault(FaultKind.WRONG_SW, 1, 0xD6, 0x6F00)
    assert plan.faults[5].keep_bytes == 1
    assert plan.faults[7] == PlannedFault(FaultKind.DELAY, 2, delay_ms=500, jitter_ms=200, times=4)
    assert plan.faults[9].atr == b"\x3b\x00"
    assert plan.faults[10] == PlannedFault(FaultKind.FLAKY, 5, times=3, for_ms=900)
    assert plan.faults[11].persona == "torn"
    assert plan.reader[1] == PlannedFault(FaultKind.SERVICE_KILLED, 6, 0xB0, for_ms=300)


def test_every_kind_has_its_fields_and_every_entry_names_them_all() -> None:
    assert set(FIELDS) == set(FaultKind)
    for entry in (*CARD, *READER):
        needed = {name for name, required in FIELDS[FaultKind(entry["kind"])].items() if required}
        assert needed <= set(entry)


@pytest.mark.parametrize(
    "text", ['{"faults": []}', '{"reader": []}', '{"seed": 4294967295, "faults": [], "reader": []}']
)
def test_a_section_may_be_empty_or_absent(text: str) -> None:
    plan = parse_plan(text.encode(), "plan.json")
    assert isinstance(plan, Plan)
    assert plan.faults == plan.reader == ()


BAD: list[tuple[Any, str, str]] = [
    ([], "$", "an object expected"),
    ({}, "$", "'faults' or 'reader' expected"),
    ({"seed": 1}, "$", "'faults' or 'reader' expected"),
    ({"faults": {}}, "$.faults", "a list of at most 64"),
    ({"reader": None}, "$.reader", "a list of at most 64"),
    ({"faults": [], "more": 1}, "$.more", "not a section"),
    ({"faults": [], "seed": -1}, "$.seed", "from 0 to 4294967295"),
    ({"faults": [], "seed": 1.0}, "$.seed", "from 0 to 4294967295"),
    ({"faults": [CARD[0]] * 65}, "$.faults", "at most 64"),
    ({"faults": [1]}, "$.faults[0]", "object expected"),
    ({"faults": [CARD[0], {"kind": "melt"}]}, "$.faults[1].kind", "one of removed_before"),
    ({"faults": [{"kind": ["mute"]}]}, "$.faults[0].kind", "one of removed_before"),
    ({"faults": [READER[0]]}, "$.faults[0].kind", "one of removed_before"),
    ({"reader": [CARD[0]]}, "$.reader[0].kind", "one of unplugged, service_killed, reset_by_other"),
    ({"faults": [{"kind": "hang"}]}, "$.faults[0].at", "missing"),
    ({"faults": [{"kind": "hang", "at": 0}]}, "$.faults[0].at", "from 1 to"),
    ({"faults": [{"kind": "hang", "at": True}]}, "$.faults[0].at", "from 1 to"),
    ({"faults": [{"kind": "hang", "at": 1, "sw": "6f00"}]}, "$.faults[0].sw", "not a field of hang"),
    ({"faults": [{"kind": "hang", "at": 1, "x\n" * 30: 1}]}, "$.faults[0]." + "x\\n" * 13 + "x", "not a field of hang"),
    ({"faults": [{"kind": "mute", "at": 1}]}, "$.faults[0].at", "not a field of mute"),
    ({"faults": [{"kind": "wrong_sw", "at": 1}]}, "$.faults[0].sw", "missing"),
    ({"faults": [{"kind": "wrong_sw", "at": 1, "sw": "6f0"}]}, "$.faults[0].sw", "4 hexadecimal"),
    ({"faults": [{"kind": "hang", "at": 1, "ins": 0xD6}]}, "$.faults[0].ins", "2 hexadecimal"),
    ({"faults": [{"kind": "hang", "at": 1, "ins": "²d"}]}, "$.faults[0].ins", "2 hexadecimal"),
    ({"faults": [{"kind": "warm_atr", "atr": "3b0"}]}, "$.faults[0].atr", "4 to 66 hexadecimal"),
    ({"faults": [{"kind": "warm_atr", "atr": "3b" * 34}]}, "$.faults[0].atr", "4 to 66 hexadecimal"),
    ({"faults": [{"kind": "delay", "at": 1, "delay_ms": 600_001}]}, "$.faults[0].delay_ms", "from 1 to 600000"),
    ({"faults": [{**CARD[7], "times": 1001}]}, "$.faults[0].times", "from 1 to 1000"),
    ({"faults": [{**CARD[2], "byte": 255}]}, "$.faults[0].byte", "from 0 to 254"),
    ({"faults": [{**CARD[2], "rest": "new"}]}, "$.faults[0].rest", "one of erased, old expected"),
    ({"faults": [{**CARD[5], "keep_bytes": 0}]}, "$.faults[0].keep_bytes", "from 1 to 257"),
    ({"faults": [{**CARD[10], "times": 0}]}, "$.faults[0].times", "from 1 to 1000"),
    ({"faults": [{**CARD[11], "persona": "nobody"}]}, "$.faults[0].persona", ", torn, "),
    ({"faults": [{**CARD[11], "persona": ["torn"]}]}, "$.faults[0].persona", ", torn, "),
    ({"reader": [{"kind": "unplugged", "at": 4}]}, "$.reader[0].for_ms", "missing"),
    ({"faults": CARD, "reader": [*READER, {"kind": "reset_by_other"}]}, "$.reader[3].at", "missing"),
]


@pytest.mark.parametrize(("document", "path", "cause"), BAD)
def test_bad_plan(document: Any, path: str, cause: str) -> None:
    error = parse_plan(json.dumps(document).encode(), "plan.json")
    assert isinstance(error, FaultPlanError)
    assert (error.file, error.path) == ("plan.json", path)
    assert cause in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff", b"[" * 10_000, b" " * (MAX_PLAN_BYTES + 1), b'{"faults": [], "faults": []}', b'{"seed": NaN}'],
)
def test_plan_that_is_no_json(raw: bytes) -> None:
    error = parse_plan(raw, "plan.json")
    assert isinstance(error, FaultPlanError)
    assert error.path == "$"


def test_missing_plan(tmp_path: Path) -> None:
    error = load_plan(tmp_path / "absent.json")
    assert isinstance(error, FaultPlanError)
    assert str(tmp_path) not in str(error)


def test_the_help_names_every_kind_and_field() -> None:
    text = help_text()
    for kind, fields in FIELDS.items():
        (line,) = [line for line in text.splitlines() if line.split()[:1] == [kind.value]]
        assert [name if required else f"[{name}]" for name, required in fields.items()] == line.split()[
            1 : 1 + len(fields)
        ]
        for name in fields:
            assert f"\n  {name} " in text
    assert max(map(len, text.splitlines())) <= 120
    example = json.loads(next(line for line in text.splitlines() if line.startswith("  {")))
    assert isinstance(parse_plan(json.dumps(example).encode(), "help"), Plan)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
NAMES = sorted({"kind", "x"}.union(*FIELDS.values()))


@settings(max_examples=100, deadline=None)
@given(entry=st.dictionaries(st.sampled_from(NAMES), VALUES), kind=st.sampled_from(FaultKind))
def test_any_entry_is_a_fault_or_one_error(entry: dict[str, Any], kind: FaultKind) -> None:
    for section in ("faults", "reader"):
        for candidate in (entry, {**entry, "kind": kind}):
            plan = parse_plan(json.dumps({section: [candidate]}).encode(), "any")
            assert isinstance(plan, Plan | FaultPlanError)
