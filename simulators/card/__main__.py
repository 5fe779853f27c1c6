"""`python -m simulators.card`: list personas, put one into a vpcd slot, print its SCP03 keys."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import time
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Final, NoReturn

from simulators.card import ImageError, SimulatedCard, key_set, open_card, open_persona
from simulators.card.faults import Due, FaultKind
from simulators.card.image import lock_image
from simulators.card.plan_file import FaultPlanError, Plan, help_text, load_plan
from simulators.card.vpcd import VpcdCard
from simulators.command_line import WRONG_USE, Parser, some_path
from simulators.personas import Persona, PersonaError, load, load_file, names

_FAILED = 1
READER_LOOKS_S: Final = 0.8
"""vpcd looks for a card every 0.4 s; one that is back sooner was never away."""


class _StoppedError(Exception):
    """SIGTERM or SIGINT."""


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 done, 1 failed, 2 wrong use; causes go to stderr in one line."""
    options = _parser().parse_args(arguments)
    if options.command == "list":
        for name in names():
            print(f"{name:24}{load(name).title}")
        return 0
    persona = _persona(options.persona)
    if isinstance(persona, str):
        return _complain(persona, WRONG_USE)
    return _keys(persona) if options.command == "keys" else _serve(persona, options)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m simulators.card", description="Simulated cards: fiction only.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="built-in personas")
    serve = commands.add_parser(
        "serve",
        help="put a persona's card into a vpcd slot until SIGTERM",
        epilog=help_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    keys = commands.add_parser("keys", help="print the card's static SCP03 keys as JSON")
    for command in (serve, keys):
        command.add_argument("persona", metavar="PERSONA", help="a name of `list`, or a persona file ending in .json")
    serve.add_argument("--vpcd", metavar="HOST:PORT", required=True, type=_address, help="e.g. 127.0.0.1:35963")
    serve.add_argument("--image", metavar="FILE", type=some_path, help="keep here what is written to the card")
    serve.add_argument("--faults", metavar="FILE", type=some_path, help="planned faults, JSON: see below")
    serve.add_argument("--timed", action="store_true", help="take as long as a real card with this ATR would")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65_535:
        raise argparse.ArgumentTypeError("HOST:PORT expected")
    return host, int(port)


def _persona(text: str) -> Persona | str:
    """The persona, or what is wrong with the request."""
    if text.endswith(".json"):
        persona = load_file(Path(text))
        return str(persona) if isinstance(persona, PersonaError) else persona
    return load(text) if text in names() else f"unknown persona {text!r}; see: python -m simulators.card list"


def _keys(persona: Persona) -> int:
    if persona.card.chip is None:
        return _complain(f"{persona.name} has no chip that knows keys", _FAILED)
    keys = key_set(persona.card.chip.serial)
    print(json.dumps({"kvn": keys.kvn, "enc": keys.enc.hex(), "mac": keys.mac.hex(), "dek": keys.dek.hex()}))
    return 0


def _serve(persona: Persona, options: argparse.Namespace) -> int:
    plan = load_plan(options.faults) if options.faults else Plan()
    if isinstance(plan, FaultPlanError):
        return _complain(str(plan), _FAILED)
    if plan.reader:
        return _complain(f"{options.faults.name}: $.reader: a card alone cannot stage faults of its reader", _FAILED)
    with contextlib.ExitStack() as held:
        if options.image is not None:
            lock = lock_image(options.image)
            if isinstance(lock, ImageError):
                return _complain(str(lock), _FAILED)
            held.enter_context(lock)
        card = open_card(persona, options.image)
        if isinstance(card, ImageError):
            return _complain(str(card), _FAILED)
        return _in_slot(card, plan, persona.name, options)


def _in_slot(card: SimulatedCard, plan: Plan, name: str, options: argparse.Namespace) -> int:
    host, port = options.vpcd
    next_ones: SimpleQueue[tuple[float, SimulatedCard]] = SimpleQueue()

    def act(due: Due) -> None:
        other = open_persona(due.fault.persona) if due.fault.kind is FaultKind.SWAPPED else card
        next_ones.put((due.seconds, other))

    card.plan(plan.faults, seed=plan.seed, act=act)
    if options.timed:
        card.run_in_real_time()
    slot = VpcdCard(card, host, port)
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        problem = slot.insert()
        if problem is not None:
            return _complain(f"{host}:{port}: {problem}", _FAILED)
        print(json.dumps({"persona": name, "slot": f"{host}:{port}", "live": True}), flush=True)
        slot.gone.wait()
        while not next_ones.empty():
            seconds, following = next_ones.get()
            time.sleep(max(seconds, READER_LOOKS_S))
            if options.timed:
                following.run_in_real_time()
            slot = VpcdCard(following, host, port)
            problem = slot.insert()
            if problem is not None:
                return _complain(f"{host}:{port}: {problem}", _FAILED)
            slot.gone.wait()
    except _StoppedError:
        return 0
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        slot.remove()
    return 0 if slot.card.vanished else _complain(f"{host}:{port}: the reader closed the slot", _FAILED)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _StoppedError


def _complain(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
