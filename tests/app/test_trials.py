"""Trials with a card in hand: good ones have times, and what was not done to the end is never well."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from kiosk import cli, probes
from kiosk.card.values import CardContent, CardKind
from kiosk.diagnostics.report import Check, CheckState
from kiosk.diagnostics.trials import NOT_FINISHED, Slot, cycles, guided
from kiosk.settings import KioskSettings, ReaderSettings, Settings
from kiosk.visit.events import CardInserted, CardRemoved, ReaderFailed
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardSession, ReaderRole
from simulators.card import FaultKind, PlannedFault, open_persona
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.hardware.pcsc.support import VITALE_2_ATR, FakeClock, ToyChip

OK, FAULT, UNKNOWN = CheckState.OK, CheckState.FAULT, CheckState.UNKNOWN
QUICK_S = 0.05


def settings_in(tmp_path: Path) -> Settings:
    return Settings(KioskSettings(tmp_path / "state"), ReaderSettings(READERS[0]))


class Technician:
    """Does what is said, or what a test has them do instead."""

    def __init__(self, scard: EmbeddedScard, *chips: Any, deaf_from: int = 99) -> None:
        self.scard, self.chips, self.heard, self.deaf_from = scard, list(chips), list[str](), deaf_from

    def __call__(self, text: str) -> None:
        self.heard.append(text)
        if len(self.heard) > self.deaf_from:
            return
        if text.startswith("insert"):
            self.scard.insert(READERS[0], self.chips.pop(0))
        else:
            self.scard.remove(READERS[0])


def tried(tmp_path: Path, technician: Technician, count: int, step_s: float = 10.0) -> tuple[Check, ...]:
    return probes.try_reader(
        settings_in(tmp_path), technician.scard, cycle_count=count, say=technician, step_s=step_s
    ).checks


# --- again and again ---------------------------------------------------------------------------------------------


def test_twenty_good_cycles_have_three_times(tmp_path: Path) -> None:
    (check,) = tried(tmp_path, Technician(EmbeddedScard(), open_persona("outdated")), 20)
    assert (check.state, check.facts["asked"], check.facts["done"], check.facts["failed"]) == (OK, 20, 20, 0)
    assert 0 < check.facts["min_ms"] <= check.facts["median_ms"] <= check.facts["max_ms"]


def test_a_cycle_that_failed_is_counted_by_its_cause_and_the_others_go_on(tmp_path: Path) -> None:
    card = open_persona("outdated", faults=[PlannedFault(FaultKind.WRONG_SW, at=8, sw=0x6F00)])
    (check,) = tried(tmp_path, Technician(EmbeddedScard(), card), 5)
    assert (check.state, check.facts["done"], check.facts["failed C-05"]) == (FAULT, 5, 1)
    assert check.fault is not None
    assert check.fault.cause is Cause.CARD_MALFORMED


def test_a_card_taken_out_in_the_middle_is_not_finished(tmp_path: Path) -> None:
    card = open_persona("outdated", faults=[PlannedFault(FaultKind.REMOVED_BEFORE, at=60)])
    (check,) = tried(tmp_path, Technician(EmbeddedScard(), card), 20)
    assert check.state is UNKNOWN
    assert check.facts["reason"] == NOT_FINISHED
    assert 0 < check.facts["done"] < 20


def test_no_card_and_no_reader_are_not_finished(tmp_path: Path) -> None:
    (check,) = tried(tmp_path, Technician(EmbeddedScard(), deaf_from=0), 20, QUICK_S)
    assert (check.state, check.facts) == (UNKNOWN, {"reason": NOT_FINISHED, "done": 0, "asked": 20})
    scard = EmbeddedScard((READERS[1],))
    (check,) = tried(tmp_path, Technician(scard, deaf_from=0), 20)
    assert check.fault is not None
    assert (check.state, check.fault.cause) == (UNKNOWN, Cause.NO_READER)


def test_a_reader_that_never_answers_is_not_finished() -> None:
    class Silent:
        def read(self, card_session: CardSession, done: Callable[[CardContent | Fault], None]) -> None:
            """Nothing comes."""

    events: SimpleQueue[object] = SimpleQueue()
    events.put(CardInserted(ReaderRole.PATIENT, CardSession(1), CardKind.VITALE_2))
    check = cycles(Slot(Silent(), events, FakeClock()), 3, lambda _: None, read_s=QUICK_S)
    assert (check.state, check.facts["done"]) == (UNKNOWN, 0)


# --- guided ------------------------------------------------------------------------------------------------------


def test_every_step_is_seen(tmp_path: Path) -> None:
    technician = Technician(EmbeddedScard(), ToyChip(VITALE_2_ATR), ToyChip(bytes(34)))
    checks = tried(tmp_path, technician, 0)
    assert [(check.part, check.state) for check in checks] == [
        ("insert", OK),
        ("remove", OK),
        ("turn over", OK),
        ("remove turned", OK),
    ]
    assert [check.facts["seen"] for check in checks] == ["vitale2", "empty", "mute", "empty"]
    assert technician.heard == [
        "insert a card, chip first",
        "take the card out",
        "insert the card turned over",
        "take the card out",
    ]


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_a_trial_given_up_is_not_finished_from_there_on(done: int) -> None:
    role, session = ReaderRole.PATIENT, CardSession(1)
    happens = [
        CardInserted(role, session, CardKind.VITALE_2),
        CardRemoved(role, session),
        CardInserted(role, session, CardKind.MUTE),
    ][:done]
    events: SimpleQueue[object] = SimpleQueue()
    heard: list[str] = []

    def say(text: str) -> None:
        heard.append(text)
        if happens:
            events.put(happens.pop(0))

    slot = Slot(object(), events, FakeClock())  # type: ignore[arg-type]  # nothing is read
    checks = guided(slot, say, step_s=QUICK_S)
    assert [check.state for check in checks] == [OK] * done + [UNKNOWN] * (4 - done)
    assert {check.facts["reason"] for check in checks[done:]} == {NOT_FINISHED}
    assert len(heard) == done + 1


def test_a_card_the_wrong_way_round_is_a_fault(tmp_path: Path) -> None:
    technician = Technician(EmbeddedScard(), ToyChip(bytes(34)), ToyChip(VITALE_2_ATR))
    assert [check.state for check in tried(tmp_path, technician, 0)] == [FAULT, OK, FAULT, OK]


def test_events_of_the_other_role_are_not_taken_for_the_patients() -> None:
    events: SimpleQueue[object] = SimpleQueue()
    staff = ReaderRole.PROFESSIONAL
    for event in (ReaderFailed(staff, Fault(Cause.NO_READER)), CardRemoved(staff, CardSession(1))):
        events.put(event)
    slot = Slot(object(), events, FakeClock())  # type: ignore[arg-type]  # nothing is read
    assert not slot.removed(QUICK_S)


# --- the command -------------------------------------------------------------------------------------------------


def test_an_interrupted_trial_is_not_finished(tmp_path: Path) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    report = probes.try_reader(settings_in(tmp_path), EmbeddedScard(), cycle_count=3, say=interrupted)
    assert [(check.state, check.facts) for check in report.checks] == [(UNKNOWN, {"reason": NOT_FINISHED})]
    assert not report.well
    assert not {"pcsc-monitor", "card-watchdog"} & {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("number", ["0", "1001", "-1", "x", "²", "20.0"])
def test_a_number_of_cycles_that_makes_no_sense_is_refused(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["diagnose", f"--cycles={number}"])
    assert ended.value.code == 2
    assert "--cycles: 1 to 1000 expected" in capsys.readouterr().err


def test_a_trial_needs_a_reader_in_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.diagnose(Settings(KioskSettings(tmp_path)), as_json=True, guided=True) == 2
    assert capsys.readouterr().err == "kiosk: readers.patient: is not set\n"
