"""The update as a pure conversation with the simulated card: complete, cut at every command, disturbed, forged."""

from __future__ import annotations

import datetime as dt

import pytest

from kiosk.card import layout
from kiosk.visit.values import Outcome
from simulators.backend.conversation import DONE, Close, Conversation, Package
from simulators.card import FaultKind, PlannedFault, SimulatedCard, key_set, open_persona
from simulators.card.scp03 import HostSession
from tests.simulators.backend.card_side import (
    commands_of,
    content_after,
    content_before,
    holds,
    read,
    run_commands,
    serial,
)

TODAY = dt.date(2026, 11, 22)
WITH_ORDERS = ("outdated", "losing-rights", "corsican", "nineteen-beneficiaries", "torn")
COMMANDS_OF_OUTDATED = 10
FLAG_COMMAND = 5  # of `outdated`: select, read, challenge, authenticate, then the flag


def conversation(persona: str, *, keys_of: str | None = None) -> Conversation:
    return Conversation(
        content_before(persona), content_after(persona), TODAY, HostSession(key_set(serial(keys_of or persona)))
    )


def run(card: SimulatedCard, talk: Conversation, seen: list[bytes] | None = None) -> Close:
    """To the end; the state goes through JSON between any two steps, as in the database."""
    card.power_on()
    message: Package | Close = talk.first()
    while isinstance(message, Package):
        talk = Conversation.from_json(talk.to_json(), talk.session.keys)
        commands = commands_of(message)
        if seen is not None:
            seen += commands
        responses, lost = run_commands(card, commands)
        message = talk.abort(responses, command_sent=True) if lost else talk.next(responses)
    return message


@pytest.mark.parametrize("persona", WITH_ORDERS)
def test_an_update_leaves_the_ordered_content_and_its_date(persona: str) -> None:
    card = open_persona(persona)
    assert run(card, conversation(persona)) == DONE
    assert holds(card, content_after(persona))
    assert read(card).last_update == TODAY


def written_files(seen: list[bytes]) -> set[int]:
    return {command[2] & 0x1F for command in seen if command[1] == 0xD6}


def test_only_changed_files_are_written() -> None:
    seen: list[bytes] = []
    run(open_persona("losing-rights"), conversation("losing-rights"), seen)
    assert written_files(seen) == {layout.SIM_RIGHTS[2], layout.SIM_STATE[2]}


def test_a_torn_card_is_written_whole_whatever_the_centre_believes() -> None:
    seen: list[bytes] = []
    talk = conversation("torn")
    talk.before = talk.after  # nothing seems to change: the flag alone decides
    card = open_persona("torn")
    assert run(card, talk, seen) == DONE
    assert written_files(seen) == layout.SIM_WRITABLE_SFIS
    assert holds(card, content_after("torn"))


def test_the_flag_is_opened_first_and_closed_last() -> None:
    seen: list[bytes] = []
    run(open_persona("outdated"), conversation("outdated"), seen)
    assert len(seen) == COMMANDS_OF_OUTDATED
    writes = [command for command in seen if command[1] == 0xD6]
    flag = (0x80 | layout.SIM_STATE[2], layout.STATE_FLAG_OFFSET)
    assert [(command[2], command[3]) == flag for command in writes] == [True, *[False] * (len(writes) - 2), True]


@pytest.mark.parametrize("at", range(1, COMMANDS_OF_OUTDATED + 1))
@pytest.mark.parametrize("kind", [FaultKind.REMOVED_BEFORE, FaultKind.REMOVED_AFTER])
def test_pulled_at_any_command_the_card_is_old_unfinished_or_new_and_the_next_update_mends_it(
    kind: FaultKind, at: int
) -> None:
    card = open_persona("outdated")
    card.plan([PlannedFault(kind, at=_transmission(at))])
    assert run(card, conversation("outdated")) == Close(Outcome.ABORTED, 3)
    executed = at if kind is FaultKind.REMOVED_AFTER else at - 1
    if executed < FLAG_COMMAND:
        assert holds(card, content_before("outdated"))
    elif executed < COMMANDS_OF_OUTDATED:
        assert read(card).unfinished
    else:
        assert holds(card, content_after("outdated"))
    assert run(card, conversation("outdated")) == DONE
    assert holds(card, content_after("outdated"))


