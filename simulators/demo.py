"""The main job, shown: a member's whole visit on a real kiosk, on simulated devices; headless, it leaves pictures."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from kiosk.journal.journal import verify
from kiosk.store.errors import StoreError
from kiosk.store.transaction import Row, Transaction
from kiosk.sync.outbox import pending
from kiosk.ui.screen import Screen, application, local_now
from kiosk.visit.failures import Fault
from kiosk.visit.model import State
from kiosk.visit.pages import Result, TicketPage
from simulators.album import Album
from simulators.card import FaultKind, open_card
from simulators.card.image import ImageError
from simulators.card.plan_file import Plan
from simulators.demo_plan import PlannedSlots
from simulators.folder import APDU_LOG, SUMMARY, TICKET
from simulators.panel import Panel, leaving, side_by_side
from simulators.personas import Persona, load
from simulators.reader.private_pcscd import PcscdRefused
from simulators.residue import Needle, scan_files, scan_objects, scan_rows, scan_text
from simulators.screen import Finger, screen_of, wait_until
from simulators.stage import KIOSK_NUMBER, Slots, Stage, slots, stage
from simulators.walk import Member, Walk

DRAIN_S: Final = 15.0
MIN_NAME_CHARACTERS: Final = 3
"""A first name of one or two letters is a word of every text."""


def headless(reader: str, persona: Persona, files: Sequence[Path], out: Path, plan: Plan | None = None) -> int:
    """Walk one persona through the kiosk; pictures, ticket, APDU log and `summary.json` go to `out`, `prepared`.

    plan: what goes wrong with the card and its reader meanwhile, stageable on this reader.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="kiosk-demo-") as work, slots(reader) as hands:
            application()
            album = Album(out)
            with stage(Path(work), _following(plan, hands), album.publish, personas=files) as on_stage:
                summary, problem = _walk(on_stage, album, persona, out)
    except PcscdRefused as refused:
        print(f"simulators: READER=pcsc cannot be had here: {refused}", file=sys.stderr)
        return 1
    (out / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(summary, indent=2))
    failures = verdict(summary)
    for failure in (*failures, *([problem] if problem else [])):
        print(f"simulators: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _walk(on_stage: Stage, album: Album, persona: Persona, out: Path) -> tuple[dict[str, Any], str]:
    card = open_card(persona, on_stage.folder / f"{persona.name}.image")
    if isinstance(card, ImageError):
        raise TypeError(str(card))
    screen = screen_of(on_stage.settings, on_stage.kiosk.post, still=True)
    album.attach(screen)
    member = Member(on_stage, album, Finger(screen), persona, card)
    seen = _Seen(member)
    album.watch = seen.note
    before = card.digest()
    on_stage.kiosk.start()
    walk = member.visit()
    walk.outcome = seen.outcome
    summary = {
        "reader": on_stage.slots.kind,
        "persona": persona.name,
        "steps": [asdict(step) for step in walk.steps],
        "update": {
            "outcome": seen.outcome,
            "packages": seen.packages,
            "apdus": seen.apdus,
            "card_changed": card.digest() != before,
        },
        "serial_number_last11_shown": walk.serial_shown,
        "code_digits": len(walk.code),
        "ticket_png": _keep_ticket(walk, out),
        "outbox_pending": _drained(on_stage),
        "journal_verified": _journal_verified(on_stage),
    }
    (out / APDU_LOG).write_text("".join(f"{line}\n" for line in on_stage.trace), encoding="utf-8")
    looked_for = needles(persona, walk)
    if isinstance(on_stage.slots, PlannedSlots):
        summary["plan"] = on_stage.slots.told() | {"codes": seen.codes}
        swapped = {fault.persona for fault in on_stage.slots.plan.faults if fault.persona}
        looked_for += tuple(needle for name in swapped for needle in needles(load(name), Walk()))
    summary["residue"] = residue(on_stage, screen, looked_for, out)
    album.watch = lambda _state: None
    screen.close()
    return summary, member.problem


def _following(plan: Plan | None, hands: Slots) -> Slots:
    return hands if plan is None else PlannedSlots(hands, plan)


class _Seen:
    """What the kiosk said on the way, read off its own states. `codes`: of the failures that pages have told."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self.outcome: str | None = None
        self.packages = 0
        self.apdus = 0
        self.codes: list[str] = []

    def note(self, state: State) -> None:
        """Look at one state; keep nothing personal."""
        if isinstance(state.step, Result):
            self._member.walk.outcome = self.outcome = state.step.outcome.value
            report = state.member.report if state.member is not None else None
            self.packages = report.packages if report is not None else 0
            self.apdus = report.apdus if report is not None else 0
        if isinstance(state.step, TicketPage):
            self._member.noted(state.step.state)
        fault = getattr(state.step, "fault", None)
        if isinstance(fault, Fault) and fault.cause.value not in self.codes[-1:]:
            self.codes.append(fault.cause.value)


def needles(persona: Persona, walk: Walk) -> tuple[Needle, ...]:
    """Everything about this member that must be nowhere after the visit."""
    found = [Needle("code", walk.code)] if walk.code else []
    chip = persona.card.chip
    if chip is None:
        return tuple(found)
    found += [Needle("serial", chip.serial), Needle("last 11 digits", chip.serial[-11:])]
    for number, person in enumerate(chip.beneficiaries):
        found += [
            Needle(f"NIR of beneficiary {number}", person.nir),
            Needle(f"NIR without key {number}", person.nir[:13]),
        ]
        found += [Needle(f"family name of beneficiary {number}", person.name)]
        if len(person.first_name) >= MIN_NAME_CHARACTERS:
            found += [Needle(f"first name of beneficiary {number}", person.first_name)]
        found += [Needle(f"birth date of beneficiary {number}", person.birth_date)]
    if persona.centre is not None:
        found.append(Needle("post code", persona.centre.postcode))
    return tuple(found)


def residue(on_stage: Stage, screen: Screen, looked_for: Sequence[Needle], out: Path) -> list[str]:
    """Look in the kiosk's files, its database, the logs, the redacted trace and every object reachable from it."""
    everyday = _everyday(on_stage)
    looked_for = [needle for needle in looked_for if needle.value not in everyday]
    store = on_stage.kiosk.store
    rows = {} if isinstance(store, StoreError) else store.submit(_all_rows).result()
    found = scan_files(on_stage.folder / "kiosk", looked_for)
    found += scan_rows(rows, looked_for)
    for path in (out / APDU_LOG, out / SUMMARY):
        found += scan_text(path.name, path.read_bytes(), looked_for) if path.exists() else []
    found += [f"backend log: {place}" for place in scan_files(on_stage.folder / "backend", looked_for, only=(".log",))]
    return found + scan_objects([on_stage.kiosk, screen], looked_for)


def _everyday(on_stage: Stage) -> set[str]:
    """Four digits that a kiosk writes down anyway; a code that happens to be one of them cannot be looked for."""
    status_words = re.findall(r" SW ([0-9]{4}) ", " ".join(on_stage.trace))
    return {*status_words, KIOSK_NUMBER, str(local_now().year)}


def _all_rows(tx: Transaction) -> dict[str, list[Row]]:
    tables = [str(name) for (name,) in tx.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {table: tx.execute(f'SELECT * FROM "{table}"') for table in tables}  # noqa: S608  names the database gave


def _keep_ticket(walk: Walk, out: Path) -> str | None:
    if walk.ticket is None:
        return None
    shutil.copyfile(walk.ticket, out / TICKET)
    return TICKET


def _drained(on_stage: Stage) -> int:
    """Events still waiting once the kiosk had its time to send them."""
    store = on_stage.kiosk.store
    if isinstance(store, StoreError):
        return -1

    def waiting() -> int:
        return store.submit(pending).result()

    with contextlib.suppress(AssertionError):
        wait_until(lambda: waiting() == 0, "an empty outbox", DRAIN_S)
    return waiting()


def _journal_verified(on_stage: Stage) -> bool:
    store = on_stage.kiosk.store
    return not isinstance(store, StoreError) and store.submit(verify).result().ok


def verdict(summary: dict[str, Any]) -> list[str]:
    """What of a summary is not as it must be; empty when the visit was a good one."""
    wrong = [f"step {step['name']} failed" for step in summary["steps"] if not step["ok"]]
    done = {step["name"] for step in summary["steps"]}
    outcome, changed = summary["update"]["outcome"], summary["update"]["card_changed"]
    if changed and outcome is None:
        wrong.append("the card was changed, and no outcome was shown")
    elif changed != (outcome == "updated") and not _other_card(summary):
        wrong.append("the card and the outcome disagree")
    if "serial_number" in done and not summary["serial_number_last11_shown"]:
        wrong.append("the last 11 digits were not shown")
    if "provisional_code" in done and summary["code_digits"] != 4:
        wrong.append("no code of four digits")
    if "ticket" in done and summary["ticket_png"] is None:
        wrong.append("no ticket")
    if "removed" not in done:
        wrong.append("the visit did not end")
    if summary["outbox_pending"] != 0:
        wrong.append(f"{summary['outbox_pending']} events left in the outbox")
    if not summary["journal_verified"]:
        wrong.append("the journal does not verify")
    return wrong + _not_staged(summary) + [f"residue: {place}" for place in summary["residue"]]


def _other_card(summary: dict[str, Any]) -> bool:
    """Whether another card took the place of the member's, as planned: an outcome may be that one's."""
    return any(
        fault["kind"] == FaultKind.SWAPPED and fault["due"] for fault in summary.get("plan", {"faults": []})["faults"]
    )


def _not_staged(summary: dict[str, Any]) -> list[str]:
    """What of the plan, if there was one, has not happened."""
    plan = summary.get("plan", {"faults": [], "problem": ""})
    wrong = [f"plan: {fault['path']}: {fault['kind']} was never due" for fault in plan["faults"] if not fault["due"]]
    return wrong + ([f"plan: {plan['problem']}"] if plan["problem"] else [])


def windowed(reader: str, persona: Persona, files: Sequence[Path], plan: Plan | None = None) -> int:
    """Open the kiosk and the simulator's panel; closing either of them, SIGINT or SIGTERM ends everything.

    plan: what goes wrong with the first card of the patient's side, stageable on this reader.
    """
    qt = application()
    screen: Screen

    def publish(state: State) -> None:
        screen.show(state)

    try:
        with (
            leaving(qt) as run_until_left,
            tempfile.TemporaryDirectory(prefix="kiosk-demo-") as work,
            slots(reader) as hands,
            stage(Path(work), _following(plan, hands), publish, personas=files) as on_stage,
        ):
            screen = screen_of(on_stage.settings, on_stage.kiosk.post, scale_to_fit=True)
            panel = Panel(on_stage, persona)
            side_by_side(qt, screen.window, panel.window)
            on_stage.kiosk.start()
            status = run_until_left()
            panel.close()
            screen.close()
            if isinstance(on_stage.slots, PlannedSlots) and on_stage.slots.problem:
                print(f"simulators: plan: {on_stage.slots.problem}", file=sys.stderr)
                status = 1
    except PcscdRefused as refused:
        print(f"simulators: READER=pcsc cannot be had here: {refused}", file=sys.stderr)
        return 1
    return status
