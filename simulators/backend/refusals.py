"""Every signed refusal of the backend, each at one place (channel reference §2.3; codes: domain reference §4.7)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Refusal:
    """A signed refusal: HTTP status, profile reason, domain code. `detail` is for the log: it never repeats a value."""

    status: int
    reason: str
    code: str
    retryable: bool = False
    retry_after_s: int | None = None
    detail: str = ""

    def body(self) -> bytes:
        """The JSON bytes on the wire."""
        error = {
            "code": self.code,
            "reason": self.reason,
            "retryable": self.retryable,
            "retry_after_s": self.retry_after_s,
        }
        return json.dumps({"error": error}, separators=(",", ":")).encode("ascii")


TIME_SKEW: Final = Refusal(401, "time_skew", "EXPIRED", retryable=True)
REPLAY: Final = Refusal(401, "replay", "REPLAY", retryable=True)
KEY_STATE: Final = Refusal(403, "key_state", "BAD_SIGNATURE")
QUARANTINED: Final = Refusal(403, "quarantined", "UNAVAILABLE")
SITE_MAY_NOT: Final = Refusal(403, "capability", "UNAVAILABLE", detail="site policy")
CARD_OPPOSED: Final = Refusal(403, "capability", "CARD_OPPOSED")
NOT_ELIGIBLE: Final = Refusal(403, "capability", "NOT_ELIGIBLE")
IDENTITY_NEEDED: Final = Refusal(403, "capability", "IDENTITY_NEEDED")
FORK: Final = Refusal(409, "fork", "MISROUTED")
STALE_SEQ: Final = Refusal(409, "stale_seq", "MISROUTED")
GONE: Final = Refusal(410, "gone", "EXPIRED")
CONVERSATION_EXPIRED: Final = Refusal(410, "gone", "CONVERSATION_EXPIRED")
NOT_OUR_CARD: Final = Refusal(422, "schema", "NOT_OUR_CARD")
NO_SUCH_UPDATE: Final = Refusal(422, "schema", "NO_SUCH_UPDATE")
OUT_OF_ORDER: Final = Refusal(422, "schema", "OUT_OF_ORDER")
IDEM_CONFLICT: Final = Refusal(422, "idem_conflict", "BAD_MESSAGE")
INTERNAL: Final = Refusal(500, "internal", "INTERNAL", retryable=True)
BUSY: Final = Refusal(503, "busy", "UNAVAILABLE", retryable=True, retry_after_s=2)


def bad_message(detail: str) -> Refusal:
    """The body is not what the route expects; `detail` names field and cause."""
    return Refusal(422, "schema", "BAD_MESSAGE", detail=detail)


def service_closed(now_s: int, until_s: int) -> Refusal:
    """The service of this card's caisse is closed until a known time."""
    return Refusal(503, "service_closed", "UNAVAILABLE", retryable=True, retry_after_s=max(until_s - now_s, 1))


def known() -> list[Refusal]:
    """Every refusal there is, one of each (status, reason, code)."""
    fixed = [value for value in globals().values() if isinstance(value, Refusal)]
    return [*fixed, bad_message(""), service_closed(0, 1)]
