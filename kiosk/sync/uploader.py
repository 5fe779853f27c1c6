"""Uploads the outbox, one batch at a time, and decides what each answer means (channel reference §4.3). Has no thread.

| answer | action |
|---|---|
| 200, every event named | settle the batch |
| `key_state`, `quarantined`, `capability` | stop sending, keep everything, until `resume()` |
| `fork`, `idem_conflict`, `stale_seq`; a `last_seq` above what was ever sealed | stop for good, tell somebody |
| `too_large`, `schema` | halve; an event alone in its batch is dead |
| `internal` three times | halve; an event alone in its batch waits, others go first |
| `busy`, `service_closed`, `time_skew`, `replay` | known to have had no effect: again later, `retry_after_s` honoured |
| anything unproven or malformed, `gone` | outcome unknown: the same bytes, key and number again |

After an outage of the service it waits for this kiosk's turn (`kiosk.sync.turn`) instead of its backoff. After an
enrolment with a ticket it asks first how far the backend's numbers are (`kiosk.sync.numbering`).
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar

from kiosk.store.errors import StoreFailedError
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction, drop_meta, read_meta, write_meta
from kiosk.sync import batches, numbering
from kiosk.sync.batches import Batch, EventStatus
from kiosk.sync.faults import Refusal, RefusalReason
from kiosk.sync.fields import FieldError
from kiosk.sync.outbox import dead, pending
from kiosk.sync.turn import Turn
from kiosk.sync.upload_calls import EventChannel, read_results, read_state
from kiosk.visit.failures import Fault
from kiosk.visit.ports import Clock

EVENTS_ROUTE: Final = "/v1/events"
STATE_ROUTE: Final = "/v1/sync/state"
IDLE_S: Final = 60.0
HELD_S: Final = 900.0
BACKOFF_FIRST_S: Final = 2.0
BACKOFF_LONGEST_S: Final = 900.0
ASK_STATE_AFTER: Final = 20
INTERNAL_LIMIT: Final = 3
REQUEST_LIFE_S: Final = 60.0 + 60.0 + 10.0  # a request's `expires`, the allowed skew, a margin
T = TypeVar("T")
_STOPPED: Final = "upload_stopped"
_HOLDING: Final = (RefusalReason.KEY_STATE, RefusalReason.QUARANTINED, RefusalReason.CAPABILITY)


class UploadState(StrEnum):
    """What the uploader is doing."""

    IDLE = "idle"
    SENDING = "sending"
    WAITING = "waiting"  # for the time to try again
    HELD = "held"  # the backend refuses this kiosk: until `resume()`
    STOPPED = "stopped"  # somebody must look
    STORE_FAILED = "store_failed"


@dataclass(frozen=True, slots=True)
class UploadStatus:
    """For the diagnostics: state, why, how many events wait and how many of them were refused for good."""

    state: UploadState
    reason: str = ""
    pending: int = 0
    dead: int = 0


class Uploader:
    """Call `step()` again and again from one thread, after the delay it returns or when something was queued."""

    def __init__(
        self, store: Store, channel: EventChannel, clock: Clock, turn: Turn, rng: random.Random | None = None
    ) -> None:
        self._store, self._channel, self._clock, self._turn = store, channel, clock, turn
        self._rng = rng or secrets.SystemRandom()
        self._recovered = False
        self._held: str | None = None
        self._failures = 0  # in a row: the exponent of the backoff
        self._ask_again_ms = 0
        self._last_sent_s = clock.monotonic_s()  # another run may have sent just before
        self.status = UploadStatus(UploadState.IDLE)

    def step(self) -> float:
        """Do one thing (at most one call) and return after how many seconds to come back; 0 = at once."""
        if (reason := self._held) is not None:
            return self._rest(reason)
        try:
            return self._step()
        except StoreFailedError as failed:
            self.status = UploadStatus(UploadState.STORE_FAILED, failed.error.reason)
            self._failures += 1
            return backoff_s(self._failures, self._rng)

    def hold(self, reason: str) -> None:
        """A signed order forbids sending: keep everything until `resume()`. Safe from any thread."""
        self._held = reason

    def resume(self) -> None:
        """The kiosk was enrolled again or a quarantine was lifted: sending may go on. Safe from any thread."""
        self._held = None

    def _step(self) -> float:
        if not self._recovered:
            self._run(batches.recover)
            self._recovered = True
        if self._turn.take_return():
            self._run(batches.due_now)
            self._failures = 0
            self._ask_again_ms = 0
        if (wait_s := self._turn.wait_s()) > 0:
            self.status = replace(self.status, state=UploadState.WAITING, reason="")
            return wait_s
        batch = self._run(self._prepare)
        if batch is None:
            return self._ask_numbering()
        if not isinstance(batch, Batch):
            return batch
        if batch.attempts >= ASK_STATE_AFTER and batch.attempts % ASK_STATE_AFTER == 0:
            return self._ask_state(batch)
        return self._send(batch)

    def _send(self, batch: Batch) -> float:
        self._run(lambda tx: batches.lease(tx, batch, self._now_ms()))
        answer = self._channel.call_raw(EVENTS_ROUTE, batch.body, batch.idem_key)
        self._last_sent_s = self._clock.monotonic_s()
        if isinstance(answer, Fault):
            self._turn.service_away()
            return self._later(batch, attempts=batch.attempts + 1)
        self._turn.service_back()
        if isinstance(answer, Refusal):
            return self._refused(batch, answer)
        results = read_results(answer, batch)
        if isinstance(results, FieldError):
            return self._later(batch, attempts=batch.attempts + 1)
        return self._done(batch, *results)

    def _done(self, batch: Batch, results: Mapping[str, EventStatus], last_seq: int) -> float:
        def work(tx: Transaction) -> bool:
            if last_seq > batches.last_sealed(tx):
                return False
            batches.settle(tx, batch, results, self._event_due_ms)
            return True

        if not self._run(work):
            return self._stop("rolled_back")
        self._failures = 0
        return 0.0

    def _refused(self, batch: Batch, refusal: Refusal) -> float:
        match refusal.reason:
            case RefusalReason.KEY_STATE | RefusalReason.QUARANTINED | RefusalReason.CAPABILITY:
                self._put_off(batch, 0.0, attempts=0)
                return self._refused_for_now(refusal)
            case RefusalReason.FORK | RefusalReason.IDEM_CONFLICT:
                return self._stop(refusal.reason.value)
            case RefusalReason.STALE_SEQ:
                return self._stop("rolled_back")
            case RefusalReason.TOO_LARGE | RefusalReason.SCHEMA:
                return self._smaller(batch, alone=EventStatus.INVALID)
            case RefusalReason.INTERNAL if batch.refusals + 1 >= INTERNAL_LIMIT:
                return self._smaller(batch, alone=EventStatus.RETRY)
            case RefusalReason.INTERNAL:
                return self._later(batch, attempts=0, refusals=batch.refusals + 1)
            case RefusalReason.GONE:
                return self._later(batch, attempts=batch.attempts + 1)
            case RefusalReason.BUSY | RefusalReason.SERVICE_CLOSED | RefusalReason.TIME_SKEW | RefusalReason.REPLAY:
                return self._later(batch, attempts=0, at_least_s=float(refusal.retry_after_s))

    def _ask_state(self, batch: Batch) -> float:
        state = self._ask(batch.batch_seq)
        if not isinstance(state, tuple):
            delay_s = self._later(batch, attempts=batch.attempts)
            return self._refused_for_now(state) if isinstance(state, Refusal) and state.reason in _HOLDING else delay_s
        applied, last_seq = state
        if last_seq > self._run(batches.last_sealed):
            return self._stop("rolled_back")
        if applied:  # its stored answer is what the next send returns
            return self._send(batch)
        left_s = self._last_sent_s + REQUEST_LIFE_S - self._clock.monotonic_s()
        if left_s > 0:  # a copy on its way may still be applied
            self._put_off(batch, left_s, attempts=batch.attempts)
            return left_s
        self._run(lambda tx: batches.dissolve(tx, batch))
        return 0.0

    def _ask_numbering(self) -> float:
        """How far is the backend? Until it has said so nothing is sent."""
        state = self._ask(1)
        if isinstance(state, tuple):
            _, last_seq = state
            self._run(lambda tx: numbering.go_on_after(tx, last_seq))
            self._failures = 0
            return 0.0
        if isinstance(state, Refusal) and state.reason in _HOLDING:
            return self._refused_for_now(state)
        self._failures += 1
        delay_s = backoff_s(self._failures, self._rng) + (state.retry_after_s if isinstance(state, Refusal) else 0.0)
        self._ask_again_ms = self._due_ms(delay_s)
        return delay_s

    def _ask(self, batch_seq: int) -> tuple[bool, int] | Refusal | Fault | FieldError:
        """Has this batch taken effect, and which number is the backend's last?"""
        answer = self._channel.call(STATE_ROUTE, {"batch_seq": batch_seq})
        if isinstance(answer, Fault):
            self._turn.service_away()
            return answer
        self._turn.service_back()
        return answer if isinstance(answer, Refusal) else read_state(answer)

    def _refused_for_now(self, refusal: Refusal) -> float:
        """The kiosk itself is refused: nothing is sent until `resume()`."""
        self._held = refusal.reason.value
        return self._rest(refusal.reason.value)

    def _rest(self, reason: str) -> float:
        self.status = replace(self.status, state=UploadState.HELD, reason=reason)
        return HELD_S

    def _run(self, work: Callable[[Transaction], T]) -> T:
        """On a full disk too: whoever uploads makes room."""
        return self._store.submit(work, essential=True).result()

    def _later(self, batch: Batch, *, attempts: int, refusals: int = 0, at_least_s: float = 0.0) -> float:
        self._failures += 1
        delay_s = at_least_s + backoff_s(self._failures, self._rng)  # others were told the same: not all at once
        self._put_off(batch, delay_s, attempts=attempts, refusals=refusals)
        return delay_s

    def _put_off(self, batch: Batch, delay_s: float, *, attempts: int, refusals: int = 0) -> None:
        due_ms = self._due_ms(delay_s)
        self._run(lambda tx: batches.put_off(tx, batch, due_ms, attempts=attempts, refusals=refusals))

    def _smaller(self, batch: Batch, *, alone: EventStatus) -> float:
        self._failures += 1

        def work(tx: Transaction) -> None:
            if len(batch.event_ids) > 1:
                batches.dissolve_and_halve(tx, batch)
            else:
                batches.settle(tx, batch, {batch.event_ids[0]: alone}, self._event_due_ms)

        self._run(work)
        return 0.0

    def _stop(self, reason: str) -> float:
        self._run(lambda tx: write_meta(tx, _STOPPED, reason.encode("ascii")))
        return 0.0

    def _prepare(self, tx: Transaction) -> Batch | float | None:
        """A batch to send, or after how many seconds to come back. None: the numbering must be asked for first."""

        def tell(state: UploadState, reason: str = "") -> None:
            self.status = UploadStatus(state, reason, pending(tx), dead(tx))

        now_ms = self._now_ms()
        if (reason := stopped(tx)) is not None:
            tell(UploadState.STOPPED, reason)
            return HELD_S
        if numbering.is_unasked(tx):
            wait_ms = self._ask_again_ms - now_ms
            if wait_ms > 0:
                tell(UploadState.WAITING, "numbering")
                return wait_ms / 1000
            tell(UploadState.SENDING)
            return None
        batches.purge(tx)
        batch = batches.current(tx) or batches.seal(tx, now_ms)
        if batch is None:
            due_ms = batches.next_due_ms(tx, now_ms)
            tell(UploadState.IDLE)
            return IDLE_S if due_ms is None else min(IDLE_S, (due_ms - now_ms) / 1000)
        wait_ms = max(batch.next_at_ms, batch.lease_until_ms) - now_ms
        if wait_ms > 0:
            tell(UploadState.WAITING)
            return wait_ms / 1000
        tell(UploadState.SENDING)
        return batch

    def _event_due_ms(self, attempts: int) -> int:
        return self._due_ms(backoff_s(attempts, self._rng))

    def _due_ms(self, delay_s: float) -> int:
        return self._now_ms() + round(delay_s * 1000)

    def _now_ms(self) -> int:
        return round(self._clock.monotonic_s() * 1000)


def backoff_s(failures: int, rng: random.Random) -> float:
    """Seconds after so many failures in a row. Full jitter: uniform between 0 and 2 s · 2ⁿ, at most 15 minutes."""
    return rng.uniform(0.0, min(BACKOFF_LONGEST_S, BACKOFF_FIRST_S * 2.0 ** min(failures, 16)))


def stopped(tx: Transaction) -> str | None:
    """Why uploading was stopped for good (`fork`, `idem_conflict`, `rolled_back`), or None. Survives restarts."""
    reason = read_meta(tx, _STOPPED)
    return None if reason is None else reason.decode("ascii")


def release(tx: Transaction) -> None:
    """After an enrolment with a ticket: uploading may start again."""
    drop_meta(tx, _STOPPED)
