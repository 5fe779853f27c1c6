"""Every part, fact and value that the running kiosk can show a technician has its French; the producers are asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kiosk.chores.renewing import keys_check
from kiosk.diagnostics.report import Check
from kiosk.hardware.pcsc.contacts import Contacts
from kiosk.hardware.pcsc.slot import ReaderCondition
from kiosk.journal.journal import JournalVerdict
from kiosk.state import DATABASE_KEY
from kiosk.status import clock_check, condition, journal_check, outbox_check, part_lines
from kiosk.store.thread import Store
from kiosk.sync.documents_bodies import TYPES
from kiosk.sync.identity import Identities
from kiosk.sync.keys_file import FileKeyStore
from kiosk.sync.keys_store import sealed_key_file
from kiosk.sync.renewal import due_s
from kiosk.sync.uploader import UploadState
from kiosk.ui.present import present
from kiosk.ui.technician_facts import DOCUMENT_STATES, DOCUMENTS, FACTS, NO_INCIDENT, PARTS, fact_lines
from kiosk.ui.typography import plain
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.model import State
from kiosk.visit.pages import Attract, Diagnostics, ForgottenCard
from kiosk.visit.policy import Policy, Quarantine
from kiosk.visit.ports import PrinterHealth, ReaderRole
from kiosk.visit.world import World
from simulators import samples
from simulators.gallery import NOW
from tests.app.test_documents_chore import House
from tests.sync.support import NOW_S
from tests.sync.test_documents import signed
from tests.ui.technician_sources import fact_names, parts, sentences

PRODUCERS = ("status.py", "chores/documents.py", "chores/uploading.py", "chores/renewing.py")
"""Whose checks the page shows: `Kiosk._condition`."""
NAMES = {"systemd-creds"}
"""Values that are names, the same in any language."""


def french(check: Check) -> list[str]:
    """The facts of a check as the page says them; each is told otherwise than raw."""
    lines = [plain(line) for line in fact_lines(check.part, tuple(check.facts.items()), NOW)]
    if lines == [NO_INCIDENT]:
        return lines
    for (name, value), line in zip(check.facts.items(), lines, strict=True):
        assert not line.startswith(f"{name} :"), f"{check.part}: {name} has no French name"
        if isinstance(value, str) and not value.isdigit() and value not in NAMES:
            assert not line.endswith(f": {value}"), f"{check.part}.{name}: {value!r} has no French"
    return lines


# --- names, from the source --------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [file for file in PRODUCERS if file != "chores/uploading.py"])
def test_every_part_that_the_running_kiosk_knows_has_a_french_name(file: str) -> None:
    named = parts(file)
    assert named
    assert {part.format(role.value) for part in named for role in ReaderRole} <= set(PARTS)


def test_every_fact_that_is_written_down_has_a_french_name() -> None:
    written = set().union(*(fact_names(file) for file in PRODUCERS)) | {field.name for field in fields(Contacts)}
    assert written >= {"pending", "clock_ahead_s", "renewal_failed", "reason", "vanished"}
    assert written == {name for facts in FACTS.values() for name in facts}, "no fact without a name, no dead name"


def test_every_document_has_a_french_name() -> None:
    assert set(DOCUMENTS) == {*TYPES, "unknown"}


# --- values, from the producers themselves -----------------------------------------------------------------------


def _conditions() -> Iterator[Check]:
    fault = Fault(Cause.READER_LOST)
    readers = {role: ReaderCondition(ready=False, fault=fault, contacts=Contacts(3, 2, 1, 1)) for role in ReaderRole}
    world = World(printer=PrinterHealth.OFFLINE, output_forgotten=True, service_up=True)
    yield from condition(State(Policy(quarantine=Quarantine.STOP), ForgottenCard(), world), readers)
    yield from condition(State(Policy(), world=World(has_printer=False)), {})
    yield clock_check(State(Policy()), 0.0)
    for error_s in (-7200.0, 0.0, 60.0):
        yield clock_check(State(Policy(), Attract(), World(clock_trusted=True)), error_s)


def test_the_condition_of_the_devices_is_french() -> None:
    told = {check.part: french(check) for check in _conditions() if check.facts}
    assert told["printer"] == ["Remarque : aucun port dans les réglages"]
    assert told["card slot"] == ["Raison : une carte est restée dans la fente"]
    assert told["ticket output"] == ["Raison : un ticket est resté dans la sortie"]
    assert told["contacts professional"][0] == "Carte perdue, revenue aussitôt : 3"


@pytest.mark.parametrize(
    ("ahead_s", "line"),
    [
        (60, "En avance de 1 min"),
        (-7200, "En retard de 2 h"),
        (90_061, "En avance de 1 j 1 h 1 min"),
        (0, "En avance de 0 min"),
    ],
)
def test_the_clocks_error_is_a_span(ahead_s: int, line: str) -> None:
    assert plain(fact_lines("clock", (("clock_ahead_s", ahead_s),), NOW)[0]) == line


def test_contacts_without_an_incident_say_so_in_a_line() -> None:
    calm = tuple((field.name, 0) for field in fields(Contacts))
    assert fact_lines("contacts patient", calm, NOW) == [NO_INCIDENT]
    assert len(fact_lines("contacts patient", (*calm[1:], ("vanished", 1)), NOW)) == len(calm)


def test_the_journal_is_french() -> None:
    bad = JournalVerdict(False, 41, 42, "entry 42 is missing or out of order", 12)
    assert french(journal_check(bad)) == [
        "Entrées vérifiées : 41",
        "dont effacées, leur délai passé : 12",
        "Raison : l'entrée 42 manque, ou n'est pas à sa place",
    ]


STOPS = {*sentences(("_stop",), ("sync/uploader.py",), argument=0), "fork", "idem_conflict", "key_state", "quarantined"}


@pytest.mark.parametrize("state", UploadState)
@pytest.mark.parametrize("reason", ["", *sorted(STOPS), "numbering", "capability", "read or write error"])
def test_the_outbox_is_french(state: UploadState, reason: str) -> None:
    lines = french(outbox_check(812_000, 12, 0.934, state.value, reason))
    assert lines[:3] == ["Événements en attente : 812 000", "Événements refusés pour de bon : 12", "Remplie à 93 %"]


def _held(kind: str, sealed_by: str, *, following: bool) -> Identities:
    key = SimpleNamespace(keyid="borne-0001/4")
    day_s = 86_400
    dates = {"certificate_from_s": NOW_S, "certificate_until_s": NOW_S + 30 * day_s}
    current = SimpleNamespace(signing_key=key, certificate_pem=b"", **dates)
    store = SimpleNamespace(kind=kind, sealed_by=sealed_by)
    held = SimpleNamespace(current=current, following=current if following else None, key_store=store)
    return cast(Identities, held)  # what `keys_check` reads of it


RENEWAL_FAILURES = {
    field.partition(":")[0]
    for field in sentences(("RenewalError",), ("sync/renewal.py", "chores/renewing.py"), argument=0)
} | sentences(("EnrolError",), ("sync/enrol.py",), argument=0, within=("read_issued",))


@pytest.mark.parametrize("reason", ["", *sorted(RENEWAL_FAILURES)])
@pytest.mark.parametrize(("kind", "sealed_by"), [("tpm2", "tpm2"), (FileKeyStore.kind, "systemd-creds"), ("file", "")])
@pytest.mark.parametrize("following", [True, False])
def test_the_keys_are_french(tmp_path: Path, kind: str, sealed_by: str, following: bool, reason: str) -> None:
    held = _held(kind, sealed_by, following=following)
    if sealed_by:
        sealed_key_file(tmp_path / DATABASE_KEY).write_bytes(b"")
    for now_s in (NOW_S, due_s(held.current)):
        lines = french(keys_check(held, tmp_path, now_s, reason))
        assert lines[3] == "Génération : 4"
        assert lines[4].startswith("Certificat valable jusqu'au ")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "kiosk.db", bytes(32))
    assert isinstance(opened, Store)
    yield opened
    opened.close()


def test_the_documents_are_french(store: Store) -> None:
    """A document in force, refused, unreadable, withheld, over; an order of each level; all from the chore itself."""
    house = House(store)
    seen: list[str] = []

    def poll(*envelopes: dict[str, Any], latest: Any = None) -> None:
        house.poll(*envelopes, latest=latest)
        seen.extend(french(house.chore.checks[0]))

    for version, level in enumerate(Quarantine, start=1):
        poll(signed(type="quarantine", scope="*", version=version, body={"level": level.value}))
    poll(signed(not_after=NOW_S + 1000), latest={"policy": 6, "contents/fleet": 1})
    poll(signed(version=4), signed(type="weather"))
    poll(signed(version=7, body={"idle_s": ""}))
    house.clock.advance(2000)
    poll()
    statement = "UPDATE meta SET value = ? WHERE key = 'document:quarantine:*'"
    store.submit(lambda tx: tx.execute(statement, (b"{}",))).result()
    house = House(store)
    poll()
    assert set(seen) >= {
        "Quarantaine (toutes les bornes) : version 3, mises à jour et codes arrêtés",
        "Réglages du site : version 6 annoncée, jamais reçue",
        "Textes du site (toutes les bornes) : version 1 annoncée, jamais reçue",
        "Réglages du site, refus : payload.version – inférieure à 5, la dernière acceptée",
        "Document d'un type inconnu, refus : payload.type – inconnu de ce logiciel, ignoré",
        "Réglages du site : version 5, date dépassée",
        "Quarantaine (toutes les bornes), illisible : envelope – ce n'est pas ce qui avait été accepté",
    }
    named = {state for state in DOCUMENT_STATES if state}
    assert sentences(("Check",), ("chores/documents.py",), argument=0) == set()  # `PART`
    assert named == {"unreadable", "refused", "withheld"}


# --- what nobody has named ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("printer", "firmware", "7.0"),
        ("outbox", "oldest_s", 12),
        ("documents", "weather/fleet", "3"),
        ("documents", "policy/other", "3"),
        ("documents", "policy postponed", "3"),
        ("new part", "count", 4),
    ],
)
def test_an_unknown_fact_is_shown_as_it_is(part: str, name: str, value: str | int) -> None:
    assert fact_lines(part, ((name, value),), NOW) == [f"{name} : {value}"]


def test_an_unknown_value_is_shown_as_it_is() -> None:
    facts = (("upload", "flying"), ("reason", "some new words"), ("percent", "half"))
    assert [plain(line) for line in fact_lines("outbox", facts, NOW)] == [
        "Envoi : flying",
        "Raison : some new words",
        "Remplie à half %",
    ]
    keys = (("certificate_until_s", "soon"), ("store", "hsm"))
    assert [plain(line) for line in fact_lines("keys", keys, NOW)] == [
        "certificate_until_s : soon",
        "Clés gardées par : hsm",
    ]
    assert fact_lines("clock", (("clock_ahead_s", "much"),), NOW) == ["clock_ahead_s : much"]


def test_from_the_check_to_the_page() -> None:
    (line,) = part_lines([outbox_check(3, 0, 0.5, "sending")])
    (row,) = present(samples.state(Diagnostics(Attract(), lines=(line,))), NOW).rows
    assert (row.title, row.word) == ("File d’envoi", "En ordre")
    assert plain(row.detail).splitlines()[::3] == ["Événements en attente : 3", "Envoi : en cours"]
