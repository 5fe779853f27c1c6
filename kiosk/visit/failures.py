"""The one catalogue of failures: protocol errors, device causes, and the member page each leads to.

A `Cause` is raised at exactly one place in `kiosk` (as `Fault(Cause.X, …)`; a test counts them) and leads to
exactly one member page, with four answers: what happened, is my card safe, what to do, whom to call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


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
    READER_UNSEEN = "L-06"
    PCSC_UNKNOWN = "L-09"
    # the card, from hardware and card layer
    CARD_MUTE = "C-01"
    CARD_REMOVED = "C-02"
    CARD_RESET = "C-03"
    CARD_SILENT = "C-04"
    CARD_MALFORMED = "C-05"
    CARD_DAMAGED = "C-06"
    CARD_DIRTY = "C-07"
    CARD_BANK = "C-10"
    CARD_OTHER = "C-11"
    CARD_STAFF = "C-12"
    CARD_VITALE_1 = "C-13"
    CARD_MISPLACED = "C-14"
    CARD_REFUSED = "C-20"  # opposition
    CARD_REPLACE = "C-21"
    CARD_UNKNOWN = "C-22"
    CARD_TORN = "C-23"
    # channel and update, from sync
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
    # technician's badge (visit, badge check)
    PIN_WRONG = "B-01"
    PIN_BLOCKED = "B-02"
    BADGE_UNPROVEN = "B-03"
    BADGE_NO_AUTHORITY = "B-04"
    BADGE_WITHDRAWN = "B-05"
    # printer, from hardware
    PRINTER_SILENT = "P-01"
    PRINTER_PAPER = "P-02"
    PRINTER_COVER = "P-03"
    PRINTER_FAULT = "P-04"
    TICKET_UNPROVEN = "P-05"
    PRINTER_CUTTER = "P-06"
    PRINTER_HEAD = "P-07"
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


class CardSafety(StrEnum):
    """What the kiosk knows about the card, and may therefore say. Decided by the machine, never by a page."""

    UNCHANGED = "unchanged"
    UPDATED = "updated"
    PARTLY = "partly"  # one update of several is done and closed
    UNFINISHED = "unfinished"
    UNKNOWN = "unknown"
    NOT_CONCERNED = "not_concerned"


class MemberPage(StrEnum):
    """The pages a failure can lead to. The value is the stable page id of the interface reference."""

    WRONG_WAY = "lecture.sens"
    MUTE = "lecture.muette"
    REMOVED = "lecture.retiree"
    DAMAGED = "lecture.abimee"
    CUT = "lecture.coupee"
    CONTACT = "lecture.contact"
    UNSUITED = "lecture.impossible"
    UNREADABLE = "lecture.illisible"
    BANK_CARD = "carte.bancaire"
    OTHER_CARD = "carte.autre"
    STAFF_CARD = "carte.professionnelle"
    OTHER_SLOT = "carte.lecteur"
    OLD_CARD = "carte.ancienne"
    REFUSED = "carte.refusee"
    REPLACE = "carte.remplacer"
    NOT_KNOWN = "carte.inconnue"
    CLOSED = "maj.coupure"
    NETWORK = "maj.reseau"
    CLOCK = "maj.horloge"
    UPDATE_FAILED = "maj.echec"
    UPDATE_STOPPED = "maj.interrompue"
    UPDATE_OPEN = "maj.inachevee"
    BIRTH_DATE = "identite.date"
    POSTCODE = "identite.postal"
    TRIES = "identite.essais"
    NO_CODE_HERE = "code.absent"
    CODE_REFUSED = "code.refuse"
    NOT_ELIGIBLE = "compte.impossible"
    BADGE_PIN = "badge.code"
    BADGE_BLOCKED = "badge.bloque"
    BADGE_REFUSED = "badge.inconnu"
    BADGE_GONE = "badge.retire"
    TICKET_FAILED = "ticket.echec"
    TICKET_UNKNOWN = "ticket.inconnu"
    READER = "borne.lecteur"
    SUSPENDED = "borne.suspendue"
    STORAGE = "borne.memoire"
    UNKNOWN = "borne.inconnue"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a cause means, in one sentence, and what the technician does (or that it mends itself)."""

    page: MemberPage
    technician: str
    next_action: str


