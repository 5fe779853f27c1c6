"""One simulated kiosk: polls, uploads, loses answers, finds the service away, waits for its turn. The bytes are real.

What it does not have is a card, a screen and a disk; what it says on the wire is what a kiosk says. Its rules are the
real ones (`kiosk.sync.uploader`, `kiosk.sync.turn`, `kiosk.chores.documents`), its clock is `simulators.fleet.clock`.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kiosk.chores.documents import POLICY_ROUTE, POLL_S, RETRY_S, retry_in_s
from kiosk.sync import profile
from kiosk.sync.batches import EventStatus
from kiosk.sync.client import ATTEMPT_LIMIT_S
from kiosk.sync.messages import Refused, VerifiedResponse
from kiosk.sync.profile import KeyRecord
from kiosk.sync.signature import sign_request, verify_response
from kiosk.sync.strict_json import JsonError, decode, encode
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import BACKOFF_FIRST_S, EVENTS_ROUTE, backoff_s
from kiosk.sync.wire import WireFailure
from kiosk.visit.ports import SigningKey
from simulators.fleet.clock import RunClock
from simulators.fleet.outbox import FleetOutbox
from simulators.fleet.plan import Life
from simulators.fleet.provision import ENROLLED_WITH
from simulators.fleet.tally import KioskEnd, Tally
from simulators.fleet.wire import Connection

LOST_SHARE: Final = 0.005
"""Answers that never arrive although the request did."""
_LOST: Final = "lost"
_GOOD: Final = (EventStatus.APPLIED.value, EventStatus.ALREADY.value)


@dataclass(frozen=True, slots=True)
class Backend:
    """Where the kiosks call, and whose answers they believe."""

    host: str
    port: int
    server_keys: Mapping[str, KeyRecord]

    @property
    def origin(self) -> str:
        """As it is signed."""
        return f"https://{self.host}:{self.port}"


class Kiosk:
    """A coroutine's worth of kiosk."""

    def __init__(
        self,
        life: Life,
        *,
        key: SigningKey,
        tls: ssl.SSLContext,
        backend: Backend,
        clock: RunClock,
        tally: Tally,
        is_away: Callable[[], bool],
        idle_limit_s: float,
    ) -> None:
        """`is_away()`: whether the run has taken the backend away, so that failing is right.

        idle_limit_s: seconds of the run after which an idle connection is given up.
        """
        self._life, self._key, self._tls, self._backend = life, key, tls, backend
        self._clock, self._tally, self._is_away = clock, tally, is_away
        self._idle_limit_s = idle_limit_s
        self._rng = random.Random(life.kiosk)  # noqa: S311  # jitter, not a secret
        self._outbox = FleetOutbox()
        self._turn = Turn(life.kiosk, clock)
        self._connection: Connection | None = None
        self._used_s = 0.0
        self._known = dict(ENROLLED_WITH)  # it has lived before the run
        self._next_visit = 0
        self._poll_at_s = clock.kiosk_s(life.online_from_s) + life.first_poll_in_s
        self._poll_failures = 0
        self._upload_at_s = clock.kiosk_s(life.online_from_s)
        self._upload_failures = 0

    async def live(self, end_s: float) -> KioskEnd:
        """Until `end_s` of the run."""
        while (left_s := end_s - self._clock.run_s()) > 0:
            self._make_events()
            if self._clock.monotonic_s() >= self._poll_at_s:
                await self._poll()
            elif self._outbox.waiting and self._upload_in_s() == 0:
                await self._upload()
            elif (idle_s := self._idle_left_s()) <= 0:
                self._hang_up()
            else:
                await asyncio.sleep(max(0.001, min(left_s, self._next_run_s() - self._clock.run_s(), idle_s)))
        self._hang_up()
        return self.end()

    def end(self) -> KioskEnd:
        """What it knows of its events."""
        box = self._outbox
        in_flight = () if box.in_flight is None else box.in_flight.event_ids
        return KioskEnd(self._life.kiosk, box.made, box.acked, box.acked_id_sum, box.last_acked_seq, in_flight)

    def _make_events(self) -> None:
        now_s, visits = self._clock.run_s(), self._life.visits
        while self._next_visit < len(visits) and visits[self._next_visit].at_s <= now_s:
            visit = visits[self._next_visit]
            self._outbox.add_visit(visit.events, visit.utc_ms)
            self._tally.waiting += visit.events
            self._next_visit += 1

    def _upload_in_s(self) -> float:
        """Seconds of the kiosk until it may upload; 0 when it may now."""
        if self._turn.take_return():
            self._upload_at_s, self._upload_failures = 0.0, 0
        return max(self._turn.wait_s(), self._upload_at_s - self._clock.monotonic_s(), 0.0)

    def _next_run_s(self) -> float:
        """Second of the run at which there is something to do."""
        due_s = self._poll_at_s
        if self._outbox.waiting:
            due_s = min(due_s, self._clock.monotonic_s() + self._upload_in_s())
        due_s = self._clock.run_at_s(due_s)
        if self._next_visit < len(self._life.visits):
            due_s = min(due_s, self._life.visits[self._next_visit].at_s)
        return due_s

    async def _poll(self) -> None:
        begun_s = self._clock.monotonic_s()
        idem_key = f"{self._rng.getrandbits(128):032x}"
        answer = await self._call(POLICY_ROUTE, encode({"known": self._known}), idem_key, RETRY_S)
        if answer is None or answer.status != 200:
            self._poll_failures += 1
            self._poll_at_s = begun_s + retry_in_s(self._poll_failures, self._rng)
            return
        self._poll_failures = 0
        self._poll_at_s = begun_s + POLL_S
        self._known = dict(_object(answer).get("latest", {}))

    async def _upload(self) -> None:
        batch = self._outbox.batch()
        if batch is None:
            return
        lost = self._rng.random() < LOST_SHARE
        self._tally.resent += self._upload_failures > 0
        answer = await self._call(EVENTS_ROUTE, batch.body, batch.idem_key, ATTEMPT_LIMIT_S, lost=lost)
        if answer is None or answer.status != 200:
            self._upload_failures += 1
            asked_s = 0 if answer is None else _retry_after_s(answer)
            delay_s = asked_s + backoff_s(self._upload_failures, self._rng)
            self._upload_at_s = self._clock.monotonic_s() + delay_s
            return
        results = {result["event_id"]: result["status"] for result in _object(answer)["results"]}
        refused = [results.get(event_id, "missing") for event_id in batch.event_ids]
        refused = [status for status in refused if status not in _GOOD]
        if refused:  # no event of this fleet is wrong: whatever the backend has against one is an error of the run
            self._tally.failed(f"event {refused[0]}", self._clock.run_s(), count=len(refused))
            self._upload_at_s = self._clock.monotonic_s() + BACKOFF_FIRST_S
            return
        self._upload_failures = 0
        self._outbox.acknowledge()
        self._tally.waiting -= len(batch.event_ids)
        if not self._outbox.waiting:
            self._tally.drained_s = max(self._tally.drained_s, self._clock.run_s())

    async def _call(
        self, route: str, body: bytes, idem_key: str, limit_s: float, *, lost: bool = False
    ) -> VerifiedResponse | None:
        """One proven answer within `limit_s` seconds, whatever its status, or None: the outcome is unknown."""
        was_away = self._is_away()
        self._tally.calls += 1
        answer = await self._exchange(route, body, idem_key, limit_s, lost=lost)
        self._tally.calls -= 1
        if isinstance(answer, str):
            self._hang_up()
            self._turn.service_away()
            if answer != _LOST:
                self._tally.failed(answer, self._clock.run_s(), while_away=was_away or self._is_away())
            return None
        self._turn.service_back()
        self._used_s = self._clock.run_s()
        self._tally.requests[route] += 1
        if answer.status != 200:
            self._tally.failed(f"{answer.status} {_object(answer)['error']['reason']}", self._used_s)
        return answer

    async def _exchange(
        self, route: str, body: bytes, idem_key: str, limit_s: float, *, lost: bool
    ) -> VerifiedResponse | str:
        end_s = time.monotonic() + limit_s
        connection = await self._connected(limit_s)
        if isinstance(connection, WireFailure):
            return connection.reason
        request = sign_request(
            self._key,
            origin=self._backend.origin,
            path=route,
            body=body,
            idempotency_key=idem_key,
            created_s=int(time.time()),
        )
        started_s = time.monotonic()
        raw = await connection.exchange(request, body, end_s - started_s)
        if isinstance(raw, WireFailure):
            return raw.reason
        name = "events" if route == EVENTS_ROUTE else "policy"
        self._tally.took(name, time.monotonic() - started_s, self._clock.run_s())
        if lost:  # it has arrived and had its effect; the kiosk never hears of it
            self._tally.lost_answers += 1
            return _LOST
        proven = verify_response(
            request,
            status=raw.status,
            headers=raw.headers,
            body=raw.body,
            server_keys=self._backend.server_keys,
            floor_s=0,
        )
        return f"unproven {raw.status} {proven.reason.value}" if isinstance(proven, Refused) else proven

    async def _connected(self, limit_s: float) -> Connection | WireFailure:
        if self._connection is not None and (self._connection.is_closing() or self._idle_left_s() <= 0):
            self._hang_up()
        if self._connection is None:
            started_s = time.monotonic()
            opened = await Connection.open(self._backend.host, self._backend.port, self._tls, limit_s)
            if isinstance(opened, WireFailure):
                return opened
            self._tally.took("handshake", time.monotonic() - started_s, self._clock.run_s())
            self._tally.connections += 1
            self._connection = opened
        self._used_s = self._clock.run_s()
        return self._connection

    def _idle_left_s(self) -> float:
        """Seconds of the run until the open connection has been idle for too long."""
        if self._connection is None:
            return float("inf")
        return self._used_s + self._idle_limit_s - self._clock.run_s()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._tally.connections -= 1
            self._connection.close()
            self._connection = None


def _object(answer: VerifiedResponse) -> dict[str, Any]:
    body = decode(answer.body, profile.MAX_RESPONSE_BODY_BYTES)
    if isinstance(body, JsonError):
        raise TypeError(f"a proven answer that is not JSON: {body}")
    return body


def _retry_after_s(answer: VerifiedResponse) -> float:
    return float(_object(answer)["error"]["retry_after_s"] or 0)
