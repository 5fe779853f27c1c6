"""The reader hub: what readers and cards do becomes events of the visit; what the visit asks of a card gets done.

Three kinds of threads meet here: the monitor's, one card thread per role, and the watchdog's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Final

from kiosk.card.apdu import ApduError, parse_command
from kiosk.card.values import CardContent, CardKind
from kiosk.hardware.pcsc.api import PcscProblem, Scard
from kiosk.hardware.pcsc.connection import Deadlines, LinkError, Trace
from kiosk.hardware.pcsc.contacts import Contacts
from kiosk.hardware.pcsc.faults import fault_of
from kiosk.hardware.pcsc.monitor import Monitor, MonitorEvent, ReadersChanged, ServiceLost, SlotEmptied, SlotFilled
from kiosk.hardware.pcsc.reading import read_card
from kiosk.hardware.pcsc.roles import BindingError, parse_bindings
from kiosk.hardware.pcsc.service import ServiceManager
from kiosk.hardware.pcsc.slot import ReaderCondition, RoleSlot, TellContacts, link_fault, nothing
from kiosk.hardware.pcsc.staff import look_at_staff_card
from kiosk.hardware.pcsc.watchdog import Watchdog
from kiosk.hardware.pcsc.worker import CardWorker, Dialogue, Job
from kiosk.visit.failures import Fault
from kiosk.visit.ports import CardAnswers, CardSession, CardStep, Clock, Post, ReaderRole
from kiosk.visit.values import StaffKind

STOP_WAIT_S: Final = 1.0
_UNREADABLE: Final = frozenset({CardKind.MUTE, CardKind.BANK, CardKind.PROFESSIONAL, CardKind.VITALE_1})


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
        self._tell_contacts = tell_contacts
        self._identities = parsed
        self._lock = threading.RLock()
        self._slots: dict[ReaderRole, RoleSlot] = {}
        self._stopped = False  # no thread is replaced any more
        self._monitor = Monitor(scard, self._on_monitor)
        self._watchdog = Watchdog(
            scard,
            self._slots.values,
            self._lock,
            clock,
            monitor=self._monitor,
            deadlines=self._deadlines,
            service=service,
        )

    def start(self) -> None:
        """Start the threads. The first event of each role is `ReaderReady` or `ReaderFailed`."""
        for role, identity in self._identities.items():
            self._slots[role] = RoleSlot(
                role,
                identity,
                new_worker=self._new_worker,
                post=self._post,
                clock=self._clock,
                tell_contacts=self._tell_contacts,
            )
        self._watchdog.start()
        self._monitor.start()

    def stop(self) -> None:
        """End every dialogue and every thread; a thread that a driver holds is left behind."""
        self._monitor.stop()
        with self._lock:
            self._stopped = True
            workers = [slot.worker for slot in self._slots.values()]
            for slot in self._slots.values():
                slot.void(LinkError(PcscProblem.READER_GONE, "the kiosk is stopping", command_sent=False))
        for worker in workers:
            worker.stop(STOP_WAIT_S)
        self._watchdog.stop()
        for role, counts in self.contacts().items():
            if self._tell_contacts is not None and counts != Contacts():
                self._tell_contacts(role, counts)

    def contacts(self) -> Mapping[ReaderRole, Contacts]:
        """How good the contacts were since the start, by role."""
        with self._lock:
            return {role: slot.contacts.counts for role, slot in self._slots.items()}

    def readers(self) -> Mapping[ReaderRole, ReaderCondition]:
        """How the readers are, by role."""
        with self._lock:
            return {role: slot.condition for role, slot in self._slots.items()}

    def alive(self) -> bool:
        """Whether every thread that reads cards is there, and the one that limits the others comes round."""
        with self._lock:
            workers = [slot.worker for slot in self._slots.values()]
        return self._monitor.alive and self._watchdog.alive and all(worker.alive for worker in workers)

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
            return CardAnswers(fault=link_fault(found))
        slot, card = found
        with self._lock:
            slot.commanded |= slot.session == card_session
        responses: list[bytes] = []

        def work(dialogue: Dialogue) -> LinkError | None:
            for command, expected_sw in commands:
                if isinstance(ended := self._find(card_session), LinkError):
                    return ended
                answer = dialogue.exchange(card_session, card, command)
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
        return CardAnswers(tuple(responses), None if error is None else link_fault(error))

    def read(self, card_session: CardSession, done: Callable[[CardContent | Fault], None]) -> None:
        """Read the card from the start. `done` is called once, on any thread, perhaps before this returns."""
        found = self._find(card_session)
        if isinstance(found, LinkError):
            return done(link_fault(found))
        slot, card = found
        kind = slot.kind
        if kind in _UNREADABLE:
            return done(fault_of(kind, command_sent=False))
        if slot.contacts.dirty:
            return done(fault_of(PcscProblem.CARD_DIRTY, command_sent=False))

        def work(dialogue: Dialogue) -> CardContent | Fault | LinkError:
            failed = dialogue.begin(card_session, card)
            if failed is not None:
                return failed
            return read_card(lambda command: dialogue.exchange(card_session, card, command), kind)

        def settled(outcome: CardContent | Fault | LinkError) -> None:
            self._count_silence(slot, outcome)
            done(link_fault(outcome) if isinstance(outcome, LinkError) else outcome)

        slot.worker.submit(Job(work, settled))
        return None

    def look(self, card_session: CardSession, done: Callable[[StaffKind | Fault], None]) -> None:
        """What the card in the professional slot is; otherwise as `read`. Only a badge is kept under power."""
        found = self._find(card_session)
        if isinstance(found, LinkError):
            return done(link_fault(found))
        slot, card = found
        kind = slot.kind

        def work(dialogue: Dialogue) -> StaffKind | Fault | LinkError:
            outcome = look_at_staff_card(lambda command: dialogue.exchange(card_session, card, command), kind, card.atr)
            if outcome is not StaffKind.TECHNICIAN:
                dialogue.end()
            return outcome

        def settled(outcome: StaffKind | Fault | LinkError) -> None:
            done(link_fault(outcome) if isinstance(outcome, LinkError) else outcome)

        slot.worker.submit(Job(work, settled))
        return None

    def release(self, card_session: CardSession) -> None:
        """End the dialogue and switch the card off, after what is under way. A new one begins with `read` only."""
        found = self._find(card_session)
        if not isinstance(found, LinkError):
            found[0].commanded = False
            found[0].worker.submit(Job(Dialogue.end, nothing))

    def _find(self, card_session: CardSession) -> tuple[RoleSlot, SlotFilled] | LinkError:
        with self._lock:
            for slot in self._slots.values():
                if slot.session == card_session and slot.card is not None:
                    return slot, slot.card
                if slot.last is not None and slot.last[0] == card_session:
                    return slot.last[1]
        return LinkError(PcscProblem.CARD_REMOVED, "an earlier card session", command_sent=False)

    # --- what readers and cards do --------------------------------------------------------------------------------

    def _on_monitor(self, event: MonitorEvent) -> None:
        with self._lock:
            match event:
                case ServiceLost(error):
                    for slot in self._slots.values():
                        slot.lose_reader(LinkError(error.problem, str(error), command_sent=False))
                case ReadersChanged(readers):
                    for slot in self._slots.values():
                        slot.follow(readers)
                case SlotFilled():
                    for slot in self._slots.values():
                        if slot.reader == event.reader:
                            slot.fill(event)
                case SlotEmptied(reader):
                    for slot in self._slots.values():
                        if slot.reader == reader:
                            slot.empty()

    def _count_silence(self, slot: RoleSlot, outcome: object) -> None:
        if isinstance(outcome, LinkError) and outcome.problem is PcscProblem.CARD_SILENT:
            with self._lock:
                slot.contacts.silent()

    # --- threads --------------------------------------------------------------------------------------------------

    def check_deadlines(self) -> None:
        """Give up every call over its limit. Called by the watchdog; public so that a test can own the time."""
        self._watchdog.check()

    def _worker_ended(self, role: ReaderRole, worker: CardWorker) -> None:
        with self._lock:
            self._slots[role].worker_ended(worker, replace=not self._stopped)

    def _new_worker(self, role: ReaderRole) -> CardWorker:
        return CardWorker(
            self._scard,
            role,
            clock=self._clock,
            deadlines=self._deadlines,
            trace=self._trace,
            ended=lambda worker: self._worker_ended(role, worker),
        )
