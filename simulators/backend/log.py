"""One JSON line on stderr per fact. Callers pass names, numbers and closed words only: no serial, no code, no body."""

from __future__ import annotations

import json
import sys
import time


def log(event: str, **fields: str | int | float | None) -> None:
    """Write the fact with the machine's time; empty fields are left out."""
    entry = {"time_s": round(time.time(), 3), "event": event}
    entry.update({name: value for name, value in fields.items() if value not in (None, "")})
    sys.stderr.write(json.dumps(entry, ensure_ascii=True, separators=(",", ":")) + "\n")
    sys.stderr.flush()
