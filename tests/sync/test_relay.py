"""The relay against a scripted centre and a scripted card: each way an update can end, and what may never happen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync.faults import Refusal, RefusalReason
from kiosk.sync.relay import ABORT_LIMIT_S, OPENING_SILENCE_S, SILENCE_S
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.values import Outcome, UpdatePhase, UpdateReport
from tests.sync.relay_stage import (
    ABORTED,
    AUTH,
    AUTHENTICATE,
    BAD_PACKAGES,
    CARD,
    IMPOSSIBLE,
    INITIALIZE,
    LOST,
    NETWORK,
    NEVER_LEFT,
    OK,
    READ,
    SELECT,
    UPDATED,
    WHOLE,
    WRITE,
    WRITE_FLAG,
    WRITE_RIGHTS,
    Scripted,
    package,
    run,
)


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
