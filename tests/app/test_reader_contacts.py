"""What the readers' contacts were is in the journal: when one has proved to be flaky, and when the kiosk stops."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kiosk.app import Kiosk, Surroundings
from kiosk.diagnostics.report import Check, CheckState
from kiosk.hardware.pcsc.contacts import FLAKY_TIMES, Contacts
from kiosk.journal.catalogue import shipped_catalogue
from kiosk.probes import look
from kiosk.settings import KioskSettings, ReaderSettings, Settings
from kiosk.state import open_existing_store
from kiosk.store.errors import StoreError
from kiosk.visit.model import State
from kiosk.visit.ports import ReaderRole
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.hardware.pcsc.support import OTHER_ATR, FakeClock, ToyChip, wait_until


def kept(state_dir: Path) -> list[dict[str, Any]]:
    store = open_existing_store(state_dir)
    assert not isinstance(store, StoreError)
    rows = store.submit(lambda tx: tx.execute("SELECT fields FROM journal WHERE type = 'reader_contacts'")).result()
    store.close()
    return [json.loads(str(row[0])) for row in rows]


def run(state_dir: Path, insertions: int) -> None:
    """One life of a kiosk, with a card that is gone and back at once."""
    scard, states = EmbeddedScard(), list[State]()
    settings = Settings(KioskSettings(state_dir), ReaderSettings(READERS[0]))
    kiosk = Kiosk(settings, Surroundings(scard, states.append, _no_ticket, FakeClock()))
    kiosk.start()
    for number in range(insertions):
        scard.insert(READERS[0], ToyChip(OTHER_ATR))
        wait_until(lambda: kiosk.hub._slots[ReaderRole.PATIENT].card is not None)
        if number < insertions - 1:
            scard.remove(READERS[0])
            wait_until(lambda: kiosk.hub._slots[ReaderRole.PATIENT].card is None)
    kiosk.stop()


def _no_ticket(*_: object) -> Any:
    raise AssertionError("nothing is printed here")


def test_a_flaky_contact_is_kept_at_once_and_at_the_end(tmp_path: Path) -> None:
    run(tmp_path, FLAKY_TIMES + 1)
    counts = {"role": "patient"} | asdict(Contacts(vanished=FLAKY_TIMES, flaky=1))
    assert kept(tmp_path) == [counts, counts]


def diagnosed(state_dir: Path) -> list[Check]:
    settings = Settings(KioskSettings(state_dir), ReaderSettings(READERS[0]))
    return [check for check in look(settings, EmbeddedScard()).checks if check.part.startswith("contacts")]


def test_diagnose_of_a_stopped_kiosk_shows_the_last_run_and_no_older_one(tmp_path: Path) -> None:
    run(tmp_path, FLAKY_TIMES + 1)
    counts = asdict(Contacts(vanished=FLAKY_TIMES, flaky=1))
    assert diagnosed(tmp_path) == [Check("contacts patient", CheckState.FAULT, facts=counts)]
    run(tmp_path, 2)
    counts = asdict(Contacts(vanished=1))
    assert diagnosed(tmp_path) == [Check("contacts patient", CheckState.OK, facts=counts)]
    run(tmp_path, 1)
    assert diagnosed(tmp_path) == []


def test_good_contacts_are_not_worth_an_entry(tmp_path: Path) -> None:
    run(tmp_path, 1)
    assert kept(tmp_path) == []


def test_the_catalogue_takes_what_is_counted() -> None:
    for role in ReaderRole:
        fields = {"role": role.value} | asdict(Contacts(vanished=7, mute=1, silent=2, flaky=2))
        assert shipped_catalogue().check("reader_contacts", None, fields) is None
