"""What the backend's answers look like, in the words of `shapes`: for the API document and for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kiosk.visit.policy import INELIGIBLE_REASONS
from kiosk.visit.values import PreviewEffect
from simulators.backend import refusals
from simulators.backend.bodies import (
    BASE64,
    BATCH_SEQ,
    CONVERSATION_ID,
    COUNTER,
    DOCUMENT_NAME,
    DOCUMENT_TYPE,
    EVENT_ID,
    HEX_32,
    UPDATE_ID,
)
from simulators.backend.http import REFUSAL_STATUSES
from simulators.backend.shapes import Check, Either, Items, Maybe, Named, Null, OneOf, Record, Text, Truth, Whole

SECONDS: Final = Whole(0, 9_999_999_999)
WORDS: Final = Text(r"[^\x00-\x1f\x7f]{1,200}")
RECEIPT: Final = Maybe(Text(r"[A-Za-z0-9+/=]{1,65}"))
KEYID: Final = Text(r"[a-z0-9][a-z0-9-]{0,47}/[1-9][0-9]{0,5}")

_PREVIEW: Final = Record(
    {
        "field": WORDS,
        "before": WORDS,
        "after": WORDS,
        "effect": OneOf(*(str(effect) for effect in PreviewEffect)),
        "sensitive": Truth(),
    }
)
_UPDATE: Final = Record(
    {
        "update_id": UPDATE_ID,
        "service": Text(r"[A-Z0-9]{1,16}"),
        "provider": Text(r"[0-9]{9}"),
        "priority": OneOf("MANDATORY", "OPTIONAL"),
        "description": WORDS,
        "preview": Items(_PREVIEW, 100),
    }
)
_COMMAND: Final = Record(
    {"apdu": Text(r"(?:[0-9a-f]{2}){4,261}"), "expected_sw": Items(Text(r"[0-9a-f]{4}"), 16)},
)
PACKAGE: Final = Record(
    {
        "package": Record(
            {
                "conversation_id": CONVERSATION_ID,
                "counter": COUNTER,
                "not_after_s": SECONDS,
                "max_wait_ms": COUNTER,
                "last_if_ok": Truth(),
                "items": Items(_COMMAND, 64),
            }
        )
    }
)
CLOSE: Final = Record(
    {
        "close": Record(
            {
                "outcome": OneOf("updated", "impossible", "aborted"),
                "detail": Whole(1, 6),
                "code": Maybe(OneOf("CARD_AUTH_FAILED", "CARD_DEFECTIVE", "READ_FAILED", "BAD_MESSAGE")),
                "receipt": RECEIPT,
            }
        )
    }
)
ENVELOPE: Final = Record(
    {
        "payloadType": OneOf("application/vnd.kiosk.document+json"),
        "payload": BASE64,
        "signatures": Items(Record({"keyid": KEYID, "sig": BASE64}), 3),
    }
)

ANSWERS: Final[Mapping[str, Check]] = {
    "/v1/relay/flags": Record(
        {
            "opposition": Truth(),
            "replace": Truth(),
            "eligibility": Record({"eligible": Truth(), "reason": Maybe(OneOf(*INELIGIBLE_REASONS))}),
            "outage_until_s": Maybe(SECONDS),
            "serial": Maybe(Text(r"[0-9]{21}")),
            "receipt": RECEIPT,
            "updates": Items(_UPDATE, 16),
        }
    ),
    "/v1/relay/start": PACKAGE,
    "/v1/relay/step": Either((PACKAGE, CLOSE)),
    "/v1/identify": Record({"accepted": Truth(), "tries_left": Whole(0, 3), "proof": Maybe(HEX_32)}),
    "/v1/code/issue": Record({"code": Text(r"[0-9]{4}"), "expires_at_s": SECONDS, "valid_s": Whole(1, 86_400)}),
    "/v1/events": Record(
        {
            "results": Items(
                Record(
                    {
                        "event_id": Either((EVENT_ID, OneOf(""))),  # empty: the event had no well-formed one
                        "status": OneOf("applied", "already", "order", "invalid", "unsupported"),
                    }
                ),
                1000,
            ),
            "last_seq": BATCH_SEQ,
        }
    ),
    "/v1/sync/state": Record({"applied": Truth(), "last_seq": Whole(0)}),
    "/v1/policy/state": Record(
        {
            "documents": Items(ENVELOPE, len(DOCUMENT_NAME.words)),
            "latest": Named(DOCUMENT_NAME, Whole(1), len(DOCUMENT_NAME.words)),
        }
    ),
}
"""The 200 of every signed route."""

_PUBLIC_KEY: Final = Record({"keyid": KEYID, "alg": OneOf("ecdsa-p256-sha256", "ed25519"), "spki": BASE64})
_ROLE: Final = Record({"threshold": Whole(1, 3), "keys": Items(_PUBLIC_KEY, 3)})
TRUST: Final = Record(
    {
        "origin": Text(r"https://[a-z0-9.-]+:[0-9]{1,5}"),
        "server_keys": Items(_PUBLIC_KEY, 8),
        "policy_keys": Record(dict.fromkeys(DOCUMENT_TYPE.words, _ROLE)),
    }
)
REDEEMED: Final = Record({"accepted": Truth()})


def signed_refusals() -> Mapping[int, Check]:
    """Status → what a signed refusal of it says: one of the (reason, code) pairs of `refusals`."""
    found: dict[int, list[Record]] = {}
    for refusal in refusals.known():
        error: dict[str, Any] = {
            "code": OneOf(refusal.code),
            "reason": OneOf(refusal.reason),
            "retryable": Truth(),
            "retry_after_s": Null() if refusal.retry_after_s is None else Whole(1),
        }
        found.setdefault(refusal.status, []).append(Record({"error": Record(error)}))
    return {status: Either(tuple(records)) for status, records in sorted(found.items())}


def unsigned_refusal(status: int) -> Check:
    """The fixed refusal; `status` is one of `REFUSAL_STATUSES`."""
    if status not in REFUSAL_STATUSES:
        raise ValueError(f"status: no fixed refusal {status}")
    return Record({"status": Whole(status, status)})
