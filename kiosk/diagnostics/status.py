"""What a running kiosk leaves in a small file for `diagnose`, which can neither open its store nor its printer.

The file names parts, states, failure codes and counts; nothing of a card or a person. Times since boot tell a fresh
file from an old one: wall time may be set, and is there for the reader only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from kiosk.diagnostics.report import Check, CheckState
from kiosk.visit.failures import Cause, Fault

STATUS_FILE: Final = "status.json"
SCHEMA: Final = 1
MAX_BYTES: Final = 16_384
MAX_CHECKS: Final = 32
MAX_TEXT_CHARS: Final = 200
STALE_S: Final = 60.0
TOLD_BY: Final = "the running kiosk"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class StatusError:
    """Why nothing is known of the running kiosk: for the technician."""

    reason: str


def boot_id() -> str:
    """The kernel's name for this boot; empty where it gives none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def write_status(path: Path, checks: Iterable[Check], *, monotonic_s: float, utc_s: float) -> None:
    """Replace the file as a whole; mode 0600. Raises OSError where it cannot be written."""
    rows = [
        {
            "part": check.part,
            "state": check.state.value,
            "code": None if check.fault is None else check.fault.cause.value,
            "facts": check.facts,
        }
        for check in checks
    ]
    document = {
        "schema": SCHEMA,
        "boot": boot_id(),
        "monotonic_s": int(monotonic_s),
        "utc_s": int(utc_s),
        "checks": rows,
    }
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)  # of a kiosk that was killed while writing
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:  # noqa: PTH123  a mode from the first moment on
        file.write(json.dumps(document).encode("ascii"))
    fresh.replace(path)


def read_status(path: Path, now_s: float) -> tuple[Check, ...] | StatusError:
    """What the running kiosk says of its parts. `now_s`: monotonic seconds, of this boot as the file's must be."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return StatusError("the running kiosk has left no status")
    except OSError as error:
        return StatusError(f"the running kiosk's status cannot be read: {error.strerror}")
    if len(content) > MAX_BYTES:
        return StatusError(f"the running kiosk's status is longer than {MAX_BYTES} bytes")
    try:
        document = json.loads(content)
        if document["schema"] != SCHEMA:
            return StatusError("the running kiosk's status is of another version")
        age_s = now_s - _whole(document["monotonic_s"])
        if document["boot"] != boot_id() or not -1 <= age_s <= STALE_S:
            return StatusError("the running kiosk's status is old: it may hang")
        rows = document["checks"]
        if not isinstance(rows, list) or len(rows) > MAX_CHECKS:
            raise ValueError
        return tuple(_check(row) for row in rows)
    except (ValueError, LookupError, TypeError, RecursionError):
        return StatusError("the running kiosk's status cannot be understood")


def merged(seen: Iterable[Check], told: Iterable[Check]) -> tuple[Check, ...]:
    """What a look from outside has shown, completed by what the running kiosk says: a fault wins, unknown never."""
    said = {check.part: check for check in told}
    checks = [_worse(check, said.pop(check.part, check)) for check in seen]
    return (*checks, *(_marked(check) for check in said.values()))


def _worse(seen: Check, told: Check) -> Check:
    if seen.state is CheckState.FAULT or told.state is CheckState.UNKNOWN or seen.state is told.state:
        return seen
    return _marked(told)


def _marked(check: Check) -> Check:
    return replace(check, facts={**check.facts, "told_by": TOLD_BY})


def _check(row: Mapping[str, Any]) -> Check:
    code, facts = row["code"], row["facts"]
    if not isinstance(facts, dict) or not all(isinstance(value, int) or _text(value) for value in facts.values()):
        raise ValueError
    cause = None if code is None else Cause(code)
    fault = None if cause is None else Fault(cause)
    return Check(_text(row["part"]), CheckState(row["state"]), fault, {_text(key): facts[key] for key in facts})


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT_CHARS or not value.isprintable():
        raise ValueError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError
    return value
