"""Planned faults of a simulated card, as data: "at the n-th APDU", or "at the n-th APDU with this INS".

Counts start at 1 and go on over re-insertions of the same card object; each fault happens once, `mute` and `warm_atr`
always. Every draw of chance (jitter, how long a flaky contact is away) comes from the plan's seed and is made when an
APDU is counted: the same plan and the same APDUs give the same faults, whatever reader the card is in.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class FaultKind(StrEnum):
    """What goes wrong: see `MEANING`."""

    REMOVED_BEFORE = "removed_before"
    REMOVED_AFTER = "removed_after"
    REMOVED_IN_WRITE = "removed_in_write"
    TORN_WRITE = "torn_write"
    WRONG_SW = "wrong_sw"
    TRUNCATED = "truncated"
    HANG = "hang"
    DELAY = "delay"
    MUTE = "mute"
    WARM_ATR = "warm_atr"
    FLAKY = "flaky"
    SWAPPED = "swapped"
    UNPLUGGED = "unplugged"
    SERVICE_KILLED = "service_killed"
    RESET_BY_OTHER = "reset_by_other"


MEANING: Final[Mapping[FaultKind, str]] = MappingProxyType(
    {
        FaultKind.REMOVED_BEFORE: "the card is gone before the APDU reaches it",
        FaultKind.REMOVED_AFTER: "the APDU is executed, the answer never leaves",
        FaultKind.REMOVED_IN_WRITE: "gone after `byte` bytes of the n-th write command",
        FaultKind.TORN_WRITE: "gone after `byte` bytes of the n-th write of an EEPROM page",
        FaultKind.WRONG_SW: "this status word instead of executing",
        FaultKind.TRUNCATED: "executed; only the first `keep_bytes` of the answer leave",
        FaultKind.HANG: "no answer until the power goes",
        FaultKind.DELAY: "executed and answered late, `times` APDUs in a row",
        FaultKind.MUTE: "no ATR at any power-up: also a card put in upside down",
        FaultKind.WARM_ATR: "another ATR after a warm reset",
        FaultKind.FLAKY: "vanishes `times` times within `for_ms`, and is back by itself",
        FaultKind.SWAPPED: "another card is in the slot before the reader looks",
        FaultKind.UNPLUGGED: "while it has the answer; plugged in again after `for_ms`",
        FaultKind.SERVICE_KILLED: "while it has the answer; started again after `for_ms`",
        FaultKind.RESET_BY_OTHER: "another program resets the card after this APDU",
    }
)

READER_KINDS: Final = frozenset({FaultKind.UNPLUGGED, FaultKind.SERVICE_KILLED, FaultKind.RESET_BY_OTHER})
"""What happens to the reader, not to the card. It happens during an APDU all the same: the card counts those."""

HANDED_KINDS: Final = READER_KINDS | {FaultKind.FLAKY, FaultKind.SWAPPED}
"""What somebody at the reader has to do, or to bring to its end."""


class Rest(StrEnum):
    """What a torn page holds behind its last programmed byte."""

    ERASED = "erased"  # a chip erases the whole page first: all FF
    OLD = "old"


class CardGoneError(Exception):
    """The card left the reader during an exchange. A transport turns this into "card removed"."""


class PowerCutError(CardGoneError):
    """Its power went during an exchange, by a hand from outside: whoever cut it knows what became of the card."""


class CardHangsError(Exception):
    """The card does not answer. A transport stays silent until the card is removed or its power goes."""


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One fault. `at`: which APDU (write, page write) from 1; `ins`: count only APDUs with this INS.

    The other fields belong to the kinds that name them; `persona`: the card a `swapped` one is replaced by.
    """

    kind: FaultKind
    at: int = 1
    ins: int | None = None
    sw: int = 0x6F00
    delay_ms: int = 0
    jitter_ms: int = 0
    times: int = 1
    byte: int = 0
    rest: Rest = Rest.ERASED
    keep_bytes: int = 1
    atr: bytes = b""
    for_ms: int = 0
    persona: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """A fault whose moment is now. `seconds`: of the delay, or until what was taken away is back."""

    fault: PlannedFault
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Tear:
    """How an EEPROM page write ends: so many of its bytes are programmed, and behind them the rest."""

    programmed_bytes: int
    rest: Rest


Act = Callable[[Due], None]
"""Called in the card's thread, in the middle of an APDU, for each of `HANDED_KINDS`."""


def nobody(due: Due) -> None:
    """`Act` without a hand at the reader: a card that vanished stays away."""
    del due


