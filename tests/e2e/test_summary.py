"""`summary.json` is computed from what happened: one fault is staged for each field, and the field turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kiosk.store.thread import Store
from kiosk.ui.screen import application
from kiosk.visit.failures import Cause
from kiosk.visit.model import State
from kiosk.visit.policy import SiteKind
from simulators import demo, walk
from simulators import screen as screens
from simulators.album import Album
from simulators.card import FaultKind, PlannedFault, SimulatedCard, open_card
from simulators.card.image import Image
from simulators.card.plan_file import Plan
from simulators.personas import Persona, load
from simulators.printer import PrinterFault
from simulators.stage import EmbeddedSlots, Stage, stage

PERSONA = "outdated"
STEPS = (
    "inserted", "read", "home", "preview", "update", "result",
    "identification", "serial_number", "provisional_code", "ticket", "removed",
)  # fmt: skip


@dataclass
class Prompter:
    """Stands between kiosk and album, and does something when a page is first shown."""

    cues: dict[str, Callable[[], object]] = field(default_factory=dict)

    def publish(self, album: Album, state: State) -> None:
        """From the runner's thread."""
        cue = self.cues.pop(state.step.page, None)
        if cue is not None:
            cue()
        album.publish(state)


@dataclass
class Set:
    """A stage that is set, before the kiosk starts."""

    stage: Stage
    album: Album
    prompter: Prompter
    out: Path

    def play(self, persona: Persona | None = None) -> dict[str, Any]:
        """The demo's walk; its summary as the file would hold it."""
        summary, _ = demo._walk(self.stage, self.album, persona or load(PERSONA), self.out)
        return dict(json.loads(json.dumps(summary)))

    @property
    def store(self) -> Store:
        """The kiosk's store."""
        assert isinstance(self.stage.kiosk.store, Store)
        return self.stage.kiosk.store


@contextmanager
def scene(folder: Path, site_kind: SiteKind = SiteKind.AGENCY, plan: Plan | None = None) -> Iterator[Set]:
    """Set a stage."""
    application()
    out = folder / "out"
    out.mkdir()
    album, prompter = Album(out), Prompter()
    slots = demo._following(plan, EmbeddedSlots())
    with stage(folder, slots, partial(prompter.publish, album), site_kind=site_kind) as on_stage:
        yield Set(on_stage, album, prompter, out)


@pytest.fixture
def the_scene(tmp_path: Path) -> Iterator[Set]:
    """A stage in an agency."""
    with scene(tmp_path) as ready:
        yield ready


def in_vain(monkeypatch: pytest.MonkeyPatch, awaited: str, hopeless: Callable[[], bool] = lambda: True) -> None:
    """A walk gives up waiting for this as soon as it cannot come any more, and not after 30 s."""
    wait_until = screens.wait_until

    def impatient(condition: Callable[[], bool], what: str, limit_s: float = screens.PATIENCE_S) -> None:
        if what != awaited:
            wait_until(condition, what, limit_s)
            return
        wait_until(lambda: condition() or hopeless(), what, limit_s)
        if not condition():
            raise screens.NotOnScreenError(f"{what}: not any more")

    for module in (screens, walk, demo):
        monkeypatch.setattr(module, "wait_until", impatient)


def with_faults(monkeypatch: pytest.MonkeyPatch, *faults: PlannedFault) -> None:
    """The card that the demo opens has these faults."""

    def opened(persona: Persona, image: Path) -> SimulatedCard:
        card = open_card(persona, image, faults=faults)
        assert isinstance(card, SimulatedCard)
        return card

    monkeypatch.setattr(demo, "open_card", opened)


def ok(summary: dict[str, Any]) -> dict[str, bool]:
    """Step by step."""
    return {step["name"]: step["ok"] for step in summary["steps"]}


