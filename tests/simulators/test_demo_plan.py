"""The demo's fault plan: refused by name before anything starts, staged at the patient's slot of either reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kiosk.card.values import CardContent
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.events import CardInserted
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import ReaderRole
from simulators.__main__ import main
from simulators.card import FaultKind, PlannedFault, open_persona
from simulators.card.plan_file import Plan
from simulators.demo_plan import PlannedSlots
from simulators.personas import load
from simulators.reader.hands import EmbeddedHands
from simulators.reader.private_pcscd import PrivatePcscd
from simulators.stage import ROLES, EmbeddedSlots, PcscSlots, Slots
from tests.hardware.pcsc.hands import private_pcscd
from tests.hardware.pcsc.support import RealClock, Recorder
from tests.simulators.card.driver import SELECT_VITALE

__all__ = ["private_pcscd"]

LONG_MS = 600_000
PATIENT = ReaderRole.PATIENT


@pytest.mark.parametrize(
    ("document", "reader", "refused"),
    [
        ('{"faults": [{"kind": "hang"}]}', "embedded", "$.faults[0].at: missing"),
        ('{"faults": [{"kind": "melt", "at": 1}]}', "pcsc", "$.faults[0].kind: one of "),
        ('{"reader": [{"kind": "unplugged", "at": 1, "for_ms": 1}]}', "pcsc", "$.reader[0].kind: this reader cannot"),
        ("{", "embedded", "$: "),
    ],
)
def test_a_plan_that_cannot_be_staged_is_one_line_and_touches_nothing(
    tmp_path: Path, request: pytest.FixtureRequest, document: str, reader: str, refused: str
) -> None:
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    capsys: pytest.CaptureFixture[str] = request.getfixturevalue("capsys")
    plan, out = tmp_path / "plan.json", tmp_path / "out"
    plan.write_text(document, encoding="utf-8")
    for name, value in {"READER": reader, "OUT": str(out), "PERSONA": "", "PLAN": ""}.items():
        monkeypatch.setenv(name, value)
    as_argument = main(["demo", "--plan", str(plan)]), capsys.readouterr()
    monkeypatch.setenv("PLAN", str(plan))
    assert (main(["demo"]), capsys.readouterr()) == as_argument
    status, said = as_argument
    assert said.err.startswith(f"simulators: PLAN: plan.json: {refused}")
    assert (status, len(said.err.splitlines()), said.out) == (2, 1, "")
    assert not out.exists()


@pytest.mark.parametrize("arguments", [["--plan"], ["--plan", ""], ["--plans", "x"], ["--plan", "x", "y"]])
def test_a_plan_without_a_file_is_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", *arguments]) == 2
    assert "usage" in capsys.readouterr().err


# --- at the slots ------------------------------------------------------------------------------------------------


@pytest.fixture(params=["embedded", pytest.param("pcsc", marks=pytest.mark.pcscd)])
def slots(
    request: pytest.FixtureRequest,
    private_pcscd: Callable[[], PrivatePcscd],
) -> Iterator[Slots]:
    if request.param == "embedded":
        yield EmbeddedSlots()
        return
    chosen = PcscSlots(private_pcscd())
    yield chosen
    chosen.hands.tidy()


@contextmanager
def hub_at(slots: Slots, events: Recorder) -> Iterator[ReaderHub]:
    hub = ReaderHub(slots.scard, dict(zip(ROLES, slots.names, strict=True)), events, RealClock())
    hub.start()
    yield hub
    hub.stop()


def read(hub: ReaderHub, events: Recorder, number: int) -> CardContent | Fault:
    """What the number-th card that was put in says."""
    answers = Recorder()
    hub.read(events.wait_event(CardInserted, number).card_session, answers)
    answers.wait_for(bool)
    said: CardContent | Fault = answers.events[0]
    return said


def cause(said: CardContent | Fault) -> Cause | None:
    return said.cause if isinstance(said, Fault) else None


def serial(said: CardContent | Fault) -> str:
    assert isinstance(said, CardContent)
    return said.iccsn


def of_card(persona: str) -> str:
    chip = load(persona).card.chip
    assert chip is not None
    return chip.serial


def test_who_takes_the_card_out_has_the_service_back(slots: Slots) -> None:
    killed = PlannedFault(FaultKind.SERVICE_KILLED, at=4, for_ms=LONG_MS)
    planned, events = PlannedSlots(slots, Plan(reader=(killed,), seed=3)), Recorder()
    with hub_at(planned, events) as hub:
        planned.insert(PATIENT, open_persona("outdated"))
        assert cause(read(hub, events, 1)) is Cause.SERVICE_LOST
        planned.remove(PATIENT)
        planned.insert(PATIENT, open_persona("up-to-date"))
        assert serial(read(hub, events, 2)) == of_card("up-to-date")
        planned.remove(PATIENT)
    told = [{"path": "$.reader[0]", "kind": "service_killed", "due": 1}]
    assert planned.told() == {"seed": 3, "faults": told, "problem": ""}


def test_a_flaky_card_that_was_taken_out_does_not_come_back_by_itself(slots: Slots) -> None:
    flaky = PlannedFault(FaultKind.FLAKY, at=6, times=1, for_ms=LONG_MS)
    planned, events = PlannedSlots(slots, Plan((flaky,))), Recorder()
    with hub_at(planned, events) as hub:
        planned.insert(PATIENT, open_persona("outdated"))
        assert cause(read(hub, events, 1)) is Cause.CARD_REMOVED
        planned.remove(PATIENT)
        planned.insert(PATIENT, open_persona("up-to-date"))
        assert serial(read(hub, events, 2)) == of_card("up-to-date")
        planned.remove(PATIENT)
    assert planned.problem == ""


def test_only_the_first_card_of_the_patient_that_speaks_follows_the_plan() -> None:
    gone = PlannedFault(FaultKind.REMOVED_BEFORE, at=1)
    planned, events = PlannedSlots(EmbeddedSlots(), Plan((gone,))), Recorder()
    turned = open_persona("outdated", faults=[PlannedFault(FaultKind.MUTE)])
    with hub_at(planned, events) as hub:
        planned.insert(ReaderRole.PROFESSIONAL, open_persona("corsican"))
        assert serial(read(hub, events, 1)) == of_card("corsican")
        planned.insert(PATIENT, turned)
        events.wait_event(CardInserted, 2)
        planned.remove(PATIENT)
        assert [fault["due"] for fault in planned.told()["faults"]] == [0]
        planned.insert(PATIENT, open_persona("outdated"))
        assert cause(read(hub, events, 3)) is Cause.CARD_REMOVED
        planned.remove(PATIENT)
        planned.insert(PATIENT, open_persona("outdated"))
        assert serial(read(hub, events, 4)) == of_card("outdated")
    assert [fault["due"] for fault in planned.told()["faults"]] == [1]


class Jammed(EmbeddedHands):
    """The cable cannot be plugged in again."""

    def replug(self, slot: int) -> None:
        raise RuntimeError(f"slot {slot} is jammed")


def test_what_could_not_be_brought_back_is_said_and_the_card_is_out_all_the_same() -> None:
    slots = EmbeddedSlots()
    slots.hands = Jammed()
    planned = PlannedSlots(slots, Plan(reader=(PlannedFault(FaultKind.UNPLUGGED, at=1, for_ms=1),)))
    card = open_persona("outdated")
    planned.insert(PATIENT, card)
    card.transmit(SELECT_VITALE)
    planned.remove(PATIENT)
    assert planned.told()["problem"] == "slot 0 is jammed"
    slots.insert(PATIENT, card)  # no ValueError: the slot is empty
