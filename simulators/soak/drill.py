"""The card-tear drill: every APDU and every EEPROM page write of an update, times everything that can end it there.

Each case is a kiosk in a process of its own, forked from one that has no threads, on the state that the case before
left behind; the card is an image in a file, which survives a kill. Afterwards card and centre must agree.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from kiosk.settings import Settings
from simulators.card import FaultKind, PlannedFault
from simulators.soak import network
from simulators.soak.card import Content, Point, Side, WatchedCard, watched
from simulators.soak.centre import CentreProcess
from simulators.soak.forked import End, Work, forked
from simulators.soak.ledger import compared
from simulators.soak.plan import Goal, Kind, Plan
from simulators.soak.rig import Rig, enrolled
from simulators.soak.settle import settle
from simulators.soak.walk import Walk

PERSONAS = ("outdated", "torn")
HALF_A_PAGE_BYTES = 32
_PULLS = {
    Side.BEFORE: FaultKind.REMOVED_BEFORE,
    Side.AFTER: FaultKind.REMOVED_AFTER,
    Side.WRITE: FaultKind.TORN_WRITE,
}


class Blow(StrEnum):
    """What ends the update."""

    PULL = "card pulled"
    KILL = "kiosk killed"
    CUT_BEFORE = "network cut before the next send"
    CUT_AFTER = "network cut after the next send"
    BACKEND = "backend stopped"


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the matrix."""

    number: int
    persona: str
    point: Point
    blow: Blow

    def __str__(self) -> str:
        return f"case {self.number} ({self.persona}, {self.point}, {self.blow.value})"


@dataclass(slots=True)
class DrillReport:
    """What the drill found."""

    size: int = 0
    run: int = 0
    took_s: float = 0.0
    blows: Counter[str] = field(default_factory=Counter)
    points: dict[str, tuple[int, int]] = field(default_factory=dict)  # persona → APDUs, page writes
    violations: list[str] = field(default_factory=list)

    def print(self, out: TextIO) -> None:
        """For people."""
        for persona, (apdus, writes) in self.points.items():
            print(f"update of {persona}: {apdus} APDUs, {writes} page writes", file=out)
        print(f"cases {self.run} of {self.size} in {self.took_s:.0f} s", file=out)
        print("blows " + ", ".join(f"{blow}: {count}" for blow, count in sorted(self.blows.items())), file=out)
        print(f"violations {len(self.violations)}", file=out)
        for violation in self.violations:
            print(f"  {violation}", file=out)


def matrix(points: dict[str, tuple[int, int]]) -> Iterator[Case]:
    """Every case, numbered from 1. points: APDUs and page writes of each persona's update."""
    number = 0
    for persona, (apdus, writes) in points.items():
        moments = [Point(side, n) for n in range(1, apdus + 1) for side in (Side.BEFORE, Side.AFTER)]
        moments += [Point(Side.WRITE, n) for n in range(1, writes + 1)]
        for point in moments:
            for blow in Blow:
                number += 1
                yield Case(number, persona, point, blow)


def drill(*, every: int = 1, only: int | None = None) -> DrillReport:
    """Run the matrix, or each `every`-th case of it, or one case alone."""
    report = DrillReport()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drill-") as work:
        folder = Path(work)
        centre = CentreProcess(folder / "backend")
        try:
            centre.start()
            stage = _Stage(folder, centre, enrolled(folder, centre))
            report.points = {persona: stage.measure(persona) for persona in PERSONAS}
            cases = list(matrix(report.points))
            report.size = len(cases)
            for case in cases[::every] if only is None else cases[only - 1 : only]:
                problems = stage.perform(case)
                report.violations += [f"{case}: {problem}" for problem in problems]
                report.blows[case.blow.value] += 1
                report.run += 1
                if report.run % 50 == 0:
                    print(f"{report.run} cases, {len(report.violations)} violations", file=sys.stderr, flush=True)
            if not report.run:
                report.violations.append(f"there is no case {only}")
            report.violations += stage.forked(_ledger).violations
        finally:
            centre.stop(kill=False)
    report.took_s = time.monotonic() - started_s
    return report


