"""The relay against a scripted centre and a scripted card: each way an update can end, and what may never happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.card.values import Beneficiary, CardContent, Generation
from kiosk.sync.faults import Refusal, RefusalReason
from kiosk.sync.relay import ABORT_LIMIT_S, OPENING_SILENCE_S, SILENCE_S, run_update
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardAnswers, CardSession, CardStep
from kiosk.visit.values import Outcome, UpdatePhase, UpdateReport

NOW_S = 1_795_000_000
SESSION = CardSession(3)
CARD = CardContent(
    generation=Generation.VITALE_2,
    iccsn="802500000200000000013",
    beneficiaries=(Beneficiary("FICTIF", "Camille", "19550814", "162019999900177"),),
)
SELECT = "00a404000bd250000002564954414c45"
INITIALIZE = "8050000008" + "11" * 8 + "00"
AUTHENTICATE = "8482330010" + "22" * 16
WRITE_FLAG = "84d6940411" + "33" * 17
WRITE_RIGHTS = "84d6930020" + "44" * 32
OK = bytes.fromhex("9000")
LOST = Fault(Cause.CARD_REMOVED, "gone", command_sent=True)
NEVER_LEFT = Fault(Cause.CARD_REMOVED, "gone", command_sent=False)
NETWORK = Fault(Cause.NETWORK, "time-out")
UPDATED = {"close": {"outcome": "updated", "detail": 1, "code": None, "receipt": "AA=="}}
IMPOSSIBLE = {"close": {"outcome": "impossible", "detail": 3, "code": "CARD_AUTH_FAILED", "receipt": None}}
ABORTED = {"close": {"outcome": "aborted", "detail": 3, "receipt": None}}

Scripted = dict[str, Any] | Refusal | Fault


def package(counter: int, *apdus: str, last: bool = False, **changes: Any) -> dict[str, Any]:
    content = {
        "conversation_id": "conv-1",
        "counter": counter,
        "not_after_s": NOW_S + 60,
        "max_wait_ms": 10_000,
        "last_if_ok": last,
        "items": [{"apdu": apdu, "expected_sw": ["9000"]} for apdu in apdus],
    }
    return {"package": {**content, **changes}}


READ = package(0, SELECT, INITIALIZE)
AUTH = package(1, AUTHENTICATE)
WRITE = package(2, WRITE_FLAG, WRITE_RIGHTS, WRITE_FLAG, last=True)
WHOLE: list[Scripted] = [READ, AUTH, WRITE, UPDATED]


@dataclass
class Centre:
    """Answers in turn; remembers what it was asked."""

    script: list[Scripted]
    asked: list[tuple[str, Mapping[str, Any], float]] = field(default_factory=list)
    on_call: Callable[[], None] = lambda: None

    def __call__(
        self,
        route: str,
        body: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        deadline_s: float = 15.0,
    ) -> Scripted:
        self.on_call()
        self.asked.append((route, body, deadline_s))
        return self.script.pop(0)


@dataclass
class Card:
    """Answers 9000, or what is scripted for the n-th command."""

    script: dict[int, bytes | Fault] = field(default_factory=dict)
    sent: list[bytes] = field(default_factory=list)
    log: list[object] = field(default_factory=list)

    def execute(self, card_session: CardSession, steps: Sequence[CardStep]) -> CardAnswers:
        assert card_session == SESSION
        assert steps
        responses: list[bytes] = []
        for step in steps:
            self.sent.append(step.command)
            self.log.append(step.command)
            answer = self.script.get(len(self.sent) - 1, OK)
            if isinstance(answer, Fault):
                return CardAnswers(tuple(responses), answer)
            responses.append(answer)
            if int.from_bytes(answer[-2:], "big") not in step.expected_sw:
                break
        return CardAnswers(tuple(responses))


@dataclass
class Walk:
    """One run and everything around it."""

    centre: Centre
    card: Card
    phases: list[UpdatePhase]
    report: UpdateReport


def run(script: list[Scripted], answers: dict[int, bytes | Fault] | None = None, orders: int = 1) -> Walk:
    centre, card = Centre(list(script)), Card(answers or {})
    phases: list[UpdatePhase] = []

    def on_phase(phase: UpdatePhase) -> None:
        if not phases or phases[-1] is not phase:  # repeated for each package: a sign of life
            phases.append(phase)
            card.log.append(phase)

    report = run_update(
        call=centre,
        link=card,
        card_session=SESSION,
        card=CARD,
        update_ids=[f"{number:02x}" for number in range(orders)],
        on_phase=on_phase,
        now_s=lambda: NOW_S,
    )
    return Walk(centre, card, phases, report)


def test_a_whole_update() -> None:
    walk = run(WHOLE)
    assert walk.report == UpdateReport(Outcome.UPDATED, 1, packages=3, apdus=6, wrote=True)
    assert [command.hex() for command in walk.card.sent] == [
        SELECT,
        INITIALIZE,
        AUTHENTICATE,
        WRITE_FLAG,
        WRITE_RIGHTS,
        WRITE_FLAG,
    ]
    assert walk.phases == [UpdatePhase.OPENING, UpdatePhase.WRITING, UpdatePhase.CLOSING]
    routes = [route for route, _, _ in walk.centre.asked]
    assert routes == ["/v1/relay/start", *["/v1/relay/step"] * 3]
    start = walk.centre.asked[0][1]
    assert start == {
        "card": {"generation": "vitale2", "iccsn": CARD.iccsn},
        "update_id": "00",
        "actor": {"mode": "SELF"},
    }
    assert walk.centre.asked[3][1] == {
        "conversation_id": "conv-1",
        "counter": 2,
        "responses": ["9000", "9000", "9000"],
        "abort": None,
    }
    assert [deadline for _, _, deadline in walk.centre.asked] == [*[OPENING_SILENCE_S] * 3, SILENCE_S]


def test_writing_is_said_before_the_first_write_leaves() -> None:
    log = run(WHOLE).card.log
    assert log.index(UpdatePhase.WRITING) == log.index(bytes.fromhex(WRITE_FLAG)) - 1


def test_writing_is_said_in_the_middle_of_a_package_too() -> None:
    walk = run([package(0, SELECT, INITIALIZE, WRITE_FLAG, WRITE_RIGHTS, last=True), UPDATED])
    assert [entry for entry in walk.card.log if isinstance(entry, UpdatePhase)] == walk.phases
    assert walk.card.log.index(UpdatePhase.WRITING) == walk.card.log.index(bytes.fromhex(WRITE_FLAG)) - 1
    assert walk.centre.asked[1][1]["responses"] == ["9000"] * 4
    assert walk.report == UpdateReport(Outcome.UPDATED, 1, packages=1, apdus=4, wrote=True)


@pytest.mark.parametrize("answer", [bytes.fromhex("6a82"), NEVER_LEFT, LOST])
def test_no_write_is_announced_behind_a_command_that_failed(answer: bytes | Fault) -> None:
    walk = run([package(0, SELECT, INITIALIZE, WRITE_FLAG), IMPOSSIBLE], {1: answer})
    assert [command.hex() for command in walk.card.sent] == [SELECT, INITIALIZE]
    assert UpdatePhase.WRITING not in walk.phases
    assert not walk.report.wrote


def test_card_answers_go_back_whole() -> None:
    answer = bytes.fromhex("0102039000")
    walk = run(WHOLE, {1: answer})
    assert walk.centre.asked[1][1]["responses"] == ["9000", "0102039000"]


# --- the card fails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("fault", [LOST, NEVER_LEFT], ids=["left", "never left"])
def test_card_lost_at_each_command(at: int, fault: Fault) -> None:
    walk = run([*WHOLE[: 1 + (at > 1) + (at > 2)], ABORTED], {at: fault})
    wrote = at > 3 or (at == 3 and fault.command_sent)
    assert walk.report.outcome is Outcome.ABORTED
    assert walk.report.wrote is wrote
    assert walk.report.fault == fault
    assert walk.report.apdus == at + fault.command_sent
    assert len(walk.card.sent) == at + 1
    route, body, deadline_s = walk.centre.asked[-1]
    assert route == "/v1/relay/step"
    assert body["abort"] == {"command_sent": fault.command_sent}
    assert body["responses"] == ["9000"] * (at - [0, 0, 2, 3, 3, 3][at])
    assert deadline_s == ABORT_LIMIT_S
    assert not walk.centre.script


def test_card_lost_and_the_centre_too() -> None:
    walk = run([READ, AUTH, WRITE, NETWORK], {4: LOST})
    assert walk.report == UpdateReport(Outcome.ABORTED, 3, packages=3, apdus=5, wrote=True, fault=LOST, unfinished=True)


def test_unexpected_status_stops_and_is_returned() -> None:
    walk = run([READ, AUTH, WRITE, ABORTED], {4: bytes.fromhex("6581")})
    assert len(walk.card.sent) == 5
    assert walk.centre.asked[-1][1]["responses"] == ["9000", "6581"]
    assert walk.centre.asked[-1][1]["abort"] is None
    assert walk.report.outcome is Outcome.ABORTED
    assert walk.report.wrote
    assert walk.report.fault == Fault(Cause.UNEXPECTED_STATUS, "6581")
    assert UpdatePhase.CLOSING not in walk.phases


def test_unexpected_status_before_the_first_write_is_impossible() -> None:
    walk = run([READ, IMPOSSIBLE], {0: bytes.fromhex("6a82")})
    assert walk.report == UpdateReport(
        Outcome.IMPOSSIBLE, 3, packages=1, apdus=1, wrote=False, fault=Fault(Cause.UNEXPECTED_STATUS, "6A82")
    )


def test_the_centre_may_repair() -> None:
    repair = package(3, WRITE_FLAG, last=True)
    walk = run([READ, AUTH, WRITE, repair, UPDATED], {4: bytes.fromhex("6581")})
    assert walk.report == UpdateReport(Outcome.UPDATED, 1, packages=4, apdus=6, wrote=True)


def test_listed_warnings_are_expected() -> None:
    tolerant = package(0, SELECT, INITIALIZE)
    tolerant["package"]["items"][0]["expected_sw"] = ["9000", "63c2"]
    walk = run([tolerant, UPDATED], {0: bytes.fromhex("63c2")})
    assert len(walk.card.sent) == 2
    assert walk.report.fault is None


# --- the centre fails --------------------------------------------------------------------------------------------


def test_closed_as_impossible() -> None:
    walk = run([READ, IMPOSSIBLE])
    assert walk.report.outcome is Outcome.IMPOSSIBLE
    assert walk.report.fault == Fault(Cause.UPDATE_IMPOSSIBLE, "CARD_AUTH_FAILED")


def test_closed_as_impossible_after_a_write_is_aborted() -> None:
    walk = run([READ, AUTH, WRITE, IMPOSSIBLE])
    assert walk.report.outcome is Outcome.ABORTED
    assert walk.report.wrote


def test_closing_word_missing_is_uncertain() -> None:
    walk = run([READ, AUTH, WRITE, NETWORK])
    lost = UpdateReport(Outcome.UNCERTAIN, 3, packages=3, apdus=6, wrote=True, fault=NETWORK, unfinished=True)
    assert walk.report == lost


def test_silence_between_two_writes_is_aborted() -> None:
    first = package(2, WRITE_FLAG, WRITE_RIGHTS)
    walk = run([READ, AUTH, first, NETWORK])
    lost = UpdateReport(Outcome.ABORTED, 3, packages=3, apdus=5, wrote=True, fault=NETWORK, unfinished=True)
    assert walk.report == lost


@pytest.mark.parametrize("upto", [0, 1, 2])
def test_silence_before_the_first_write_changes_nothing(upto: int) -> None:
    walk = run([*WHOLE[:upto], NETWORK])
    assert walk.report.outcome is Outcome.IMPOSSIBLE
    assert walk.report.fault == NETWORK
    assert not walk.report.wrote
    assert walk.phases == [UpdatePhase.OPENING]


@pytest.mark.parametrize(
    ("refusal", "cause"),
    [
        (Refusal(410, RefusalReason.GONE, "CONVERSATION_EXPIRED"), Cause.CONVERSATION_EXPIRED),
        (Refusal(422, RefusalReason.SCHEMA, "NO_SUCH_UPDATE"), Cause.UPDATE_IMPOSSIBLE),
        (Refusal(422, RefusalReason.SCHEMA, "BAD_MESSAGE"), Cause.BAD_ANSWER),
        (Refusal(403, RefusalReason.CAPABILITY, "CARD_OPPOSED"), Cause.UPDATE_IMPOSSIBLE),
        (Refusal(403, RefusalReason.QUARANTINED, "UNAVAILABLE"), Cause.KIOSK_REFUSED),
        (Refusal(503, RefusalReason.SERVICE_CLOSED, "UNAVAILABLE", retry_after_s=60), Cause.SERVICE_CLOSED),
        (Refusal(503, RefusalReason.BUSY, "UNAVAILABLE"), Cause.NETWORK),
        (Refusal(500, RefusalReason.INTERNAL, "INTERNAL"), Cause.BAD_ANSWER),
    ],
)
def test_signed_refusals_have_their_cause(refusal: Refusal, cause: Cause) -> None:
    scripts: list[list[Scripted]] = [[refusal], [READ, refusal]]
    for script in scripts:
        walk = run(script)
        assert walk.report.outcome is Outcome.IMPOSSIBLE
        assert walk.report.fault is not None
        assert walk.report.fault.cause is cause


def test_expired_conversation_after_the_last_write_is_uncertain() -> None:
    walk = run([READ, AUTH, WRITE, Refusal(410, RefusalReason.GONE, "CONVERSATION_EXPIRED")])
    assert walk.report.outcome is Outcome.UNCERTAIN


BAD_PACKAGES: dict[str, tuple[dict[str, Any], Cause, str]] = {
    "late": (package(0, SELECT, not_after_s=NOW_S - 1), Cause.PACKAGE_REFUSED, "not_after_s has passed"),
    "counter": (package(1, SELECT), Cause.PACKAGE_REFUSED, "counter 1 instead of 0"),
    "pin": (package(0, SELECT, "0020000108" + "00" * 8), Cause.APDU_REFUSED, "step 1: instruction 20 is not allowed"),
    "plain write": (package(0, "00d6920001aa"), Cause.APDU_REFUSED, "step 0: write without secure messaging"),
    "erase": (package(0, SELECT, "00e40000"), Cause.APDU_REFUSED, "step 1: instruction E4 is not allowed"),
}


@pytest.mark.parametrize("row", BAD_PACKAGES)
def test_a_bad_package_is_refused_before_its_first_command(row: str) -> None:
    bad, cause, detail = BAD_PACKAGES[row]
    walk = run([bad, ABORTED])
    assert walk.card.sent == []
    assert walk.report == UpdateReport(
        Outcome.IMPOSSIBLE, 3, packages=0, apdus=0, wrote=False, fault=Fault(cause, detail)
    )
    assert walk.centre.asked[-1][1]["abort"] == {"command_sent": False}


@pytest.mark.parametrize(
    ("bad", "detail"),
    [
        (package(1, AUTHENTICATE, conversation_id="conv-2"), "another conversation"),
        (package(0, AUTHENTICATE), "counter 0 instead of 1"),
        (package(2, AUTHENTICATE), "counter 2 instead of 1"),
    ],
)
def test_a_second_package_must_continue_the_first(bad: dict[str, Any], detail: str) -> None:
    walk = run([READ, bad, ABORTED])
    assert len(walk.card.sent) == 2
    assert walk.report.fault == Fault(Cause.PACKAGE_REFUSED, detail)
    assert walk.centre.asked[-1][1]["conversation_id"] == "conv-1"


def test_a_late_package_after_a_write_is_aborted() -> None:
    late = package(3, WRITE_FLAG, not_after_s=NOW_S - 1)
    walk = run([READ, AUTH, package(2, WRITE_FLAG), late, ABORTED])
    assert walk.report.outcome is Outcome.ABORTED
    assert walk.report.wrote


def _without(name: str) -> dict[str, Any]:
    bad = package(0, SELECT)
    del bad["package"][name]
    return bad


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "package: either a package or a close expected"),
        ({**READ, **UPDATED}, "package: either a package or a close expected"),
        ({"package": 1}, "package: an object expected"),
        *[
            (_without(name), f"package.{name}: missing")
            for name in ("conversation_id", "counter", "not_after_s", "max_wait_ms", "last_if_ok", "items")
        ],
        (package(0), "package.items: a list of 1 to 64 expected"),
        (package(0, *[SELECT] * 65), "package.items: a list of 1 to 64 expected"),
        (package(0, "00a4"), "package.items[0].apdu: 4 to 261 bytes in lower-case hex expected"),
        (package(0, SELECT.upper()), "package.items[0].apdu: 4 to 261 bytes in lower-case hex expected"),
        (package(0, SELECT, conversation_id="a b"), "package.conversation_id: the form [A-Za-z0-9.-]{1,60} expected"),
        (package(0, SELECT, max_wait_ms=32768), "package.max_wait_ms: a whole number from 0 to 32767 expected"),
        (package(40000, SELECT), "package.counter: a whole number from 0 to 32767 expected"),
        (
            {"close": {"outcome": "done", "detail": 1}},
            "close.outcome: one of updated, up_to_date, declined, impossible, aborted, uncertain expected",
        ),
        ({"close": {"outcome": "updated", "detail": 7}}, "close.detail: a whole number from 1 to 6 expected"),
    ],
)
def test_malformed_messages_name_the_field(body: dict[str, Any], detail: str) -> None:
    walk = run([body])
    assert walk.card.sent == []
    assert walk.report.fault == Fault(Cause.BAD_ANSWER, detail)


def test_a_conversation_does_not_last_for_ever() -> None:
    walk = run([*[package(number, SELECT) for number in range(65)], UPDATED])
    assert walk.report.fault == Fault(Cause.PACKAGE_REFUSED, "more than 64 packages")
    assert walk.report.packages == 64
    assert walk.centre.asked[-1][1]["abort"] == {"command_sent": False}


def test_the_last_package_of_the_longest_conversation_is_closed() -> None:
    walk = run([*[package(number, SELECT, last=number == 63) for number in range(64)], UPDATED])
    assert walk.report == UpdateReport(Outcome.UPDATED, 1, packages=64, apdus=64, wrote=False)


# --- several orders ----------------------------------------------------------------------------------------------


def test_orders_run_in_turn_and_close_once() -> None:
    walk = run(WHOLE + WHOLE, orders=2)
    assert walk.report == UpdateReport(Outcome.UPDATED, 1, packages=6, apdus=12, wrote=True)
    assert [body["update_id"] for route, body, _ in walk.centre.asked if route.endswith("start")] == ["00", "01"]
    assert walk.phases == [UpdatePhase.OPENING, UpdatePhase.WRITING, UpdatePhase.CLOSING]


def test_after_a_failure_the_rest_is_dropped() -> None:
    walk = run([READ, IMPOSSIBLE, *WHOLE], orders=2)
    assert walk.report.outcome is Outcome.IMPOSSIBLE
    assert [body["update_id"] for route, body, _ in walk.centre.asked if route.endswith("start")] == ["00"]


def test_no_order_is_up_to_date() -> None:
    walk = run([], orders=0)
    assert walk.report == UpdateReport(Outcome.UP_TO_DATE, 2, packages=0, apdus=0, wrote=False)


def test_commands_and_serial_are_in_no_repr() -> None:
    walk = run([READ, AUTH, WRITE, ABORTED], {4: bytes.fromhex("6581")})
    text = repr(walk.report)
    assert CARD.iccsn not in text
    assert WRITE_RIGHTS not in text.lower()


# --- whatever happens --------------------------------------------------------------------------------------------

_answers = st.sampled_from(
    [
        *WHOLE,
        IMPOSSIBLE,
        ABORTED,
        NETWORK,
        {},
        package(3, WRITE_FLAG, last=True),
        *(row[0] for row in BAD_PACKAGES.values()),
    ]
)
_card_answers = st.sampled_from([OK, OK, OK, bytes.fromhex("6581"), bytes.fromhex("0102039000"), LOST, NEVER_LEFT])


@settings(max_examples=300, deadline=None)
@given(script=st.lists(_answers, max_size=6), card=st.lists(_card_answers, max_size=8))
def test_every_run_ends_decided(script: list[Scripted], card: list[bytes | Fault]) -> None:
    walk = run([*script, NETWORK, NETWORK], dict(enumerate(card)))
    report = walk.report
    written = [
        index
        for index, command in enumerate(walk.card.sent)
        if command[1] == 0xD6 and walk.card.script.get(index, OK) != NEVER_LEFT
    ]
    assert report.wrote is bool(written)
    match report.outcome:
        case Outcome.UPDATED:
            assert report.fault is None
        case Outcome.IMPOSSIBLE:
            assert not report.wrote
            assert report.fault is not None
        case Outcome.ABORTED | Outcome.UNCERTAIN:
            assert report.fault is not None
        case _:
            pytest.fail(f"outcome {report.outcome}")
    if written:
        assert walk.phases[1] is UpdatePhase.WRITING
    lost = [index for index in range(len(walk.card.sent)) if isinstance(walk.card.script.get(index, OK), Fault)]
    assert lost in ([], [len(walk.card.sent) - 1])  # nothing is sent to a lost card
