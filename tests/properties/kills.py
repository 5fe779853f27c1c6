"""kill -9, again and again, of a real process that commits facts and uploads them; this process is its backend.

It proves the death of a process, not of the machine: what the system's page cache holds survives (see `power_cuts`).
`python -m tests.properties.kills [--cycles N]` prints what was counted, and returns 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.sync.intake import Intake


@dataclass(slots=True)
class Kills:
    """What a loop has shown."""

    cycles: int = 0
    saved: int = 0
    batches: int = 0
    resent: int = 0
    violations: list[str] = field(default_factory=list)


def loop(state: Path, cycles: int, seed: int) -> Kills:
    """Kill the child after a random number of its lines, in each cycle anew; let the last one come to its end."""
    rng, intake, found = random.Random(seed), Intake(), Kills()
    for _ in range(cycles):
        _run(state, intake, found, lines=rng.randrange(1, 40), sending=rng.random() < 0.5)
        found.cycles += 1
    _run(state, intake, found, lines=None, most=found.saved + 1)
    found.batches, found.resent = len(intake.stored), len(intake.sent) - len(set(intake.sent))
    numbers = [seq for _, _, seq in intake.applied]
    if numbers != list(range(1, len(numbers) + 1)):
        found.violations.append("a gap, or an event applied twice")
    if len(numbers) < found.saved:
        found.violations.append(f"{found.saved - len(numbers)} acknowledged facts are missing")
    if max(Counter(event_id for event_id, _, _ in intake.applied).values(), default=1) > 1:
        found.violations.append("an event was applied twice")
    return found


def _run(
    state: Path, intake: Intake, found: Kills, *, lines: int | None, sending: bool = False, most: int = 10**9
) -> None:
    """One life. lines: killed after so many; sending: or at the next batch, its effect done and its answer lost."""
    command = [sys.executable, "-m", "tests.properties.mortal", str(state), str(most)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for seen, line in enumerate(child.stdout, start=1):
            kind, *rest = line.split()
            dies = seen == lines and not sending
            if kind == "saved":
                found.saved = max(found.saved, int(rest[0]))
            else:
                answer = intake.call_raw("/v1/events", bytes.fromhex(rest[1]), rest[0])
                assert isinstance(answer, dict)
                if not (dies := lines is not None and seen >= lines):
                    child.stdin.write(json.dumps(answer) + "\n")
                    child.stdin.flush()
            if dies:
                child.kill()
                break
        for line in child.stdout:  # what it had said before it died counts
            if line.startswith("saved ") and line.endswith("\n"):
                found.saved = max(found.saved, int(line.split()[1]))
    if lines is None and child.returncode != 0:
        found.violations.append(f"the last life ended with {child.returncode}")


def main(arguments: list[str] | None = None) -> int:
    """Run it and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.properties.kills", description=__doc__)
    parser.add_argument("--cycles", type=int, default=60)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = loop(Path(folder) / "state", options.cycles, seed=1)
    batches = f"{found.batches} batches, {found.resent} sent again"
    print(f"kill -9: {found.cycles} cycles, {found.saved} acknowledged, {batches}, {len(found.violations)} violations")
    for violation in found.violations:
        print(f"  {violation}")
    return int(bool(found.violations))


if __name__ == "__main__":
    sys.exit(main())
