"""The reader hub: what readers and cards do becomes events of the visit; what the visit asks of a card gets done.

Three kinds of threads meet here: the monitor's, one card thread per role, and the watchdog's. A card session lives from
one insertion to the removal of that card, the loss of its reader or service, or a call over its limit. `ReaderFailed`
voids the session of its role; no `CardRemoved` follows, because nobody knows where the card is.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Final

from kiosk.card.apdu import ApduError, parse_command
from kiosk.card.atr import classify
from kiosk.card.values import CardContent, CardKind
from kiosk.hardware.pcsc.api import PcscProblem, Scard
from kiosk.hardware.pcsc.bounded import within
from kiosk.hardware.pcsc.connection import Deadlines, LinkError, Trace, card_in_use
from kiosk.hardware.pcsc.contacts import ContactCounter, Contacts
from kiosk.hardware.pcsc.faults import fault_of
from kiosk.hardware.pcsc.monitor import Monitor, MonitorEvent, ReadersChanged, ServiceLost, SlotEmptied, SlotFilled
from kiosk.hardware.pcsc.reading import read_card
from kiosk.hardware.pcsc.roles import BindingError, ReaderIdentity, find_reader, parse_bindings
from kiosk.hardware.pcsc.service import RestartRule, ServiceManager
from kiosk.hardware.pcsc.worker import BusyCall, CardWorker, Dialogue, Job
from kiosk.visit.events import CardInserted, CardRemoved, ReaderFailed, ReaderReady
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardAnswers, CardSession, CardStep, Clock, Post, ReaderRole

STOP_WAIT_S: Final = 1.0
CLASSIFY_S: Final = 0.5
"""How long the watchdog asks the service who holds a card: it may be the service that hangs."""
_UNREADABLE: Final = frozenset({CardKind.MUTE, CardKind.BANK, CardKind.PROFESSIONAL, CardKind.VITALE_1})
_session_numbers = itertools.count(1)
_log = logging.getLogger(__name__)

TellContacts = Callable[[ReaderRole, Contacts], object]
"""Receives a role's counts when its contact has proved to be flaky, and at the end if there is anything to tell."""


@dataclass(slots=True)
class _Slot:
    """What the hub knows of one role's reader. Guarded by the hub's lock."""

    role: ReaderRole
    identity: ReaderIdentity
    worker: CardWorker
    reader: str | None = None
    ready: bool = False  # what was last posted: `ReaderReady` or, with its cause in `failed`, `ReaderFailed`
    failed: Cause | None = None
    card: SlotFilled | None = None
    card_hung: bool = False  # this card made a call go over its limit: the reader waits for it to leave
    stale: set[CardWorker] = field(default_factory=set)  # abandoned threads that have not ended yet
    stuck_since_s: float | None = None  # the first of them was given up in a driver that hung
    session: CardSession | None = None
    commanded: bool = False  # the visit sent this session commands of its own: it may be in the middle of an update
    contacts: ContactCounter = field(default_factory=ContactCounter)
    kind: CardKind = CardKind.OTHER
    last: tuple[CardSession, LinkError] | None = None  # the session before, and why it ended


