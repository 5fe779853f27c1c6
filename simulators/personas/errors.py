"""The one error of persona files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PersonaError:
    """Why a persona is refused: file name, JSON path of the field (`$.card.serial`) and cause, never a value."""

    file: str
    path: str
    cause: str

    def __str__(self) -> str:
        return f"{self.file}: {self.path}: {self.cause}"
