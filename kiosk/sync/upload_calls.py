"""The two signed calls of an upload, and what their answers say, checked field by field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

from kiosk.sync.batches import MAX_BATCH_EVENTS, Batch, EventStatus
from kiosk.sync.faults import Answer
from kiosk.sync.fields import FieldError, Fields, read

_EVENT_ID: Final = re.compile(r"[0-9a-f-]{36}", re.ASCII)
_MAX_SEQ: Final = 2**53 - 1


class EventChannel(Protocol):
    """What an upload needs of the signed channel. A `Fault` is an unknown outcome."""

    def call(self, route: str, body: Mapping[str, Any], /) -> Answer:
        """One signed call."""
        ...

    def call_raw(self, route: str, body: bytes, idempotency_key: str, /) -> Answer:
        """Send these very bytes under this key, signed afresh."""
        ...


def read_results(answer: Mapping[str, Any], batch: Batch) -> tuple[dict[str, EventStatus], int] | FieldError:
    """Of `/v1/events`: a word on exactly the events of the batch, and the backend's last number."""

    def build(fields: Fields) -> tuple[dict[str, EventStatus], int]:
        results = {
            entry.text("event_id", pattern=_EVENT_ID): entry.one_of("status", EventStatus)
            for entry in fields.objects("results", high=MAX_BATCH_EVENTS)
        }
        if results.keys() != set(batch.event_ids):
            fields.refuse("results", "exactly the events of the batch expected")
        return results, fields.whole("last_seq", 0, _MAX_SEQ)

    return read(answer, build)


def read_state(answer: Mapping[str, Any]) -> tuple[bool, int] | FieldError:
    """Of `/v1/sync/state`: whether the batch asked for has taken effect, and the backend's last number."""
    return read(answer, lambda fields: (fields.flag("applied"), fields.whole("last_seq", 0, _MAX_SEQ)))
