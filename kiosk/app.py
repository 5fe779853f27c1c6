"""The composition root: settings in; devices, channel, store and screen wired around one visit. Chooses every adapter.

A part that cannot start (store, enrolment, printer) is an expected failure: the kiosk runs, and says what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from kiosk import __version__
from kiosk.background import Background
from kiosk.badge import AuthorityError, Refusal, check_badge, load_authority, no_authority
from kiosk.card.values import CardContent
from kiosk.chores.documents import Documents
from kiosk.chores.pruning import Pruning
from kiosk.chores.renewing import Renewing
from kiosk.chores.uploading import Uploading
from kiosk.diagnostics.report import Check
from kiosk.diagnostics.status import STATUS_FILE
from kiosk.facts import Facts, StoreWatch, fault_of
from kiosk.hardware.pcsc.api import PcscProblem, Scard
from kiosk.hardware.pcsc.faults import fault_of as fault_of_reader
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.hardware.pcsc.service import ServiceManager
from kiosk.hardware.printer.driver import Printer, health_fault
from kiosk.hardware.printer.profile import PROFILES
from kiosk.journal.pseudonym import daily_key, pseudonym
from kiosk.journal.unended import Unended, earlier_tickets, unended
from kiosk.office import Office, submit
from kiosk.settings import Settings
from kiosk.state import IDENTITY, open_store
from kiosk.status import StatusKeeper, clock_check, condition, part_lines
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.store.transaction import read_meta_int
from kiosk.sync.client import Channel
from kiosk.sync.credentials import Credentials
from kiosk.sync.documents_in_force import InForce
from kiosk.sync.documents_keeper import DocumentKeeper
from kiosk.sync.faults import RefusalReason
from kiosk.sync.identity import Identities, IdentityError, load_identities
from kiosk.sync.outbox import Outbox, store_failed
from kiosk.sync.renewal import Renewal
from kiosk.sync.time_keeper import TIME_FLOOR, TimeKeeper, keep_floor
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import Uploader
from kiosk.visit import effects as fx
from kiosk.visit import events as ev
from kiosk.visit.failures import Fault, internal_fault
from kiosk.visit.model import State
from kiosk.visit.policy import Policy, Quarantine
from kiosk.visit.ports import Bitmap, CardSession, Clock, PrinterHealth, PrintState, ReaderRole
from kiosk.visit.runner import Runner
from kiosk.visit.timing import TICKET_MEMORY_S
from kiosk.visit.values import EarlierTicket, RecordType, StaffKind, TicketContent

SHUTDOWN_RECORD_S = 5.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a kiosk is handed from outside.

    scard: the PC/SC functions. publish: takes each new state (from the runner's thread; returns at once). draw: a
    ticket as a picture for paper this many dots wide. trace: takes one redacted line an APDU. service: restarts the
    PC/SC service when a driver hangs in it.
    """

    scard: Scard
    publish: Callable[[State], None]
    draw: Callable[[TicketContent, int], Bitmap]
    clock: Clock
    trace: Callable[[str], None] | None = None
    service: ServiceManager | None = None


_UPLOAD_NOW = frozenset({RecordType.UPDATE_ENDED, RecordType.VISIT_ENDED})
"""What the backend should know soon; the rest goes with it, and not while a member is being served."""


