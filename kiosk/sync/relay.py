"""The update relay: runs the centre's signed packages on the card, unchanged, and tells how it ended.

A package is checked whole before its first command leaves: conversation, counter, expiry, allow-list. An unexpected
status word or a lost card stops it at once. A lost answer is asked for again under the same idempotency key by `call`,
so no command reaches the card twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from kiosk.card.values import CardContent
from kiosk.sync import faults
from kiosk.sync.allow_list import BUILT_IN_INS, check_commands, is_write
from kiosk.sync.fields import FieldError
from kiosk.sync.relay_messages import Close, Package, parse_message
from kiosk.visit.failures import Fault
from kiosk.visit.ports import CardLink, CardSession, CardStep
from kiosk.visit.values import Outcome, UpdatePhase, UpdateReport

MAX_PACKAGES: Final = 64
SILENCE_S: Final = 60.0
OPENING_SILENCE_S: Final = 20.0
"""How long a centre may be silent before the first write: nothing is lost by giving up, so the member waits less."""
ABORT_LIMIT_S: Final = 5.0
"""How long to tell the centre of an abort: the member is not kept waiting for it."""
_DETAIL_NOTHING: Final = 2
_DETAIL_IMPOSSIBLE: Final = 3


@dataclass(frozen=True, slots=True)
class _End:
    """How one order ended."""

    outcome: Outcome
    detail: int
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class _Executed:
    """What the card answered, including the answer that stopped the package; `stopped` says why it stopped."""

    responses: list[bytes] = field(repr=False)
    stopped: Fault | None = None
    card_lost: bool = False


def run_update(
    *,
    call: faults.Call,
    link: CardLink,
    card_session: CardSession,
    card: CardContent,
    update_ids: Sequence[str],
    on_phase: Callable[[UpdatePhase], None],
    now_s: Callable[[], int],
    step_limit_s: float = SILENCE_S,
    allowed_ins: frozenset[int] = BUILT_IN_INS,
) -> UpdateReport:
    """Run these orders one after the other; the first that fails ends the run.

    now_s: learnt wall time in seconds since 1970. step_limit_s: the longest silence of the centre once a write may have
    begun, at most 60; before that 20.
    `wrote` in the report is about the whole run, the outcome about the order that ended it.
    """
    run = _Run(
        call=call,
        link=link,
        card_session=card_session,
        card=card,
        on_phase=on_phase,
        now_s=now_s,
        step_limit_s=min(step_limit_s, SILENCE_S),
        allowed_ins=allowed_ins,
    )
    run.enter(UpdatePhase.OPENING)
    end = _End(Outcome.UP_TO_DATE, _DETAIL_NOTHING)
    for index, update_id in enumerate(update_ids):
        end = run.order(update_id, last=index == len(update_ids) - 1)
        if end.outcome not in (Outcome.UPDATED, Outcome.UP_TO_DATE):
            break
    unfinished = run.order_wrote and end.outcome is not Outcome.UPDATED
    return UpdateReport(end.outcome, end.detail, run.packages, run.apdus, run.wrote, end.fault, unfinished)


@dataclass(slots=True)
class _Run:
    call: faults.Call
    link: CardLink
    card_session: CardSession
    card: CardContent = field(repr=False)
    on_phase: Callable[[UpdatePhase], None]
    now_s: Callable[[], int]
    step_limit_s: float
    allowed_ins: frozenset[int]
    packages: int = 0
    apdus: int = 0
    wrote: bool = False
    phase: UpdatePhase = UpdatePhase.OPENING
    order_wrote: bool = False

    def enter(self, phase: UpdatePhase) -> None:
        """Say that the run moved on; again for each package, so that whoever waits knows that it lives."""
        self.phase = phase
        self.on_phase(phase)

    def order(self, update_id: str, *, last: bool) -> _End:
        """One order, from `start` to its closing word or to what stands in for it."""
        self.order_wrote = False
        complete = False  # every command of the last package ran as the centre wanted
        stopped: Fault | None = None
        conversation_id: str | None = None
        answer = self.call(
            "/v1/relay/start",
            {
                "card": {"generation": self.card.generation.value, "iccsn": self.card.iccsn},
                "update_id": update_id,
                "actor": {"mode": "SELF"},
            },
            deadline_s=self._patience_s(),
        )
        counter = 0
        while True:
            message = _understand(answer)
            if isinstance(message, Fault):
                return self._without_close(message, complete=complete)
            if isinstance(message, Close):
                return self._closed(message, stopped)
            refused = self._refuse(message, conversation_id, counter)
            conversation_id = conversation_id or message.conversation_id
            if refused is not None:
                self._step(conversation_id, counter, [], command_sent=False)
                return self._without_close(refused, complete=False)
            executed = self._execute(message)
            stopped = executed.stopped
            if executed.card_lost and stopped is not None:
                self._step(conversation_id, counter, executed.responses, command_sent=stopped.command_sent)
                return _End(Outcome.ABORTED, _DETAIL_IMPOSSIBLE, stopped)
            complete = message.last_if_ok and stopped is None
            if complete and last:
                self.enter(UpdatePhase.CLOSING)
            answer = self._step(conversation_id, counter, executed.responses)
            counter += 1

    def _patience_s(self) -> float:
        return self.step_limit_s if self.order_wrote else min(self.step_limit_s, OPENING_SILENCE_S)

    def _refuse(self, package: Package, conversation_id: str | None, counter: int) -> Fault | None:
        """Everything that is checked before the first command of a package leaves."""
        if conversation_id not in (None, package.conversation_id):
            return faults.package_refused("another conversation")
        if counter >= MAX_PACKAGES:
            return faults.package_refused(f"more than {MAX_PACKAGES} packages")
        if package.counter != counter:
            return faults.package_refused(f"counter {package.counter} instead of {counter}")
        if self.now_s() > package.not_after_s:
            return faults.package_refused("not_after_s has passed")
        refusal = check_commands([step.command for step in package.steps], self.allowed_ins)
        return None if refusal is None else faults.apdu_refused(str(refusal))

    def _execute(self, package: Package) -> _Executed:
        """The whole package in one go on the card's thread, but for the first write, which is announced before."""
        self.packages += 1
        self.enter(self.phase)
        steps = package.steps
        first_write = next((number for number, step in enumerate(steps) if is_write(step.command)), None)
        if first_write is None or self.order_wrote:
            return self._execute_steps(steps)
        before = self._execute_steps(steps[:first_write]) if first_write else _Executed([])
        if before.stopped is not None:
            return before
        self.enter(UpdatePhase.WRITING)
        rest = self._execute_steps(steps[first_write:])
        return _Executed([*before.responses, *rest.responses], rest.stopped, rest.card_lost)

    def _execute_steps(self, steps: Sequence[CardStep]) -> _Executed:
        answers = self.link.execute(self.card_session, steps)
        responses, lost = list(answers.responses), answers.fault
        left = len(responses) + (lost is not None and lost.command_sent)
        self.apdus += left
        if any(is_write(step.command) for step in steps[:left]):
            self.wrote = self.order_wrote = True
        if lost is not None:
            return _Executed(responses, lost, card_lost=True)
        status_word = int.from_bytes(responses[-1][-2:], "big")
        if status_word in steps[len(responses) - 1].expected_sw:
            return _Executed(responses)
        return _Executed(responses, faults.unexpected_status(f"{status_word:04X}"))

    def _step(
        self, conversation_id: str, counter: int, responses: list[bytes], *, command_sent: bool | None = None
    ) -> faults.Answer:
        """Send the answers; with `command_sent` given, the package is aborted."""
        return self.call(
            "/v1/relay/step",
            {
                "conversation_id": conversation_id,
                "counter": counter,
                "responses": [response.hex() for response in responses],
                "abort": None if command_sent is None else {"command_sent": command_sent},
            },
            deadline_s=self._patience_s() if command_sent is None else ABORT_LIMIT_S,
        )

    def _closed(self, close: Close, stopped: Fault | None) -> _End:
        if close.outcome in (Outcome.UPDATED, Outcome.UP_TO_DATE):
            return _End(close.outcome, close.detail)
        # Whatever the centre calls it: after a first write the card is marked unfinished.
        outcome = Outcome.ABORTED if self.order_wrote else Outcome.IMPOSSIBLE
        return _End(outcome, close.detail, stopped or faults.update_impossible(close.code or close.outcome.value))

    def _without_close(self, fault: Fault, *, complete: bool) -> _End:
        if complete:
            return _End(Outcome.UNCERTAIN, _DETAIL_IMPOSSIBLE, fault)
        outcome = Outcome.ABORTED if self.order_wrote else Outcome.IMPOSSIBLE
        return _End(outcome, _DETAIL_IMPOSSIBLE, fault)


_ABOUT_THE_CARD: Final = (faults.RefusalReason.SCHEMA, faults.RefusalReason.CAPABILITY)
"""With these reasons the centre's code speaks of this card or order, not of our message."""


def _understand(answer: faults.Answer) -> Package | Close | Fault:
    if isinstance(answer, Fault):
        return answer
    if isinstance(answer, faults.Refusal):
        if answer.reason in _ABOUT_THE_CARD and answer.code != "BAD_MESSAGE":
            return faults.update_impossible(f"{answer.reason.value} {answer.code}")
        return faults.from_refusal(answer)
    message = parse_message(answer)
    return faults.bad_answer(str(message)) if isinstance(message, FieldError) else message
