"""The interactive side of the channel: what a member waits for. One thread answers questions, one runs card updates.

Two threads and two connection pools, so that an update that has lost its card never delays the next member's questions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from kiosk.sync import centre, faults
from kiosk.sync.client import Channel
from kiosk.sync.credentials import Credentials
from kiosk.sync.documents_in_force import InForce
from kiosk.sync.relay import run_update
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.visit import effects as fx
from kiosk.visit import events as ev
from kiosk.visit.failures import Cause, Fault, internal_fault
from kiosk.visit.ports import CardLink, Clock, Post
from kiosk.visit.values import Outcome, UpdateReport

T = TypeVar("T")
E = TypeVar("E", bound=fx.Effect)
_IMPOSSIBLE = 3  # VSDM proof code: technically impossible
_SERVICE_CAUSES = frozenset(
    {Cause.NETWORK, Cause.UNSIGNED_ANSWER, Cause.NOT_ENROLLED, Cause.KIOSK_REFUSED, Cause.CLOCK_WRONG}
)


class Office:
    """Performs the effects that ask the centre. Without an identity every answer is « not enrolled »."""

    def __init__(
        self, credentials: Credentials | None, link: CardLink, time: TimeKeeper, clock: Clock, post: Post
    ) -> None:
        self.credentials = credentials
        self._link = link
        self._time = time
        self._clock = clock
        self._post = post
        self._in_force = InForce()
        self._questions = ThreadPoolExecutor(1, "questions")
        self._relay = ThreadPoolExecutor(1, "relay")
        self._ask = None if credentials is None else Channel(credentials, time, clock)
        self._update = None if credentials is None else Channel(credentials, time, clock)

    def stop(self) -> None:
        """Finish what runs, then close the pools."""
        self._questions.shutdown()
        self._relay.shutdown()
        for channel in (self._ask, self._update):
            if channel is not None:
                channel.close()

    def obey(self, in_force: InForce) -> None:
        """Go by these documents from the next question or update on. Safe from any thread."""
        self._in_force = in_force

    def say_not_enrolled(self) -> None:
        """Tell the screen why nothing can be asked."""
        self._tell_health(faults.not_enrolled("no usable identity"))

    # --- effects -------------------------------------------------------------------------------------------------

    def ask_standing(self, effect: fx.AskStanding) -> None:
        """→ `StandingKnown` | `StandingUnknown`."""
        submit(self._questions, self._ask_standing, effect)

    def identify(self, effect: fx.Identify) -> None:
        """→ `IdentityChecked` | `RequestFailed`."""
        submit(self._questions, self._identify, effect)

    def issue_code(self, effect: fx.IssueCode) -> None:
        """→ `CodeIssued` | `RequestFailed`."""
        submit(self._questions, self._issue_code, effect)

    def run_update(self, effect: fx.RunUpdate) -> None:
        """→ `UpdateProgress`*, then exactly one `UpdateEnded`."""
        submit(self._relay, self._run_update, effect)

    def _asked(self, question: Callable[[faults.Call], T | Fault]) -> T | Fault:
        if self._ask is None:
            return faults.not_enrolled("no usable identity")
        answer = _guarded(partial(question, self._ask.call))
        self._tell_health(answer)
        return answer

    def _tell_health(self, answer: object) -> None:
        for event in service_health(answer, self._time):
            self._post(event)

    def _ask_standing(self, effect: fx.AskStanding) -> None:
        limit_s = self._in_force.policy.standing_limit_s
        answer = self._asked(lambda call: centre.ask_standing(call, effect.card, deadline_s=limit_s))
        self._post(
            ev.StandingUnknown(effect.visit, answer)
            if isinstance(answer, Fault)
            else ev.StandingKnown(effect.visit, answer)
        )

    def _identify(self, effect: fx.Identify) -> None:
        limit_s, asked = self._in_force.policy.answer_limit_s, (effect.card, effect.birth_date, effect.postcode)
        answer = self._asked(lambda call: centre.identify(call, *asked, deadline_s=limit_s))
        self._post(
            ev.RequestFailed(effect.visit, answer)
            if isinstance(answer, Fault)
            else ev.IdentityChecked(effect.visit, answer)
        )

    def _issue_code(self, effect: fx.IssueCode) -> None:
        limit_s = self._in_force.policy.answer_limit_s
        answer = self._asked(lambda call: centre.issue_code(call, effect.card, effect.proof, deadline_s=limit_s))
        self._post(
            ev.RequestFailed(effect.visit, answer) if isinstance(answer, Fault) else ev.CodeIssued(effect.visit, answer)
        )

    def _run_update(self, effect: fx.RunUpdate) -> None:
        report = _guarded(partial(self._updated, effect))
        if isinstance(report, Fault):
            report = UpdateReport(Outcome.UNCERTAIN, _IMPOSSIBLE, 0, 0, wrote=True, fault=report, unfinished=True)
        self._post(ev.UpdateEnded(effect.run, report))
        if report.fault is None or report.fault.cause in _SERVICE_CAUSES:
            self._tell_health(report.fault)

    def _updated(self, effect: fx.RunUpdate) -> UpdateReport:
        if self._update is None:
            fault = faults.not_enrolled("no usable identity")
            return UpdateReport(Outcome.IMPOSSIBLE, _IMPOSSIBLE, 0, 0, wrote=False, fault=fault)
        return run_update(
            call=self._update.call,
            link=self._link,
            card_session=effect.card_session,
            card=effect.card,
            update_ids=effect.update_ids,
            on_phase=lambda phase: self._post(ev.UpdateProgress(effect.run, phase)),
            now_s=self._time.now_s,
            step_limit_s=self._in_force.policy.update_step_limit_s,
            allowed_ins=self._in_force.allowed_ins,
        )


def submit(pool: ThreadPoolExecutor, work: Callable[[E], None], effect: E) -> None:
    """Perform an effect on a pool. After its shutdown the kiosk is stopping: nobody waits for an answer."""
    with contextlib.suppress(RuntimeError):
        pool.submit(work, effect)


def service_health(answer: object, time: TimeKeeper) -> Iterator[ev.Event]:
    """What one answer of the backend says about the service and the clock; for a revoked kiosk there is no service."""
    if isinstance(answer, faults.Refusal) and answer.reason is faults.RefusalReason.KEY_STATE:
        answer = faults.from_refusal(answer)
    fault = answer if isinstance(answer, Fault) else None
    clock_fault = fault if fault is not None and fault.cause is Cause.CLOCK_WRONG else None
    yield ev.ClockTrusted(time.trusted and clock_fault is None, clock_fault)
    if fault is None:
        yield ev.ServiceUp()
    elif fault.cause in _SERVICE_CAUSES:
        yield ev.ServiceDown(fault, time.now_s())


def _guarded(work: Callable[[], T]) -> T | Fault:
    """A bug in here must not leave a member waiting: it becomes the failure nobody planned."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001  the type is told, the text might hold anything
        return internal_fault(type(error).__name__)
