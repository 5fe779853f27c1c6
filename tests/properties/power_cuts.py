"""The campaign: power goes, or the disk fails once, at every step of a kiosk's whole life (`tests.properties.world`).

`python -m tests.properties.power_cuts [--seeds N] [--every N]` prints crash points and violations, and returns 1 when
there was a violation, or when a weaker mode of the database has none: then it is the stage that is broken.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from unittest import mock

from kiosk.store import database
from tests.properties.world import Life, World, life, live, second_disks
from tests.store.power_loss import DISK, SECTOR_BYTES, staged

BIG_SECTOR_BYTES: Final = 4096
ENDS: Final = 20
WEAKER: Final = {"NORMAL": 1, "OFF": 0}
_MEMORY: Final = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclass(slots=True)
class Sweep:
    """What one life, cut at point after point, has shown. `violations` name tick and seed."""

    points: int = 0
    acknowledged: int = 0
    violations: list[str] = field(default_factory=list)
    mishaps: Counter[str] = field(default_factory=Counter)


def sweep(
    seed: int,
    *,
    every: int = 1,
    first: int = 1,
    sector_bytes: int = SECTOR_BYTES,
    synchronous: str = "FULL",
    power: bool = True,
    ends: int = 1,
    lived: Life = life,
) -> Sweep:
    """Cut the power at tick `first`, `first` + `every`, …, until `ends` lives in a row end alive.

    power=False: let one write or sync fail instead. No two lives meet the same mishaps, so they are not equally long.
    """
    found = Sweep()
    modes = {"synchronous": (synchronous, WEAKER.get(synchronous, 2))}
    tick, ended = first - every, 0
    with mock.patch.dict(database._MODES, modes):
        while ended < ends:
            tick += every
            with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
                world = World(Path(folder), seed * 1_000_003 + tick)
                at = {"power_goes_at": tick} if power else {"fails_at": tick}
                DISK.plug_in(seed=seed * 100_003 + tick, sector_bytes=sector_bytes, **at)
                with staged():
                    alive = live(world, lived) and DISK.ticks < tick
                    broken = world.judge()
            ended = ended + 1 if alive else 0
            found.points += 1
            found.acknowledged += len(world.kept.facts)
            found.mishaps += world.network.mishaps
            found.violations += [f"tick {tick} seed {seed}: {promise}" for promise in broken]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run it all and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.properties.power_cuts", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th step")
    options = parser.parse_args(arguments)
    failed = False
    for seed in range(1, options.seeds + 1):
        for name, sector_bytes, power in (
            ("power, 512-byte sectors", SECTOR_BYTES, True),
            ("power, 4096-byte sectors", BIG_SECTOR_BYTES, True),
            ("one failing write or sync", SECTOR_BYTES, False),
        ):
            for lived in (life, second_disks):
                found = sweep(seed, every=options.every, sector_bytes=sector_bytes, power=power, ends=ENDS, lived=lived)
                _tell(f"seed {seed}, {lived.__name__}, {name}", found)
                failed |= bool(found.violations)
    for mode in WEAKER:
        found = sweep(1, every=5 * options.every, synchronous=mode)
        _tell(f"calibration: synchronous={mode} must break promises", found, shown=1)
        failed |= not found.violations
    return int(failed)


def _tell(name: str, found: Sweep, shown: int = 20) -> None:
    told = ", ".join(f"{count} {fate}" for fate, count in sorted(found.mishaps.items()))
    print(f"{name}: {found.points} crash points, {found.acknowledged} acknowledged, {len(found.violations)} violations")
    print(f"  calls: {told}")
    for violation in found.violations[:shown]:
        print(f"  {violation}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
