"""Command line: run, diagnose, enrol, outbox, journal. Exit status: 0 all is well, 1 the answer is no, 2 bad input."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from kiosk import __version__
from kiosk.hardware.pcsc.roles import BindingError, parse_bindings
from kiosk.hardware.printer.profile import PROFILES
from kiosk.settings import Settings, SettingsError, default_settings, load_settings
from kiosk.state import IDENTITY, open_existing_store, open_store
from kiosk.store.errors import StoreError, StoreFailedError
from kiosk.sync.keys_open import check_uri
from kiosk.visit.ports import ReaderRole

if TYPE_CHECKING:
    from kiosk.app import Kiosk
    from kiosk.ui.screen import Screen

DEFAULT_SETTINGS = Path("/etc/kiosk/kiosk.toml")
MAX_TICKET_BYTES = 1024
MAX_CYCLES = 1000


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    options = _parser().parse_args(arguments)
    settings = _settings(options.settings)
    refused = settings if isinstance(settings, SettingsError) else check_devices(settings)
    if isinstance(settings, SettingsError) or refused is not None:
        return _refuse(str(refused))
    match options.command:
        case "run":
            return run(settings)
        case "diagnose":
            return diagnose(settings, as_json=options.json, cycles=options.cycles, guided=options.guided)
        case "enrol":
            return enrol(settings, options.origin, options.ca, options.ticket_file, again=options.again)
        case "outbox":
            return outbox(settings, options.action, getattr(options, "event", ""))
        case _:
            return verify_journal(settings)


def _settings(path: Path | None) -> Settings | SettingsError:
    """The file asked for; else the installed one; else, on a machine that has none, the defaults."""
    try:
        if path is None and not DEFAULT_SETTINGS.exists():
            return default_settings()
    except OSError as error:
        return SettingsError(str(DEFAULT_SETTINGS), f"cannot be read: {error.strerror}")
    return load_settings(path or DEFAULT_SETTINGS)


def check_devices(settings: Settings) -> SettingsError | None:
    """What only the device drivers know of their settings: printer profiles, reader names, where keys live."""
    if settings.printer.profile not in PROFILES:
        return SettingsError("printer.profile", f"one of {', '.join(PROFILES)} expected")
    if (key_store := check_uri(settings.kiosk.key_store)) is not None:
        return SettingsError("kiosk.key_store", key_store.reason)
    names = {ReaderRole.PATIENT: settings.readers.patient, ReaderRole.PROFESSIONAL: settings.readers.professional}
    bound = parse_bindings({role: name for role, name in names.items() if name})
    return SettingsError(f"readers.{bound.role}", bound.reason) if isinstance(bound, BindingError) else None


def run(settings: Settings) -> int:
    """The kiosk itself, until SIGTERM."""
    from PySide6 import __version_info__ as qt_version  # noqa: PLC0415  the other commands need no Qt

    from kiosk.ui.qt_guard import refused_qt  # noqa: PLC0415

    refused = refused_qt(qt_version[:3], sys.version_info[:3])
    if refused is not None:
        return _refuse(refused)
    # A signal, however early, waits as a number on this socket until Qt's loop reads it, and the loop itself quits. Not
    # the handler: that one runs between any two lines of Python, in the middle of drawing too.
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    from PySide6.QtCore import QSocketNotifier  # noqa: PLC0415  not before the guard

    from kiosk.heartbeat import Alive, Pinged, system_heartbeat  # noqa: PLC0415
    from kiosk.ui.pulse import Pulse  # noqa: PLC0415
    from kiosk.ui.screen import Screen, application  # noqa: PLC0415
    from kiosk.visit.model import State  # noqa: PLC0415
    from kiosk.visit.policy import Policy  # noqa: PLC0415

    qt = application()
    kiosk: Kiosk | None = None
    size = settings.screen
    screen = Screen(
        lambda event: None if kiosk is None else kiosk.post(event),
        diagonal_in=size.diagonal_in,
        width_px=size.width_px,
        height_px=size.height_px,
        viewing_mm=size.viewing_mm,
    )
    # Whoever stands there sees a page at once; devices and network take longer to load than the window.
    screen.show(State(policy=Policy()))
    screen.present()
    kiosk = _kiosk(settings, screen)
    notifier = QSocketNotifier(reading.fileno(), QSocketNotifier.Type.Read)
    notifier.activated.connect(lambda *_: qt.quit() if reading.recv(64) else None)
    kiosk.start()
    pulse = Pulse()
    parts: dict[str, Alive] = {
        "screen": Pinged(pulse.ping),
        "visit": Pinged(kiosk.runner.ping),
        "readers": kiosk.hub.alive,
    }
    heartbeat = system_heartbeat(parts, os.environ)
    if heartbeat is not None:
        heartbeat.start()
    status = qt.exec()
    if heartbeat is not None:
        heartbeat.stop()
    notifier.setEnabled(False)
    signal.set_wakeup_fd(-1)
    reading.close()
    writing.close()
    kiosk.stop()
    screen.close()
    return status


def _kiosk(settings: Settings, screen: Screen) -> Kiosk:
    """The kiosk behind this screen, on the machine's devices; not yet started."""
    from kiosk.app import Kiosk, Surroundings  # noqa: PLC0415  as late as this: see `run`
    from kiosk.clock import SystemClock  # noqa: PLC0415
    from kiosk.hardware.pcsc.api import PyscardScard  # noqa: PLC0415
    from kiosk.hardware.pcsc.service import Systemd  # noqa: PLC0415
    from kiosk.ui.ticket import draw_ticket  # noqa: PLC0415

    return Kiosk(settings, Surroundings(PyscardScard(), screen.show, draw_ticket, SystemClock(), service=Systemd()))


