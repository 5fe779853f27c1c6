"""What the core and the channel ask of the world, and in which terms. Adapters implement these; nobody else decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType, Protocol

from kiosk.visit.failures import Fault

CardSession = NewType("CardSession", int)
"""One insertion of one card; never reused in a process. A result that carries an old one is dropped."""

VisitId = NewType("VisitId", int)
"""One member's visit; never reused in a process."""


RunId = NewType("RunId", int)
"""One run of card updates: the token of its `update_started` record; never reused in a process."""


class ReaderRole(StrEnum):
    """Which slot of the kiosk a reader is."""

    PATIENT = "patient"
    PROFESSIONAL = "professional"


@dataclass(frozen=True, slots=True)
class CardStep:
    """One C-APDU (short form, header first) and the status words after which the next may follow."""

    command: bytes = field(repr=False)
    expected_sw: frozenset[int]


@dataclass(frozen=True, slots=True)
class CardAnswers:
    """What a card answered to a list of steps: data + SW1 SW2 each, one for one and in order.

    As many answers as steps, unless the last answer's status word was not expected or, with `fault`, the step behind
    the last answer got none; `fault.command_sent` tells whether that step's command had left.
    """

    responses: tuple[bytes, ...] = field(default=(), repr=False)
    fault: Fault | None = None


class CardLink(Protocol):
    """A connected card, as the relay sees it. Blocks at most until its own deadlines, which limit every command."""

    def execute(self, card_session: CardSession, steps: Sequence[CardStep]) -> CardAnswers:
        """Send the commands unchanged and in order, up to the first one that fails or is not answered as expected.

        The transport completes 61xx and, for a plain case 2, 6Cxx; it drops Le of a case 4 under T=0. It alters nothing
        else, retries nothing and interprets nothing but the final status word.
        """
        ...


class Clock(Protocol):
    """Time, so that tests own it."""

    def monotonic_s(self) -> float:
        """Seconds that never jump; the only basis of limits."""
        ...

    def utc_s(self) -> float:
        """Wall time in seconds since 1970; for display, certificates and messages only."""
        ...


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A black-and-white picture: `rows` has `height` × ceil(width / 8) bytes, most significant bit left, 1 = black."""

    width: int
    height: int
    rows: bytes = field(repr=False)


class PrintState(StrEnum):
    """What became of a ticket. `PRINTED` only when the printer has confirmed it."""

    QUEUED = "queued"
    PRINTED = "printed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class PrinterHealth(StrEnum):
    """The printer, as far as it answers. A silent printer is UNKNOWN, never OK."""

    UNKNOWN = "unknown"
    OK = "ok"
    PAPER_LOW = "paper_low"
    PAPER_OUT = "paper_out"
    COVER_OPEN = "cover_open"
    CUTTER = "cutter"
    HEAD = "head"
    FAULT = "fault"
    OFFLINE = "offline"

    @property
    def usable(self) -> bool:
        """Whether a ticket may be offered."""
        return self in (PrinterHealth.OK, PrinterHealth.PAPER_LOW)


class SigningKey(Protocol):
    """A private signing key, wherever it lives. Hashing and DER → r‖s happen inside."""

    keyid: str
    alg: str

    def public_spki(self) -> bytes:
        """DER SubjectPublicKeyInfo."""
        ...

    def sign(self, message: bytes) -> bytes:
        """64 bytes r‖s over the message (hashed inside)."""
        ...


Post = Callable[[object], None]
"""Puts an event on the runner's queue; safe from any thread."""
