"""Planned faults: what each does to the card, alone and with others."""

from __future__ import annotations

import contextlib
import itertools

import pytest

from simulators.card import CardGoneError, CardHangsError, FaultKind, PlannedFault, SimulatedCard, open_persona
from simulators.card.card import MUTE_ATR
from simulators.card.chip import BareChip
from simulators.card.faults import HANDED_KINDS, READER_KINDS, Due, FaultPlan
from simulators.card.scp03 import Answer
from tests.simulators.card.driver import SELECT_VITALE, Driver, outdated

READ = bytes.fromhex("00B0940001")


def _planned(*faults: PlannedFault) -> SimulatedCard:
    card = open_persona("outdated", faults=faults)
    card.power_on()
    return card


def test_vanished_only_while_the_card_is_away() -> None:
    card = _planned(PlannedFault(FaultKind.REMOVED_BEFORE, at=2))
    seen = []
    for _ in range(2):
        seen.append(card.vanished)
        card.transmit(SELECT_VITALE)
        with contextlib.suppress(CardGoneError):
            card.transmit(READ)
        seen.append(card.vanished)
        card.power_on()
    assert seen == [False, True, False, False]


def test_removed_before() -> None:
    card = _planned(PlannedFault(FaultKind.REMOVED_BEFORE, at=2))
    assert card.transmit(SELECT_VITALE) == b"\x90\x00"
    with pytest.raises(CardGoneError):
        card.transmit(READ)
    assert card.vanished
    assert card.transmit(READ) == b""
    card.power_on()
    assert card.transmit(SELECT_VITALE) == b"\x90\x00"  # each fault happens once


@pytest.mark.parametrize(("kind", "written"), [(FaultKind.REMOVED_BEFORE, False), (FaultKind.REMOVED_AFTER, True)])
def test_removed_around_a_write(kind: FaultKind, written: bool) -> None:
    driver = outdated()
    before = driver.card.digest()
    driver.card.plan([PlannedFault(kind, at=1, ins=0xD6)])
    host = driver.session()
    with pytest.raises(CardGoneError):
        driver.send(host.wrap(0xD6, 0x94, 4, b"\x01"))
    assert (driver.card.digest() != before) is written


def test_wrong_status_word_instead_of_executing() -> None:
    driver = outdated()
    before = driver.card.digest()
    driver.card.plan([PlannedFault(FaultKind.WRONG_SW, at=1, ins=0xD6, sw=0x6F00)])
    host = driver.session()
    assert host.unwrap(driver.send(host.wrap(0xD6, 0x94, 4, b"\x01"))) == Answer(b"", 0x6F00)
    assert driver.card.digest() == before


def test_hang_until_power_goes() -> None:
    card = _planned(PlannedFault(FaultKind.HANG, at=1))
    with pytest.raises(CardHangsError):
        card.transmit(SELECT_VITALE)
    card.power_on()
    assert card.transmit(SELECT_VITALE) == b"\x90\x00"


def test_delay_waits_and_answers() -> None:
    waited: list[float] = []
    faults = [PlannedFault(FaultKind.DELAY, at=2, delay_ms=1500)]
    card = SimulatedCard(b"\x3b\x00", BareChip(), faults=faults, wait=waited.append)
    card.power_on()
    assert [card.transmit(READ) for _ in range(3)] == [b"\x6d\x00"] * 3
    assert waited == [1.5]


def test_mute() -> None:
    card = open_persona("outdated", faults=[PlannedFault(FaultKind.MUTE)])
    assert card.power_on() == card.atr == MUTE_ATR
    assert card.transmit(SELECT_VITALE) == b""


def test_counts_go_on_over_reinsertions_and_start_again_with_a_new_plan() -> None:
    card = _planned(PlannedFault(FaultKind.REMOVED_BEFORE, at=3))
    card.transmit(SELECT_VITALE)
    card.power_on()
    card.transmit(SELECT_VITALE)
    with pytest.raises(CardGoneError):
        card.transmit(READ)
    card.plan([PlannedFault(FaultKind.REMOVED_BEFORE, at=1)])
    card.power_on()
    with pytest.raises(CardGoneError):
        card.transmit(READ)


def test_ins_counts_only_that_instruction() -> None:
    card = _planned(PlannedFault(FaultKind.WRONG_SW, at=2, ins=0xB0, sw=0x6FAA))
    driver = Driver(card)
    driver.send(SELECT_VITALE)
    assert driver.raw("00B0940001") == "C39000"
    driver.send(SELECT_VITALE)
    assert driver.raw("00B0940001") == "6FAA"
    assert driver.raw("00B0940001") == "C39000"


