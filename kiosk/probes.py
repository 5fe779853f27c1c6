"""What `diagnose` looks at: each part once, by its own means, without starting the kiosk."""

from __future__ import annotations

from pathlib import Path

from kiosk import __version__
from kiosk.clock import SystemClock
from kiosk.diagnostics.report import Check, CheckState, Report
from kiosk.hardware.pcsc.api import PcscError, PcscProblem, Scard, scard_call
from kiosk.hardware.pcsc.faults import fault_of
from kiosk.hardware.pcsc.roles import BindingError, find_reader, parse_bindings
from kiosk.hardware.pcsc.usb import (
    DRIVER_BUNDLES,
    SYSFS_DEVICES,
    WithoutReader,
    driver_names,
    usb_readers,
    without_reader,
)
from kiosk.hardware.printer.driver import health_fault
from kiosk.hardware.printer.line import LINE_LOST, PrinterLine
from kiosk.hardware.printer.profile import PROFILES
from kiosk.journal.journal import JournalVerdict, verify
from kiosk.settings import Settings
from kiosk.state import IDENTITY, open_existing_store
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.store.thread import Store
from kiosk.sync.client import Channel
from kiosk.sync.faults import not_enrolled
from kiosk.sync.identity import IdentityError, load_identity
from kiosk.sync.outbox import dead, pending, store_failed
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.visit.failures import Fault
from kiosk.visit.ports import PrinterHealth, ReaderRole

ANSWER_S = 0.5
CALL_S = 5.0


def look(settings: Settings, scard: Scard, *, usb: Path = SYSFS_DEVICES, drivers: Path = DRIVER_BUNDLES) -> Report:
    """Look at readers, printer, store, journal, outbox and channel. Creates nothing.

    usb: the kernel's list of USB devices. drivers: the driver bundles of the PC/SC service.
    """
    store = open_existing_store(settings.kiosk.state_dir)
    names = _reader_names(scard)
    checks = [*_readers(settings, names), _usb_readers(names, usb, drivers), _printer(settings)]
    if isinstance(store, StoreError):
        # Held by the running kiosk, as it should be, or not there yet: nothing can be said from here.
        unknown = store.field in ("lock", "absent")
        fault = None if unknown else store_failed(f"{store.field}: {store.reason}")
        state = CheckState.UNKNOWN if unknown else CheckState.FAULT
        checks.append(Check("store", state, fault, {"reason": store.reason}))
    else:
        try:
            checks += _store(store)
        except StoreFailedError as error:
            checks.append(Check("store", CheckState.FAULT, store_failed(str(error))))
        finally:
            store.close()
    checks.append(_channel(settings))
    return Report(__version__, tuple(checks))


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
        elif isinstance(bindings, BindingError):
            checks.append(Check(part, CheckState.FAULT, fault_of(PcscProblem.NO_READER, str(bindings))))
        elif (found := find_reader(bindings[role], names)) is None:
            detail = f"no {name!r} among {len(names)} readers"
            checks.append(Check(part, CheckState.FAULT, fault_of(PcscProblem.NO_READER, detail)))
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
        problem = PcscProblem.ACCESS_DENIED if scard.access_denied() else context.problem
        return fault_of(problem, str(context))
    names = scard_call("SCardListReaders", "", scard.list_readers(context))
    scard.release_context(context)
    if isinstance(names, PcscError):
        return () if names.problem is PcscProblem.NO_READER else fault_of(names.problem, str(names))
    return names


def _printer(settings: Settings) -> Check:
    if not settings.printer.port:
        return Check("printer", CheckState.UNKNOWN, facts={"reason": "no port in the settings"})
    clock = SystemClock()
    try:
        line = PrinterLine(settings.printer.port, PROFILES[settings.printer.profile], clock, ANSWER_S, ANSWER_S)
    except LINE_LOST as error:
        return Check(
            "printer", CheckState.UNKNOWN, health_fault(PrinterHealth.UNKNOWN), {"reason": type(error).__name__}
        )
    try:
        health = line.readings().health()
    except LINE_LOST:
        health = PrinterHealth.UNKNOWN
    finally:
        line.close()
    if health is PrinterHealth.UNKNOWN:
        return Check("printer", CheckState.UNKNOWN, health_fault(health))
    return Check(
        "printer", CheckState.OK if health.usable else CheckState.FAULT, health_fault(health), {"health": health}
    )


def _store(store: Store) -> list[Check]:
    verdict = store.submit(verify).result()
    waiting, refused = store.submit(lambda tx: (pending(tx), dead(tx))).result()
    outbox = CheckState.FAULT if refused else CheckState.OK
    return [
        Check("store", CheckState.OK),
        _journal(verdict),
        Check("outbox", outbox, facts={"pending": waiting, "refused": refused}),
    ]


def _journal(verdict: JournalVerdict) -> Check:
    facts = {"entries": verdict.entries} | ({"reason": verdict.reason} if verdict.reason else {})
    return Check("journal", CheckState.OK if verdict.ok else CheckState.FAULT, facts=facts)


def _channel(settings: Settings) -> Check:
    identity = load_identity(settings.kiosk.state_dir / IDENTITY)
    if isinstance(identity, IdentityError):
        return Check("channel", CheckState.FAULT, not_enrolled(f"{identity.field}: {identity.reason}"))
    clock = SystemClock()
    time = TimeKeeper(clock, keep_floor=lambda _floor_s: None)
    channel = Channel(identity, time, clock)
    answer = channel.call("/v1/policy/state", {"known": {}}, deadline_s=CALL_S)
    channel.close()
    facts = {"origin": identity.trust.origin, "certificate_until_s": identity.certificate_until_s}
    if isinstance(answer, Fault):
        return Check("channel", CheckState.FAULT, answer, facts)
    return Check("channel", CheckState.OK, facts={**facts, "clock_error_s": round(time.now_s() - clock.utc_s())})
