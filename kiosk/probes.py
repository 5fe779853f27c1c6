"""What `diagnose` looks at: each part once, by its own means, without starting the kiosk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from kiosk import __version__
from kiosk.chores.renewing import keys_check
from kiosk.clock import SystemClock
from kiosk.diagnostics.report import Check, CheckState, Report
from kiosk.diagnostics.status import STATUS_FILE, StatusError, merged, read_status
from kiosk.diagnostics.trials import NOT_FINISHED, STEP_S, Say, Slot, cycles, guided
from kiosk.hardware.pcsc.api import PcscError, PcscProblem, Scard, denied_or_died, scard_call
from kiosk.hardware.pcsc.bounded import within
from kiosk.hardware.pcsc.faults import fault_of
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.hardware.pcsc.roles import BindingError, find_reader, parse_bindings
from kiosk.hardware.pcsc.usb import (
    DRIVER_BUNDLES,
    SYSFS_DEVICES,
    WithoutReader,
    driver_names,
    usb_readers,
    without_reader,
)
from kiosk.hardware.printer.dialect import Readings
from kiosk.hardware.printer.driver import health_fault
from kiosk.hardware.printer.line import LINE_LOST, PrinterLine
from kiosk.hardware.printer.profile import PROFILES
from kiosk.journal.contacts import last_contacts
from kiosk.journal.journal import verify
from kiosk.settings import Settings
from kiosk.state import IDENTITY, open_existing_store
from kiosk.status import CLOCK_STEP_S, NO_PORT, journal_check, outbox_check
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.sync.client import Channel
from kiosk.sync.faults import Refusal, RefusalReason, clock_wrong, from_refusal, not_enrolled
from kiosk.sync.identity import IdentityError, load_identities
from kiosk.sync.outbox import Outbox, dead, pending, store_failed
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.sync.uploader import stopped
from kiosk.visit.failures import Fault
from kiosk.visit.ports import PrinterHealth, ReaderRole

ANSWER_S = 0.5
CALL_S = 5.0
PROBE_S: Final = 15.0
HELD: Final = "in use by the running kiosk"


def look(settings: Settings, scard: Scard, *, usb: Path = SYSFS_DEVICES, drivers: Path = DRIVER_BUNDLES) -> Report:
    """Look at readers, printer, store, journal, outbox and channel. Creates nothing, and ends whatever hangs.

    usb: the kernel's list of USB devices. drivers: the driver bundles of the PC/SC service.
    """
    checks = [
        *(within(PROBE_S, lambda: _pcsc(settings, scard, usb, drivers)) or _readers(settings, _hung())),
        *_in_time("printer", lambda: [_printer(settings)]),
        *_in_time("store", lambda: _disk(settings)),
        *_in_time("channel", lambda: _channel(settings)),
    ]
    if any(check.part == "store" and check.facts.get("reason") == HELD for check in checks):
        told = read_status(settings.kiosk.state_dir / STATUS_FILE, SystemClock().monotonic_s())
        if isinstance(told, StatusError):
            told = (Check("running kiosk", CheckState.UNKNOWN, facts={"reason": told.reason}),)
        return Report(__version__, merged(checks, told))
    return Report(__version__, tuple(checks))


def try_reader(settings: Settings, scard: Scard, *, cycle_count: int, say: Say, step_s: float = STEP_S) -> Report:
    """The patient reader with a card in hand: `cycle_count` readings, or with 0 the guided steps.

    Reads as the kiosk does. Beside a running kiosk the two get in each other's way: the faults say so.
    """
    clock, events = SystemClock(), SimpleQueue[object]()
    hub = ReaderHub(scard, {ReaderRole.PATIENT: settings.readers.patient}, events.put, clock)
    hub.start()
    try:
        slot = Slot(hub, events, clock)
        checks = (cycles(slot, cycle_count, say, step_s=step_s),) if cycle_count else guided(slot, say, step_s=step_s)
    except KeyboardInterrupt:
        checks = (Check("trial", CheckState.UNKNOWN, facts={"reason": NOT_FINISHED}),)
    finally:
        hub.stop()
    return Report(__version__, checks)


def _in_time(part: str, probe: Callable[[], list[Check]]) -> list[Check]:
    """A probe that hangs is left behind and said not to have finished; nothing waits for it."""
    checks = within(PROBE_S, probe)
    return checks or [Check(part, CheckState.UNKNOWN, facts={"reason": f"not finished within {PROBE_S:g} s"})]


def _hung() -> Fault:
    """A service that lets nobody in is at fault, whatever the running kiosk has seen of it before."""
    return fault_of(PcscProblem.READER_HUNG, f"the service did not answer within {PROBE_S:g} s")


def _pcsc(settings: Settings, scard: Scard, usb: Path, drivers: Path) -> list[Check]:
    names = _reader_names(scard)
    return [*_readers(settings, names), _usb_readers(names, usb, drivers)]


def _disk(settings: Settings) -> list[Check]:
    store = open_existing_store(settings.kiosk.state_dir, settings.kiosk.key_store)
    if isinstance(store, StoreError):
        # Held by the running kiosk, as it should be, or not there yet: nothing can be said from here.
        if store.field == "lock":
            journal = Check("journal", CheckState.UNKNOWN, facts={"reason": HELD})
            return [Check("store", CheckState.UNKNOWN, facts={"reason": HELD}), journal]
        if store.field == "absent":
            return [Check("store", CheckState.UNKNOWN, facts={"reason": store.reason})]
        return [Check("store", CheckState.FAULT, store_failed(f"{store.field}: {store.reason}"))]
    try:
        return _store(store)
    except StoreFailedError as error:
        return [Check("store", CheckState.FAULT, store_failed(str(error)))]
    finally:
        store.close()


def _readers(settings: Settings, names: tuple[str, ...] | Fault) -> list[Check]:
    wanted = {ReaderRole.PATIENT: settings.readers.patient, ReaderRole.PROFESSIONAL: settings.readers.professional}
    checks = []
    for role, name in wanted.items():
        if not name and role is ReaderRole.PROFESSIONAL:
            continue
        part = f"reader {role.value}"
        bindings = parse_bindings({role: name})
        if isinstance(names, Fault):
            checks.append(Check(part, CheckState.FAULT, names))
        elif isinstance(bindings, BindingError) or (found := find_reader(bindings[role], names)) is None:
            detail = str(bindings) if isinstance(bindings, BindingError) else f"no {name!r} among the readers"
            seen = {"readers": ", ".join(names) or "none"}  # to be copied into the settings
            checks.append(Check(part, CheckState.FAULT, fault_of(PcscProblem.NO_READER, detail), seen))
        else:
            checks.append(Check(part, CheckState.OK, facts={"reader": found}))
    return checks


def _usb_readers(names: tuple[str, ...] | Fault, usb: Path, drivers: Path) -> Check:
    """Without PC/SC only a missing driver can be told."""
    part = "usb readers"
    devices = usb_readers(usb)
    if devices is None:
        return Check(part, CheckState.UNKNOWN, facts={"reason": "the kernel lists no USB devices"})
    missing = without_reader(devices, driver_names(drivers), () if isinstance(names, Fault) else names)
    if isinstance(names, Fault):
        missing = {device: why for device, why in missing.items() if why is WithoutReader.NO_DRIVER}
    facts = {"devices": len(devices)}
    if missing:
        detail = "; ".join(f"{device}: {why.value}" for device, why in missing.items())
        return Check(part, CheckState.FAULT, fault_of(PcscProblem.READER_UNSEEN, detail), facts)
    unsaid = isinstance(names, Fault) and len(devices) > 0
    return Check(part, CheckState.UNKNOWN if unsaid else CheckState.OK, facts=facts)


def _reader_names(scard: Scard) -> tuple[str, ...] | Fault:
    context = scard_call("SCardEstablishContext", "", scard.establish_context())
    if isinstance(context, PcscError):
        context = denied_or_died(scard, context)
        problem = PcscProblem.ACCESS_DENIED if scard.access_denied() else context.problem
        return fault_of(problem, str(context))
    names = scard_call("SCardListReaders", "", scard.list_readers(context))
    scard.release_context(context)
    if isinstance(names, PcscError):
        return () if names.problem is PcscProblem.NO_READER else fault_of(names.problem, str(names))
    return names


def _printer(settings: Settings) -> Check:
    if not settings.printer.port:
        return Check("printer", CheckState.OK, facts={"reason": NO_PORT})
    clock = SystemClock()
    try:
        line = PrinterLine(settings.printer.port, PROFILES[settings.printer.profile], clock, ANSWER_S, ANSWER_S)
    except LINE_LOST as error:
        reason = str(error) if isinstance(error, OSError) else type(error).__name__
        return Check("printer", CheckState.UNKNOWN, health_fault(PrinterHealth.UNKNOWN), {"reason": reason})
    try:
        readings = line.readings()
    except LINE_LOST:
        readings = Readings()
    finally:
        line.close()
    health = readings.health()
    if health is PrinterHealth.UNKNOWN:
        return Check("printer", CheckState.UNKNOWN, health_fault(health))
    output = {} if readings.in_output is None else {"output": "a ticket waits" if readings.in_output else "empty"}
    state = CheckState.OK if health.usable else CheckState.FAULT
    return Check("printer", state, health_fault(health), {"health": health, **output})


def _store(store: Store) -> list[Check]:
    outbox = Outbox(SystemClock())
    verdict = store.submit(verify, essential=True).result()
    waiting, refused, filled, ended = store.submit(
        lambda tx: (pending(tx), dead(tx), outbox.filled(tx), stopped(tx)), essential=True
    ).result()
    return [
        Check("store", CheckState.OK),
        journal_check(verdict),
        outbox_check(waiting, refused, filled, "idle" if ended is None else "stopped", ended or ""),
        *(
            Check(f"contacts {role}", CheckState.FAULT if counts["flaky"] else CheckState.OK, facts={**counts})
            for role, counts in store.submit(last_contacts, essential=True).result().items()
        ),
    ]


def _channel(settings: Settings) -> list[Check]:
    identities = load_identities(settings.kiosk.state_dir / IDENTITY, settings.kiosk.key_store)
    if isinstance(identities, IdentityError):
        return [Check("channel", CheckState.FAULT, not_enrolled(f"{identities.field}: {identities.reason}"))]
    identity, clock = identities.current, SystemClock()
    time = TimeKeeper(clock, keep_floor=lambda _floor_s: None)
    channel = Channel(identity, time, clock)
    answer = channel.call("/v1/policy/state", {"known": {}}, deadline_s=CALL_S)
    channel.close()
    keys = keys_check(identities, settings.kiosk.state_dir, time.now_s())
    identities.key_store.close()
    facts = {"origin": identity.trust.origin, "certificate_until_s": identity.certificate_until_s}
    if isinstance(answer, Refusal) and answer.reason is RefusalReason.KEY_STATE:
        answer = from_refusal(answer)
    if isinstance(answer, Fault):
        return [Check("channel", CheckState.FAULT, answer, facts), keys]
    return [Check("channel", CheckState.OK, facts=facts), keys, _clock(round(clock.utc_s() - time.now_s()))]


def _clock(ahead_s: int) -> Check:
    facts = {"clock_ahead_s": ahead_s}
    if abs(ahead_s) < CLOCK_STEP_S:
        return Check("clock", CheckState.OK, facts=facts)
    return Check("clock", CheckState.FAULT, clock_wrong("the machine's clock is not the backend's"), facts)