# --- one case ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Stage:
    folder: Path
    centre: CentreProcess
    settings: Settings
    _tag: int = 0

    def fresh(self, persona: str) -> Path:
        """A card as it was at first, on disk and in the books; returns its image file."""
        self._tag += 1
        image = self.folder / "card.image"
        image.unlink(missing_ok=True)
        watched(persona, image)
        self.centre.ask("reset", persona=persona, tag=f"{self._tag:08x}")
        return image

    def measure(self, persona: str) -> tuple[int, int]:
        """APDUs and page writes of an update that nobody disturbs."""
        image = self.fresh(persona)
        said = self.forked(lambda rig: _undisturbed(rig, watched(persona, image))).said
        if said.get("violations"):
            raise RuntimeError(f"an undisturbed update: {said['violations']}")
        return int(said["apdus"]), int(said["writes"])

    def perform(self, case: Case) -> list[str]:
        """The blow, then whatever is needed to have the card back in order; what was not as it must be."""
        image = self.fresh(case.persona)
        before = watched(case.persona, image).card.image_bytes()
        end = self.forked(lambda rig: _struck(rig, watched(case.persona, image), case))
        if case.blow is not Blow.KILL:
            return end.violations
        if not end.killed:
            return [*end.violations, "the point was not reached"]
        self.centre.start()
        truth = watched(case.persona, image).truth()
        found: list[str] = []
        if truth.content is Content.MIXED and not truth.unfinished:
            found.append("half written and not marked unfinished after the kill")
        if not truth.unfinished and truth.content is Content.OLD and image.read_bytes() != before:
            found.append("changed by an update that had not begun")
        return found + self.forked(lambda rig: {"violations": settle(rig, watched(case.persona, image))}).violations

    def forked(self, work: Work) -> End:
        """Run a kiosk on the state that the last one left."""
        return forked(self.settings, self.centre, work)


# --- in the forked kiosk -----------------------------------------------------------------------------------------


def _plan(persona: str) -> Plan:
    return Plan(persona, (Goal.UPDATE,), Kind.NONE, waits=True)


def _undisturbed(rig: Rig, card: WatchedCard) -> dict[str, Any]:
    walk = Walk(rig, _plan(card.persona.name), card, arm=card.count_from_here)
    walk.run()
    apdus, writes = card.commands, card.writes
    rig.ready_for_a_visit()
    return {"violations": walk.violations + settle(rig, card), "apdus": apdus, "writes": writes}


def _struck(rig: Rig, card: WatchedCard, case: Case) -> dict[str, Any]:
    reached: list[Point] = []

    def strike(point: Point) -> None:
        if point != case.point or reached:
            return
        reached.append(point)
        match case.blow:
            case Blow.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Blow.CUT_BEFORE:
                rig.network.cut(network.Cut(network.Side.BEFORE, lasting=True))
            case Blow.CUT_AFTER:
                rig.network.cut(network.Cut(network.Side.AFTER, lasting=True))
            case Blow.BACKEND:
                rig.network.centre_gone = True
                rig.centre.stop(kill=False)
            case Blow.PULL:
                pass  # the card's own fault, planned for this very moment

    def arm() -> None:
        if case.blow is Blow.PULL:
            pull = PlannedFault(_PULLS[case.point.side], at=case.point.number, byte=HALF_A_PAGE_BYTES)
            card.plan(pull)
        else:
            card.count_from_here()
        card.at = strike

    walk = Walk(rig, _plan(case.persona), card, arm=arm)
    walk.run()
    walk.judge_at_last()
    rig.mend()
    rig.ready_for_a_visit()
    violations = walk.violations + settle(rig, card)
    if not reached and not (case.blow is Blow.PULL and case.point.side is Side.AFTER):
        violations.append("the point was not reached")
    return {"violations": violations}


def _ledger(rig: Rig) -> dict[str, Any]:
    return {"violations": compared(rig).violations}