class Kiosk:
    """One kiosk. `start`, then events from `post`; `stop` ends every thread."""

    def __init__(self, settings: Settings, around: Surroundings) -> None:
        self._around = around
        self._settings = settings
        self.store = open_store(settings.kiosk.state_dir, settings.kiosk.key_store)
        self.time = TimeKeeper(around.clock, floor_s=self._kept_floor_s(), keep_floor=self._keep_floor)
        self.facts = self._facts()
        self._watch = None if self.facts is None else StoreWatch(self.facts, self.post)
        readers = settings.readers
        bindings = {ReaderRole.PATIENT: readers.patient, ReaderRole.PROFESSIONAL: readers.professional}
        self.hub = ReaderHub(
            around.scard,
            {role: name for role, name in bindings.items() if name},
            self.post,
            around.clock,
            trace=around.trace,
            service=around.service,
            tell_contacts=lambda role, counts: self._note("reader_contacts", {"role": role.value, **asdict(counts)}),
        )
        self.printer = self._printer()
        identities = load_identities(settings.kiosk.state_dir / IDENTITY, settings.kiosk.key_store)
        self._identities = None if isinstance(identities, IdentityError) else identities
        credentials = None if self._identities is None else Credentials(self._identities.current)
        self.office = Office(credentials, self.hub, self.time, around.clock, self.post)
        self.background = Background()
        self._renewing: Renewing | None = None
        self._documents: Documents | None = None
        self._uploading: Uploading | None = None
        self._turn: Turn | None = None
        self._service_cause: str | None = None  # why the backend does not serve; "": it does; None: not known yet
        self._paper = ThreadPoolExecutor(1, "ticket")
        self._badge = ThreadPoolExecutor(1, "badge")
        self._authority = load_authority(settings.staff.authority_file)
        self.runner = Runner(State(policy=Policy()), self._handlers(), around.publish, around.clock)
        self._status = StatusKeeper(
            settings.kiosk.state_dir / STATUS_FILE,
            self._condition,
            around.clock,
        )

    # --- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every thread. What works and what does not arrives as events."""
        self.runner.start()
        if isinstance(self.store, StoreError):
            self.post(ev.RecordFailed(0, store_failed(f"{self.store.field}: {self.store.reason}")))
        if self._watch is not None:
            self._watch.start()
        self._note_start()
        if isinstance(self.store, StoreError) or self.facts is None or self._identities is None:
            self.office.say_not_enrolled()
        else:
            self._start_chores(self._identities, self.store, self.facts)
        if self.printer is not None:
            self.printer.start()
        if not self._settings.readers.patient:
            detail = "readers.patient is not set"
            self.post(ev.ReaderFailed(ReaderRole.PATIENT, fault_of_reader(PcscProblem.NO_READER, detail)))
        self.hub.start()
        if not isinstance(self.store, StoreError):  # else it may be another kiosk's, or there is nowhere to write
            self._status.start()

    def _note_start(self) -> None:
        """Before anything new: what the last run began and never ended (a power cut, a kill) gets its honest end."""
        if self.facts is None or isinstance(self.store, StoreError):
            return
        now_ms = self.time.now_s() * 1000
        self.store.submit(lambda tx: (unended(tx), earlier_tickets(tx, now_ms, TICKET_MEMORY_S))).add_done_callback(
            self._note_ends
        )

    def _note_ends(self, found: Future[tuple[list[Unended], list[EarlierTicket]]]) -> None:
        if self.facts is None:
            return
        ends, tickets = ([], []) if found.exception() is not None else found.result()
        for end in ends:
            self.facts.commit(end.event, end.fields, end.pseudonym)
        loose = any(end.event == RecordType.TICKET_ENDED for end in ends)
        if loose and self.printer is not None:
            self.printer.cut_off_remains()
        if loose or tickets:
            self.post(ev.TicketsBefore(tuple(tickets), loose))
        self._note("kiosk_started", {})  # last: should power go in between, the ends are still found open

    def stop(self) -> None:
        """End every dialogue and thread: what makes events, then the visit, the store last."""
        if not isinstance(self.store, StoreError):
            self._status.stop()
        self.hub.stop()
        self.background.stop()
        self.office.stop()
        self._paper.shutdown()
        self._badge.shutdown()
        if self.printer is not None:
            self.printer.close()
        self.runner.stop()
        if self._watch is not None:
            self._watch.stop()
        if not isinstance(self.store, StoreError):
            if (noted := self._note("kiosk_stopped", {})) is not None:
                wait([noted], SHUTDOWN_RECORD_S)
            self.store.close()

    def post(self, event: object) -> None:
        """Put an event on the visit's queue, and note what the diagnostics need."""
        match event:
            case ev.ReaderReady():
                self._note("reader_ready", {"role": event.role.value})
            case ev.ReaderFailed():
                self._note("reader_failed", {"role": event.role.value, "cause": event.fault.cause.value})
            case ev.PrinterChanged():
                self._note("printer_changed", {"health": event.health.value})
            case ev.ServiceUp() if self._service_cause != "":
                self._service_cause = ""
                self._note("service_up", {})
                if self._turn is not None:
                    self._turn.service_back()
            case ev.ServiceDown() if self._service_cause != event.fault.cause:
                self._service_cause = event.fault.cause
                self._note("service_down", {"cause": event.fault.cause.value})
                if self._turn is not None:
                    self._turn.service_away()
                if self._documents is not None:
                    self._documents.hurry()
                    self.background.wake()
            case _:
                pass
        self.runner.post(event)  # type: ignore[arg-type]  # devices post events only; `Post` is wider for their sake

    # --- parts ---------------------------------------------------------------------------------------------------

    def _facts(self) -> Facts | None:
        if isinstance(self.store, StoreError):
            return None
        return Facts(self.store, Outbox(self._around.clock), lambda: self.time.now_s() * 1000)

    def _printer(self) -> Printer | None:
        settings = self._settings.printer
        if not settings.port:
            return None
        return Printer(settings.port, PROFILES[settings.profile], self.post, self._around.clock)

    def _start_chores(self, identities: Identities, store: Store, facts: Facts) -> None:
        clock, identity = self._around.clock, identities.current
        credentials = self.office.credentials or Credentials(identity)
        channel = Channel(credentials, self.time, clock, pause=self.background.pause)
        self._turn = Turn(identity.kiosk, clock)
        uploader = Uploader(store, channel, clock, self._turn)
        self._uploading = Uploading(uploader, facts)
        keeper = DocumentKeeper(store, roles=identity.trust.roles, kiosk=identity.kiosk, app_version=__version__)
        self._documents = Documents(
            channel, keeper, facts, time=self.time, clock=clock, post=self.post, obey=partial(self._obey, uploader)
        )
        self._renewing = Renewing(
            Renewal(identities, self._settings.kiosk.serial),
            credentials,
            facts,
            open_channel=lambda keys: Channel(keys, self.time, clock, pause=self.background.pause),
            time=self.time,
            clock=clock,
            switched=partial(self._keys_changed, uploader),
        )
        # New keys first: whatever follows may need them. Then what was ordered: it counts before anything is sent.
        chores = (self._renewing, self._documents, self._uploading, Pruning(store, facts, clock))
        self.background.start(chores, channel.close)

    @staticmethod
    def _keys_changed(uploader: Uploader) -> None:
        if uploader.status.reason == RefusalReason.KEY_STATE:
            uploader.resume()

    def _obey(self, uploader: Uploader, in_force: InForce) -> None:
        self.office.obey(in_force)
        if in_force.policy.quarantine is Quarantine.STOP:
            uploader.hold("quarantined")
        else:
            uploader.resume()

    def _kept_floor_s(self) -> int:
        if isinstance(self.store, StoreError):
            return 0
        try:
            return self.store.submit(lambda tx: read_meta_int(tx, TIME_FLOOR), essential=True).result()
        except StoreFailedError:  # the first fact will meet the same, and say so
            return 0

    def _keep_floor(self, floor_s: int) -> None:
        if not isinstance(self.store, StoreError):
            self.store.submit(lambda tx: keep_floor(tx, floor_s), essential=True)

    # --- effects -------------------------------------------------------------------------------------------------

    def _handlers(self) -> dict[type[Any], Callable[[Any], None]]:
        return {
            fx.ReadCard: self._read_card,
            fx.LookAtStaffCard: self._look_at_staff_card,
            fx.CheckBadge: lambda effect: submit(self._badge, self._check_badge, effect),
            fx.LookAround: lambda effect: submit(self._badge, self._look_around, effect),
            fx.ReleaseCard: lambda effect: self.hub.release(effect.card_session),
            fx.AskStanding: self.office.ask_standing,
            fx.RunUpdate: self.office.run_update,
            fx.Identify: self.office.identify,
            fx.IssueCode: self.office.issue_code,
            fx.PrintTicket: self._print_ticket,
            fx.Record: self._record,
            fx.Wipe: lambda effect: None,  # an adapter drops what it was handed once it has answered; a scanner looks
        }

    def _read_card(self, effect: fx.ReadCard) -> None:
        self.hub.read(effect.card_session, partial(self._card_read, effect.card_session))

    def _card_read(self, card_session: CardSession, outcome: CardContent | Fault) -> None:
        if isinstance(outcome, Fault):
            self.post(ev.CardFailed(card_session, outcome))
            return
        if isinstance(self.store, StoreError):
            self.post(ev.CardFailed(card_session, store_failed("no pseudonym without a store")))
            return
        today = datetime.fromtimestamp(self.time.now_s(), UTC).date()
        key = self.store.submit(lambda tx: daily_key(tx, today))
        key.add_done_callback(partial(self._card_named, card_session, outcome))

    def _card_named(self, card_session: CardSession, card: CardContent, key: Future[bytes]) -> None:
        error = key.exception()
        if error is not None:
            self.post(ev.CardFailed(card_session, fault_of(error)))
        else:
            self.post(ev.CardRead(card_session, card, pseudonym(key.result(), card.iccsn)))

    def _look_at_staff_card(self, effect: fx.LookAtStaffCard) -> None:
        def looked(known: StaffKind | Fault) -> None:
            if isinstance(known, Fault):
                self.post(ev.StaffCardFailed(effect.card_session, known))
            elif known is StaffKind.TECHNICIAN and isinstance(self._authority, AuthorityError):
                self.post(ev.StaffCardFailed(effect.card_session, no_authority(self._authority)))
            else:
                self.post(ev.StaffCardKnown(effect.card_session, known))

        self.hub.look(effect.card_session, looked)

    def _check_badge(self, effect: fx.CheckBadge) -> None:
        refusal = self._badge_refusal(effect)
        if refusal is None:
            self.post(ev.BadgeAccepted(effect.card_session))
        else:
            self.post(ev.BadgeRefused(effect.card_session, refusal.fault, refusal.tries_left))

    def _badge_refusal(self, effect: fx.CheckBadge) -> Refusal | None:
        if isinstance(self._authority, AuthorityError):
            return Refusal(no_authority(self._authority))
        try:
            return check_badge(self.hub, effect.card_session, effect.pin, self._authority, self.time.now_s())
        except Exception as error:  # noqa: BLE001  a bug must not leave a technician waiting; its text might hold anything
            return Refusal(internal_fault(type(error).__name__))

    def _look_around(self, _effect: fx.LookAround) -> None:
        self.post(ev.ConditionSeen(part_lines(self._condition())))

    def _print_ticket(self, effect: fx.PrintTicket) -> None:
        submit(self._paper, self._print, effect)

    def _print(self, effect: fx.PrintTicket) -> None:
        if self.printer is None:
            self.post(ev.TicketEnded(effect.visit, PrintState.FAILED, health_fault(PrinterHealth.UNKNOWN)))
            return
        width_dots = PROFILES[self._settings.printer.profile].width_dots
        try:
            picture = self._around.draw(effect.ticket, width_dots)
        except Exception as error:  # noqa: BLE001  a bug must not leave a member waiting; nothing has left for the printer
            self.post(ev.TicketEnded(effect.visit, PrintState.FAILED, internal_fault(type(error).__name__)))
        else:
            self.printer.print(effect.visit, picture)

    def _record(self, effect: fx.Record) -> None:
        if self.facts is None:
            self.post(ev.RecordFailed(effect.token, store_failed("the store did not open")))
            return
        written = self.facts.commit(effect.type.value, effect.fields, effect.pseudonym)
        written.add_done_callback(partial(self._recorded, effect.token))
        if effect.type in _UPLOAD_NOW:
            written.add_done_callback(self._upload_now)

    def _recorded(self, token: int, written: Future[None]) -> None:
        error = written.exception()
        if error is None:
            self.post(ev.Recorded(token))
            return
        self.post(ev.RecordFailed(token, fault_of(error)))
        if self._watch is not None:
            self._watch.failed()

    def _upload_now(self, _written: Future[None]) -> None:
        self.background.wake()

    def _condition(self) -> tuple[Check, ...]:
        outbox = () if self._uploading is None else (self._uploading.check(),)
        state = self.runner.state
        documents = () if self._documents is None else self._documents.checks
        clock = clock_check(state, self._around.clock.utc_s() - self.time.now_s())
        keys = () if self._renewing is None else (self._renewing.check(),)
        return (*condition(state, self.hub.readers()), clock, *documents, *outbox, *keys)

    def _note(self, event: str, fields: dict[str, str | int | bool]) -> Future[None] | None:
        return None if self.facts is None else self.facts.commit(event, fields)