class ReaderHub:
    """Serves the bound roles. `post` must not block. `ReaderHub` is the visit's `CardLink`."""

    def __init__(
        self,
        scard: Scard,
        bindings: Mapping[ReaderRole, str],
        post: Post,
        clock: Clock,
        *,
        deadlines: Deadlines | None = None,
        trace: Trace | None = None,
        service: ServiceManager | None = None,
        tell_contacts: TellContacts | None = None,
    ) -> None:
        """`bindings`: reader name per role as in the settings, checked there with `parse_bindings`; ValueError here.

        `service`: restarted when a driver never lets go. `tell_contacts`: must not block.
        """
        parsed = parse_bindings(bindings)
        if isinstance(parsed, BindingError):
            raise ValueError(str(parsed))
        self._scard = scard
        self._post = post
        self._clock = clock
        self._deadlines = deadlines or Deadlines()
        self._trace = trace
        self._service = service
        self._tell_contacts = tell_contacts
        self._restart_rule = RestartRule(self._deadlines.stuck_s)
        self._identities = parsed
        self._lock = threading.RLock()
        self._slots: dict[ReaderRole, _Slot] = {}
        self._stopped = False  # no thread is replaced any more
        self._watch_ends = threading.Event()
        self._monitor = Monitor(scard, self._on_monitor)
        self._watchdog = threading.Thread(target=self._watch, name="card-watchdog", daemon=True)

    def start(self) -> None:
        """Start the threads. The first event of each role is `ReaderReady` or `ReaderFailed`."""
        for role, identity in self._identities.items():
            self._slots[role] = _Slot(role, identity, self._new_worker(role))
        self._watchdog.start()
        self._monitor.start()

    def stop(self) -> None:
        """End every dialogue and every thread; a thread that a driver holds is left behind."""
        self._monitor.stop()
        with self._lock:
            self._stopped = True
            workers = [slot.worker for slot in self._slots.values()]
            for slot in self._slots.values():
                self._void(slot, LinkError(PcscProblem.READER_GONE, "the kiosk is stopping", command_sent=False))
        for worker in workers:
            worker.stop(STOP_WAIT_S)
        self._watch_ends.set()
        if self._watchdog.ident is not None:  # a hub that was never started has nothing to wait for
            self._watchdog.join()
        for role, counts in self.contacts().items():
            if self._tell_contacts is not None and counts != Contacts():
                self._tell_contacts(role, counts)

    def contacts(self) -> Mapping[ReaderRole, Contacts]:
        """How good the contacts were since the start, by role."""
        with self._lock:
            return {role: slot.contacts.counts for role, slot in self._slots.items()}

    # --- what the visit asks --------------------------------------------------------------------------------------

    def execute(self, card_session: CardSession, steps: Sequence[CardStep]) -> CardAnswers:
        """See `CardLink`. Blocks the calling thread; ValueError for bytes that are no command APDU.

        One job of the card thread for all steps: changing threads for each would cost more than a fast card does.
        """
        commands = []
        for step in steps:
            command = parse_command(step.command)
            if isinstance(command, ApduError):
                raise ValueError(f"not a command APDU: {command.reason}")
            commands.append((command, step.expected_sw))
        found = self._find(card_session)
        if isinstance(found, LinkError):
            return CardAnswers(fault=_link_fault(found))
        slot, reader = found
        with self._lock:
            slot.commanded |= slot.session == card_session
        responses: list[bytes] = []

        def work(dialogue: Dialogue) -> LinkError | None:
            for command, expected_sw in commands:
                if isinstance(ended := self._find(card_session), LinkError):
                    return ended
                answer = dialogue.exchange(card_session, reader, command)
                if isinstance(answer, LinkError):
                    return answer
                responses.append(answer.to_bytes())
                if answer.sw not in expected_sw:
                    return None
            return None

        settled: SimpleQueue[LinkError | None] = SimpleQueue()
        slot.worker.submit(Job(work, settled.put))
        error = settled.get()
        self._count_silence(slot, error)
        # An abandoned thread adds nothing after it was settled: all it gets to hear is that it is late.
        return CardAnswers(tuple(responses), None if error is None else _link_fault(error))

    def read(self, card_session: CardSession, done: Callable[[CardContent | Fault], None]) -> None:
        """Read the card from the start. `done` is called once, on any thread, perhaps before this returns."""
        found = self._find(card_session)
        if isinstance(found, LinkError):
            return done(_link_fault(found))
        slot, reader = found
        kind = slot.kind
        if kind in _UNREADABLE:
            return done(fault_of(kind, command_sent=False))

        def work(dialogue: Dialogue) -> CardContent | Fault | LinkError:
            failed = dialogue.begin(card_session, reader)
            if failed is not None:
                return failed
            return read_card(lambda command: dialogue.exchange(card_session, reader, command), kind)

        def settled(outcome: CardContent | Fault | LinkError) -> None:
            self._count_silence(slot, outcome)
            done(_link_fault(outcome) if isinstance(outcome, LinkError) else outcome)

        slot.worker.submit(Job(work, settled))
        return None

    def release(self, card_session: CardSession) -> None:
        """End the dialogue and switch the card off, after what is under way. A new one begins with `read` only."""
        found = self._find(card_session)
        if not isinstance(found, LinkError):
            found[0].commanded = False
            found[0].worker.submit(Job(Dialogue.end, _nothing))

    def _find(self, card_session: CardSession) -> tuple[_Slot, str] | LinkError:
        with self._lock:
            for slot in self._slots.values():
                if slot.session == card_session and slot.reader is not None:
                    return slot, slot.reader
                if slot.last is not None and slot.last[0] == card_session:
                    return slot.last[1]
        return LinkError(PcscProblem.CARD_REMOVED, "an earlier card session", command_sent=False)

    # --- what readers and cards do --------------------------------------------------------------------------------

    def _on_monitor(self, event: MonitorEvent) -> None:
        with self._lock:
            match event:
                case ServiceLost(error):
                    for slot in self._slots.values():
                        self._lose_reader(slot, LinkError(error.problem, str(error), command_sent=False))
                case ReadersChanged(readers):
                    for slot in self._slots.values():
                        self._find_reader(slot, readers)
                case SlotFilled():
                    for slot in self._slots.values():
                        if slot.reader == event.reader:
                            slot.card = event
                            self._count_card(slot, event)
                            self._admit(slot)
                case SlotEmptied(reader):
                    for slot in self._slots.values():
                        if slot.reader == reader:
                            self._card_left(slot)

    def _find_reader(self, slot: _Slot, readers: tuple[str, ...]) -> None:
        """Follow the role's reader by its identity."""
        found = find_reader(slot.identity, readers)
        if found is not None and found == slot.reader:
            return
        if found is None:
            was_there = slot.reader is not None or slot.failed is Cause.READER_LOST
            problem = PcscProblem.READER_GONE if was_there else PcscProblem.NO_READER
            detail = f"{slot.identity.model} not among {len(readers)} readers"
            self._lose_reader(slot, LinkError(problem, detail, command_sent=False))
            return
        if slot.reader is not None:
            self._lose_reader(slot, LinkError(PcscProblem.READER_GONE, "another took its place", command_sent=False))
        slot.reader = found
        self._recover(slot)

    def _lose_reader(self, slot: _Slot, error: LinkError) -> None:
        slot.reader = slot.card = None
        slot.contacts.lost()
        slot.card_hung = False
        self._fail(slot, error)
        slot.worker.submit(Job(Dialogue.leave, _nothing))  # its context may be dead as well

    def _card_left(self, slot: _Slot) -> None:
        session = slot.session
        slot.card = None
        slot.contacts.emptied(self._clock.monotonic_s())
        slot.card_hung = False
        self._void(slot, LinkError(PcscProblem.CARD_REMOVED, "the card has left", command_sent=False))
        if session is not None:
            self._post(CardRemoved(slot.role, session))
        self._recover(slot)

    def _admit(self, slot: _Slot) -> None:
        """A new session for the card in the slot, once the reader can be used."""
        if slot.card is None or not slot.ready:
            return
        slot.session = CardSession(next(_session_numbers))
        slot.kind = CardKind.MUTE if slot.card.mute else classify(slot.card.atr)
        self._post(CardInserted(slot.role, slot.session, slot.kind))

    def _recover(self, slot: _Slot) -> None:
        """The reader can be used once it is there, no old call blocks it, and a card that hung it has left."""
        if slot.ready or slot.reader is None or slot.stale or slot.card_hung:
            return
        slot.ready, slot.failed = True, None
        self._post(ReaderReady(slot.role))
        self._admit(slot)

    def _fail(self, slot: _Slot, error: LinkError) -> None:
        """The reader cannot be used; said once per cause."""
        self._void(slot, error)
        fault = _link_fault(error)
        slot.ready = False
        if slot.failed is not fault.cause:
            slot.failed = fault.cause
            self._post(ReaderFailed(slot.role, fault))

    def _void(self, slot: _Slot, error: LinkError) -> None:
        """The card session is over: everything that still carries its id is answered with `error`."""
        if slot.session is not None:
            slot.last = (slot.session, error)
            slot.session = None
            slot.commanded = False
            gone = error.problem is PcscProblem.CARD_REMOVED
            slot.worker.submit(Job(Dialogue.forget if gone else Dialogue.end, _nothing))

    def _count_card(self, slot: _Slot, card: SlotFilled) -> None:
        flaky = slot.contacts.filled(card.atr, mute=card.mute, now_s=self._clock.monotonic_s())
        if flaky and self._tell_contacts is not None:
            self._tell_contacts(slot.role, slot.contacts.counts)

    def _count_silence(self, slot: _Slot, outcome: object) -> None:
        if isinstance(outcome, LinkError) and outcome.problem is PcscProblem.CARD_SILENT:
            with self._lock:
                slot.contacts.silent()

    # --- limits ---------------------------------------------------------------------------------------------------

    def check_deadlines(self) -> None:
        """Give up every call over its limit. Called by the watchdog; public so that a test can own the time."""
        for slot in self._slots.values():
            busy = slot.worker.overdue()
            if busy is not None:
                self._expire(slot, busy)
        if self._service is not None and self._restart_due():
            threading.Thread(target=self._restart, args=(self._service,), name="pcsc-restart", daemon=True).start()

    def _expire(self, slot: _Slot, busy: BusyCall) -> None:
        """A foreign transaction blocks our connect; anything else that blocks is the reader's doing."""
        reader = slot.reader
        blocked = busy.call == "SCardConnect" and reader is not None and self._in_use(reader)
        problem = PcscProblem.HELD_BY_OTHER if blocked else PcscProblem.READER_HUNG
        with self._lock:
            worker = slot.worker
            if not worker.abandon(busy, problem):
                return
            slot.stale.add(worker)
            if problem is PcscProblem.READER_HUNG and slot.stuck_since_s is None:
                slot.stuck_since_s = self._clock.monotonic_s()
            slot.worker = self._new_worker(slot.role)
            slot.card_hung = slot.card is not None and not blocked
            self._fail(slot, LinkError(problem, f"{busy.call} over its limit on {slot.reader}", command_sent=False))

    def _restart_due(self) -> bool:
        """A driver keeps a thread, and no card of another role is being commanded: that would tear its update."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            return any(
                self._restart_rule.due(slot.stuck_since_s, now_s)
                for slot in self._slots.values()
                if slot.stuck_since_s is not None
                and not any(other.commanded for other in self._slots.values() if other is not slot)
            )

    @staticmethod
    def _restart(service: ServiceManager) -> None:
        problem = service.restart()
        if problem is None:
            _log.warning("the PC/SC service was restarted: a reader's driver hung")
        else:
            _log.error("the PC/SC service could not be restarted: %s", problem.reason)

    def _in_use(self, reader: str) -> bool:
        return within(CLASSIFY_S, lambda: card_in_use(self._scard, reader)) is True

    def _worker_ended(self, role: ReaderRole, worker: CardWorker) -> None:
        with self._lock:
            slot = self._slots[role]
            if worker in slot.stale:
                slot.stale.discard(worker)
                if not slot.stale:
                    slot.stuck_since_s = None
                self._recover(slot)
            elif worker is slot.worker and not self._stopped:  # a bug ended it
                slot.worker = self._new_worker(role)

    def _new_worker(self, role: ReaderRole) -> CardWorker:
        return CardWorker(
            self._scard,
            role,
            clock=self._clock,
            deadlines=self._deadlines,
            trace=self._trace,
            ended=lambda worker: self._worker_ended(role, worker),
        )

    def _watch(self) -> None:
        while not self._watch_ends.wait(self._deadlines.watch_every_s):
            self.check_deadlines()


def _link_fault(error: LinkError) -> Fault:
    return fault_of(error.problem, error.detail, command_sent=error.command_sent)


def _nothing(_: object) -> None:
    """Nobody waits for the end of a dialogue."""
