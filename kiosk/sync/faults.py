"""Every cause the channel and the update can raise, each at its one place, and signed refusals as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from kiosk.sync.fields import FieldError, Fields, read
from kiosk.visit.failures import Cause, Fault, service_closed

_NOT_OUR_CARD = "NOT_OUR_CARD"


class RefusalReason(StrEnum):
    """The closed list of signed refusals."""

    TIME_SKEW = "time_skew"
    REPLAY = "replay"
    KEY_STATE = "key_state"
    QUARANTINED = "quarantined"
    CAPABILITY = "capability"
    FORK = "fork"
    STALE_SEQ = "stale_seq"
    GONE = "gone"
    TOO_LARGE = "too_large"
    SCHEMA = "schema"
    IDEM_CONFLICT = "idem_conflict"
    INTERNAL = "internal"
    BUSY = "busy"
    SERVICE_CLOSED = "service_closed"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal the backend has signed: its effect is known (nothing was done). `retry_after_s` is 0 when not given."""

    status: int
    reason: RefusalReason
    code: str
    retryable: bool = False
    retry_after_s: int = 0


Answer = dict[str, Any] | Refusal | Fault
"""Of a signed call: the object that came back, a signed refusal, or an unknown outcome."""


class Call(Protocol):
    """One signed call, as `Channel.call` makes it."""

    def __call__(
        self,
        route: str,
        body: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        deadline_s: float = 15.0,
    ) -> Answer:
        """POST `body` to `route`; the outcome is known, or unknown once `deadline_s` has passed."""
        ...


def read_refusal(status: int, body: Mapping[str, Any]) -> Refusal | FieldError:
    """The `{"error": …}` of a signed 4xx or 5xx."""

    def build(fields: Fields) -> Refusal:
        error = fields.object("error")
        return Refusal(
            status=status,
            reason=error.one_of("reason", RefusalReason),
            code=error.text("code", max_chars=40),
            retryable=error.flag("retryable"),
            retry_after_s=error.optional("retry_after_s", lambda name: error.whole(name, 0, 86_400 * 31)) or 0,
        )

    return read(body, build)


def from_refusal(refusal: Refusal) -> Fault:
    """What a signed refusal means to somebody who waits for the answer."""
    detail = f"{refusal.reason.value} {refusal.code}"
    if refusal.code == _NOT_OUR_CARD:
        return card_unknown(detail)
    match refusal.reason:
        case RefusalReason.SERVICE_CLOSED:
            return service_closed(detail)
        case RefusalReason.TIME_SKEW:
            return clock_wrong(detail)
        case RefusalReason.BUSY:
            return network(detail)
        case RefusalReason.GONE:
            return conversation_expired(detail)
        case (
            RefusalReason.KEY_STATE
            | RefusalReason.QUARANTINED
            | RefusalReason.CAPABILITY
            | RefusalReason.FORK
            | RefusalReason.STALE_SEQ
        ):
            return kiosk_refused(detail)
        case (
            RefusalReason.REPLAY
            | RefusalReason.TOO_LARGE
            | RefusalReason.SCHEMA
            | RefusalReason.IDEM_CONFLICT
            | RefusalReason.INTERNAL
        ):
            return bad_answer(detail)


def card_unknown(detail: str) -> Fault:
    """The centre has no record of this card."""
    return Fault(Cause.CARD_UNKNOWN, detail)


def network(detail: str) -> Fault:
    """No usable answer: connection, TLS, time-out, or a centre too busy."""
    return Fault(Cause.NETWORK, detail)


def unsigned_answer(detail: str) -> Fault:
    """An answer that is not signed as it must be."""
    return Fault(Cause.UNSIGNED_ANSWER, detail)


def kiosk_refused(detail: str) -> Fault:
    """The backend knows this kiosk and refuses it."""
    return Fault(Cause.KIOSK_REFUSED, detail)


def bad_answer(detail: str) -> Fault:
    """Signed, but not what the protocol says; `detail` names the field."""
    return Fault(Cause.BAD_ANSWER, detail)


def clock_wrong(detail: str) -> Fault:
    """Our time is refused even when taken over from the backend, its own is before our floor, or TLS says so."""
    return Fault(Cause.CLOCK_WRONG, detail)


def not_enrolled(detail: str) -> Fault:
    """No key, no certificate, or one that is no longer valid."""
    return Fault(Cause.NOT_ENROLLED, detail)


def apdu_refused(detail: str) -> Fault:
    """A command outside the allow-list; `detail` names the step, never its bytes."""
    return Fault(Cause.APDU_REFUSED, detail)


def package_refused(detail: str) -> Fault:
    """A package that is late, out of order, malformed or of another conversation."""
    return Fault(Cause.PACKAGE_REFUSED, detail)


def conversation_expired(detail: str) -> Fault:
    """The centre no longer knows this conversation."""
    return Fault(Cause.CONVERSATION_EXPIRED, detail)


def unexpected_status(detail: str) -> Fault:
    """The card answered a status word that the package did not list."""
    return Fault(Cause.UNEXPECTED_STATUS, detail)


def update_impossible(detail: str) -> Fault:
    """The centre closed the update without doing it."""
    return Fault(Cause.UPDATE_IMPOSSIBLE, detail)


def code_refused(detail: str) -> Fault:
    """The centre refuses to issue a provisional code."""
    return Fault(Cause.CODE_REFUSED, detail)
