"""One fault plan, two readers: the kiosk's traces, what it is told and what is on the card afterwards are the same."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import pytest

from kiosk.card.values import CardContent
from kiosk.hardware.pcsc.connection import Deadlines, Trace
from kiosk.hardware.pcsc.contacts import FLAKY_TIMES
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.events import CardInserted
from kiosk.visit.failures import Fault
from kiosk.visit.ports import CardSession, Clock, ReaderRole
from simulators.card import key_set, open_persona
from simulators.card.plan_file import Plan, parse_plan
from simulators.card.scp03 import HostSession
from simulators.reader.plan import Stagehand, unstageable
from simulators.reader.private_pcscd import PrivatePcscd
from tests.hardware.pcsc.hands import EmbeddedHands, Hands, PcscdHands
from tests.hardware.pcsc.support import LIMIT_S, FakeClock, RealClock, Recorder, exchange, wait_until
from tests.simulators.card.driver import SELECT_VITALE

LIMITS = Deadlines(connect_s=5.0, apdu_s=2.0, watch_every_s=0.05)
WRITES = [(0x94, 4, b"\x01"), (0x93, 0, b"\xc2" * 224), (0x94, 4, b"\x00")]
DONE = "done"


@dataclass(frozen=True)
class Played:
    """`outcomes`: of each card put in, or come back. `trace`: redacted, without times and names of readers."""

    outcomes: list[str]
    trace: list[str]
    digest: str


def plan_of(document: dict[str, Any]) -> Plan:
    plan = parse_plan(json.dumps(document).encode(), "plan.json")
    assert isinstance(plan, Plan)
    return plan


@contextmanager
def hub_on(
    hands: Hands, events: Recorder, trace: Trace | None = None, clock: Clock | None = None
) -> Iterator[ReaderHub]:
    bindings = {ReaderRole.PATIENT: hands.readers[0]}
    hub = ReaderHub(hands.scard, bindings, events, clock or RealClock(), deadlines=LIMITS, trace=trace)
    hub.start()
    yield hub
    hub.stop()


def play(hands: Hands, document: dict[str, Any], insertions: int, clock: Clock | None = None) -> Played:
    """Read and update the card each time that it is in."""
    events, trace = Recorder(), list[str]()
    card = open_persona("outdated", challenge_seed=b"plan")
    outcomes = []
    with hub_on(hands, events, trace.append, clock) as hub:
        with Stagehand(hands, 0) as stagehand:
            stagehand.insert(card, plan_of(document))
            for number in range(1, insertions + 1):
                outcomes.append(dialogue(hub, events.wait_event(CardInserted, number).card_session))
        hands.remove(0)
        wait_until(lambda: hub.readers()[ReaderRole.PATIENT].ready)  # a thread that was given up has told its trace
    return Played(outcomes, [redacted(line) for line in trace], card.digest())


def dialogue(hub: ReaderHub, session: CardSession) -> str:
    """What became of it: the first cause or status word that ended it."""
    answers: SimpleQueue[CardContent | Fault] = SimpleQueue()
    hub.read(session, answers.put)
    content = answers.get(timeout=LIMIT_S)
    if isinstance(content, Fault):
        return content.cause.name
    host = HostSession(key_set(content.iccsn), host_challenge=bytes(8))
    for command in commands(host):
        answer = exchange(hub, session, command())
        if isinstance(answer, Fault):
            return answer.cause.name
        if answer[-2:] != b"\x90\x00":
            return f"SW {answer[-2:].hex()}"
        if len(answer) == 31:
            host_command = host.external_authenticate(answer[:-2])
            if not isinstance(host_command, bytes):
                return str(host_command)
            assert exchange(hub, session, host_command) == b"\x90\x00"
    return DONE


def commands(host: HostSession) -> Iterator[Callable[[], bytes]]:
    yield lambda: SELECT_VITALE
    yield host.initialize_update
    for write in WRITES:
        yield lambda write=write: host.wrap(0xD6, *write)  # type: ignore[misc]  # a default binds the loop


def redacted(line: str) -> str:
    """Header, lengths, status word or problem."""
    return re.sub(r" (\(.*\)|in) .*| \(.*", "", line)


def at(kind: str, number: int, **values: Any) -> dict[str, Any]:
    return {"kind": kind, "at": number, **values}


CARD_PLANS: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "nothing": ([], [DONE]),
    "mute": ([{"kind": "mute"}], ["CARD_MUTE"]),
    "late": ([at("delay", 3, delay_ms=20, jitter_ms=20, times=4)], [DONE]),
    "removed before": ([at("removed_before", 4)], ["CARD_REMOVED"]),
    "removed after the flag's write": ([at("removed_after", 1, ins="d6")], ["CARD_REMOVED"]),
    "removed at byte 70 of a write": ([at("removed_in_write", 2, byte=70)], ["CARD_REMOVED"]),
    "torn page": ([at("torn_write", 3, byte=10, rest="old")], ["CARD_REMOVED"]),
    "wrong status word in the reading": ([at("wrong_sw", 11, sw="6f00")], ["CARD_MALFORMED"]),
    "wrong status word in the update": ([at("wrong_sw", 2, ins="d6", sw="6985")], ["SW 6985"]),
    "truncated": ([at("truncated", 8, keep_bytes=40)], ["CARD_MALFORMED"]),
    "one byte": ([at("truncated", 8, keep_bytes=1)], ["CARD_REMOVED"]),
    "hung": ([at("hang", 8)], ["READER_HUNG"]),
    "flaky": ([at("flaky", 6, times=2, for_ms=100)], ["CARD_REMOVED", "CARD_REMOVED", DONE]),
    "swapped": ([at("swapped", 9, persona="corsican")], ["CARD_REMOVED", DONE]),
}


def document(name: str) -> tuple[dict[str, Any], list[str]]:
    if name == "service killed":
        return {"seed": 5, "reader": [at("service_killed", 12, for_ms=50)]}, ["SERVICE_LOST", DONE]
    faults, outcomes = CARD_PLANS[name]
    return {"seed": 5, "faults": faults}, outcomes


@pytest.mark.pcscd
@pytest.mark.parametrize("name", [*CARD_PLANS, "service killed"])
def test_a_plan_runs_the_same_on_both_readers(name: str, private_pcscd: Callable[[], PrivatePcscd]) -> None:
    plan, outcomes = document(name)
    embedded = play(EmbeddedHands(), plan, len(outcomes))
    hands = PcscdHands(private_pcscd())
    through_pcscd = play(hands, plan, len(outcomes))
    hands.tidy()
    assert embedded.outcomes == outcomes
    assert embedded == through_pcscd


@pytest.mark.parametrize("reader", ["embedded", pytest.param("pcscd", marks=pytest.mark.pcscd)])
def test_a_contact_that_keeps_vanishing_is_told_as_dirty_and_asked_no_more(
    reader: str, private_pcscd: Callable[[], PrivatePcscd]
) -> None:
    """The card would vanish five times; once it has proved flaky it gets no command that could make it vanish. The
    clock stands still: how long a virtual reader takes to see a card is not the contact's doing."""
    hands: Hands = EmbeddedHands() if reader == "embedded" else PcscdHands(private_pcscd())
    plan = {"seed": 5, "faults": [at("flaky", 6, times=5, for_ms=100)]}
    played = play(hands, plan, FLAKY_TIMES + 1, FakeClock())
    hands.tidy()
    assert played.outcomes == ["CARD_REMOVED"] * FLAKY_TIMES + ["CARD_DIRTY"]


