"""What this site may do and how long things may take: a frozen value that arrives in a signed document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final

from kiosk.visit.contents import SHIPPED, Contents


class SiteKind(StrEnum):
    """Where the kiosk stands."""

    PHARMACY = "pharmacy"
    LABORATORY = "laboratory"
    HEALTH_ESTABLISHMENT = "health_establishment"
    AGENCY = "agency"


class CodeIssuing(StrEnum):
    """Whether the site hands out provisional codes."""

    OFF = "off"
    STAFF = "staff"
    ON = "on"


class Quarantine(StrEnum):
    """What the operator has switched off on this kiosk, mildest first."""

    NONE = "none"
    NO_CODE = "no_code"
    NO_RELAY = "no_relay"
    REPORT_ONLY = "report_only"
    STOP = "stop"

    @property
    def severity(self) -> int:
        """Its rank: each level switches off what the milder ones do, and more."""
        return list(Quarantine).index(self)


INELIGIBLE_REASONS = ("other_regime", "provisional_nir", "no_bank_details", "no_active_card", "two_ribs")


_KIOSK_NUMBER = re.compile(r"[A-Za-z0-9-]{1,12}", re.ASCII)
_NO_BREAK_SPACES = "\u00a0\u202f"


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits in seconds, capabilities and contacts. Defaults are the shipped values; default deny for codes.

    What a visit goes by: the policy document (`POLICY_FIELDS`) together with the other signed documents in force.
    standing_limit_s: how long a member who has just put a card in waits for the centre; home opens without it then.
    answer_limit_s: how long for any other answer. Levels: 0 card, 1 birth date, 2 post code.
    """

    site_kind: SiteKind = SiteKind.PHARMACY
    kiosk_number: str = "0000"
    issue_code: CodeIssuing = CodeIssuing.OFF
    show_serial: bool = True
    update: bool = True
    quarantine: Quarantine = Quarantine.NONE
    phone: str = "09 72 72 40 60"
    phone_hours: str = "8 h 30 – 17 h 30"
    help_place: str = ""
    idle_s: float = 90.0
    idle_public_s: float = 60.0
    idle_prompt_s: float = 45.0
    reading_slow_s: float = 10.0
    reading_limit_s: float = 30.0
    standing_limit_s: float = 6.0
    answer_limit_s: float = 12.0
    update_step_limit_s: float = 60.0
    interrupted_s: float = 120.0
    mask_s: float = 60.0
    remove_card_s: float = 30.0
    notice_s: float = 8.0
    identify_tries: int = 3
    update_level: int = 0
    serial_level: int = 1
    print_tickets: bool = True
    contents: Contents = SHIPPED


_OF_OTHER_DOCUMENTS: Final = frozenset({"update_level", "serial_level", "print_tickets", "contents"})
POLICY_FIELDS: Final = tuple(f.name for f in fields(Policy) if f.name not in _OF_OTHER_DOCUMENTS)
"""What a policy document may say."""


@dataclass(frozen=True, slots=True)
class PolicyError:
    """Why a policy body was refused: `field` is its name, `reason` a sentence for the technician."""

    field: str
    reason: str


def parse_policy(body: Mapping[str, Any]) -> Policy | PolicyError:
    """Check a policy body (already strict JSON, already signed) field by field; unknown fields are refused.

    Returns the policy, or the first error naming field and cause.
    """
    values: dict[str, Any] = {}
    enums: dict[str, type[StrEnum]] = {"site_kind": SiteKind, "issue_code": CodeIssuing, "quarantine": Quarantine}
    for name, value in body.items():
        if name not in POLICY_FIELDS:
            return PolicyError(name, "unknown field")
        default = getattr(Policy(), name)
        if name in enums:
            if value not in [member.value for member in enums[name]]:
                return PolicyError(name, f"one of {', '.join(enums[name])} expected")
            values[name] = enums[name](value)
        elif isinstance(default, bool):
            if not isinstance(value, bool):
                return PolicyError(name, "true or false expected")
            values[name] = value
        elif isinstance(default, int):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10:
                return PolicyError(name, "a whole number from 1 to 10 expected")
            values[name] = value
        elif isinstance(default, float):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 3600:
                return PolicyError(name, "a number of seconds from 1 to 3600 expected")
            values[name] = float(value)
        else:
            if not isinstance(value, str) or len(value) > 200 or not is_printable(value):
                return PolicyError(name, "a text of at most 200 printable characters expected")
            if name == "kiosk_number" and not _KIOSK_NUMBER.fullmatch(value):
                return PolicyError(name, "1 to 12 letters, digits or hyphens expected")
            if name == "phone" and not is_phone(value):
                return PolicyError(name, "a phone number has 10 digits, or 4")
            values[name] = value
    return Policy(**values)


def is_phone(text: str) -> bool:
    """A French number: 10 digits, or 4, however they are spaced."""
    return sum(character in "0123456789" for character in text) in (4, 10)


def is_printable(text: str) -> bool:
    """Neither control characters nor line ends nor halves of a surrogate pair: it is shown and printed as it is."""
    return all(character.isprintable() or character in _NO_BREAK_SPACES for character in text)
