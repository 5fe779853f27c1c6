"""Which reader plays which role: by identity from the settings, never by list order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kiosk.visit.ports import ReaderRole

_NUMBERED = re.compile(r"(?P<model>.*\S)\s+[0-9A-F]{2}\s+(?P<slot>[0-9A-F]{2})", re.IGNORECASE | re.DOTALL)
MAX_NAME = 128  # MAX_READERNAME of pcsc-lite


@dataclass(frozen=True, slots=True)
class ReaderIdentity:
    """What stays of a PC/SC reader name `Model [interface] (serial) NN MM` when it is plugged in elsewhere.

    `slot` is MM, or None when a binding names no slot; NN only counts readers in order of arrival and is dropped.
    """

    model: str
    slot: int | None

    def covers(self, other: ReaderIdentity) -> bool:
        """Whether a reader of that identity may play the role bound to this one."""
        return self.model == other.model and (self.slot is None or self.slot == other.slot)


@dataclass(frozen=True, slots=True)
class BindingError:
    """A role that cannot be bound: the setting's field and the reason, for the technician."""

    role: ReaderRole
    reason: str

    def __str__(self) -> str:
        """`patient: reason`."""
        return f"{self.role}: {self.reason}"


def reader_identity(name: str) -> ReaderIdentity:
    """Identity of a reader name, or of a binding written like one."""
    if (match := _NUMBERED.fullmatch(name.strip())) is None:
        return ReaderIdentity(name.strip(), None)
    return ReaderIdentity(match["model"], int(match["slot"], 16))


def parse_bindings(texts: Mapping[ReaderRole, str]) -> Mapping[ReaderRole, ReaderIdentity] | BindingError:
    """Check the settings' reader names, role by role: present, of usable length, and no reader bound twice."""
    bound: dict[ReaderRole, ReaderIdentity] = {}
    for role, text in texts.items():
        if not text.strip():
            return BindingError(role, "the reader's name is empty")
        if len(text) > MAX_NAME:
            return BindingError(role, f"the reader's name is longer than {MAX_NAME} characters")
        identity = reader_identity(text)
        for other_role, other in bound.items():
            if identity.covers(other) or other.covers(identity):
                return BindingError(role, f"bound to the same reader as {other_role}: {text.strip()}")
        bound[role] = identity
    return bound


def find_reader(identity: ReaderIdentity, readers: Sequence[str]) -> str | None:
    """The first reader present that this binding covers."""
    return next((name for name in readers if identity.covers(reader_identity(name))), None)