READER_PLANS: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "unplugged": ([at("unplugged", 12, for_ms=10)], ["READER_LOST", DONE]),
    "unplugged twice": (
        [at("unplugged", 3, for_ms=10), at("unplugged", 30, for_ms=10)],
        ["READER_LOST", "READER_LOST", DONE],
    ),
    "unplugged, then the service killed": (
        [at("unplugged", 3, for_ms=10), at("service_killed", 9, for_ms=10)],
        ["READER_LOST", "SERVICE_LOST", DONE],
    ),
    "unplugged twice at once": ([at("unplugged", 12, for_ms=10)] * 2, ["READER_LOST", DONE]),
    "reset when it was unplugged": ([at("unplugged", 12, for_ms=10), at("reset_by_other", 12)], ["READER_LOST", DONE]),
    "unplugged and the service killed at once": (
        [at("unplugged", 12, for_ms=10), at("service_killed", 12, for_ms=10)],
        ["SERVICE_LOST", DONE],
    ),
    "reset by another program": ([at("reset_by_other", 12)], ["CARD_RESET"]),
    "reset by another program in the update": ([at("reset_by_other", 1, ins="d6")], ["CARD_RESET"]),
}


@pytest.mark.parametrize("name", READER_PLANS)
def test_what_a_virtual_reader_cannot_stage_runs_on_the_embedded_one(name: str) -> None:
    reader, outcomes = READER_PLANS[name]
    played = play(EmbeddedHands(), {"reader": reader}, len(outcomes))
    assert played.outcomes == outcomes


@pytest.mark.pcscd
def test_a_service_that_is_killed_twice_at_once_can_be_killed_again(private_pcscd: Callable[[], PrivatePcscd]) -> None:
    """Brought back twice, a second daemon would take the first one's place, and the first would never die."""
    hands = PcscdHands(private_pcscd())
    twice = [at("service_killed", 12, for_ms=10), at("service_killed", 12, for_ms=400)]
    for kills in (twice, twice[:1]):
        outcomes = ["SERVICE_LOST", DONE]
        assert play(EmbeddedHands(), {"reader": kills}, len(outcomes)).outcomes == outcomes
        assert play(hands, {"reader": kills}, len(outcomes)).outcomes == outcomes
    hands.tidy()


