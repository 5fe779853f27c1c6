"""The readiness report, as data: one check a part. Unknown is a state of its own, never green."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kiosk.visit.failures import CATALOGUE, Fault


class CheckState(StrEnum):
    """What a look at a part has shown."""

    OK = "ok"
    FAULT = "fault"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One part. `facts`: numbers and names for the technician, never personal data."""

    part: str
    state: CheckState
    fault: Fault | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The check as a JSON object; a fault brings its code, its meaning and what to do."""
        row: dict[str, Any] = {"part": self.part, "state": self.state.value, **self.facts}
        if self.fault is not None:
            entry = CATALOGUE[self.fault.cause]
            row |= {
                "code": self.fault.cause.value,
                "cause": entry.technician,
                "next_action": entry.next_action,
                "detail": self.fault.detail,
            }
        return row


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one look."""

    version: str
    checks: tuple[Check, ...]

    @property
    def well(self) -> bool:
        """Whether every part is known to be well."""
        return all(check.state is CheckState.OK for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """The whole report."""
        return {"version": self.version, "well": self.well, "checks": [check.as_json() for check in self.checks]}

    def as_text(self) -> str:
        """One line a part."""
        lines = [f"kiosk {self.version}"]
        for check in self.checks:
            row = check.as_json()
            rest = ", ".join(f"{key}: {value}" for key, value in row.items() if key not in ("part", "state"))
            lines.append(f"{check.state.value:8} {check.part}" + (f" ({rest})" if rest else ""))
        return "\n".join(lines)
