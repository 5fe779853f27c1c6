"""The chore of renewing the kiosk's keys: asks in time, proves the new ones, and only then lets go of the old."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kiosk.diagnostics.report import Check, CheckState
from kiosk.facts import Facts
from kiosk.state import DATABASE_KEY
from kiosk.sync.client import Channel
from kiosk.sync.credentials import Credentials
from kiosk.sync.faults import Answer, Refusal, RefusalReason
from kiosk.sync.identity import Identities, Identity
from kiosk.sync.keys_store import sealed_key_file
from kiosk.sync.profile import generation_of
from kiosk.sync.renewal import Renewal, RenewalError, due_s, overdue_s
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import Clock

PART: Final = "keys"
PROBE_ROUTE: Final = "/v1/policy/state"
"""Closed to no kiosk that is let in at all, and without an effect."""
PROBE_S: Final = 10.0
LOOK_S: Final = 3600.0
"""The wall clock may be put right meanwhile."""
RETRY_FIRST_S: Final = 30.0
RETRY_LONGEST_S: Final = 3600.0


class Renewing:
    """One call a step, two where new keys are refused. `switched` is told once other keys are in force."""

    def __init__(
        self,
        renewal: Renewal,
        credentials: Credentials,
        facts: Facts,
        *,
        open_channel: Callable[[Identity], Channel],
        time: TimeKeeper,
        clock: Clock,
        switched: Callable[[], None],
    ) -> None:
        """`open_channel`: for a few calls under keys that are not, or not yet, the ones in force."""
        self._renewal, self._credentials, self._facts = renewal, credentials, facts
        self._open_channel, self._time, self._clock, self._switched = open_channel, time, clock, switched
        self._rng = secrets.SystemRandom()
        self._next_s = clock.monotonic_s()
        self._failures = 0
        self._reason = ""
        self._refusal_told = False
        self._tidied = False

    def step(self) -> float:
        """See `Chore.step`."""
        self._look_at_refusal()
        wait_s = self._next_s - self._clock.monotonic_s()
        if wait_s > 0:
            return wait_s
        delay_s = self._do_what_is_due()
        self._next_s = self._clock.monotonic_s() + delay_s
        return delay_s

    def check(self) -> Check:
        """For the diagnostics. Safe from any thread."""
        held = self._renewal.held
        return keys_check(held, held.current.directory.parent, self._time.now_s(), self._reason)

    def _look_at_refusal(self) -> None:
        refused = self._credentials.refused and self._renewal.following is None
        if refused and not self._refusal_told:
            self._facts.commit("revoked", {})
        self._refusal_told = refused

    def _do_what_is_due(self) -> float:
        if not self._tidied:
            self._tidied = self._renewal.tidy() is None
        now_s = self._time.now_s()
        following = self._renewal.following
        if following is not None and now_s <= following.certificate_until_s:
            return self._after(self._prove(following))
        if following is None and now_s < due_s(self._renewal.current):
            return min(float(due_s(self._renewal.current) - now_s), LOOK_S)
        return self._after(self._renewal.request(now_s))

    def _prove(self, following: Identity) -> RenewalError | None:
        answer = self._ask(following)
        if isinstance(answer, dict):
            return self._adopt()
        if _refuses_key(answer) and isinstance(self._ask(self._renewal.current), dict):
            return self._renewal.abandon() or RenewalError("refused", "the new keys; the old ones are accepted")
        return RenewalError("network", "no signed answer to the new keys yet")

    def _adopt(self) -> RenewalError | None:
        error = self._renewal.adopt()
        self._tidied = error is None
        current = self._renewal.current
        if self._credentials.current.slot != current.slot:  # the ledger names them, whatever is left to clear away
            self._credentials.replace(current)
            self._facts.commit("renewed", {"generation": generation_of(current.signing_key.keyid)})
            self._switched()
        return error

    def _ask(self, identity: Identity) -> Answer:
        channel = self._open_channel(identity)
        try:
            return channel.call_raw(PROBE_ROUTE, b'{"known":{}}', secrets.token_hex(16), deadline_s=PROBE_S)
        finally:
            channel.close()

    def _after(self, error: RenewalError | None) -> float:
        if error is None:
            self._failures, self._reason = 0, ""
            return 0.0
        reason = error.field.partition(":")[0]
        if reason != self._reason:
            self._facts.commit("renewal_failed", {"reason": reason})
        self._reason = reason
        self._failures += 1
        longest_s = min(RETRY_LONGEST_S, RETRY_FIRST_S * 2.0 ** min(self._failures, 16))
        return self._rng.uniform(longest_s / 2, longest_s)


def keys_check(held: Identities, state_dir: Path, now_s: int, reason: str = "") -> Check:
    """Which keys are in force, where they live, until when, and how their renewal stands.

    `reason`: of its last failure, if known. A fault once the keys in force are near their end.
    """
    current = held.current
    if held.following is not None:
        renewal = "new keys not yet proven"
    elif now_s >= due_s(current):
        renewal = "due"
    else:
        renewal = "not due"
    facts: dict[str, str | int] = {
        "store": held.key_store.kind,
        "sealed_by": held.key_store.sealed_by or "nothing (mode 0600)",
        "database_key": "sealed" if sealed_key_file(state_dir / DATABASE_KEY).exists() else "plain (mode 0600)",
        "generation": generation_of(current.signing_key.keyid),
        "certificate_until_s": current.certificate_until_s,
        "renewal": renewal,
    }
    if reason:
        facts["renewal_failed"] = reason
    return Check(PART, CheckState.FAULT if now_s >= overdue_s(current) else CheckState.OK, facts=facts)


def _refuses_key(answer: Refusal | Fault) -> bool:
    if isinstance(answer, Refusal):
        return answer.reason is RefusalReason.KEY_STATE
    return answer.cause is Cause.UNSIGNED_ANSWER
