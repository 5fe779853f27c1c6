"""The diagnostics page speaks French to the technician: every cause, every part."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import kiosk
from kiosk.ui import texts as t
from kiosk.ui.present import present
from kiosk.ui.technician_texts import ADVICE
from kiosk.ui.typography import plain
from kiosk.ui.views import Tone
from kiosk.visit.failures import CATALOGUE, Cause, Fault
from kiosk.visit.pages import Attract, Diagnostics
from kiosk.visit.values import PartLine
from simulators import samples
from simulators.gallery import NOW

SENTENCE_CHARACTERS = 110
"""Two lines of the page: longer ones are not read standing."""


def _detail(line: PartLine) -> str:
    (row,) = present(samples.state(Diagnostics(Attract(), lines=(line,))), NOW).rows
    return plain(row.detail)


def test_every_cause_has_its_french_meaning_and_action() -> None:
    assert set(ADVICE) == set(Cause)
    meanings = [advice.meaning for advice in ADVICE.values()]
    assert len(set(meanings)) == len(meanings), "two causes told in the same words cannot be told apart"
    for cause, advice in ADVICE.items():
        sentences = [advice.meaning, advice.action] if advice.action else [advice.meaning]
        assert all(text.endswith(".") and 0 < len(text) <= SENTENCE_CHARACTERS for text in sentences), cause
        asks = not CATALOGUE[cause].next_action.startswith("None")
        assert bool(advice.action) or not asks, f"{cause}: the catalogue names an action, the page none"


@pytest.mark.parametrize("cause", Cause)
def test_a_fault_is_told_with_code_meaning_action_and_detail(cause: Cause) -> None:
    detail = _detail(PartLine("channel", well=False, fault=Fault(cause, "the detail"), facts="count: 3"))
    advice = ADVICE[cause]
    told = [t.PART_FAULT, f"{cause.value} : {advice.meaning}", advice.action, "the detail", "count: 3"]
    assert detail == plain("\n".join(text for text in told if text))
    assert CATALOGUE[cause].technician not in detail


def test_a_part_whose_state_is_unknown_is_never_green() -> None:
    (row,) = present(samples.state(Diagnostics(Attract(), lines=(PartLine("keys", well=None),))), NOW).rows
    assert (row.detail, row.tone) == (t.PART_UNKNOWN, Tone.MUTED)


def _parts_named_by(file: str) -> set[str]:
    """Names of parts in a module's source: first argument of `Check(…)` and `_known(…)`, and `PART`."""
    tree = ast.parse((Path(kiosk.__file__).parent / file).read_text(encoding="utf-8"))
    named = {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("Check", "_known")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    constants = {
        str(node.value.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == "PART"
        and isinstance(node.value, ast.Constant)
    }
    return named | constants


@pytest.mark.parametrize("file", ["status.py", "chores/documents.py", "chores/renewing.py"])
def test_every_part_that_the_running_kiosk_knows_has_a_french_name(file: str) -> None:
    parts = _parts_named_by(file)
    assert parts
    assert parts <= set(t.PARTS)
