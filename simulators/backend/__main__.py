"""Command line of the reference backend: serve, ticket, and the signed documents of a kiosk or of the fleet."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

import uvloop

from kiosk.sync.documents import FLEET
from kiosk.visit.policy import Quarantine, SiteKind
from simulators.backend import openapi
from simulators.backend.admin import NO_DATABASE, command
from simulators.backend.cards import all_personas
from simulators.backend.database import (
    DatabaseBusy,
    DatabaseInUse,
    DatabaseUnusableError,
    DatabaseUrlError,
    DatabaseVersionError,
)
from simulators.backend.files import DamagedFileError, DataDir, write_private
from simulators.backend.log import tell_of_libraries
from simulators.backend.operator import OperatorError, policy_change
from simulators.backend.ownership import OtherCentreError
from simulators.backend.processes import MAX_PROCESSES, serve_several
from simulators.backend.server import MAX_PORT, Ready, serve
from simulators.command_line import Parser, some_path, some_url, whole
from simulators.personas import Persona, PersonaError, load_file, together

_PORT: Final = whole(0, MAX_PORT, "a port from 1 to 65535 expected, or 0")
_TOLD: Final = (
    OperatorError,
    OtherCentreError,
    DamagedFileError,
    DatabaseBusy,
    DatabaseUnusableError,
    DatabaseUrlError,
    DatabaseVersionError,
    OSError,
)
"""Whose message is the one line on stderr."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 1 when it cannot be done, 2 for wrong use, with one line on stderr."""
    options = _parser().parse_args(arguments)
    if options.command == "openapi":
        print(openapi.text(), end="")
        return 0
    if options.command == "serve" and options.processes > 1 and options.database_url is None:
        return _fail("processes: SQLite is for one process; several need --database-url")
    os.umask(0o077)
    data, ask = DataDir(options.data), partial(command, database_url=options.database_url)
    try:
        if options.command == "serve":
            if options.database_url is None and data.has_database_elsewhere:
                return _fail(NO_DATABASE)
            uvloop.run(_serve(data, options, _personas(options.persona)))
        elif options.command == "ticket":
            result = ask(data, {"do": "ticket", "kiosk": options.kiosk, "site_kind": options.site_kind})
            _write_ticket(result["ticket"], options.out)
        elif options.command == "policy":
            changes = dict(policy_change(text) for text in options.set)
            print(json.dumps(ask(data, {"do": "policy", "kiosk": options.kiosk, "set": changes}), ensure_ascii=False))
        elif options.command in ("keys", "revoke"):
            print(json.dumps(ask(data, {"do": options.command, "kiosk": options.kiosk})))
        elif options.command in _DOCUMENTS:
            order = {"do": "document", "type": _DOCUMENTS[options.command][0], "kiosk": options.kiosk}
            print(json.dumps(ask(data, {**order, "body": _document(options.body)}), ensure_ascii=False))
        else:
            level = options.level if options.command == "quarantine" else str(Quarantine.NONE)
            print(json.dumps(ask(data, {"do": "quarantine", "kiosk": options.kiosk, "level": level})))
    except DatabaseInUse:
        return _fail("data: another backend runs on this directory")
    except _TOLD as error:
        return _fail(str(error))
    return 0


def _personas(files: list[Path]) -> list[Persona]:
    loaded: list[tuple[str, Persona]] = []
    for path in files:
        persona = load_file(path)
        if isinstance(persona, PersonaError):
            raise OperatorError(str(persona))
        loaded.append((path.name, persona))
    known = together(all_personas(), loaded)
    if isinstance(known, PersonaError):
        raise OperatorError(str(known))
    return known


async def _serve(data: DataDir, options: argparse.Namespace, personas: list[Persona]) -> None:
    tell_of_libraries()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # else `nohup` was asked for
            loop.add_signal_handler(number, stop.set)
    several = options.processes > 1 or options.fronts > 0
    run = partial(serve_several, processes=options.processes, fronts=options.fronts) if several else serve
    await run(
        data,
        stop=stop,
        on_ready=_say_ready,
        port=options.port,
        enrol_port=options.enrol_port,
        ops_port=options.ops_port,
        personas=personas,
        database_url=options.database_url,
    )


_DOCUMENTS: Final = {
    "calendar": ("outage_calendar", "announced outages"),
    "capabilities": ("site_capabilities", "what a site may do"),
    "contents": ("contents", "phone numbers, addresses, help texts, nearby kiosks, web addresses"),
    "allow-list": ("allow_list", "the commands that may go to a card"),
}
"""Command → type of document, and what it says."""


def _document(path: Path | None) -> Any:
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise OperatorError("body: JSON expected") from None


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
    parser = Parser(prog="python -m simulators.backend", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="run the backend; prints one JSON line when ready")
    serving.add_argument(
        "--port", type=_PORT, default=0, help="signed listener (default: that of the last start, or free)"
    )
    serving.add_argument("--enrol-port", type=_PORT, default=0, help="enrolment listener (likewise)")
    serving.add_argument(
        "--ops-port", type=_PORT, help="health, metrics and API document over plain HTTP on loopback (default: none)"
    )
    serving.add_argument(
        "--processes",
        type=whole(1, MAX_PROCESSES),
        default=1,
        metavar="N",
        help="processes on the database; more than one needs --database-url (default: 1)",
    )
    serving.add_argument(
        "--fronts",
        type=whole(0, MAX_PROCESSES),
        default=0,
        metavar="N",
        help="processes for signed requests beside each one on the database (default: 0, it takes them itself)",
    )
    serving.add_argument(
        "--persona",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a further card, or one in place of a built-in one; at first start",
    )
    ticket = commands.add_parser("ticket", help="create a one-time enrolment ticket")
    ticket.add_argument("--site-kind", choices=[str(kind) for kind in SiteKind], default=str(SiteKind.AGENCY))
    ticket.add_argument("--out", type=Path, help="write it to this file (0600) instead of stdout")
    policy = commands.add_parser("policy", help="show the kiosk's policy, or sign a new one")
    policy.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    quarantine = commands.add_parser("quarantine", help="switch functions of a kiosk off")
    levels = [str(level) for level in Quarantine if level is not Quarantine.NONE]
    quarantine.add_argument("--level", choices=levels, default=str(Quarantine.STOP))
    release = commands.add_parser("release", help="end the quarantine")
    keys = commands.add_parser("keys", help="states of a kiosk's keys and certificates, quarantine, alarms")
    revoke = commands.add_parser("revoke", help="refuse a kiosk from now on: keys, certificates, tickets; and stop it")
    commands.add_parser("openapi", help="print the API document")
    documents = [policy, quarantine, release]
    for name, (_, said) in _DOCUMENTS.items():
        document = commands.add_parser(name, help=f"show a document, or sign a new one: {said}")
        document.add_argument("--body", type=Path, metavar="FILE", help="JSON, see docs/protocol.md")
        documents.append(document)
    for command_parser in (serving, ticket, keys, revoke, *documents):
        command_parser.add_argument("--data", type=some_path, required=True, help="data directory")
        command_parser.add_argument(
            "--database-url",
            type=some_url,
            metavar="URL",
            help="postgresql+psycopg://… in place of the directory's SQLite file",
        )
    for command_parser in (ticket, keys, revoke):
        command_parser.add_argument("--kiosk", required=True)
    for command_parser in documents:
        scope = command_parser.add_mutually_exclusive_group(required=True)
        scope.add_argument("--kiosk")
        scope.add_argument("--fleet", dest="kiosk", action="store_const", const=FLEET, help="every kiosk")
    return parser


if __name__ == "__main__":
    sys.exit(main())
