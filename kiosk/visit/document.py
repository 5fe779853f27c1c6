"""`docs/failures.md`, made from the catalogue so that it cannot lie: `python -m kiosk.visit.document` prints it."""

from __future__ import annotations

import sys

from kiosk.visit.failure_pages import CALL, PAGES, SAFETY
from kiosk.visit.failures import CATALOGUE


def failures_table() -> str:
    """`docs/failures.md`: every cause with its page, texts and next action."""
    lines = [
        "# Failures",
        "",
        "Generated from `kiosk/visit/failures.py` and `failure_pages.py` (`python -m kiosk.visit.document`); a test compares.",
        "",
        "Each page answers four questions: what happened, is my card safe, what do I do, whom do I call. The second",
        "answer begins with what the machine knows of the card:",
        "",
        *(f"- `{safety.value}`: « {text} »" for safety, text in SAFETY.items()),
        "",
        f"The fourth is the same everywhere: « {CALL} »",
        "",
        "| code | cause | page | technician | next action |",
        "|---|---|---|---|---|",
        *(
            f"| {cause.value} | `{cause.name}` | `{entry.page.value}` | {entry.technician} | {entry.next_action} |"
            for cause, entry in CATALOGUE.items()
        ),
        "",
        "| page | what happened | rights | what to do |",
        "|---|---|---|---|",
        *(f"| `{page.value}` | {text.what} | {text.rights} | {text.todo} |" for page, text in PAGES.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(failures_table())
