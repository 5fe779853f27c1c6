"""The one catalogue of failures: protocol errors, device causes and member pages.

A `Cause` is raised at exactly one place in `kiosk` (as `Fault(Cause.X, …)`; a test counts them) and leads to
exactly one member page, with four answers: what happened, is my card safe, what to do, whom to call.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Technical causes. The value is the stable code printed small on the page and in the diagnostics."""

    # PC/SC service and reader (hardware)
    SERVICE_LOST = "S-01"
    ACCESS_DENIED = "S-02"
    NO_READER = "L-01"
    READER_LOST = "L-02"
    READER_HUNG = "L-03"
    HELD_BY_OTHER = "L-04"
    PROTOCOL_MISMATCH = "L-05"
    PCSC_UNKNOWN = "L-09"
    # card (hardware, card)
    CARD_MUTE = "C-01"
    CARD_REMOVED = "C-02"
    CARD_RESET = "C-03"
    CARD_SILENT = "C-04"
    CARD_MALFORMED = "C-05"
    CARD_BANK = "C-10"
    CARD_OTHER = "C-11"
    CARD_STAFF = "C-12"
    CARD_VITALE_1 = "C-13"
    CARD_REFUSED = "C-20"  # opposition
    CARD_REPLACE = "C-21"
    # channel and update (sync)
    NETWORK = "N-01"
    UNSIGNED_ANSWER = "N-02"
    KIOSK_REFUSED = "N-03"
    BAD_ANSWER = "N-04"
    SERVICE_CLOSED = "N-05"
    CLOCK_WRONG = "N-06"
    NOT_ENROLLED = "N-07"
    APDU_REFUSED = "M-01"
    PACKAGE_REFUSED = "M-02"
    CONVERSATION_EXPIRED = "M-03"
    UNEXPECTED_STATUS = "M-04"
    UPDATE_IMPOSSIBLE = "M-05"
    # member's answers (visit)
    BIRTH_DATE_WRONG = "I-01"
    POSTCODE_WRONG = "I-02"
    TRIES_EXHAUSTED = "I-03"
    CODE_NOT_HERE = "I-04"
    CODE_REFUSED = "I-05"
    NOT_ELIGIBLE = "I-06"
    # printer (hardware)
    PRINTER_SILENT = "P-01"
    PRINTER_PAPER = "P-02"
    PRINTER_COVER = "P-03"
    PRINTER_FAULT = "P-04"
    TICKET_UNPROVEN = "P-05"
    # kiosk
    STORE_FAILED = "K-01"
    STORE_FULL = "K-02"
    QUARANTINED = "K-03"
    INTERNAL = "K-09"


@dataclass(frozen=True, slots=True)
class Fault:
    """An expected failure, as a value. `detail` is for the technician: never personal data, never card bytes."""

    cause: Cause
    detail: str = ""
    command_sent: bool = True  # card faults: False only if the pending command certainly never left the kiosk
