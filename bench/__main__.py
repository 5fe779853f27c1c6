"""`python -m bench`: every figure, in one table. `python -m bench NAME [ROUNDS]`: one bench, its figures as JSON.

The exit status says whether everything could be measured, never whether it was fast: that depends on the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

from bench.catalogue import BENCHES
from bench.figures import Figure, table
from bench.machine import describe


def main(arguments: list[str]) -> int:
    """0: measured; 1: a bench failed; 2: there is no such bench."""
    match arguments:
        case []:
            return run_all()
        case [name, *rest] if name in BENCHES and len(rest) <= 1 and all(map(str.isdecimal, rest)):
            measure, rounds = BENCHES[name]
            print(json.dumps([asdict(figure) for figure in measure(int(rest[0]) if rest else rounds)]))
            return 0
    print(f"usage: python -m bench [{' | '.join(BENCHES)} [ROUNDS]]", file=sys.stderr)
    return 2


def run_all() -> int:
    """Each bench in its own process, one after the other."""
    print(describe(), flush=True)
    figures: list[Figure] = []
    failed: list[str] = []
    for name, (_, rounds) in BENCHES.items():
        print(f"{name}: {rounds} rounds …", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, "-m", "bench", name], stdout=subprocess.PIPE, check=False)
        if done.returncode == 0:
            figures += [Figure(**row) for row in json.loads(done.stdout)]
        else:
            failed.append(name)
    print(f"\nMedians of alternating rounds.\n\n{table(figures)}")
    for name in failed:
        print(f"{name}: could not be measured, see above", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    # Before Qt loads: no display, no GPU, one pixel a pixel.
    os.environ.update(QT_QPA_PLATFORM="offscreen", QT_QUICK_BACKEND="software", QT_FONT_DPI="96", QT_SCALE_FACTOR="1")
    sys.exit(main(sys.argv[1:]))
