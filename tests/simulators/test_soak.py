"""The soak and the card-tear drill: a slice of each, and proof that they would see what they look for."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from kiosk.sync.wire import Wire, WireFailure
from kiosk.visit import machine, updating
from kiosk.visit.failures import CardSafety, Cause, Fault
from kiosk.visit.model import Member, State
from kiosk.visit.page_kinds import Notice
from kiosk.visit.pages import Attract, CardProblem, Home, OutOfService, Result, Step
from kiosk.visit.turn import Turn
from kiosk.visit.values import Outcome
from simulators import samples
from simulators.card.faults import FaultKind, PlannedFault
from simulators.personas import load
from simulators.residue import scan_rows
from simulators.soak import ledger, network, run
from simulators.soak.card import Content, Point, Side, Truth, watched
from simulators.soak.clock import JumpingClock
from simulators.soak.drill import Blow, matrix
from simulators.soak.judge import left_behind, untrue
from simulators.soak.plan import IN_AN_UPDATE, WEIGHTS, WITH_ORDERS, Goal, Kind, Plan, plan_of
from simulators.soak.run import Report, Size, soak

SLICE_EVERY = 19

OLD = Truth(unfinished=False, content=Content.OLD, changed=False, write_sent=False)
SENT = replace(OLD, write_sent=True)
TORN = Truth(unfinished=True, content=Content.MIXED, changed=True, write_sent=True)
NEW = Truth(unfinished=False, content=Content.NEW, changed=True, write_sent=True)

# --- slices ------------------------------------------------------------------------------------------------------


def test_a_slice_of_the_soak_finds_nothing(record_property: Callable[[str, object], None]) -> None:
    report = soak(8, 1)
    assert report.violations == []
    assert report.visits == 8
    assert report.events.recorded > 8 * 3
    assert (report.events.lost, report.events.doubled) == (0, 0)
    record_property("printed", f"soak: {report.visits} visits, {report.events.recorded} events, violations 0")


def test_a_slice_of_the_drill_finds_nothing(record_property: Callable[[str, object], None]) -> None:
    """Both cards, and every blow before and after commands and at page writes."""
    command = [sys.executable, "-m", "simulators.soak", "drill", "--every", str(SLICE_EVERY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    points = {
        name: (int(n), int(m)) for name, n, m in re.findall(r"update of (\S+): (\d+) APDUs, (\d+) page", done.stdout)
    }
    cases = list(matrix(points))
    part = cases[::SLICE_EVERY]
    assert {(case.persona, case.blow) for case in part} == set(product(("outdated", "torn"), Blow))
    assert {(case.point.side, case.blow) for case in part} == set(product(Side, Blow))
    said = re.search(rf"cases {len(part)} of {len(cases)} in .*", done.stdout)
    assert said is not None
    assert "violations 0" in done.stdout
    record_property("printed", f"card-tear drill: {said[0]}, violations 0")


# --- it would see it ---------------------------------------------------------------------------------------------


def only(monkeypatch: pytest.MonkeyPatch, plan: Plan) -> Report:
    """A soak of this one visit."""
    monkeypatch.setattr(run, "plan_of", lambda _seed, _visit: plan)
    return soak(1, 1)


def test_a_kiosk_that_calls_a_torn_card_unchanged_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(turn: Turn) -> None:
        turn.end_visit("removed", Notice.UNCHANGED)

    monkeypatch.setattr(machine, "await_card", careless)
    monkeypatch.setattr(updating, "await_card", careless)
    report = only(monkeypatch, Plan("outdated", (Goal.UPDATE,), Kind.TORN_WRITE, at=5, byte=20))
    assert any("told unchanged, and it was changed" in violation for violation in report.violations)
    assert report.violations[0].startswith("seed 1 visit 1 (card pulled at a page write): ")


def test_a_kiosk_that_does_not_believe_the_flag_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Member, "unfinished", property(lambda _member: False))
    report = only(monkeypatch, Plan("torn", (), Kind.NONE))
    assert any("read as valid" in violation for violation in report.violations)


def test_an_event_that_is_told_twice_or_never_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Books:
        def ask(self, _do: str) -> dict[str, Any]:
            return {"facts": {"a {}": 2, "b {}": 1}, "gaps": 0}

    class Rig:
        centre = Books()

        def drained(self) -> bool:
            return True

        def in_store(self, work: object) -> object:
            whole = type("Verdict", (), {"ok": True})
            return Counter({"a {}": 1, "b {}": 1, "c {}": 1}) if work is ledger._recorded else whole

    found = ledger.compared(Rig())  # type: ignore[arg-type]  # as much of a rig as it looks at
    assert (found.lost, found.doubled) == (1, 1)
    assert found.violations == ["events: 1 lost, 1 doubled, 0 gaps"]


@pytest.mark.parametrize(
    ("grown", "said"),
    [
        (Size(103, 5, 9), "memory has grown"),
        (Size(102, 6, 9), "threads have grown"),
        (Size(102, 5, 10), "descriptors have grown"),
        (Size(102, 5, 9), None),
    ],
)
def test_growth_is_a_violation(grown: Size, said: str | None) -> None:
    report = Report(1, sizes={100: Size(100, 5, 9), 250: Size(200, 9, 20), 400: grown})
    assert list(report.growth()) == ([] if said is None else [said])


def test_memory_is_measured_after_the_warm_up_now_and_then_and_at_the_end() -> None:
    assert [visit for visit in range(1, 601) if run._is_sampled(visit, 600)] == [100, 250, 500, 600]
    assert [visit for visit in range(1, 101) if run._is_sampled(visit, 100)] == [100]
    assert Report(1, sizes={100: Size(100, 5, 9)}).ends is None


@pytest.mark.parametrize("packed", [False, True], ids=["text", "binary"])
def test_a_number_planted_in_any_table_is_found(packed: bool) -> None:
    chip = load("outdated").card.chip
    assert chip is not None
    planted = b"\xfe" + bytes.fromhex(chip.serial + "f") if packed else f'{{"n":"{chip.serial}"}}'.encode()

    class Store:
        def execute(self, _sql: str) -> list[tuple[object, ...]]:
            return [(1, "x", b"\xff" * 32), (2, "y", planted)]

    cells = run._cells(Store())  # type: ignore[arg-type]  # as much of a transaction as it uses
    found = scan_rows(cells, run._needles("outdated"))
    assert found == sorted(f"table {table}: outdated: serial" for table in run.TABLES)


# --- judgement ---------------------------------------------------------------------------------------------------


def told(notice: Notice) -> State:
    return samples.state(Attract(notice))


def page(step: Step) -> State:
    return samples.state(step, card=True)


def problem(safety: CardSafety) -> State:
    return page(CardProblem(Fault(Cause.CARD_MUTE), safety))


@pytest.mark.parametrize(
    ("state", "truth", "true"),
    [
        (told(Notice.UNCHANGED), OLD, True),
        (told(Notice.UNCHANGED), TORN, False),
        (told(Notice.UPDATED), NEW, True),
        (told(Notice.UPDATED), replace(NEW, unfinished=True), False),
        (told(Notice.UNFINISHED), SENT, True),
        (told(Notice.UNFINISHED), OLD, False),
        (told(Notice.UNCERTAIN), NEW, True),
        (told(Notice.UNCERTAIN), OLD, False),
        (told(Notice.CARD_REMOVED), NEW, True),
        (told(Notice.CARD_REMOVED), TORN, False),
        (problem(CardSafety.UNCHANGED), OLD, True),
        (problem(CardSafety.UNCHANGED), NEW, False),
        (problem(CardSafety.UPDATED), NEW, True),
        (problem(CardSafety.UPDATED), TORN, False),
        (problem(CardSafety.UNFINISHED), TORN, True),
        (problem(CardSafety.UNFINISHED), OLD, False),
        (problem(CardSafety.UNKNOWN), SENT, True),
        (problem(CardSafety.UNKNOWN), OLD, False),
        (problem(CardSafety.PARTLY), NEW, True),
        (problem(CardSafety.PARTLY), TORN, False),
        (page(OutOfService(None, card_in_slot=True)), NEW, False),
        (page(OutOfService(None)), NEW, True),
        (samples.state(Home(), member=samples.MEMBER, card=True), replace(TORN, changed=False), False),
    ],
)
def test_what_a_page_says_is_held_against_the_card(state: State, truth: Truth, true: bool) -> None:
    assert (list(untrue(state, truth)) == []) is true


@pytest.mark.parametrize(
    ("outcome", "truth", "true"),
    [
        (Outcome.UPDATED, NEW, True),
        (Outcome.UPDATED, OLD, False),
        (Outcome.UP_TO_DATE, OLD, True),
        (Outcome.DECLINED, NEW, False),
        (Outcome.IMPOSSIBLE, NEW, False),
        (Outcome.ABORTED, TORN, True),
    ],
)
def test_a_result_is_held_against_the_card(outcome: Outcome, truth: Truth, true: bool) -> None:
    member = replace(samples.MEMBER, outcome=outcome, open_write=truth.unfinished)
    state = samples.state(Result(outcome), member=member, card=True)
    assert ([text for text in untrue(state, truth) if text.startswith("result")] == []) is true


OLD_CONTENT = {"organisation": ["01", "999", "9999"], "rights": []}


@pytest.mark.parametrize(
    ("pending", "believed", "problems"),
    [
        (1, True, []),
        (0, True, ["the card is old, and the centre believes it done"]),
        (1, False, ["the centre believes something else to be on the card"]),
    ],
)
def test_card_and_centre_must_agree_in_the_end(pending: int, believed: bool, problems: list[str]) -> None:
    card = watched("outdated")
    chip = card.persona.card.chip
    assert chip is not None
    rights = [[p.beneficiary, p.start.isoformat(), p.end.isoformat(), p.exemption] for p in chip.rights]
    organisation = [chip.organisation.regime, chip.organisation.caisse, chip.organisation.centre]
    content = {"organisation": organisation, "rights": rights if believed else rights[:-1]}
    state = samples.state(Attract())
    assert list(left_behind(state, card, {"pending": pending, "content": content})) == problems


def test_a_member_left_behind_is_a_violation() -> None:
    state = samples.state(Attract(), member=samples.MEMBER)
    card = watched("torn")
    found = list(left_behind(state, card, {"pending": 1, "content": OLD_CONTENT}))
    assert found[:3] == [
        "a member is still in the state",
        "the card is still marked unfinished",
        "the card is neither old nor new",
    ]


# --- the watched card --------------------------------------------------------------------------------------------


def test_a_card_tells_old_from_torn_and_counts() -> None:
    assert watched("outdated").truth() == OLD
    assert watched("torn").truth() == Truth(True, Content.MIXED, changed=False, write_sent=False)
    card = watched("outdated")
    points: list[Point] = []
    card.at = points.append
    card.power_on()
    card.transmit(bytes.fromhex("00A4040C0BD250000002564954414C45"))
    assert points == [Point(Side.BEFORE, 1), Point(Side.AFTER, 1)]
    card.plan(PlannedFault(FaultKind.WRONG_SW, at=1, sw=0x6A82))
    assert card.transmit(bytes.fromhex("00B0940008")) == b"\x6a\x82"
    card.wrong_sw = lambda number: 0x6581 if number == 2 else None
    assert card.transmit(bytes.fromhex("00D6920001FF")) == b"\x65\x81"
    assert card.truth() == SENT


def test_a_change_that_nobody_wrote_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    card = watched("outdated")
    card.power_on()
    assert card.image is not None
    image = card.image

    transmit = card.card.transmit

    def changing(command: bytes) -> bytes:
        content = bytearray(image.to_bytes())
        content[-1] ^= 1
        image.load(bytes(content))
        return transmit(command)

    monkeypatch.setattr(card.card, "transmit", changing)
    card.transmit(bytes.fromhex("00B0940008"))
    assert card.violations == ["the image changed at a command that writes nothing"]


# --- plans, matrix, network --------------------------------------------------------------------------------------


def test_a_visit_is_the_same_whatever_came_before() -> None:
    assert plan_of(1, 77) == plan_of(1, 77)
    assert len({plan_of(seed, 77) for seed in range(20)}) > 10


def test_two_thousand_visits_stage_everything() -> None:
    plans = [plan_of(1, visit) for visit in range(1, 2001)]
    kinds = Counter(plan.kind for plan in plans)
    assert set(kinds) == set(Kind) == set(WEIGHTS)
    assert min(kinds.values()) >= 10
    updating_plans = [plan for plan in plans if plan.kind in IN_AN_UPDATE]
    assert all(p.accepts and Goal.UPDATE in p.goals and p.persona in WITH_ORDERS for p in updating_plans)


def test_the_matrix_is_every_point_times_every_blow() -> None:
    cases = list(matrix({"outdated": (17, 12), "torn": (3, 2)}))
    assert len(cases) == (17 * 2 + 12 + 3 * 2 + 2) * len(Blow)
    assert [case.number for case in cases] == list(range(1, len(cases) + 1))
    assert len({(case.persona, case.point, case.blow) for case in cases}) == len(cases)


@pytest.mark.parametrize(("side", "sent"), [(network.Side.BEFORE, 1), (network.Side.AFTER, 2)])
def test_a_cut_loses_the_request_or_its_answer(monkeypatch: pytest.MonkeyPatch, side: network.Side, sent: int) -> None:
    calls: list[float] = []

    def exchange(_wire: object, deadline_s: float) -> WireFailure:
        calls.append(deadline_s)
        return WireFailure("nobody there")

    monkeypatch.setattr(Wire, "exchange", exchange)
    monkeypatch.setattr(network, "MEMBERS_THREADS", ("MainThread",))
    clock = JumpingClock()
    wires = network.Network(clock)
    wire = Wire.__new__(Wire)
    with wires.in_place():
        wires.cut(network.Cut(side, at=2))
        before_s = clock.monotonic_s()
        answers = [wire.exchange(deadline_s=60.0) for _ in range(2)]  # type: ignore[call-arg]  # of the stand-in
    assert answers == [WireFailure("nobody there"), WireFailure("cut")]
    assert len(calls) == sent
    assert clock.monotonic_s() - before_s < 60.0


def test_a_lasting_cut_costs_the_time_a_member_would_have_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "MEMBERS_THREADS", ("MainThread",))
    clock = JumpingClock()
    wires = network.Network(clock)
    wire = Wire.__new__(Wire)
    with wires.in_place():
        wires.cut(network.Cut(network.Side.BEFORE, lasting=True))
        before_s = clock.monotonic_s()
        assert wire.exchange(deadline_s=60.0) == WireFailure("cut")  # type: ignore[call-arg]  # of the stand-in
    assert clock.monotonic_s() - before_s >= 60.0


@pytest.mark.parametrize(("side", "sent"), [(network.Side.BEFORE, 0), (network.Side.AFTER, 1)])
def test_a_lasting_cut_meets_the_uploader_too(monkeypatch: pytest.MonkeyPatch, side: network.Side, sent: int) -> None:
    """Behind a send, the first answer of the uploader's is lost: it has to tell again what the centre knows."""
    calls: list[float] = []

    def exchange(_wire: object, deadline_s: float) -> str:
        calls.append(deadline_s)
        return "an answer"

    monkeypatch.setattr(Wire, "exchange", exchange)
    wires = network.Network(JumpingClock())
    wire: Any = Wire.__new__(Wire)
    with wires.in_place():
        monkeypatch.setattr(network, "MEMBERS_THREADS", ("MainThread",))
        wires.cut(network.Cut(side, lasting=True))
        wire.exchange(deadline_s=60.0)
        calls.clear()
        monkeypatch.setattr(network, "MEMBERS_THREADS", ())
        assert [wire.exchange(deadline_s=60.0) for _ in range(3)] == [WireFailure("cut")] * 3
        assert len(calls) == sent
        wires.mend()
        assert wire.exchange(deadline_s=60.0) == "an answer"