@dataclass(slots=True)
class _Contact:
    """A flaky contact: what is left of it, and at which APDU since the last vanishing the next one comes."""

    left: int
    next_at: int
    since: int = 0


@dataclass(slots=True)
class FaultPlan:
    """Counts what happens to the card and says which faults are due."""

    faults: tuple[PlannedFault, ...]
    _chance: random.Random
    _contacts: dict[int, _Contact]
    _times_due: list[int] = field(default_factory=list)
    _apdus: int = 0
    _writes: int = 0
    _pages: int = 0
    _by_ins: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, faults: Iterable[PlannedFault], seed: int = 0) -> FaultPlan:
        """A plan at its beginning."""
        planned = tuple(faults)
        contacts = {
            index: _Contact(fault.times, fault.at)
            for index, fault in enumerate(planned)
            if fault.kind is FaultKind.FLAKY
        }
        return cls(planned, random.Random(seed), contacts, [0] * len(planned))  # noqa: S311  # repeatable on purpose

    @property
    def times_due(self) -> tuple[int, ...]:
        """How often each fault's moment has come, in the order of the plan."""
        return tuple(self._times_due)

    @property
    def mute(self) -> bool:
        """No ATR."""
        return any(fault.kind is FaultKind.MUTE for fault in self.faults)

    @property
    def warm_atr(self) -> bytes:
        """The ATR after a warm reset; b"" if it is that after a cold one."""
        return next((fault.atr for fault in self.faults if fault.kind is FaultKind.WARM_ATR), b"")

    def at_apdu(self, apdu: bytes) -> tuple[Due, ...]:
        """Count one APDU; the faults due at it, in the order of the plan."""
        self._apdus += 1
        ins = apdu[1] if len(apdu) > 1 else -1
        self._by_ins[ins] = self._by_ins.get(ins, 0) + 1
        found = []
        for index, fault in enumerate(self.faults):
            if self._is_due(index, fault, ins):
                self._times_due[index] += 1
                found.append(Due(fault, self._seconds(fault)))
        return tuple(found)

    def at_power_up(self, cold: bool) -> None:
        """Count a reset: what the ATR is then, `mute` and `warm_atr` say."""
        for index, fault in enumerate(self.faults):
            if fault.kind is FaultKind.MUTE or (fault.kind is FaultKind.WARM_ATR and not cold):
                self._times_due[index] += 1

    def at_page(self, done_bytes: int, length_bytes: int) -> Tear | None:
        """Count one page write of a command that has written `done_bytes` before; how it ends, if not well."""
        self._pages += 1
        self._writes += done_bytes == 0
        for index, fault in enumerate(self.faults):
            tear = self._tear(fault, done_bytes, length_bytes)
            if tear is not None:
                self._times_due[index] += 1
                return tear
        return None

    def _tear(self, fault: PlannedFault, done_bytes: int, length_bytes: int) -> Tear | None:
        if fault.kind is FaultKind.TORN_WRITE and fault.at == self._pages:
            return Tear(min(fault.byte, length_bytes), fault.rest)
        here = done_bytes <= fault.byte < done_bytes + length_bytes
        if fault.kind is FaultKind.REMOVED_IN_WRITE and fault.at == self._writes and here:
            return Tear(fault.byte - done_bytes, fault.rest)
        return None

    def _is_due(self, index: int, fault: PlannedFault, ins: int) -> bool:
        if fault.kind in _NOT_AT_AN_APDU:
            return False
        if index in self._contacts:
            return self._breaks(self._contacts[index], fault)
        count = self._apdus if fault.ins is None else self._by_ins[ins] if fault.ins == ins else 0
        return fault.at <= count < fault.at + fault.times

    def _breaks(self, contact: _Contact, fault: PlannedFault) -> bool:
        contact.since += 1
        if not contact.left or contact.since != contact.next_at:
            return False
        contact.left -= 1
        contact.since, contact.next_at = 0, self._chance.randint(1, fault.at)
        return True

    def _seconds(self, fault: PlannedFault) -> float:
        match fault.kind:
            case FaultKind.DELAY:
                return (fault.delay_ms + self._chance.uniform(0, fault.jitter_ms)) / 1000
            case FaultKind.FLAKY:
                return fault.for_ms / fault.times * self._chance.uniform(0.25, 0.75) / 1000
            case _:
                return fault.for_ms / 1000


_NOT_AT_AN_APDU: Final = frozenset(
    {FaultKind.MUTE, FaultKind.WARM_ATR, FaultKind.TORN_WRITE, FaultKind.REMOVED_IN_WRITE}
)