def test_a_good_visit(the_scene: Set) -> None:
    summary = the_scene.play()
    assert demo.verdict(summary) == []
    assert summary == {
        "reader": "embedded",
        "persona": PERSONA,
        "steps": [
            {"name": name, "ok": True, "duration_ms": step["duration_ms"]}
            for name, step in zip(STEPS, summary["steps"], strict=True)
        ],
        "update": {"outcome": "updated", "packages": 4, "apdus": 10, "card_changed": True},
        "serial_number_last11_shown": True,
        "code_digits": 4,
        "ticket_png": "ticket.png",
        "outbox_pending": 0,
        "journal_verified": True,
        "residue": [],
    }
    assert sum(step["duration_ms"] for step in summary["steps"]) > 0
    assert (the_scene.out / "ticket.png").stat().st_size > 0


def test_an_update_that_stops(the_scene: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    with_faults(monkeypatch, PlannedFault(FaultKind.WRONG_SW, ins=0x82))
    in_vain(monkeypatch, "outcome updated", lambda: "result" in the_scene.album.pages)
    summary = the_scene.play()
    assert summary["update"] == {"outcome": "impossible", "packages": 2, "apdus": 4, "card_changed": False}
    assert ok(summary)["result"] is False
    assert "step result failed" in demo.verdict(summary)
    assert (the_scene.album.pages[-1], summary["residue"]) == ("attract", []), "the card leaves a walk that got stuck"


def test_a_card_that_leaves_in_the_middle(the_scene: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    with_faults(monkeypatch, PlannedFault(FaultKind.REMOVED_AFTER, ins=0xD6))
    in_vain(monkeypatch, "page result", lambda: "interrupted" in the_scene.album.pages)
    summary = the_scene.play()
    assert {"step update failed", "the visit did not end"} <= set(demo.verdict(summary))
    assert "interrupted" in the_scene.album.pages
    assert (the_scene.album.pages[-1], summary["residue"]) == ("attract", []), "nobody waits for it to come back"


def test_a_card_that_only_says_it_has_written(the_scene: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "write", lambda *_: None)
    summary = the_scene.play()
    assert summary["update"]["outcome"] == "updated"
    assert summary["update"]["card_changed"] is False
    assert "the card and the outcome disagree" in demo.verdict(summary)


def test_another_serial_number_than_the_members(the_scene: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    member = load(PERSONA)
    assert member.card.chip is not None
    printed = replace(member, card=replace(member.card, chip=replace(member.card.chip, serial="8" * 21)))
    monkeypatch.setattr(demo, "open_card", lambda _persona, image: open_card(member, image))
    summary = the_scene.play(printed)
    assert summary["serial_number_last11_shown"] is False
    assert ok(summary)["serial_number"] is False
    assert "the last 11 digits were not shown" in demo.verdict(summary)


def test_a_site_without_codes(tmp_path: Path) -> None:
    with scene(tmp_path, SiteKind.PHARMACY) as pharmacy:
        summary = pharmacy.play()
    assert (summary["code_digits"], summary["ticket_png"]) == (0, None)
    assert demo.verdict(summary) == []
    assert demo.verdict({**summary, "steps": [*summary["steps"], {"name": "provisional_code", "ok": True}]}) == [
        "no code of four digits"
    ]


def test_a_plan_that_the_kiosk_survives_and_what_of_it_never_came(tmp_path: Path) -> None:
    faults = (
        PlannedFault(FaultKind.DELAY, at=2, delay_ms=1, times=3),
        PlannedFault(FaultKind.SWAPPED, at=1_000_000, persona="corsican"),
    )
    unplugged = PlannedFault(FaultKind.UNPLUGGED, at=6, for_ms=10)
    stranger = load("corsican").card.chip
    assert stranger is not None
    with scene(tmp_path, plan=Plan(faults, (unplugged,), seed=7)) as planned:
        planned.stage.trace.append(f"a line that says {stranger.serial}")
        summary = planned.play()
    told = summary["plan"].pop("codes")
    assert told[0] == Cause.READER_LOST.value
    assert summary["plan"] == {
        "seed": 7,
        "faults": [
            {"path": "$.faults[0]", "kind": "delay", "due": 3},
            {"path": "$.faults[1]", "kind": "swapped", "due": 0},
            {"path": "$.reader[0]", "kind": "unplugged", "due": 1},
        ],
        "problem": "",
    }
    assert all(ok(summary).values())
    assert summary["update"] == {"outcome": "updated", "packages": 4, "apdus": 10, "card_changed": True}
    assert "apdu.log: serial" in summary["residue"], "the card that a plan may put in must leave nothing either"
    assert demo.verdict({**summary, "residue": []}) == ["plan: $.faults[1]: swapped was never due"]


def planned(*faults: tuple[str, int], problem: str = "", **update: Any) -> dict[str, Any]:
    """The summary of a good visit, but for these."""
    entries = [{"path": f"$.faults[{i}]", "kind": kind, "due": due} for i, (kind, due) in enumerate(faults)]
    return {
        "steps": [{"name": "removed", "ok": True, "duration_ms": 1}],
        "update": {"outcome": "updated", "card_changed": True, **update},
        "outbox_pending": 0,
        "journal_verified": True,
        "plan": {"seed": 0, "faults": entries, "problem": problem, "codes": []},
        "residue": [],
    }


@pytest.mark.parametrize(
    ("summary", "wrong"),
    [
        (planned(("delay", 2)), []),
        (planned(("mute", 0), ("hang", 1)), ["plan: $.faults[0]: mute was never due"]),
        (planned(problem="the slot is taken"), ["plan: the slot is taken"]),
        (planned(("torn_write", 1), outcome=None), ["the card was changed, and no outcome was shown"]),
        (planned(("swapped", 1), card_changed=False), []),
        (planned(("delay", 1), card_changed=False), ["the card and the outcome disagree"]),
    ],
)
def test_a_plan_is_held_against_what_happened(summary: dict[str, Any], wrong: list[str]) -> None:
    assert demo.verdict(summary) == wrong


def test_a_printer_that_runs_out_of_paper(the_scene: Set) -> None:
    the_scene.stage.printer.fault_at_first_row(PrinterFault.PAPER_OUT)
    summary = the_scene.play()
    assert summary["ticket_png"] is None
    assert ok(summary)["ticket"] is False
    assert {"step ticket failed", "no ticket"} <= set(demo.verdict(summary))


def test_a_backend_that_goes_before_the_end(the_scene: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    the_scene.prompter.cues["ticket"] = the_scene.stage.backend.kill
    in_vain(monkeypatch, "an empty outbox")
    summary = the_scene.play()
    assert summary["outbox_pending"] > 0
    assert ok(summary)["removed"] is True
    assert f"{summary['outbox_pending']} events left in the outbox" in demo.verdict(summary)


def test_a_journal_that_was_touched(the_scene: Set) -> None:
    def touch() -> None:
        the_scene.store.submit(lambda tx: tx.execute("UPDATE journal SET utc_ms = utc_ms + 1 WHERE seq = 2"))

    the_scene.prompter.cues["ticket"] = touch
    summary = the_scene.play()
    assert summary["journal_verified"] is False
    assert "the journal does not verify" in demo.verdict(summary)


def test_something_left_behind(the_scene: Set) -> None:
    chip = load(PERSONA).card.chip
    assert chip is not None
    the_scene.stage.trace.append(f"a line that says {chip.serial}")
    summary = the_scene.play()
    assert "apdu.log: serial" in summary["residue"]
    assert "residue: apdu.log: serial" in demo.verdict(summary)


def test_a_page_that_does_not_come(the_scene: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmbeddedSlots, "insert", lambda *_: None)
    in_vain(monkeypatch, "page reading")
    summary = the_scene.play()
    assert ok(summary) == {"inserted": False}
    assert summary["update"] == {"outcome": None, "packages": 0, "apdus": 0, "card_changed": False}
    assert demo.verdict(summary) == ["step inserted failed", "the visit did not end"]
