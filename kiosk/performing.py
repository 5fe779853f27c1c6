"""What the visit asks for, done: each effect by the part that can, answered with events. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cryptography import x509

from kiosk.badge import AuthorityError, Refusal, check_badge, no_authority
from kiosk.card.values import CardContent
from kiosk.diagnostics.report import Check
from kiosk.facts import Facts, fault_of
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.hardware.printer.driver import Printer, health_fault
from kiosk.journal.pseudonym import daily_key, pseudonym
from kiosk.office import Office, submit
from kiosk.status import part_lines
from kiosk.store.errors import StoreError
from kiosk.store.thread import Store
from kiosk.sync.outbox import store_failed
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.visit import effects as fx
from kiosk.visit import events as ev
from kiosk.visit.failures import Fault, internal_fault
from kiosk.visit.ports import Bitmap, CardSession, Post, PrinterHealth, PrintState
from kiosk.visit.values import RecordType, StaffKind, TicketContent

_UPLOAD_NOW = frozenset({RecordType.UPDATE_ENDED, RecordType.VISIT_ENDED})
"""What the backend should know soon; the rest goes with it, and not while a member is being served."""


@dataclass(frozen=True, slots=True)
class Means:
    """With what effects are performed.

    draw: a ticket as a picture for this kiosk's paper. look: the condition of every part, now. wake: the upload, soon.
    not_written: a fact could not be committed.
    """

    hub: ReaderHub
    office: Office
    printer: Printer | None
    draw: Callable[[TicketContent], Bitmap]
    store: Store | StoreError
    facts: Facts | None
    time: TimeKeeper
    authority: x509.Certificate | AuthorityError
    post: Post
    look: Callable[[], tuple[Check, ...]]
    wake: Callable[[], None]
    not_written: Callable[[], None]


class Performer:
    """Returns at once from every effect: what takes time is done by hub, office, store, or one of two threads.

    One thread draws tickets, the other checks badges and looks around.
    """

    def __init__(self, means: Means) -> None:
        self._with = means
        self._paper = ThreadPoolExecutor(1, "ticket")
        self._badge = ThreadPoolExecutor(1, "badge")

    def stop(self) -> None:
        """Finish what runs, then end both threads."""
        self._paper.shutdown()
        self._badge.shutdown()

    def handlers(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Who performs which effect."""
        office = self._with.office
        return {
            fx.ReadCard: self._read_card,
            fx.LookAtStaffCard: self._look_at_staff_card,
            fx.CheckBadge: lambda effect: submit(self._badge, self._check_badge, effect),
            fx.LookAround: lambda effect: submit(self._badge, self._look_around, effect),
            fx.ReleaseCard: lambda effect: self._with.hub.release(effect.card_session),
            fx.AskStanding: office.ask_standing,
            fx.RunUpdate: office.run_update,
            fx.Identify: office.identify,
            fx.IssueCode: office.issue_code,
            fx.PrintTicket: self.print_ticket,
            fx.Record: self._record,
            fx.Wipe: lambda effect: None,  # an adapter drops what it was handed once it has answered; a scanner looks
        }

    # --- cards ---------------------------------------------------------------------------------------------------

    def _read_card(self, effect: fx.ReadCard) -> None:
        self._with.hub.read(effect.card_session, partial(self._card_read, effect.card_session))

    def _card_read(self, card_session: CardSession, outcome: CardContent | Fault) -> None:
        store = self._with.store
        if isinstance(outcome, Fault):
            self._with.post(ev.CardFailed(card_session, outcome))
            return
        if isinstance(store, StoreError):
            self._with.post(ev.CardFailed(card_session, store_failed("no pseudonym without a store")))
            return
        today = datetime.fromtimestamp(self._with.time.now_s(), UTC).date()
        key = store.submit(lambda tx: daily_key(tx, today))
        key.add_done_callback(partial(self._card_named, card_session, outcome))

    def _card_named(self, card_session: CardSession, card: CardContent, key: Future[bytes]) -> None:
        error = key.exception()
        if error is not None:
            self._with.post(ev.CardFailed(card_session, fault_of(error)))
        else:
            self._with.post(ev.CardRead(card_session, card, pseudonym(key.result(), card.iccsn)))

    # --- the professional slot -----------------------------------------------------------------------------------

    def _look_at_staff_card(self, effect: fx.LookAtStaffCard) -> None:
        post, authority = self._with.post, self._with.authority

        def looked(known: StaffKind | Fault) -> None:
            if isinstance(known, Fault):
                post(ev.StaffCardFailed(effect.card_session, known))
            elif known is StaffKind.TECHNICIAN and isinstance(authority, AuthorityError):
                post(ev.StaffCardFailed(effect.card_session, no_authority(authority)))
            else:
                post(ev.StaffCardKnown(effect.card_session, known))

        self._with.hub.look(effect.card_session, looked)

    def _check_badge(self, effect: fx.CheckBadge) -> None:
        refusal = self._badge_refusal(effect)
        if refusal is None:
            self._with.post(ev.BadgeAccepted(effect.card_session))
        else:
            self._with.post(ev.BadgeRefused(effect.card_session, refusal.fault, refusal.tries_left))

    def _badge_refusal(self, effect: fx.CheckBadge) -> Refusal | None:
        authority = self._with.authority
        if isinstance(authority, AuthorityError):
            return Refusal(no_authority(authority))
        try:
            return check_badge(self._with.hub, effect.card_session, effect.pin, authority, self._with.time.now_s())
        except Exception as error:  # noqa: BLE001  a bug must not leave a technician waiting; its text might hold anything
            return Refusal(internal_fault(type(error).__name__))

    def _look_around(self, _effect: fx.LookAround) -> None:
        self._with.post(ev.ConditionSeen(part_lines(self._with.look())))

    # --- ticket and records --------------------------------------------------------------------------------------

    def print_ticket(self, effect: fx.PrintTicket) -> None:
        """→ `TicketEnded`."""
        submit(self._paper, self._print, effect)

    def _print(self, effect: fx.PrintTicket) -> None:
        printer, post = self._with.printer, self._with.post
        if printer is None:
            post(ev.TicketEnded(effect.visit, PrintState.FAILED, health_fault(PrinterHealth.UNKNOWN)))
            return
        try:
            picture = self._with.draw(effect.ticket)
        except Exception as error:  # noqa: BLE001  a bug must not leave a member waiting; nothing has left for the printer
            post(ev.TicketEnded(effect.visit, PrintState.FAILED, internal_fault(type(error).__name__)))
        else:
            printer.print(effect.visit, picture)

    def _record(self, effect: fx.Record) -> None:
        facts = self._with.facts
        if facts is None:
            self._with.post(ev.RecordFailed(effect.token, store_failed("the store did not open")))
            return
        written = facts.commit(effect.type.value, effect.fields, effect.pseudonym)
        written.add_done_callback(partial(self._recorded, effect.token))
        if effect.type in _UPLOAD_NOW:
            written.add_done_callback(self._upload_now)

    def _recorded(self, token: int, written: Future[None]) -> None:
        error = written.exception()
        if error is None:
            self._with.post(ev.Recorded(token))
            return
        self._with.post(ev.RecordFailed(token, fault_of(error)))
        self._with.not_written()

    def _upload_now(self, _written: Future[None]) -> None:
        self._with.wake()
