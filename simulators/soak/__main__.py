"""Command line: the soak (`[--visits N] [--seed S] [--only VISIT]`), and `drill [--every N] [--only CASE]`."""

from __future__ import annotations

import os
import sys

from simulators.command_line import Parser, whole
from simulators.soak.drill import DrillReport, drill
from simulators.soak.run import Report, soak

_NUMBER = whole(1, 1_000_000)


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return 1 when anything was violated."""
    parser = Parser(prog="python -m simulators.soak", description=__doc__)
    parser.add_argument("--visits", type=_NUMBER, default=2000)
    parser.add_argument("--seed", type=_NUMBER, default=1)
    parser.add_argument("--only", type=_NUMBER, metavar="VISIT", help="this visit alone, as it was")
    drilling = parser.add_subparsers(dest="command").add_parser("drill", help="the card-tear drill")
    drilling.add_argument("--every", type=_NUMBER, default=1, metavar="N", help="only each N-th case")
    drilling.add_argument("--only", type=_NUMBER, metavar="CASE", help="this case alone")
    options = parser.parse_args(arguments)
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    report: Report | DrillReport
    if options.command == "drill":
        report = drill(every=options.every, only=options.only)
    else:
        report = soak(options.visits, options.seed, only=options.only)
    report.print(sys.stdout)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
