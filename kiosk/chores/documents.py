"""The chore of asking for newer signed documents; also how the kiosk learns that the service is there, and the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kiosk.facts import Facts
from kiosk.office import service_health
from kiosk.sync import faults
from kiosk.sync.client import Channel
from kiosk.sync.documents import POLICY, DocumentError, PolicyDocument, PolicyKeeper, envelope_type
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.visit import events as ev
from kiosk.visit.ports import Clock, Post

POLL_S: Final = 60.0
RETRY_S: Final = 5.0
POLICY_ROUTE: Final = "/v1/policy/state"


class Documents:
    """Polls, proves, keeps, and posts what has come into force. `applied` is told of each new document."""

    def __init__(
        self,
        channel: Channel,
        keeper: PolicyKeeper,
        facts: Facts,
        *,
        time: TimeKeeper,
        clock: Clock,
        post: Post,
        applied: Callable[[], None],
    ) -> None:
        self._channel, self._keeper, self._facts = channel, keeper, facts
        self._time, self._clock, self._post, self._applied = time, clock, post, applied
        self._version = 0
        self._kept_taken = False
        self._poll_at_s = clock.monotonic_s()

    def hurry(self) -> None:
        """Somebody found the service away: look for its return at the short interval. Safe from any thread."""
        self._poll_at_s = self._clock.monotonic_s() + RETRY_S

    def step(self) -> float:
        """See `Chore.step`."""
        if not self._kept_taken:
            self._take_kept()
        if self._clock.monotonic_s() >= self._poll_at_s:
            self._poll_at_s = self._clock.monotonic_s() + RETRY_S
            if self._poll():
                self._poll_at_s = self._clock.monotonic_s() + POLL_S
        return max(self._poll_at_s - self._clock.monotonic_s(), 0.0)

    def _take_kept(self) -> None:
        kept = self._keeper.in_force().result()
        if isinstance(kept, PolicyDocument):
            self._version = kept.version
            self._post(ev.PolicyChanged(kept.policy))
        self._kept_taken = True

    def _poll(self) -> bool:
        answer = self._channel.call(POLICY_ROUTE, {"known": {POLICY: self._version}}, deadline_s=RETRY_S)
        for event in service_health(answer, self._time):
            self._post(event)
        if not isinstance(answer, dict):
            return False
        documents = answer.get("documents")
        for envelope in documents if isinstance(documents, list) else ():
            if isinstance(envelope, dict) and envelope_type(envelope) == POLICY:
                self._adopt(envelope)
        return True

    def _adopt(self, envelope: dict[str, Any]) -> None:
        adopted = self._keeper.adopt(envelope, self._time.now_s()).result()
        if isinstance(adopted, DocumentError):
            refused = faults.bad_answer(f"policy: {adopted}")
            self._facts.commit("policy_refused", {"cause": refused.cause.value})
        elif adopted.version != self._version:
            self._version = adopted.version
            self._facts.commit("policy_applied", {"version": adopted.version})
            self._post(ev.PolicyChanged(adopted.policy))
            self._applied()
