"""Command line: a fleet of kiosks against a backend of its own, on a private PostgreSQL, another one, or SQLite."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
from pathlib import Path
from typing import Final

from simulators.backend.engines import DatabaseUnusableError, DatabaseUrlError
from simulators.backend.migrations import DatabaseVersionError
from simulators.backend.ownership import OtherCentreError
from simulators.backend.private_postgres import PostgresUnavailable
from simulators.command_line import Parser, some_path, some_url, whole
from simulators.fleet.plan import Plan, Scenario
from simulators.fleet.progress import Progress
from simulators.fleet.report import write
from simulators.fleet.run import RunFailed, engine, run

MOST_KIOSKS: Final = 100_000
MOST_MINUTES: Final = 24 * 60
_SEEDS: Final = 1_000_000


def main(arguments: list[str] | None = None) -> int:
    """Run and write the report; 1 when anything was lost, doubled, late or refused, 2 for wrong use."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # else `nohup` was asked for
            signal.signal(number, _end)
    plan = Plan(options.scenario, options.kiosks, options.minutes, options.seed)
    progress = Progress.of_terminal()
    try:
        options.out.mkdir(parents=True, exist_ok=True)  # now, not when all is done
        with engine(options.database_url, sqlite=options.sqlite) as where:
            result = run(plan, where, progress)
        progress.end()
        page = write(result, options.out)
    except KeyboardInterrupt:
        return _fail("interrupted: no report", progress)
    except (
        PostgresUnavailable,
        OtherCentreError,
        RunFailed,
        DatabaseUnusableError,
        DatabaseUrlError,
        DatabaseVersionError,
        OSError,
    ) as error:
        return _fail(str(error), progress)
    print(page.read_text(encoding="utf-8"))
    print(page)
    missed = [said for said, is_met in result.bars if not is_met]
    return _fail(f"{plan.scenario}: {'; '.join(missed)}", progress) if missed else 0


def _fail(message: str, progress: Progress) -> int:
    progress.end()
    print(f"simulators.fleet: {message}", file=sys.stderr)
    return 1


def _end(_number: int, _frame: object) -> None:
    """Every process and folder of the run ends with it, and nothing may disturb that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= MOST_MINUTES:
        raise argparse.ArgumentTypeError(f"more than 0 and at most {MOST_MINUTES} expected")
    return minutes


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m simulators.fleet", description=__doc__)
    parser.add_argument("--kiosks", type=whole(1, MOST_KIOSKS), required=True)
    parser.add_argument(
        "--minutes", type=_minutes, required=True, help="length of the day, or of the window of the return"
    )
    parser.add_argument("--scenario", type=Scenario, choices=list(Scenario), default=Scenario.DAY)
    parser.add_argument(
        "--seed", type=whole(0, _SEEDS - 1), default=secrets.randbelow(_SEEDS), help="what happens (default: random)"
    )
    parser.add_argument(
        "--out", type=some_path, default=Path("out/fleet"), help="folder of the report (default: out/fleet)"
    )
    store = parser.add_mutually_exclusive_group()
    store.add_argument(
        "--database-url", type=some_url, metavar="URL", help="an empty PostgreSQL database in place of a private one"
    )
    store.add_argument("--sqlite", action="store_true", help="the embedded store in place of PostgreSQL")
    return parser


if __name__ == "__main__":
    sys.exit(main())
