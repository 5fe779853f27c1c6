"""The soak: visits one after the other on one kiosk, each checked, and the books compared at the end."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from kiosk.store.transaction import Transaction
from kiosk.ui.screen import application
from kiosk.ui.ticket import draw_ticket
from kiosk.visit.ports import ReaderRole
from simulators.personas import load
from simulators.residue import Needle, scan_files, scan_objects, scan_rows
from simulators.soak.audience import StuckError
from simulators.soak.card import watched
from simulators.soak.centre import CentreProcess
from simulators.soak.ledger import Ledger, compared
from simulators.soak.plan import PERSONAS, Goal, Kind, Plan, plan_of
from simulators.soak.rig import Rig, Roll, enrolled, running
from simulators.soak.settle import settle
from simulators.soak.walk import Walk

WARM_UP_VISITS = 100
"""By then every kind of page, failure and document has been met, so libraries are loaded and caches in use."""
SAMPLE_EVERY = 250
GROWTH_LIMIT = 0.02
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TABLES = ("event", "batch", "meta", "journal", "setting", "aggregate")
PLAIN_VISIT = Plan("outdated", (Goal.UPDATE, Goal.CODE), Kind.NONE, tickets=True)


@dataclass(frozen=True, slots=True)
class Size:
    """What the process holds."""

    memory_bytes: int
    threads: int
    descriptors: int


@dataclass(slots=True)
class Report:
    """What a soak found. `faults`: how many of each kind really happened."""

    seed: int
    visits: int = 0
    took_s: float = 0.0
    tickets: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    sizes: dict[int, Size] = field(default_factory=dict)  # after so many visits; the first is the end of the warm-up
    events: Ledger = field(default_factory=Ledger)

    @property
    def ends(self) -> tuple[Size, Size] | None:
        """After the warm-up and after the last visit; None for a soak that was all warm-up."""
        found = list(self.sizes.values())
        return (found[0], found[-1]) if len(found) > 1 else None

    def growth(self) -> Iterator[str]:
        """What the process holds more of than after the warm-up."""
        if self.ends is None:
            return
        before, after = self.ends
        if after.memory_bytes > before.memory_bytes * (1 + GROWTH_LIMIT):
            yield "memory has grown"
        if after.threads > before.threads:
            yield "threads have grown"
        if after.descriptors > before.descriptors:
            yield "descriptors have grown"

    def print(self, out: TextIO) -> None:
        """For people."""
        rate = self.visits / self.took_s if self.took_s else 0.0
        print(f"visits {self.visits} (seed {self.seed}), {rate:.2f} visits/s, {self.tickets} tickets", file=out)
        print("faults " + ", ".join(f"{kind}: {count}" for kind, count in sorted(self.faults.items())), file=out)
        print(f"events {self.events.recorded}, lost {self.events.lost}, doubled {self.events.doubled}", file=out)
        if self.ends is not None:
            before, after = self.ends
            growth = after.memory_bytes / before.memory_bytes - 1
            samples = ", ".join(f"{size.memory_bytes / 2**20:.1f} at {visit}" for visit, size in self.sizes.items())
            print(f"memory MiB {samples} ({growth:+.2%})", file=out)
            print(f"threads {before.threads}, then {after.threads}", file=out)
            print(f"descriptors {before.descriptors}, then {after.descriptors}", file=out)
        print(f"violations {len(self.violations)}", file=out)
        for violation in self.violations:
            print(f"  {violation}", file=out)


def soak(visits: int, seed: int, *, only: int | None = None) -> Report:
    """Run so many visits, or one of them alone."""
    report = Report(seed)
    application()
    with tempfile.TemporaryDirectory(prefix="soak-") as work:
        folder = Path(work)
        centre = CentreProcess(folder / "backend")
        try:
            centre.start()
            with Roll() as printer:
                settings = enrolled(folder, centre, printer_port=printer.port)
                with running(settings, centre, draw_ticket, printer=printer) as rig:
                    numbers = range(1, visits + 1) if only is None else (only,)
                    _visits(rig, report, numbers)
                    _books(rig, report, folder)
        finally:
            centre.stop(kill=False)
    return report


def _visits(rig: Rig, report: Report, numbers: range | tuple[int, ...]) -> None:
    started_s = time.monotonic()
    for number in numbers:
        plan = plan_of(report.seed, number)
        problems = _visit(rig, plan, f"{number:08x}", report)
        report.violations += [f"seed {report.seed} visit {number} ({plan.kind.value}): {text}" for text in problems]
        report.visits += 1
        if _is_sampled(number, numbers[-1]):
            report.sizes[number] = _measured(rig)
        if number % 100 == 0:
            rate = report.visits / (time.monotonic() - started_s)
            print(f"{number} visits, {rate:.2f}/s, {len(report.violations)} violations", file=sys.stderr, flush=True)
    report.took_s = time.monotonic() - started_s


def _is_sampled(visit: int, last: int) -> bool:
    if visit <= WARM_UP_VISITS:
        return visit == WARM_UP_VISITS
    return visit == last or visit % SAMPLE_EVERY == 0


def _visit(rig: Rig, plan: Plan, tag: str, report: Report) -> list[str]:
    rig.centre.ask("reset", persona=plan.persona, tag=tag)
    card = watched(plan.persona)
    walk = Walk(rig, plan, card)
    problems: list[str] = []
    try:
        walk.run()
        walk.judge_at_last()
        rig.mend()
        rig.ready_for_a_visit()
        problems += settle(rig, card)
    except StuckError as stuck:
        problems.append(str(stuck))
        rig.remove()
        rig.mend()
        rig.ready_for_a_visit()
    if walk.happened:
        report.faults[plan.kind.value] += 1
    if rig.printer is not None:
        report.tickets += rig.printer.empty_the_tray()
    return walk.violations + problems


def _measured(rig: Rig) -> Size:
    """After a visit without a fault, so that pools and caches are as warm at each measurement."""
    rig.centre.ask("reset", persona=PLAIN_VISIT.persona, tag=f"{time.monotonic_ns():015x}")
    Walk(rig, PLAIN_VISIT, watched(PLAIN_VISIT.persona)).run()
    rig.ready_for_a_visit()
    rig.drained()
    if rig.printer is not None:
        rig.printer.empty_the_tray()
    gc.collect()
    resident_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return Size(resident_pages * PAGE_BYTES, threading.active_count(), descriptors)


# --- the end -----------------------------------------------------------------------------------------------------


def _books(rig: Rig, report: Report, folder: Path) -> None:
    """Outbox, journal, the centre's events, growth, residue."""
    report.events = compared(rig)
    report.violations += report.events.violations
    report.violations += report.growth()
    vanished = rig.kiosk.hub.readers()[ReaderRole.PATIENT].contacts.vanished
    report.violations += [f"{vanished} cards put in by hand counted as lost contacts"] if vanished else []
    report.violations += [f"residue: {place}" for place in _residue(rig, folder)]


