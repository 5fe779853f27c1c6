"""One role's reader and the card in it: which card session the visit may use, and what it is told about both.

A card session lives from one insertion to the removal of that card, the loss of its reader or service, or a call over
its limit. `ReaderFailed` voids the session of its role; no `CardRemoved` follows, because nobody knows where the card
is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kiosk.card.atr import classify
from kiosk.card.values import CardKind
from kiosk.hardware.pcsc.api import PcscProblem
from kiosk.hardware.pcsc.connection import LinkError
from kiosk.hardware.pcsc.contacts import ContactCounter, Contacts
from kiosk.hardware.pcsc.faults import fault_of
from kiosk.hardware.pcsc.monitor import SlotFilled
from kiosk.hardware.pcsc.roles import ReaderIdentity, find_reader
from kiosk.hardware.pcsc.worker import BusyCall, CardWorker, Dialogue, Job
from kiosk.visit.events import CardInserted, CardRemoved, ReaderFailed, ReaderReady
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardSession, Clock, Post, ReaderRole

TellContacts = Callable[[ReaderRole, Contacts], object]
"""Receives a role's counts when its contact has proved to be flaky, and at the end if there is anything to tell."""


@dataclass(frozen=True, slots=True)
class ReaderCondition:
    """How a role's reader is. Not ready and no fault: nothing has been heard of it yet."""

    ready: bool
    fault: Fault | None
    contacts: Contacts


_session_numbers: Final = itertools.count(1)


class RoleSlot:
    """What the hub knows of one role's reader. Every method under the hub's lock."""

    def __init__(
        self,
        role: ReaderRole,
        identity: ReaderIdentity,
        *,
        new_worker: Callable[[ReaderRole], CardWorker],
        post: Post,
        clock: Clock,
        tell_contacts: TellContacts | None,
    ) -> None:
        self.role = role
        self.worker = new_worker(role)
        self.reader: str | None = None
        self.card: SlotFilled | None = None
        self.stale: set[CardWorker] = set()  # abandoned threads that have not ended yet
        self.stuck_since_s: float | None = None  # the first of them was given up in a driver that hung
        self.session: CardSession | None = None
        self.commanded = False  # the visit sent this session commands of its own: it may be in the middle of an update
        self.contacts = ContactCounter()
        self.kind = CardKind.OTHER
        self.last: tuple[CardSession, LinkError] | None = None  # the session before, and why it ended
        self._identity = identity
        self._new_worker = new_worker
        self._post = post
        self._clock = clock
        self._tell_contacts = tell_contacts
        self._ready = False  # what was last posted: `ReaderReady` or, with its cause in `_failed`, `ReaderFailed`
        self._failed: Fault | None = None
        self._card_hung = False  # this card made a call go over its limit: the reader waits for it to leave

    @property
    def condition(self) -> ReaderCondition:
        """How the reader is now."""
        return ReaderCondition(self._ready, self._failed, self.contacts.counts)

    def follow(self, readers: tuple[str, ...]) -> None:
        """The readers there are now: find the role's by its identity."""
        found = find_reader(self._identity, readers)
        if found is not None and found == self.reader:
            return
        if found is None:
            was_there = self.reader is not None or (
                self._failed is not None and self._failed.cause is Cause.READER_LOST
            )
            problem = PcscProblem.READER_GONE if was_there else PcscProblem.NO_READER
            detail = f"{self._identity.model} not among {len(readers)} readers"
            self.lose_reader(LinkError(problem, detail, command_sent=False))
            return
        if self.reader is not None:
            self.lose_reader(LinkError(PcscProblem.READER_GONE, "another took its place", command_sent=False))
        self.reader = found
        self._recover()

    def lose_reader(self, error: LinkError) -> None:
        """The reader, or the service behind it, is gone."""
        self.reader = self.card = None
        self.contacts.lost()
        self._card_hung = False
        self.fail(error)
        self.worker.submit(Job(Dialogue.leave, nothing))  # its context may be dead as well

    def fill(self, card: SlotFilled) -> None:
        """A card is in."""
        self.card = card
        flaky = self.contacts.filled(card.atr, mute=card.mute, now_s=self._clock.monotonic_s())
        if flaky and self._tell_contacts is not None:
            self._tell_contacts(self.role, self.contacts.counts)
        self._admit()

    def empty(self) -> None:
        """The card has left."""
        session = self.session
        self.card = None
        self.contacts.emptied(self._clock.monotonic_s())
        self._card_hung = False
        self.void(LinkError(PcscProblem.CARD_REMOVED, "the card has left", command_sent=False))
        if session is not None:
            self._post(CardRemoved(self.role, session))
        self._recover()

    def fail(self, error: LinkError) -> None:
        """The reader cannot be used; said once per cause."""
        self.void(error)
        fault = link_fault(error)
        self._ready = False
        if self._failed is None or self._failed.cause is not fault.cause:
            self._failed = fault
            self._post(ReaderFailed(self.role, fault))

    def void(self, error: LinkError) -> None:
        """The card session is over: everything that still carries its id is answered with `error`."""
        if self.session is not None:
            self.last = (self.session, error)
            self.session = None
            self.commanded = False
            gone = error.problem is PcscProblem.CARD_REMOVED
            self.worker.submit(Job(Dialogue.forget if gone else Dialogue.end, nothing))

    def give_up(self, busy: BusyCall, problem: PcscProblem) -> None:
        """The call is over its limit: abandon its thread. HELD_BY_OTHER is not the doing of the card in the slot."""
        worker = self.worker
        if not worker.abandon(busy, problem):
            return
        self.stale.add(worker)
        if problem is PcscProblem.READER_HUNG and self.stuck_since_s is None:
            self.stuck_since_s = self._clock.monotonic_s()
        self.worker = self._new_worker(self.role)
        self._card_hung = self.card is not None and problem is PcscProblem.READER_HUNG
        self.fail(LinkError(problem, f"{busy.call} over its limit on {self.reader}", command_sent=False))

    def worker_ended(self, worker: CardWorker, *, replace: bool) -> None:
        """A card thread has ended: an abandoned one that came back, or, by a bug, the one in use."""
        if worker in self.stale:
            self.stale.discard(worker)
            if not self.stale:
                self.stuck_since_s = None
            self._recover()
        elif worker is self.worker and replace:
            self.worker = self._new_worker(self.role)

    def _admit(self) -> None:
        """A new session for the card in the slot, once the reader can be used."""
        if self.card is None or not self._ready:
            return
        self.session = CardSession(next(_session_numbers))
        self.kind = CardKind.MUTE if self.card.mute else classify(self.card.atr)
        self._post(CardInserted(self.role, self.session, self.kind))

    def _recover(self) -> None:
        """The reader can be used once it is there, no old call blocks it, and a card that hung it has left."""
        if self._ready or self.reader is None or self.stale or self._card_hung:
            return
        self._ready, self._failed = True, None
        self._post(ReaderReady(self.role))
        self._admit()


def link_fault(error: LinkError) -> Fault:
    """A failed exchange as the visit knows it."""
    return fault_of(error.problem, error.detail, command_sent=error.command_sent)


def nothing(_: object) -> None:
    """Nobody waits for the end of a dialogue."""