def _transmission(command: int) -> int:
    """Which transmission under T=0 carries the n-th command: those with an answer to fetch take two."""
    with_answer = [3, *range(FLAG_COMMAND, COMMANDS_OF_OUTDATED + 1)]
    return command + sum(1 for number in with_answer if number < command)


@pytest.mark.parametrize("at", range(FLAG_COMMAND, COMMANDS_OF_OUTDATED + 1))
def test_a_lost_secure_session_is_repaired_by_another_package(at: int) -> None:
    card = open_persona("outdated")
    card.plan([PlannedFault(FaultKind.WRONG_SW, at=_transmission(at), sw=0x6985)])
    assert run(card, conversation("outdated")) == DONE
    assert holds(card, content_after("outdated"))


def test_a_session_lost_again_and_again_ends_it() -> None:
    card = open_persona("outdated")
    card.plan([PlannedFault(FaultKind.WRONG_SW, at=n, ins=0xD6, sw=0x6982) for n in (1, 2)])
    assert run(card, conversation("outdated")) == Close(Outcome.IMPOSSIBLE, 3, "CARD_DEFECTIVE")
    assert holds(card, content_before("outdated"))


@pytest.mark.parametrize(
    ("ins", "at", "sw", "outcome"),
    [
        (0xA4, 1, 0x6A82, Outcome.IMPOSSIBLE),
        (0x50, 1, 0x6985, Outcome.IMPOSSIBLE),
        (0xD6, 1, 0x6A82, Outcome.IMPOSSIBLE),
        (0xD6, 1, 0x6581, Outcome.ABORTED),  # a memory failure may have changed something
        (0xD6, 3, 0x6A82, Outcome.ABORTED),
    ],
)
def test_another_wrong_status_word_ends_it_with_what_is_true(ins: int, at: int, sw: int, outcome: Outcome) -> None:
    card = open_persona("outdated")
    card.plan([PlannedFault(FaultKind.WRONG_SW, at=at, ins=ins, sw=sw)])
    assert run(card, conversation("outdated")) == Close(outcome, 3, "CARD_DEFECTIVE")


def test_the_keys_of_another_serial_fail_at_the_card_cryptogram() -> None:
    card = open_persona("outdated")
    close = run(card, conversation("outdated", keys_of="corsican"))
    assert close == Close(Outcome.IMPOSSIBLE, 3, "CARD_AUTH_FAILED")
    assert holds(card, content_before("outdated"))


def test_a_forged_answer_to_a_write_never_closes_the_flag() -> None:
    card, talk = open_persona("outdated"), conversation("outdated")
    card.power_on()
    message: Package | Close = talk.first()
    for _ in range(2):
        assert isinstance(message, Package)
        message = talk.next(run_commands(card, commands_of(message))[0])
    assert isinstance(message, Package)
    responses, _ = run_commands(card, commands_of(message))
    last = responses[-1]
    assert talk.next([*responses[:-1], bytes([last[0] ^ 1]) + last[1:]]) == Close(
        Outcome.ABORTED, 3, "CARD_AUTH_FAILED"
    )
    assert read(card).unfinished


@pytest.mark.parametrize(
    ("responses", "code"),
    [
        ([], "BAD_MESSAGE"),
        ([b"\x90\x00"], "BAD_MESSAGE"),
        ([b"\x90\x00"] * 4, "BAD_MESSAGE"),
        ([b"\x90\x00", b"\xc3\x90\x00", b"\x90\x00"], "READ_FAILED"),
        ([b"\x90\x00", b"\xc3\x1f\x80\x01\x02\x90\x00", b"\x90\x00"], "READ_FAILED"),
        ([b"\x90\x00", b"\xc3\x1f\x80\x01\x00\x90\x00", b"\x90\x00"], "CARD_AUTH_FAILED"),
    ],
)
def test_answers_that_fit_no_package_end_it(responses: list[bytes], code: str) -> None:
    talk = conversation("outdated")
    talk.first()
    assert talk.next(responses) == Close(Outcome.IMPOSSIBLE, 3, code)


def test_no_key_is_in_the_stored_state() -> None:
    talk = conversation("outdated")
    talk.first()
    keys = key_set(serial("outdated"))
    assert all(key.hex() not in talk.to_json() for key in (keys.enc, keys.mac, keys.dek))