CATALOGUE: Final[Mapping[Cause, Entry]] = {
    Cause.SERVICE_LOST: Entry(
        MemberPage.READER, "The PC/SC service is absent or died.", "Comes back by itself; else restart pcscd."
    ),
    Cause.ACCESS_DENIED: Entry(
        MemberPage.READER,
        "The PC/SC service refuses this account.",
        "Install the polkit rule; check the socket's rights.",
    ),
    Cause.NO_READER: Entry(
        MemberPage.READER,
        "The service runs, but the reader of this slot is not plugged in or not bound.",
        "Check cable and settings.",
    ),
    Cause.READER_LOST: Entry(
        MemberPage.READER, "The reader vanished while in use.", "Comes back by itself; check cable."
    ),
    Cause.READER_HUNG: Entry(
        MemberPage.READER,
        "A reader call passed its deadline.",
        "Comes back by itself: if the driver keeps the call, pcscd is restarted; else read the log.",
    ),
    Cause.HELD_BY_OTHER: Entry(
        MemberPage.READER, "Another program holds the card exclusively.", "Stop the other program."
    ),
    Cause.PROTOCOL_MISMATCH: Entry(
        MemberPage.UNSUITED, "Reader and card share no protocol.", "Try another card; check the reader model."
    ),
    Cause.READER_UNSEEN: Entry(
        MemberPage.READER,
        "A USB reader is plugged in that PC/SC does not show: it has no driver, or its driver failed.",
        "The detail names device and reason: install its driver or use another model; else replug it.",
    ),
    Cause.PCSC_UNKNOWN: Entry(
        MemberPage.UNKNOWN, "The PC/SC service returned a code without a class.", "Read the code in the diagnostics."
    ),
    Cause.CARD_MUTE: Entry(
        MemberPage.WRONG_WAY,
        "The card gives no ATR: upside down, dirty or dead.",
        "None: a second time within a minute is C-06.",
    ),
    Cause.CARD_DAMAGED: Entry(
        MemberPage.DAMAGED,
        "A card gave no ATR, and again none when it, or another, was put in within a minute.",
        "Try a card known to be good: if it is mute as well, clean or replace the reader.",
    ),
    Cause.CARD_DIRTY: Entry(
        MemberPage.CONTACT,
        "A card was gone and back at once three times within ten seconds: its contacts are dirty, or the reader's.",
        "Wipe the card; if it happens with a card known to be good, clean or replace the reader.",
    ),
    Cause.CARD_REMOVED: Entry(MemberPage.REMOVED, "The card left during a dialogue.", "None."),
    Cause.CARD_RESET: Entry(MemberPage.CUT, "Another program reset the card.", "Reinsert; stop the other program."),
    Cause.CARD_SILENT: Entry(
        MemberPage.MUTE, "The card is present but an exchange failed.", "Reinsert; clean contacts."
    ),
    Cause.CARD_MALFORMED: Entry(
        MemberPage.UNREADABLE, "A file of the card is not what it must be.", "The detail names file and cause."
    ),
    Cause.CARD_BANK: Entry(MemberPage.BANK_CARD, "The ATR is a bank card's.", "None."),
    Cause.CARD_OTHER: Entry(MemberPage.OTHER_CARD, "Neither ATR nor SELECT is a Vitale's.", "None."),
    Cause.CARD_STAFF: Entry(MemberPage.STAFF_CARD, "A professional card in the member's slot.", "None."),
    Cause.CARD_MISPLACED: Entry(
        MemberPage.OTHER_SLOT, "A Vitale, or another card that is no staff card, in the professional slot.", "None."
    ),
    Cause.CARD_VITALE_1: Entry(
        MemberPage.OLD_CARD, "Vitale 1: recognised by ATR, its commands are not public.", "None."
    ),
    Cause.CARD_REFUSED: Entry(
        MemberPage.REFUSED, "The centre lists the card in opposition.", "None: the member calls."
    ),
    Cause.CARD_REPLACE: Entry(MemberPage.REPLACE, "The centre asks for a replacement card.", "None: the member calls."),
    Cause.CARD_UNKNOWN: Entry(
        MemberPage.NOT_KNOWN,
        "The centre has no record of this card (another issuer).",
        "None: the member calls.",
    ),
    Cause.CARD_TORN: Entry(
        MemberPage.UPDATE_OPEN,
        "The card is marked unfinished, but the centre has no update to finish it with.",
        "None: the member calls; the centre must order the update again.",
    ),
    Cause.NETWORK: Entry(
        MemberPage.NETWORK,
        "No connection, TLS refused or time-out: outcome unknown.",
        "Retried; check network and certificate dates.",
    ),
    Cause.UNSIGNED_ANSWER: Entry(
        MemberPage.NETWORK,
        "The answer is not signed as it must be; its body was not read.",
        "Look for a proxy in the way.",
    ),
    Cause.KIOSK_REFUSED: Entry(
        MemberPage.SUSPENDED,
        "The backend refuses this kiosk's key or state.",
        "Look at the reason; enrol again if asked.",
    ),
    Cause.BAD_ANSWER: Entry(
        MemberPage.NETWORK,
        "A signed answer does not follow the protocol.",
        "The detail names the field; compare versions.",
    ),
    Cause.SERVICE_CLOSED: Entry(
        MemberPage.CLOSED, "The centre is closed for this caisse.", "None: it reopens by itself."
    ),
    Cause.CLOCK_WRONG: Entry(
        MemberPage.CLOCK,
        "Clock too far off: TLS cannot work, or no signed time could be learnt.",
        "Set the clock; if it was right, look at the backend's clock and certificate.",
    ),
    Cause.NOT_ENROLLED: Entry(
        MemberPage.SUSPENDED, "The kiosk has no key or no certificate.", "Run `kiosk enrol` with a ticket."
    ),
    Cause.APDU_REFUSED: Entry(
        MemberPage.UPDATE_FAILED,
        "A command of the centre is outside the allow-list.",
        "Report: the package was not run.",
    ),
    Cause.PACKAGE_REFUSED: Entry(
        MemberPage.UPDATE_FAILED,
        "A package is late, out of order or of another conversation.",
        "Retry; report if it lasts.",
    ),
    Cause.CONVERSATION_EXPIRED: Entry(MemberPage.UPDATE_FAILED, "The update conversation expired.", "Start again."),
    Cause.UNEXPECTED_STATUS: Entry(
        MemberPage.UPDATE_STOPPED,
        "The card answered a status word the centre did not expect.",
        "The centre decides; the detail gives the status word.",
    ),
    Cause.UPDATE_IMPOSSIBLE: Entry(
        MemberPage.UPDATE_FAILED, "The centre closed the update as impossible.", "The detail gives the centre's code."
    ),
    Cause.BIRTH_DATE_WRONG: Entry(MemberPage.BIRTH_DATE, "The birth date typed is not the card's.", "None."),
    Cause.POSTCODE_WRONG: Entry(MemberPage.POSTCODE, "The centre does not know this post code for the card.", "None."),
    Cause.TRIES_EXHAUSTED: Entry(
        MemberPage.TRIES, "No identification try left.", "None until tomorrow, or a staff card."
    ),
    Cause.CODE_NOT_HERE: Entry(
        MemberPage.NO_CODE_HERE, "Site policy does not allow codes.", "Change the site policy if it should."
    ),
    Cause.CODE_REFUSED: Entry(
        MemberPage.CODE_REFUSED, "The centre refused to issue a code.", "The detail gives the reason."
    ),
    Cause.NOT_ELIGIBLE: Entry(MemberPage.NOT_ELIGIBLE, "The centre says an account cannot be created yet.", "None."),
    Cause.PIN_WRONG: Entry(
        MemberPage.BADGE_PIN, "The card of a technician refused the PIN.", "Try again while the card has tries left."
    ),
    Cause.PIN_BLOCKED: Entry(
        MemberPage.BADGE_BLOCKED, "The PIN of a technician's card is blocked.", "Have the badge unblocked or replaced."
    ),
    Cause.BADGE_UNPROVEN: Entry(
        MemberPage.BADGE_REFUSED,
        "The badge does not prove that it is a technician's: certificate, dates, role, signature or an answer.",
        "The detail names what failed.",
    ),
    Cause.BADGE_NO_AUTHORITY: Entry(
        MemberPage.BADGE_REFUSED,
        "No usable certificate of the staff authority is configured, so that no badge can be checked.",
        "Set staff.authority_file; the detail names what is wrong with it.",
    ),
    Cause.BADGE_WITHDRAWN: Entry(
        MemberPage.BADGE_GONE, "The badge was taken out, or its reader was lost, during the diagnostics.", "None."
    ),
    Cause.PRINTER_SILENT: Entry(MemberPage.TICKET_FAILED, "The printer does not answer.", "Check power and cable."),
    Cause.PRINTER_PAPER: Entry(MemberPage.TICKET_FAILED, "Paper end.", "Put a new roll."),
    Cause.PRINTER_COVER: Entry(MemberPage.TICKET_FAILED, "Cover open.", "Close the cover."),
    Cause.PRINTER_FAULT: Entry(
        MemberPage.TICKET_FAILED,
        "The printer is offline or reports an error that is not told apart further.",
        "Look for a jam; power-cycle.",
    ),
    Cause.TICKET_UNPROVEN: Entry(
        MemberPage.TICKET_UNKNOWN, "The bytes left, the printer never confirmed.", "Look for the ticket; check cable."
    ),
    Cause.PRINTER_CUTTER: Entry(
        MemberPage.TICKET_FAILED, "The cutter is jammed.", "Open the cover, free the cutter, power-cycle."
    ),
    Cause.PRINTER_HEAD: Entry(
        MemberPage.TICKET_FAILED,
        "The print head is lifted or too hot.",
        "Close the head; a hot one comes back by itself.",
    ),
    Cause.STORE_FAILED: Entry(
        MemberPage.STORAGE,
        "The database could not be opened, or a commit failed.",
        "The detail names the cause; never delete the file.",
    ),
    Cause.STORE_FULL: Entry(
        MemberPage.STORAGE, "The outbox reached its quota.", "Restore the network so that it drains."
    ),
    Cause.QUARANTINED: Entry(
        MemberPage.SUSPENDED, "A signed order switched this kiosk off.", "Lifted by the operator only."
    ),
    Cause.INTERNAL: Entry(MemberPage.UNKNOWN, "A part of the program failed unexpectedly.", "Send the support report."),
}


def internal_fault(detail: str) -> Fault:
    """The one way to say that a part of the program failed in a way nobody planned."""
    return Fault(Cause.INTERNAL, detail)


def service_closed(detail: str = "") -> Fault:
    """The one way to say that the centre is closed for a caisse (announced by standing or by refusal)."""
    return Fault(Cause.SERVICE_CLOSED, detail)


def quarantined(detail: str) -> Fault:
    """The one way to say that a signed order switched something off here."""
    return Fault(Cause.QUARANTINED, detail)