def test_pairs_of_card_and_reader_faults() -> None:
    faults = [at("delay", 2, delay_ms=1), at("removed_after", 4)]
    for kind in ("unplugged", "service_killed", "reset_by_other"):
        values = {} if kind == "reset_by_other" else {"for_ms": 10}
        for number in (2, 3, 4):
            hands = EmbeddedHands()
            play(hands, {"faults": faults, "reader": [at(kind, number, **values)]}, 1)
            assert hands.scard.list_readers(hands.scard.establish_context()[1])[0] == 0


def test_the_same_seed_plays_the_same_and_another_does_not() -> None:
    def vanishings(seed: int) -> list[str]:
        plan = {"seed": seed, "faults": [at("flaky", 9, times=FLAKY_TIMES, for_ms=50)]}
        return play(EmbeddedHands(), plan, FLAKY_TIMES + 1, FakeClock()).trace  # the last one is told as dirty

    first = vanishings(1)
    assert vanishings(1) == first
    assert vanishings(2) != first


def test_a_plan_for_a_reader_that_cannot_stage_it_is_refused_with_its_path() -> None:
    plan = plan_of({"reader": [at("service_killed", 1, for_ms=1), at("unplugged", 1, for_ms=1)]})
    assert unstageable(plan, EmbeddedHands.can) is None
    error = unstageable(plan, NoCable.can, "plan.json")
    assert str(error) == "plan.json: $.reader[1].kind: this reader cannot stage unplugged"
    with Stagehand(NoCable(), 0) as stagehand, pytest.raises(ValueError, match=re.escape("$.reader[1].kind")):
        stagehand.insert(open_persona("outdated"), plan)


class NoCable(EmbeddedHands):
    can = PcscdHands.can


def ended_while_late(
    monkeypatch: pytest.MonkeyPatch, hands: Hands, end: Callable[[], None], insertions: int
) -> list[str]:
    """Read a card that is late for ten minutes at its eighth APDU, and end that somehow."""
    events = Recorder()
    card = open_persona("outdated")
    card.plan(plan_of({"faults": [at("delay", 8, delay_ms=600_000)]}).faults)
    late, wait = threading.Event(), card._wait

    def waits(seconds: float) -> None:
        late.set()
        wait(seconds)

    monkeypatch.setattr(card, "_wait", waits)
    with hub_on(hands, events) as hub:
        hands.insert(0, card)
        answers: SimpleQueue[CardContent | Fault] = SimpleQueue()
        hub.read(events.wait_event(CardInserted).card_session, answers.put)
        assert late.wait(LIMIT_S)
        end()
        ended = answers.get(timeout=LIMIT_S)
        outcomes = [ended.cause.name if isinstance(ended, Fault) else DONE]
        for number in range(2, insertions + 1):
            outcomes.append(dialogue(hub, events.wait_event(CardInserted, number).card_session))
    hands.remove(0)
    return outcomes


@pytest.mark.parametrize("reader", ["embedded", pytest.param("pcscd", marks=pytest.mark.pcscd)])
def test_a_late_card_keeps_nobody_who_pulls_it_or_kills_the_service(
    monkeypatch: pytest.MonkeyPatch, reader: str, private_pcscd: Callable[[], PrivatePcscd]
) -> None:
    """What ends the command ends it at once, and the late command is not executed by a card that has power again."""
    hands: Hands = EmbeddedHands() if reader == "embedded" else PcscdHands(private_pcscd())

    def end_service() -> None:
        hands.kill_service()
        hands.start_service()

    assert ended_while_late(monkeypatch, hands, lambda: hands.remove(0), 1) == ["CARD_REMOVED"]
    assert ended_while_late(monkeypatch, hands, end_service, 2) == ["SERVICE_LOST", DONE]
    hands.tidy()


def test_what_a_hand_could_not_do_is_told_at_the_end() -> None:
    hands = EmbeddedHands()
    stagehand = Stagehand(hands, 0)
    card = open_persona("outdated")
    stagehand.insert(card, plan_of({"reader": [at("unplugged", 1, for_ms=60_000)]}))
    card.transmit(SELECT_VITALE)
    hands.replug(0)  # somebody else was faster
    with pytest.raises(KeyError):
        stagehand.close()


class Closing(EmbeddedHands):
    """The service is gone, seen to be gone, and the stagehand leaves, before the kill has returned."""

    stagehand: Stagehand

    def kill_service(self) -> None:
        super().kill_service()
        self.leaving = threading.Thread(target=self.stagehand.close)
        self.leaving.start()
        self.leaving.join(0.2)  # it must not get far


def test_what_is_being_taken_away_at_the_end_comes_back_all_the_same() -> None:
    hands = Closing()
    hands.stagehand = Stagehand(hands, 0)
    card = open_persona("outdated")
    hands.stagehand.insert(card, plan_of({"reader": [at("service_killed", 1, for_ms=1)]}))
    card.transmit(SELECT_VITALE)
    hands.leaving.join()
    assert hands.scard.establish_context()[0] == 0
