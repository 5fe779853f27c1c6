"""Command line of the reference backend: serve, ticket, policy, quarantine, release."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from kiosk.visit.policy import Quarantine, SiteKind
from simulators.backend.admin import command
from simulators.backend.cards import all_personas
from simulators.backend.database import DatabaseInUse
from simulators.backend.files import DataDir, write_private
from simulators.backend.operator import OperatorError, policy_change
from simulators.backend.server import Ready, serve
from simulators.personas import Persona, PersonaError, load_file


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status, 1 with one line on stderr when it cannot be done."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)
    data = DataDir(options.data)
    try:
        if options.command == "serve":
            personas = [*all_personas(), *map(_persona, options.persona)]
            asyncio.run(_serve(data, options.port, options.enrol_port, personas))
        elif options.command == "ticket":
            result = command(data, {"do": "ticket", "kiosk": options.kiosk, "site_kind": options.site_kind})
            _write_ticket(result["ticket"], options.out)
        elif options.command == "policy":
            changes = dict(policy_change(text) for text in options.set)
            print(
                json.dumps(command(data, {"do": "policy", "kiosk": options.kiosk, "set": changes}), ensure_ascii=False)
            )
        else:
            level = options.level if options.command == "quarantine" else Quarantine.NONE
            print(json.dumps(command(data, {"do": "quarantine", "kiosk": options.kiosk, "level": str(level)})))
    except DatabaseInUse:
        return _fail("data: another backend runs on this directory")
    except (OperatorError, OSError) as error:
        return _fail(str(error))
    return 0


def _persona(path: Path) -> Persona:
    loaded = load_file(path)
    if isinstance(loaded, PersonaError):
        raise OperatorError(str(loaded))
    return loaded


async def _serve(data: DataDir, port: int, enrol_port: int, personas: list[Persona]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(data, stop=stop, on_ready=_say_ready, port=port, enrol_port=enrol_port, personas=personas)


def _say_ready(ready: Ready) -> None:
    print(ready.to_json(), flush=True)


def _write_ticket(ticket: str, out: Path | None) -> None:
    if out is None:
        print(ticket)
    else:
        write_private(out, ticket.encode("ascii") + b"\n")


def _fail(message: str) -> int:
    print(f"simulators.backend: {message}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators.backend", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="run the backend; prints one JSON line when ready")
    serving.add_argument(
        "--port", type=int, default=0, help="signed listener (default: that of the last start, or free)"
    )
    serving.add_argument("--enrol-port", type=int, default=0, help="enrolment listener (likewise)")
    serving.add_argument(
        "--persona",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a further card, at first start",
    )
    ticket = commands.add_parser("ticket", help="create a one-time enrolment ticket")
    ticket.add_argument("--site-kind", choices=list(SiteKind), default=SiteKind.AGENCY)
    ticket.add_argument("--out", type=Path, help="write it to this file (0600) instead of stdout")
    policy = commands.add_parser("policy", help="show the kiosk's policy, or sign a new one")
    policy.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    quarantine = commands.add_parser("quarantine", help="switch functions of a kiosk off")
    quarantine.add_argument("--level", choices=list(Quarantine)[1:], default=Quarantine.STOP)
    release = commands.add_parser("release", help="end the quarantine")
    for command_parser in (serving, ticket, policy, quarantine, release):
        command_parser.add_argument("--data", type=Path, required=True, help="data directory")
    for command_parser in (ticket, policy, quarantine, release):
        command_parser.add_argument("--kiosk", required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
