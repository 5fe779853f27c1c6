"""Planned faults: what each does to the card, and what a bad plan is told."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.card import CardGoneError, CardHangsError, FaultKind, PlannedFault, SimulatedCard, open_persona
from simulators.card.card import MUTE_ATR
from simulators.card.chip import BareChip
from simulators.card.faults import MAX_PLAN_BYTES, FaultPlanError, load_plan, parse_plan
from simulators.card.scp03 import Answer
from tests.simulators.card.driver import SELECT_VITALE, Driver, outdated

READ = bytes.fromhex("00B0940001")


def _planned(*faults: PlannedFault) -> SimulatedCard:
    card = open_persona("outdated", faults=faults)
    card.power_on()
    return card


def test_vanished_only_while_the_card_is_away() -> None:
    card = _planned(PlannedFault(FaultKind.REMOVED_BEFORE, at=2))
    seen = []
    for _ in range(2):
        seen.append(card.vanished)
        card.transmit(SELECT_VITALE)
        with contextlib.suppress(CardGoneError):
            card.transmit(READ)
        seen.append(card.vanished)
        card.power_on()
    assert seen == [False, True, False, False]


def test_removed_before() -> None:
    card = _planned(PlannedFault(FaultKind.REMOVED_BEFORE, at=2))
    assert card.transmit(SELECT_VITALE) == b"\x90\x00"
    with pytest.raises(CardGoneError):
        card.transmit(READ)
    assert card.vanished
    assert card.transmit(READ) == b""
    card.power_on()
    assert card.transmit(SELECT_VITALE) == b"\x90\x00"  # each fault happens once


@pytest.mark.parametrize(("kind", "written"), [(FaultKind.REMOVED_BEFORE, False), (FaultKind.REMOVED_AFTER, True)])
def test_removed_around_a_write(kind: FaultKind, written: bool) -> None:
    driver = outdated()
    before = driver.card.digest()
    driver.card.plan([PlannedFault(kind, at=1, ins=0xD6)])
    host = driver.session()
    with pytest.raises(CardGoneError):
        driver.send(host.wrap(0xD6, 0x94, 4, b"\x01"))
    assert (driver.card.digest() != before) is written


def test_wrong_status_word_instead_of_executing() -> None:
    driver = outdated()
    before = driver.card.digest()
    driver.card.plan([PlannedFault(FaultKind.WRONG_SW, at=1, ins=0xD6, sw=0x6F00)])
    host = driver.session()
    assert host.unwrap(driver.send(host.wrap(0xD6, 0x94, 4, b"\x01"))) == Answer(b"", 0x6F00)
    assert driver.card.digest() == before


def test_hang_until_power_goes() -> None:
    card = _planned(PlannedFault(FaultKind.HANG, at=1))
    with pytest.raises(CardHangsError):
        card.transmit(SELECT_VITALE)
    card.power_on()
    assert card.transmit(SELECT_VITALE) == b"\x90\x00"


def test_delay_waits_and_answers() -> None:
    waited: list[float] = []
    faults = [PlannedFault(FaultKind.DELAY, at=2, delay_ms=1500)]
    card = SimulatedCard(b"\x3b\x00", BareChip(), faults=faults, wait=waited.append)
    card.power_on()
    assert [card.transmit(READ) for _ in range(3)] == [b"\x6d\x00"] * 3
    assert waited == [1.5]


def test_mute() -> None:
    card = open_persona("outdated", faults=[PlannedFault(FaultKind.MUTE)])
    assert card.power_on() == card.atr == MUTE_ATR
    assert card.transmit(SELECT_VITALE) == b""


def test_counts_go_on_over_reinsertions_and_start_again_with_a_new_plan() -> None:
    card = _planned(PlannedFault(FaultKind.REMOVED_BEFORE, at=3))
    card.transmit(SELECT_VITALE)
    card.power_on()
    card.transmit(SELECT_VITALE)
    with pytest.raises(CardGoneError):
        card.transmit(READ)
    card.plan([PlannedFault(FaultKind.REMOVED_BEFORE, at=1)])
    card.power_on()
    with pytest.raises(CardGoneError):
        card.transmit(READ)


def test_ins_counts_only_that_instruction() -> None:
    card = _planned(PlannedFault(FaultKind.WRONG_SW, at=2, ins=0xB0, sw=0x6FAA))
    driver = Driver(card)
    driver.send(SELECT_VITALE)
    assert driver.raw("00B0940001") == "C39000"
    driver.send(SELECT_VITALE)
    assert driver.raw("00B0940001") == "6FAA"
    assert driver.raw("00B0940001") == "C39000"


GOOD: list[dict[str, Any]] = [
    {"kind": "removed_before", "at": 3},
    {"kind": "removed_after", "at": 1, "ins": "d6"},
    {"kind": "wrong_sw", "at": 1, "ins": "D6", "sw": "6f00"},
    {"kind": "hang", "at": 7},
    {"kind": "delay", "at": 2, "delay_ms": 500},
    {"kind": "torn_write", "at": 4},
    {"kind": "mute"},
]


def test_plan_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"faults": GOOD}))
    plan = load_plan(path)
    assert isinstance(plan, tuple)
    assert {fault.kind for fault in plan} == set(FaultKind)
    assert plan[2] == PlannedFault(FaultKind.WRONG_SW, 1, 0xD6, 0x6F00)
    assert plan[4].delay_ms == 500


BAD: list[tuple[Any, str, str]] = [
    ([], "$", "one list 'faults'"),
    ({}, "$", "one list 'faults'"),
    ({"faults": {}}, "$", "one list 'faults'"),
    ({"faults": [], "more": 1}, "$", "one list 'faults'"),
    ({"faults": [GOOD[0]] * 65}, "$.faults", "at most 64"),
    ({"faults": [1]}, "$.faults[0]", "object expected"),
    ({"faults": [GOOD[0], {"kind": "melt"}]}, "$.faults[1].kind", "one of removed_before"),
    ({"faults": [{"kind": ["mute"]}]}, "$.faults[0].kind", "one of removed_before"),
    ({"faults": [{"kind": "hang"}]}, "$.faults[0].at", "missing"),
    ({"faults": [{"kind": "hang", "at": 0}]}, "$.faults[0].at", "from 1 to"),
    ({"faults": [{"kind": "hang", "at": True}]}, "$.faults[0].at", "from 1 to"),
    ({"faults": [{"kind": "hang", "at": 1, "sw": "6f00"}]}, "$.faults[0].sw", "not a field of hang"),
    ({"faults": [{"kind": "mute", "at": 1}]}, "$.faults[0].at", "not a field of mute"),
    ({"faults": [{"kind": "wrong_sw", "at": 1}]}, "$.faults[0].sw", "missing"),
    ({"faults": [{"kind": "wrong_sw", "at": 1, "sw": "6f0"}]}, "$.faults[0].sw", "4 hexadecimal"),
    ({"faults": [{"kind": "hang", "at": 1, "ins": 0xD6}]}, "$.faults[0].ins", "2 hexadecimal"),
    ({"faults": [{"kind": "delay", "at": 1, "delay_ms": 600_001}]}, "$.faults[0].delay_ms", "from 1 to 600000"),
]


@pytest.mark.parametrize(("document", "path", "cause"), BAD)
def test_bad_plan(document: Any, path: str, cause: str) -> None:
    error = parse_plan(json.dumps(document).encode(), "plan.json")
    assert isinstance(error, FaultPlanError)
    assert (error.file, error.path) == ("plan.json", path)
    assert cause in str(error)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[" * 10_000, b" " * (MAX_PLAN_BYTES + 1)])
def test_plan_that_is_no_json(raw: bytes) -> None:
    assert isinstance(parse_plan(raw, "plan.json"), FaultPlanError)


def test_missing_plan(tmp_path: Path) -> None:
    error = load_plan(tmp_path / "absent.json")
    assert isinstance(error, FaultPlanError)
    assert str(tmp_path) not in str(error)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
ENTRIES = st.dictionaries(st.sampled_from(["kind", "at", "ins", "sw", "delay_ms", "x"]), VALUES)


@settings(max_examples=100, deadline=None)
@given(entry=ENTRIES, kind=st.sampled_from(FaultKind))
def test_any_entry_is_a_fault_or_one_error(entry: dict[str, Any], kind: FaultKind) -> None:
    for candidate in (entry, {**entry, "kind": kind}):
        assert isinstance(parse_plan(json.dumps({"faults": [candidate]}).encode(), "any"), tuple | FaultPlanError)