@pytest.mark.parametrize(("keep_bytes", "answer"), [(1, "c3"), (2, "c31f"), (3, "c31f80"), (99, "c31f809000")])
def test_truncated_answer_of_a_command_that_was_executed(keep_bytes: int, answer: str) -> None:
    card = _planned(PlannedFault(FaultKind.TRUNCATED, at=2, keep_bytes=keep_bytes))
    assert card.transmit(SELECT_VITALE) == b"\x90\x00"
    assert card.transmit(bytes.fromhex("00B0940003")).hex() == answer
    assert card.transmit(bytes.fromhex("00B0000101")).hex() == "1f9000"  # the file was selected by it


def test_jitter_and_repetition_come_from_the_seed() -> None:
    def waits(seed: int) -> list[float]:
        waited: list[float] = []
        card = SimulatedCard(b"\x3b\x00", BareChip(), wait=waited.append)
        card.plan([PlannedFault(FaultKind.DELAY, at=2, delay_ms=100, jitter_ms=50, times=3)], seed=seed)
        card.power_on()
        assert [card.transmit(READ) for _ in range(6)] == [b"\x6d\x00"] * 6
        return waited

    assert len(waits(1)) == 3
    assert all(0.1 <= waited_s <= 0.15 for waited_s in waits(1))
    assert len(set(waits(1))) == 3
    assert waits(1) == waits(1) != waits(2)


def test_warm_atr_until_the_power_goes() -> None:
    card = _planned(PlannedFault(FaultKind.WARM_ATR, atr=b"\x3b\x00"))
    cold = card.atr
    assert card.power_on(cold=False) == card.atr == b"\x3b\x00"
    assert card.transmit(SELECT_VITALE) == b"\x90\x00"
    assert card.power_on() == card.atr == cold
    card.power_on(cold=False)
    card.power_off()
    assert card.atr == cold


def _vanishings(seed: int) -> tuple[list[int], list[float]]:
    """APDUs answered before each vanishing of a flaky contact, and the seconds of each."""
    away: list[Due] = []
    card = open_persona("outdated")
    card.plan([PlannedFault(FaultKind.FLAKY, at=5, times=4, for_ms=800)], seed=seed, act=away.append)
    answered = [0]
    for _ in range(40):
        card.power_on()
        try:
            card.transmit(READ)
            answered[-1] += 1
        except CardGoneError:
            assert card.vanished
            answered.append(0)
    return answered, [due.seconds for due in away]


def test_flaky_contact_vanishes_so_often_in_so_long_and_as_the_seed_says() -> None:
    answered, away_s = _vanishings(3)
    assert len(away_s) == 4
    assert answered[0] == 4
    assert all(count < 5 for count in answered[:4])
    assert sum(answered) == 36
    assert 0 < sum(away_s) <= 0.8
    assert _vanishings(3) == (answered, away_s)
    assert len({tuple(_vanishings(seed)[0]) for seed in range(8)}) > 1
    assert len({tuple(_vanishings(seed)[1]) for seed in range(8)}) == 8


def test_what_needs_a_hand_is_told_to_it_in_the_middle_of_the_apdu() -> None:
    for kind in HANDED_KINDS:
        told: list[tuple[FaultKind, bool]] = []
        card = open_persona("outdated")
        card.plan(
            [PlannedFault(kind, at=1, persona="torn")],
            act=lambda due, card=card, told=told: told.append((due.fault.kind, card.vanished)),  # type: ignore[misc]  # defaults bind the loop
        )
        card.power_on()
        with contextlib.suppress(CardGoneError):
            assert card.transmit(SELECT_VITALE) == b"\x90\x00"
        assert told == [(kind, kind not in READER_KINDS)]


@pytest.mark.parametrize("kind", sorted(READER_KINDS))
def test_a_fault_of_the_reader_without_a_hand_is_a_mistake(kind: FaultKind) -> None:
    with pytest.raises(ValueError, match="nobody is there"):
        open_persona("outdated", faults=[PlannedFault(kind)])


PAIRED = sorted(set(FaultKind) - {FaultKind.MUTE, FaultKind.WARM_ATR})


