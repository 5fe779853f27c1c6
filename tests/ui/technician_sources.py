"""What the kiosk's own source says of the technician's page: parts, facts and sentences, found in the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import kiosk

ROOT = Path(kiosk.__file__).parent


def _files(paths: Iterable[str]) -> Iterator[Path]:
    for path in paths:
        found = ROOT / path
        yield from sorted(found.glob("*.py")) if found.is_dir() else [found]


def _called(node: ast.AST) -> str:
    function = node.func if isinstance(node, ast.Call) else None
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def template(node: ast.AST) -> str | None:
    """A literal, or an f-string with `{}` for what differs."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def sentences(calls: Iterable[str], paths: Iterable[str], *, argument: int, within: Iterable[str] = ()) -> set[str]:
    """Literals given to these calls as this argument (-1: whichever comes last). `within`: in these functions only."""
    found, functions = set(), set(within)
    for path in _files(paths):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        places = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name in functions]
        for node in (node for place in (places if functions else [tree]) for node in ast.walk(place)):
            if isinstance(node, ast.Call) and _called(node) in calls and len(node.args) > argument:
                said = template(node.args[argument])
                found |= {said} if said else set()
    return found


def parts(path: str) -> set[str]:
    """Names of parts in a module: first argument of `Check(…)` and `_known(…)`, and `PART`. `{}`: a reader's role."""
    named = sentences(("Check", "_known"), (path,), argument=0)
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    constants = {
        str(node.value.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == "PART"
        and isinstance(node.value, ast.Constant)
    }
    return named | constants


def fact_names(path: str) -> set[str]:
    """Keys of dictionaries, written out or assigned one by one, in the functions of a module that make a `Check`."""
    found = set()
    for function in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef) or not any(_called(n) == "Check" for n in ast.walk(function)):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Dict):
                found |= {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                found |= {str(node.slice.value)} if isinstance(node.slice, ast.Constant) else set()
    return found
