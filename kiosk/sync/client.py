"""The kiosk's end of the signed channel: sign, send, prove the answer, only then read it.

Whatever is not a proven answer is an unknown outcome: an interactive `call` asks again under the same idempotency key
until its deadline; `call_raw` leaves that to its caller. One instance for each worker thread.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from kiosk.sync import faults, profile
from kiosk.sync.credentials import Credentials
from kiosk.sync.faults import Answer, Refusal, RefusalReason
from kiosk.sync.fields import FieldError
from kiosk.sync.identity import Identity
from kiosk.sync.keys import KeyUnusableError
from kiosk.sync.messages import Reason, Refused, VerifiedResponse
from kiosk.sync.signature import sign_request, verify_response
from kiosk.sync.strict_json import JsonError, decode, encode
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.sync.wire import Exchange, Wire, WireFailure
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import Clock

ATTEMPT_LIMIT_S: Final = 20.0
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0


class Channel:
    """Signed calls of one enrolled kiosk over one connection pool."""

    def __init__(
        self,
        identity: Identity | Credentials,
        time_keeper: TimeKeeper,
        clock: Clock,
        *,
        wire: Exchange | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`identity`: a holder is asked before each call, and other keys in it get a new pool.

        `wire`: the pool to use, a fresh one by default; `pause(seconds)` waits between two attempts.
        Raises OSError or ssl.SSLError if the TLS files are unusable.
        """
        self._credentials = Credentials.of(identity)
        self._time = time_keeper
        self._clock = clock
        self._pause = pause
        self._given = wire
        self._wired = self._credentials.current
        self._wire = wire or Wire(self._wired.tls(), clock.monotonic_s)

    def call(
        self,
        route: str,
        body: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        deadline_s: float = 15.0,
    ) -> Answer:
        """POST a JSON object to a route of the profile and wait for a known outcome, at most `deadline_s` seconds.

        Returns the answer's object, a signed refusal, or a fault. After a fault the outcome is unknown.
        """
        raw = encode(body)
        key = idempotency_key or secrets.token_hex(16)
        end_s = self._clock.monotonic_s() + deadline_s
        pause_s = FIRST_PAUSE_S
        while True:
            answer = self.call_raw(route, raw, key, deadline_s=end_s - self._clock.monotonic_s())
            if not isinstance(answer, Fault) or answer.cause not in _UNKNOWN_OUTCOME:
                return answer
            if self._clock.monotonic_s() + pause_s >= end_s:
                return answer
            self._pause(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def call_raw(self, route: str, body: bytes, idempotency_key: str, *, deadline_s: float = ATTEMPT_LIMIT_S) -> Answer:
        """Send these very bytes once; twice only if the backend refuses our time or nonce, which had no effect."""
        answer = self._attempt(route, body, idempotency_key, deadline_s)
        if isinstance(answer, Refusal) and answer.reason in (RefusalReason.TIME_SKEW, RefusalReason.REPLAY):
            answer = self._attempt(route, body, idempotency_key, deadline_s)
            if isinstance(answer, Refusal) and answer.reason is RefusalReason.TIME_SKEW:
                return faults.clock_wrong("refused again after taking over the backend's time")
        return answer

    def close(self) -> None:
        """Close the pool."""
        self._wire.close()

    def _attempt(self, route: str, body: bytes, idempotency_key: str, deadline_s: float) -> Answer:
        identity = self._credentials.current
        if self._time.trusted and self._time.now_s() > identity.certificate_until_s:
            return faults.not_enrolled("the TLS certificate has expired")
        sent_s = self._clock.monotonic_s()
        try:
            request = sign_request(
                identity.signing_key,
                origin=identity.trust.origin,
                path=route,
                body=body,
                idempotency_key=idempotency_key,
                created_s=self._time.now_s(),
            )
        except KeyUnusableError as error:
            return faults.not_enrolled(str(error))
        answer = self._wire_for(identity).exchange(
            "POST",
            request.target_uri,
            request.headers,
            body,
            deadline_s=max(deadline_s, 0.1),
            max_body_bytes=profile.MAX_RESPONSE_BODY_BYTES,
        )
        if isinstance(answer, WireFailure):
            return (faults.clock_wrong if answer.by_the_clock else faults.network)(answer.reason)
        proven = verify_response(
            request,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            server_keys=identity.trust.server_keys,
            floor_s=self._time.floor_s,
        )
        if isinstance(proven, Refused):
            return _unproven(answer.status, proven)
        self._time.learn(proven.created_s, sent_s)
        read = _read(proven)
        refused = isinstance(read, Refusal) and read.reason is RefusalReason.KEY_STATE
        self._credentials.told(identity, accepted=not refused)
        return read

    def _wire_for(self, identity: Identity) -> Exchange:
        if self._given is None and identity is not self._wired:
            self._wire.close()
            self._wire, self._wired = Wire(identity.tls(), self._clock.monotonic_s), identity
        return self._wire


_UNKNOWN_OUTCOME: Final = (Cause.NETWORK, Cause.UNSIGNED_ANSWER)


def _unproven(status: int, refused: Refused) -> Fault:
    if refused.reason is Reason.STALE:  # found last: signed by our backend and for this very request
        return faults.clock_wrong("the backend's time is before one that it has signed earlier")
    if refused.reason is Reason.FIELD_MISSING and status == 401:
        return faults.unsigned_answer("unsigned 401: the backend does not know this key, or it is not our backend")
    return faults.unsigned_answer(f"status {status}: {refused.reason.value} {refused.field}".rstrip())


def _read(proven: VerifiedResponse) -> Answer:
    body = decode(proven.body, profile.MAX_RESPONSE_BODY_BYTES)
    if isinstance(body, JsonError):
        return faults.bad_answer(f"body: {body}")
    if proven.status == 200:
        return body
    refusal = faults.read_refusal(proven.status, body)
    return faults.bad_answer(str(refusal)) if isinstance(refusal, FieldError) else refusal