def _outcome(*kinds: FaultKind) -> tuple[list[str], list[str], list[str], str]:
    """Of one write and a read after it: what came of each, waits, what the hand was told, image."""
    driver = outdated()
    host = driver.session()
    told: list[str] = []
    waited: list[str] = []
    card = driver.card
    card._wait = lambda seconds: waited.append(f"{seconds:g}")
    faults = [PlannedFault(kind, at=1, sw=0x6F00, delay_ms=10, for_ms=40, byte=0, persona="torn") for kind in kinds]
    card.plan(faults, act=lambda due: told.append(due.fault.kind))
    results = []
    for apdu in (host.wrap(0xD6, 0x93, 0, b"\x01" * 64)[:-1], READ):
        try:
            results.append(card.transmit(apdu).hex()[-4:])
        except (CardGoneError, CardHangsError) as error:
            results.append(type(error).__name__)
    return results, waited, told, card.digest()


ALONE = {kind: _outcome(kind) for kind in PAIRED}
STOPS = {FaultKind.REMOVED_BEFORE, FaultKind.FLAKY, FaultKind.SWAPPED, FaultKind.HANG}
IN_WRITE = {FaultKind.REMOVED_IN_WRITE, FaultKind.TORN_WRITE}


@pytest.mark.parametrize(("first", "second"), [*itertools.combinations(PAIRED, 2)])
def test_two_faults_at_one_apdu(first: FaultKind, second: FaultKind) -> None:
    """Delays show always; what stops the command leaves nothing for the other; the rest adds up."""
    for kinds in ((first, second), (second, first)):
        results, waited, told, image = _outcome(*kinds)
        assert waited == (["0.01"] if FaultKind.DELAY in kinds else [])
        stopped = next((kind for kind in kinds if kind in STOPS), None)
        torn = FaultKind.WRONG_SW not in kinds and bool(IN_WRITE & set(kinds))
        if stopped is not None:
            assert results == ALONE[stopped][0]
            assert told == ALONE[stopped][2]
            assert image == ALONE[FaultKind.REMOVED_BEFORE][3]
        elif torn:
            assert results == ALONE[FaultKind.TORN_WRITE][0]
            assert told == []
            assert image == ALONE[FaultKind.TORN_WRITE][3]
        else:
            assert set(told) == {kind for kind in kinds if kind in READER_KINDS}
            removed = FaultKind.REMOVED_AFTER in kinds
            assert results[0] == ("CardGoneError" if removed else _seen(kinds))
            executed = FaultKind.WRONG_SW not in kinds
            assert image == ALONE[FaultKind.REMOVED_AFTER if executed else FaultKind.WRONG_SW][3]


def _seen(kinds: tuple[FaultKind, ...]) -> str:
    """What leaves the card: a wrong status word may be cut short as well."""
    if set(kinds) == {FaultKind.WRONG_SW, FaultKind.TRUNCATED}:
        return "6f"
    changed = (kind for kind in kinds if kind in (FaultKind.TRUNCATED, FaultKind.WRONG_SW))
    return ALONE[next(changed, kinds[0])][0][0]


def test_counting_is_the_same_whatever_is_due() -> None:
    plan = FaultPlan.of([PlannedFault(FaultKind.HANG, at=2), PlannedFault(FaultKind.WRONG_SW, at=2)])
    assert plan.at_apdu(READ) == ()
    assert [due.fault.kind for due in plan.at_apdu(READ)] == [FaultKind.HANG, FaultKind.WRONG_SW]
    assert plan.at_apdu(READ) == ()


def test_how_often_each_moment_has_come() -> None:
    """What has happened can be told afterwards, be it at an APDU, at a page write or at a reset."""
    driver = outdated()
    plan = [
        PlannedFault(FaultKind.DELAY, at=2, times=2),
        PlannedFault(FaultKind.WRONG_SW, at=999),
        PlannedFault(FaultKind.WARM_ATR, atr=b"\x3b\x00"),
        PlannedFault(FaultKind.TORN_WRITE, at=1),
        PlannedFault(FaultKind.REMOVED_IN_WRITE, at=2),
    ]
    driver.card.plan(plan)
    assert driver.card.times_due == (0,) * 5
    driver.card.power_on()
    host = driver.session()
    with pytest.raises(CardGoneError):
        driver.send(host.wrap(0xD6, 0x94, 4, b"\x01"))
    assert driver.card.times_due == (2, 0, 0, 1, 0)
    driver.card.power_on(cold=False)
    assert driver.card.times_due == (2, 0, 1, 1, 0)
    assert _planned(PlannedFault(FaultKind.MUTE)).times_due == (1,)
