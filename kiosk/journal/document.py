"""`python -m kiosk.journal.document` prints docs/journal-events.md from the catalogue."""

from __future__ import annotations

import sys

from kiosk.journal.catalogue import Catalogue, FieldRule, FieldType, Kind, shipped_catalogue

_HEADINGS = {
    Kind.VISIT: "Visits",
    Kind.SECURITY: "Security",
    Kind.DEVICE: "Devices",
    Kind.CHANNEL: "Channel",
    Kind.MAINTENANCE: "Maintenance",
}
_INTRODUCTION = """# Journal events

Generated from `kiosk/journal/catalogue.toml` by `python -m kiosk.journal.document`; do not edit.

Everything a kiosk writes down is one of these entries. Fields have closed types (there is none for text), so an entry
cannot hold a personal datum; a card is known by a pseudonym that changes every day. Each entry carries the hash of all
entries before it: `python -m kiosk journal verify` checks the chain. *Sent* entries also go to the backend.
"""


def render(catalogue: Catalogue) -> str:
    """The document as Markdown, ending with a line feed."""
    parts = [_INTRODUCTION]
    for kind, heading in _HEADINGS.items():
        parts.append(f"\n## {heading}\n\n| event | meaning | fields | pseudonym | sent |\n|---|---|---|---|---|\n")
        for rule in catalogue.events.values():
            if rule.kind is kind:
                fields = "<br>".join(f"`{name}`: {_describe(field)}" for name, field in rule.fields.items()) or "–"
                marks = ["yes" if flag else "no" for flag in (rule.pseudonym, rule.upload)]
                parts.append(f"| `{rule.name}` | {rule.description} | {fields} | {marks[0]} | {marks[1]} |\n")
    return "".join(parts)


def _describe(rule: FieldRule) -> str:
    match rule.type:
        case FieldType.BOOL:
            text = "true or false"
        case FieldType.INT:
            text = f"{rule.lowest} to {rule.highest}"
        case FieldType.ENUM:
            text = ", ".join(f"`{value}`" for value in rule.values)
        case FieldType.CAUSE:
            text = "code of the failure catalogue"
    return f"{text} (may be absent)" if rule.optional else text


if __name__ == "__main__":
    sys.stdout.write(render(shipped_catalogue()))