def diagnose(settings: Settings, *, as_json: bool, cycles: int = 0, guided: bool = False) -> int:
    """Look at every part once, or try the patient reader with a card. 0: all well; 1: something is not, or not known.

    cycles: read a card that many times instead. guided: have it inserted, removed and turned over instead.
    """
    from kiosk.hardware.pcsc.api import PyscardScard  # noqa: PLC0415
    from kiosk.probes import look, try_reader  # noqa: PLC0415

    scard = PyscardScard()
    if cycles or guided:
        if not settings.readers.patient:
            return _refuse("readers.patient: is not set")
        report = try_reader(settings, scard, cycle_count=cycles, say=lambda text: print(text, file=sys.stderr))
    else:
        report = look(settings, scard)
    print(json.dumps(report.as_json(), ensure_ascii=False, indent=2) if as_json else report.as_text())
    return 0 if report.well else 1


def enrol(settings: Settings, origin: str, ca_file: Path, ticket_file: Path, *, again: bool = False) -> int:
    """Enrol this kiosk with a one-time ticket; the fact is in the journal before this says so.

    again: it is enrolled, and revoked, or was away for too long to renew its keys.
    """
    from kiosk.clock import SystemClock  # noqa: PLC0415
    from kiosk.enrolled import settle_enrolment  # noqa: PLC0415
    from kiosk.facts import Facts, OutboxFullError  # noqa: PLC0415
    from kiosk.sync import enrol as est  # noqa: PLC0415
    from kiosk.sync.outbox import Outbox  # noqa: PLC0415

    try:
        with ticket_file.open("rb") as file:
            ticket_text = file.read(MAX_TICKET_BYTES).decode("ascii")
    except OSError as error:
        return _refuse(f"ticket file: cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return _refuse("ticket file: is not ASCII text")
    store = open_store(settings.kiosk.state_dir, settings.kiosk.key_store)
    if isinstance(store, StoreError):
        return _refuse(f"store: {store.field}: {store.reason}")
    identity_dir = settings.kiosk.state_dir / IDENTITY
    try:
        clock = SystemClock()
        facts = Facts(store, Outbox(clock), lambda: int(clock.utc_s() * 1000))
        with contextlib.suppress(OutboxFullError):  # new keys may be what it takes to empty it
            settle_enrolment(store, facts, identity_dir)  # of an enrolment that was cut off, before the next one
        done = est.enrol(
            origin=origin,
            ca_file=ca_file,
            ticket_text=ticket_text,
            state_dir=identity_dir,
            kiosk_serial=settings.kiosk.serial,
            key_store=settings.kiosk.key_store,
            again=again,
        )
        if isinstance(done, est.EnrolError):
            return _refuse(f"{done.field}: {done.reason}")
        settle_enrolment(store, facts, identity_dir)
    except (StoreFailedError, OutboxFullError) as error:
        return _refuse(f"enrolled, but not written down: store: {error}")
    finally:
        store.close()
    print(json.dumps({"kiosk": done.kiosk, "certificate_until_s": done.certificate_until_s}))
    return 0


def outbox(settings: Settings, action: str, event_id: str) -> int:
    """Refused events of a stopped kiosk: list them (0: none), or decide on one; the decision is itself an event."""
    from kiosk.clock import SystemClock  # noqa: PLC0415
    from kiosk.facts import Facts, OutboxFullError  # noqa: PLC0415
    from kiosk.sync.dead_letters import Decision, dead_letters, decide  # noqa: PLC0415
    from kiosk.sync.outbox import Outbox  # noqa: PLC0415

    store = open_existing_store(settings.kiosk.state_dir, settings.kiosk.key_store)
    if isinstance(store, StoreError):
        return _refuse(f"store: {store.field}: {store.reason}")
    try:
        letters = store.submit(dead_letters, essential=True).result()
        if action == "list":
            print(json.dumps([asdict(letter) for letter in letters], indent=2))
            return 1 if letters else 0
        letter = next((letter for letter in letters if letter.event_id == event_id), None)
        if letter is None:
            return _refuse("event: not among the refused ones; see `outbox list`")
        decision, clock = Decision(action), SystemClock()
        now_ms = int(clock.utc_s() * 1000)
        Facts(store, Outbox(clock), lambda: now_ms).commit(
            "outbox_decision",
            {"decision": decision.value, "event": letter.number},
            along=lambda tx: decide(tx, letter, decision, utc_ms=now_ms),
        ).result()
    except (StoreFailedError, OutboxFullError) as error:
        return _refuse(f"store: {error}")
    finally:
        store.close()
    print(json.dumps({"event_id": letter.event_id, "decision": decision.value}))
    return 0


def verify_journal(settings: Settings) -> int:
    """Check the journal's hash chain."""
    from kiosk.journal.journal import verify  # noqa: PLC0415

    store = open_existing_store(settings.kiosk.state_dir, settings.kiosk.key_store)
    if isinstance(store, StoreError):
        return _refuse(f"store: {store.field}: {store.reason}")
    try:
        verdict = store.submit(verify, essential=True).result()
    except StoreFailedError as error:
        return _refuse(f"store: {error}")
    finally:
        store.close()
    said = {"ok": verdict.ok, "entries": verdict.entries, "pruned": verdict.pruned, "reason": verdict.reason}
    print(json.dumps(said))
    return 0 if verdict.ok else 1


def _cycles(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 0 < int(text) <= MAX_CYCLES):
        raise argparse.ArgumentTypeError(f"1 to {MAX_CYCLES} expected")
    return int(text)


def _refuse(message: str) -> int:
    print(f"kiosk: {message}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kiosk", description="Borne multiservice for the carte Vitale")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--settings", type=Path, help=f"default: {DEFAULT_SETTINGS} if it is there")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run the kiosk")
    diagnosing = commands.add_parser("diagnose", help="look at every part once")
    diagnosing.add_argument("--json", action="store_true")
    trial = diagnosing.add_mutually_exclusive_group()
    trial.add_argument("--cycles", type=_cycles, default=0, metavar="N", help="read a card N times, with times")
    trial.add_argument("--guided", action="store_true", help="insert, remove and turn over a card as told")
    enrolling = commands.add_parser("enrol", help="enrol this kiosk with a one-time ticket")
    enrolling.add_argument("--origin", required=True, help="origin of the enrolment listener")
    enrolling.add_argument("--ca", type=Path, required=True, help="the pinned CA, a PEM file")
    enrolling.add_argument("--ticket-file", type=Path, required=True)
    enrolling.add_argument("--again", action="store_true", help="give an enrolled kiosk new keys under its own name")
    refused = commands.add_parser("outbox", help="events that the backend refused for good; the kiosk must be stopped")
    acting = refused.add_subparsers(dest="action", required=True)
    acting.add_parser("list", help="which they are")
    acting.add_parser("release", help="send one again").add_argument("event", metavar="EVENT_ID")
    acting.add_parser("drop", help="give one up; those behind it go on").add_argument("event", metavar="EVENT_ID")
    journal = commands.add_parser("journal", help="the journal")
    journal.add_subparsers(dest="action", required=True).add_parser("verify", help="check its hash chain")
    return parser
