"""The request body of every route. Answers: `answers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kiosk.sync.documents_bodies import TYPES
from simulators.backend.shapes import (
    MAX_INT,
    Either,
    Items,
    JudgedLater,
    Maybe,
    Named,
    Null,
    OneOf,
    Record,
    Text,
    Truth,
    Whole,
)

ICCSN: Final = Text(r"[0-9]{20,21}")
HEX_32: Final = Text(r"[0-9a-f]{32}")
UPDATE_ID: Final = Text(r"(?:[0-9a-f]{2}){1,20}")
CONVERSATION_ID: Final = Text(r"[A-Za-z0-9.-]{1,60}")
COUNTER: Final = Whole(0, 32_767)
BATCH_SEQ: Final = Whole(1)
MODE: Final = OneOf("SELF", "ASSISTED", "AGENCY")
DOCUMENT_TYPE: Final = OneOf(*TYPES)
DOCUMENT_NAME: Final = OneOf(*TYPES, *(f"{name}/fleet" for name in TYPES))
MAX_EVENTS: Final = 1000
MAX_RESPONSES: Final = 64

EVENT_ID: Final = Text(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
EVENT_AGGREGATE: Final = Text(r"[a-z][a-z0-9_.:-]{0,95}")
EVENT_TYPE: Final = Text(r"[a-z][a-z0-9_.]{0,63}")
EVENT_BODY_NAME: Final = Text(r"[a-z][a-z0-9_]{0,39}")
EVENT: Final = Record(
    {
        "event_id": EVENT_ID,
        "aggregate": EVENT_AGGREGATE,
        "aggregate_seq": Whole(1),
        "type": EVENT_TYPE,
        "schema_version": Whole(1),
        "created_utc_ms": Whole(0),
        "body": Named(
            EVENT_BODY_NAME,
            Either((Text(r"[ -~]{0,64}"), Whole(-MAX_INT), Truth(), Null())),
            32,
        ),
    }
)
"""One event of a batch."""

CARD: Final = Record({"generation": OneOf("vitale2"), "iccsn": ICCSN})
BODIES: Final[Mapping[str, Record]] = {
    "/v1/relay/flags": Record({"card": CARD, "mode": MODE}),
    "/v1/relay/start": Record({"card": CARD, "update_id": UPDATE_ID, "actor": Record({"mode": MODE})}),
    "/v1/relay/step": Record(
        {
            "conversation_id": CONVERSATION_ID,
            "counter": COUNTER,
            "responses": Items(Text(r"(?:[0-9a-f]{2}){2,258}"), MAX_RESPONSES),
            "abort": Maybe(Record({"command_sent": Truth()})),
        }
    ),
    "/v1/identify": Record({"iccsn": ICCSN, "birth_date": Text("[0-9]{8}"), "postcode": Text("[0-9]{5}")}),
    "/v1/code/issue": Record({"iccsn": ICCSN, "proof": HEX_32}),
    "/v1/events": Record(
        {"batch_seq": BATCH_SEQ, "acked_through_seq": Whole(0), "events": Items(JudgedLater(EVENT), MAX_EVENTS)}
    ),
    "/v1/sync/state": Record({"batch_seq": BATCH_SEQ}),
    "/v1/policy/state": Record({"known": Named(DOCUMENT_NAME, Whole(0), len(DOCUMENT_NAME.words))}),
}
"""The body of every signed route. Entries of `events` are judged one by one (`intake`), each with its own result."""

REDEEM: Final = Record({"login": Text(r"[1-8][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{6}"), "code": Text("[0-9]{4}")})
"""Body of the account side's `/account/redeem`: the first 13 characters of a NIR, and a provisional code."""

BASE64: Final = Text(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
RECOVER: Final = Record({"certificate": BASE64, "csr": BASE64})
"""Body of `/.well-known/kiosk/recover`: DER of the last certificate, and of the PKCS#10 request for the next."""