def _residue(rig: Rig, folder: Path) -> list[str]:
    needles = [needle for name in PERSONAS for needle in _needles(name)]
    found = scan_files(folder / "kiosk", needles) + scan_rows(rig.in_store(_cells), needles)
    found += [f"backend log: {place}" for place in scan_files(folder / "backend", needles, only=(".log",))]
    return found + scan_objects([rig.kiosk], needles)


def _cells(tx: Transaction) -> dict[str, list[tuple[bytes, bytes]]]:
    """Each table as one text and one lump of binary cells: so many rows are not looked through one by one."""
    tables: dict[str, list[tuple[bytes, bytes]]] = {}
    for table in TABLES:
        texts: list[bytes] = []
        lumps: list[bytes] = []
        for cell in (cell for row in tx.execute(f"SELECT * FROM {table}") for cell in row):  # noqa: S608  of this module
            data = cell if isinstance(cell, bytes) else str(cell).encode()
            (texts if data.isascii() else lumps).append(data)
        tables[table] = [(b"\n".join(texts), b"\n".join(lumps))]
    return tables


def _needles(name: str) -> list[Needle]:
    """What identifies a persona; codes of four digits would be found by chance among so many numbers."""
    persona = load(name)
    chip = persona.card.chip
    if chip is None:
        return []
    found = [Needle(f"{name}: serial", chip.serial)]
    for person in chip.beneficiaries:
        found += [Needle(f"{name}: NIR", person.nir), Needle(f"{name}: NIR without key", person.nir[:13])]
        found += [Needle(f"{name}: name", person.name), Needle(f"{name}: birth date", person.birth_date)]
    return found
