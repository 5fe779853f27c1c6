"""What tells pages of one sort apart: notices, questions, goals, topics."""

from __future__ import annotations

from enum import StrEnum


class Notice(StrEnum):
    """A line shown for a moment on the attract page."""

    CARD_REMOVED = "card_removed"  # data wiped
    UNCHANGED = "unchanged"  # removed before anything was written
    UNFINISHED = "unfinished"  # gone while unfinished: put it back here or at another kiosk
    UNCERTAIN = "uncertain"  # gone before anybody knew whether the update was complete
    UPDATED = "updated"  # taken out while the centre closed a complete update
    TIME_OVER = "time_over"


class PreviewPart(StrEnum):
    """A loss of rights has its own page, shown first."""

    LOSSES = "losses"
    CHANGES = "changes"


class Question(StrEnum):
    """What an identification page asks."""

    BIRTH_DATE = "birth_date"  # 8 digits DDMMYYYY
    POSTCODE = "postcode"  # 5 digits


class Goal(StrEnum):
    """What the member wants an identification for."""

    SENSITIVE = "sensitive"
    UPDATE = "update"
    SERIAL = "serial"
    CODE = "code"


class Waiting(StrEnum):
    """What a `Wait` page waits for."""

    SAVING = "saving"
    CHECKING = "checking"
    CODE = "code"


class Topic(StrEnum):
    """Situations the help page explains."""

    NO_CARD = "no_card"
    LOST = "lost"
    CARD_FAILS = "card_fails"
    REFUNDS = "refunds"
    SCAMS = "scams"
    CONTACT = "contact"
    WRONG_INFORMATION = "wrong_information"
