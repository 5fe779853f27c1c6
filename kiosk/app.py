"""The composition root: settings in; devices, channel, store and screen wired around one visit. Chooses every adapter.

A part that cannot start (store, enrolment, printer) is an expected failure: the kiosk runs, and says what is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import asdict, dataclass

from kiosk.background import Background
from kiosk.badge import load_authority
from kiosk.diagnostics.report import Check
from kiosk.diagnostics.status import STATUS_FILE
from kiosk.duties import Duties, duties_of
from kiosk.facts import Facts, StoreWatch
from kiosk.hardware.pcsc.api import PcscProblem, Scard
from kiosk.hardware.pcsc.faults import fault_of as fault_of_reader
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.hardware.pcsc.service import ServiceManager
from kiosk.hardware.printer.driver import Printer
from kiosk.hardware.printer.profile import PROFILES
from kiosk.last_run import end_last_run
from kiosk.office import Office
from kiosk.performing import Means, Performer
from kiosk.settings import Settings
from kiosk.state import IDENTITY, open_store
from kiosk.status import JournalLook, StatusKeeper, clock_check, condition
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.transaction import read_meta_int
from kiosk.sync.credentials import Credentials
from kiosk.sync.identity import Identities, IdentityError, load_identities
from kiosk.sync.outbox import Outbox, store_failed
from kiosk.sync.time_keeper import TIME_FLOOR, TimeKeeper, keep_floor
from kiosk.visit import events as ev
from kiosk.visit.model import State
from kiosk.visit.policy import Policy
from kiosk.visit.ports import Bitmap, Clock, ReaderRole
from kiosk.visit.runner import Runner
from kiosk.visit.values import TicketContent
from kiosk.visit.world import World

SHUTDOWN_RECORD_S = 5.0
_log = logging.getLogger(__name__)


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
        credentials = None if isinstance(identities, IdentityError) else Credentials(identities.current)
        self.office = Office(credentials, self.hub, self.time, around.clock, self.post)
        self.background = Background()
        self._duties = None if isinstance(identities, IdentityError) else self._duties_of(identities)
        self._service_cause: str | None = None  # why the backend does not serve; "": it does; None: not known yet
        self.performer = Performer(self._means())
        first = State(policy=Policy(), world=World(has_printer=self.printer is not None))
        self.runner = Runner(first, self.performer.handlers(), around.publish, around.clock)
        self._journal = None if isinstance(self.store, StoreError) else JournalLook(self.store, around.clock)
        self._status = StatusKeeper(settings.kiosk.state_dir / STATUS_FILE, self._told, around.clock)

    # --- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every thread. What works and what does not arrives as events."""
        self.runner.start()
        if isinstance(self.store, StoreError):
            said = f"{self.store.field}: {self.store.reason}"
            _log.error("the store cannot be used: %s", said)  # there is no journal to say it in
            self.post(ev.RecordFailed(0, store_failed(said)))
        if self._watch is not None:
            self._watch.start()
        if self.facts is not None and not isinstance(self.store, StoreError):
            end_last_run(self.store, self.facts, self.printer, self.post, self.time.now_s() * 1000)
        if self._duties is None:
            self.office.say_not_enrolled()
        else:
            self._duties.start()
        if self.printer is not None:
            self.printer.start()
        if not self._settings.readers.patient:
            detail = "readers.patient is not set"
            self.post(ev.ReaderFailed(ReaderRole.PATIENT, fault_of_reader(PcscProblem.NO_READER, detail)))
        self.hub.start()
        if not isinstance(self.store, StoreError):  # else it may be another kiosk's, or there is nowhere to write
            self._status.start()

    def stop(self) -> None:
        """End every dialogue and thread: what makes events, then the visit, the store last."""
        if not isinstance(self.store, StoreError):
            self._status.stop()
        self.hub.stop()
        self.background.stop()
        self.office.stop()
        self.performer.stop()
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
                if self._duties is not None:
                    self._duties.service_back()
            case ev.ServiceDown() if self._service_cause != event.fault.cause:
                self._service_cause = event.fault.cause
                self._note("service_down", {"cause": event.fault.cause.value})
                if self._duties is not None:
                    self._duties.service_away()
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

    def _duties_of(self, identities: Identities) -> Duties | None:
        if isinstance(self.store, StoreError) or self.facts is None:
            return None
        return duties_of(
            identities,
            self._settings.kiosk.serial,
            self.store,
            self.facts,
            self.office,
            background=self.background,
            time=self.time,
            clock=self._around.clock,
            post=self.post,
        )

    def _means(self) -> Means:
        width_dots = PROFILES[self._settings.printer.profile].width_dots if self.printer is not None else 0
        return Means(
            self.hub,
            self.office,
            self.printer,
            lambda ticket: self._around.draw(ticket, width_dots),
            self.store,
            self.facts,
            self.time,
            load_authority(self._settings.staff.authority_file),
            post=self.post,
            look=self._condition,
            wake=self.background.wake,
            not_written=lambda: None if self._watch is None else self._watch.failed(),
        )

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

    # --- what is known -------------------------------------------------------------------------------------------

    def _condition(self) -> tuple[Check, ...]:
        state = self.runner.state
        clock = clock_check(state, self._around.clock.utc_s() - self.time.now_s())
        of_duties = () if self._duties is None else self._duties.checks()
        of_devices = condition(state, self.hub.readers())
        return (*of_devices, clock, *([] if self._journal is None else [self._journal.last]), *of_duties)

    def _told(self) -> tuple[Check, ...]:
        """The same, after a look at what takes longer to know."""
        if self._journal is not None:
            self._journal.check()
        return self._condition()

    def _note(self, event: str, fields: dict[str, str | int | bool]) -> Future[None] | None:
        return None if self.facts is None else self.facts.commit(event, fields)
