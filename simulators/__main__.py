"""`python -m simulators demo [--plan FILE]`: the main job; READER, PERSONA, OUT, HEADLESS, PLAN of the environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from simulators.card.plan_file import FaultPlanError
from simulators.demo_plan import stageable_plan
from simulators.folder import prepared
from simulators.personas import Persona, PersonaError, load, load_file, names

READERS = ("embedded", "pcsc")


def main(arguments: list[str]) -> int:
    """Check what was asked for, then run; 2 for a request that makes no sense, 1 when a step fails."""
    match arguments:
        case ["demo"]:
            plan_file = os.environ.get("PLAN", "")
        case ["demo", "--plan", plan_file] if plan_file:
            pass
        case _:
            return _refuse("usage: python -m simulators demo [--plan FILE]")
    reader = os.environ.get("READER") or "embedded"
    persona = os.environ.get("PERSONA") or "outdated"
    out = Path(os.environ.get("OUT") or "out/demo")
    if reader not in READERS:
        return _refuse(f"READER: {reader!r} is none of {', '.join(READERS)}")
    who = _persona(persona)
    if isinstance(who, str):
        return _refuse(f"PERSONA: {who}")
    plan = stageable_plan(Path(plan_file), reader) if plan_file else None
    if isinstance(plan, FaultPlanError):
        return _refuse(f"PLAN: {plan}")
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    headless = os.environ.get("HEADLESS", "") not in ("", "0") or not display
    if headless:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        problem = prepared(out)
        if problem is not None:
            return _refuse(f"OUT: {problem}")
    os.environ["QT_QUICK_BACKEND"] = "software"  # before Qt loads
    from simulators import demo  # noqa: PLC0415

    return demo.headless(reader, *who, out, plan) if headless else demo.windowed(reader, *who, plan)


def _persona(name: str) -> tuple[Persona, tuple[Path, ...]] | str:
    """A built-in persona, or one of a file that the centre must then be told of; or why it is neither."""
    if name in names():
        return load(name), ()
    if not name.endswith(".json"):
        return f"{name!r} is no .json file and none of {', '.join(names())}"
    path = Path(name).resolve()
    loaded = load_file(path)
    return str(loaded) if isinstance(loaded, PersonaError) else (loaded, (path,))


def _refuse(message: str) -> int:
    line = "".join(character if character.isprintable() else "?" for character in message)
    print(f"simulators: {line}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
