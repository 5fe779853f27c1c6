"""A dialogue, call by call: every result of SCardConnect and SCardTransmit, and what is said to have been sent."""

from __future__ import annotations

from typing import Any

import pytest

from kiosk.card.apdu import CommandApdu, ResponseApdu
from kiosk.hardware.pcsc.api import CardProtocol, Disposition, PcscProblem, ReaderSnapshot
from kiosk.hardware.pcsc.connection import (
    LOOK_AGAIN_MS,
    CardConnection,
    CardLine,
    Deadlines,
    LinkError,
    card_in_use,
    open_connection,
)
from simulators.reader.scripted import Row, ScriptedScard

R = "Reader 00 00"
READ = CommandApdu(0x00, 0xB0, 0x00, 0x00, ne=256)
COUNTER = 4
WRITE = CommandApdu(0x00, 0xD6, 0x00, 0x00, b"secret data")
SELECT = CommandApdu(0x00, 0xA4, 0x04, 0x00, b"name", ne=256)


class NoGuard:
    """Nothing hangs; `late` is what the watchdog would have decided meanwhile."""

    late: LinkError | None = None

    def __init__(self) -> None:
        self.entered: list[tuple[str, float]] = []

    def enter(self, call: str, limit_s: float) -> None:
        self.entered.append((call, limit_s))

    def leave(self) -> LinkError | None:
        return self.late


def connect(*rows: Row, protocol: CardProtocol = CardProtocol.T0) -> tuple[CardConnection, ScriptedScard, list[str]]:
    scard = ScriptedScard([Row("connect_exclusive", 0, (99, int(protocol))), status(0xA0, COUNTER), *rows])
    trace: list[str] = []
    connection = open_connection(CardLine(scard, NoGuard(), Deadlines(), trace.append), 7, R, COUNTER)
    assert isinstance(connection, CardConnection)
    return connection, scard, trace


def transmit(output: Any, result: int = 0) -> Row:
    return Row("transmit", result, output)


def status(flags: int, counter: int = 0) -> Row:
    return Row("get_status_change", 0, (ReaderSnapshot(R, counter << 16 | flags),))


UNCHANGED = Row("get_status_change", 0x8010000A, ())
DIED = Row("get_status_change", 0x80100013, ())
PRESENT = status(0x20, COUNTER)
MUTE = status(0x220, COUNTER)
EMPTY = status(0x10, COUNTER)
ANOTHER = status(0x20, COUNTER + 2)
UNAVAILABLE = status(0x08)  # without a counter


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (0x8010000B, PcscProblem.HELD_BY_OTHER),
        (0x8010000C, PcscProblem.NO_CARD),
        (0x80100009, PcscProblem.READER_GONE),
        (0x8010001D, PcscProblem.SERVICE_LOST),
        (0x80100001, PcscProblem.UNKNOWN),
    ],
)
def test_a_refused_connect_is_named_and_nothing_was_sent(code: int, problem: PcscProblem) -> None:
    line = CardLine(ScriptedScard([Row("connect_exclusive", code, (0, 0))]), NoGuard(), Deadlines())
    refused = open_connection(line, 7, R, COUNTER)
    assert refused == LinkError(problem, f"SCardConnect {code:#010x} on {R}", command_sent=False)


@pytest.mark.parametrize(
    ("code", "still_in"),
    [
        (0x80100067, PcscProblem.CARD_MUTE),
        (0x80100066, PcscProblem.CARD_MUTE),
        (0x8010000F, PcscProblem.PROTOCOL_MISMATCH),
        (0x80100016, PcscProblem.CARD_SILENT),
    ],
)
@pytest.mark.parametrize(
    ("looks", "has_left"),
    [
        ((PRESENT, UNCHANGED), None),
        ((PRESENT, MUTE, UNCHANGED), None),
        ((PRESENT, EMPTY), PcscProblem.CARD_REMOVED),  # the service had not looked since it was pulled
        ((EMPTY,), PcscProblem.CARD_REMOVED),
        ((PRESENT, ANOTHER), PcscProblem.CARD_REMOVED),
        ((PRESENT, UNAVAILABLE), PcscProblem.READER_GONE),
        ((PRESENT, DIED), PcscProblem.SERVICE_LOST),
        ((DIED,), PcscProblem.SERVICE_LOST),
    ],
)
def test_a_card_that_cannot_be_connected_to_may_have_left(
    code: int, still_in: PcscProblem, looks: tuple[Row, ...], has_left: PcscProblem | None
) -> None:
    scard, guard = ScriptedScard([Row("connect_exclusive", code, (0, 0)), *looks]), NoGuard()
    refused = open_connection(CardLine(scard, guard, Deadlines()), 7, R, COUNTER)
    assert refused == LinkError(has_left or still_in, f"SCardConnect {code:#010x} on {R}", command_sent=False)
    assert scard.ended
    assert [call for call, _ in guard.entered] == ["SCardConnect", "SCardConnect"]


@pytest.mark.parametrize(
    ("looked", "problem"),
    [
        (UNAVAILABLE, PcscProblem.READER_GONE),
        (EMPTY, PcscProblem.CARD_REMOVED),
        (Row("get_status_change", 0, (ReaderSnapshot(R, 0x6_00A0),)), PcscProblem.CARD_REMOVED),  # another card
        (Row("get_status_change", 0, (ReaderSnapshot(R, 0x5_0010),)), PcscProblem.CARD_REMOVED),  # gone again
        (Row("get_status_change", 0x80100013, ()), PcscProblem.SERVICE_LOST),
        (Row("get_status_change", 0x80100009, ()), PcscProblem.READER_GONE),
    ],
)
def test_a_card_that_is_not_certainly_the_one_meant_is_let_go_without_a_command(
    looked: Row, problem: PcscProblem
) -> None:
    scard = ScriptedScard([Row("connect_exclusive", 0, (99, 1)), looked, Row("disconnect")])
    refused = open_connection(CardLine(scard, NoGuard(), Deadlines()), 7, R, COUNTER)
    assert isinstance(refused, LinkError)
    assert (refused.problem, refused.command_sent) == (problem, False)
    assert scard.ended
    assert scard.calls[1] == ("get_status_change", (7, 0, ((R, 0),)))
    assert scard.calls[2] == ("disconnect", (99, Disposition.UNPOWER))


@pytest.mark.parametrize(
    ("rows", "problem", "sent"),
    [
        ((transmit(b""),), PcscProblem.CARD_REMOVED, True),
        ((transmit(b"\x90"),), PcscProblem.CARD_REMOVED, True),
        ((transmit(b"stale", 0x80100069),), PcscProblem.CARD_REMOVED, False),
        ((transmit(b"stale", 0x80100068),), PcscProblem.CARD_RESET, False),
        ((transmit(b"stale", 0x8010000C),), PcscProblem.NO_CARD, True),  # libccid: gone in the middle of the command
        ((transmit(b"stale", 0x80100013),), PcscProblem.SERVICE_LOST, True),
        ((transmit(b"stale", 0x80100009),), PcscProblem.READER_GONE, True),
        ((transmit(b"stale", 0x80100016), EMPTY), PcscProblem.CARD_REMOVED, True),
        ((transmit(b"stale", 0x80100016), PRESENT, UNCHANGED), PcscProblem.CARD_SILENT, True),
        ((transmit(b"stale", 0x80100016), ANOTHER), PcscProblem.CARD_REMOVED, True),
        ((transmit(b"stale", 0x80100016), PRESENT, EMPTY), PcscProblem.CARD_REMOVED, True),
        ((transmit(b"stale", 0x80100016), UNAVAILABLE), PcscProblem.READER_GONE, True),
        (
            (transmit(b"stale", 0x80100016), PRESENT, status(0x120, COUNTER), UNCHANGED),
            PcscProblem.CARD_SILENT,
            True,
        ),
        ((transmit(b"stale", 0x80100016), PRESENT, DIED), PcscProblem.SERVICE_LOST, True),
        ((transmit(b"stale", 0x80100016), DIED), PcscProblem.SERVICE_LOST, True),
        ((transmit(b"stale", 0x80100001),), PcscProblem.UNKNOWN, True),
    ],
)
def test_a_failed_exchange_ends_the_dialogue_for_good(rows: tuple[Row, ...], problem: PcscProblem, sent: bool) -> None:
    connection, scard, trace = connect(*rows)
    failed = connection.exchange(WRITE)
    assert isinstance(failed, LinkError)
    assert (failed.problem, failed.command_sent) == (problem, sent)
    again = connection.exchange(READ)  # no row left: nothing may be sent, nor reconnected
    assert isinstance(again, LinkError)
    assert (again.problem, again.command_sent) == (problem, False)
    assert scard.ended
    assert "stale" not in repr(failed) + "".join(trace)


def test_the_look_at_the_slot_has_a_limit_of_its_own_and_is_still_about_a_command_that_was_sent() -> None:
    guard, limits = NoGuard(), Deadlines()
    late_answer = (transmit(b"", 0x80100016), PRESENT, UNCHANGED)
    scard = ScriptedScard([Row("connect_exclusive", 0, (99, 1)), status(0xA0, COUNTER), *late_answer])
    connection = open_connection(CardLine(scard, guard, limits), 7, R, COUNTER)
    assert isinstance(connection, CardConnection)
    connection.exchange(WRITE)
    assert guard.entered[-2:] == [
        ("SCardTransmit", limits.apdu_s),
        ("SCardTransmit", limits.apdu_s + LOOK_AGAIN_MS / 1000),
    ]


def test_removal_between_a_command_and_its_get_response_means_that_the_command_was_sent() -> None:
    connection, _, _ = connect(transmit(b"\x61\x10"), transmit(b"", 0x80100069))
    failed = connection.exchange(SELECT)
    assert isinstance(failed, LinkError)
    assert (failed.problem, failed.command_sent) == (PcscProblem.CARD_REMOVED, True)


def test_the_protocol_of_the_card_decides_what_goes_out() -> None:
    case_4 = SELECT.to_bytes()
    connection, scard, _ = connect(transmit(b"\x90\x00"))
    assert connection.exchange(SELECT) == ResponseApdu(b"", 0x9000)
    assert scard.calls[-1] == ("transmit", (99, CardProtocol.T0, case_4[:-1]))
    connection, scard, _ = connect(transmit(b"\x90\x00"), protocol=CardProtocol.T1)
    assert connection.exchange(SELECT) == ResponseApdu(b"", 0x9000)
    assert scard.calls[-1] == ("transmit", (99, CardProtocol.T1, case_4))
    assert scard.calls[0] == ("connect_exclusive", (7, R, CardProtocol.T0 | CardProtocol.T1))


def test_extended_length_on_t0_never_leaves_and_the_dialogue_goes_on() -> None:
    connection, _, _ = connect(transmit(b"\x90\x00"))
    refused = connection.exchange(CommandApdu(0x00, 0xB0, 0, 0, ne=300, extended=True))
    assert isinstance(refused, LinkError)
    assert (refused.problem, refused.command_sent) == (PcscProblem.UNKNOWN, False)
    assert isinstance(connection.exchange(WRITE), ResponseApdu)


def test_an_endless_answer_is_malformed_and_ends_the_dialogue() -> None:
    connection, scard, _ = connect(*[transmit(bytes(1) + b"\x61\x01")] * 257)
    endless = connection.exchange(SELECT)
    assert isinstance(endless, LinkError)
    assert endless.problem is PcscProblem.CARD_MALFORMED
    assert connection.exchange(READ) == LinkError(PcscProblem.CARD_MALFORMED, endless.detail, command_sent=False)
    assert scard.ended


def test_the_trace_has_header_lengths_status_and_time_and_no_data() -> None:
    connection, _, trace = connect(transmit(b"\x61\x06"), transmit(b"answer\x90\x00"), transmit(b"", 0x80100068))
    connection.exchange(SELECT)
    connection.exchange(WRITE)
    lines = [line.rsplit(" in ", 1)[0] for line in trace]
    assert lines == [
        "00 A4 04 00 +5 bytes -> 0 bytes SW 6106",
        "00 C0 00 00 +1 bytes -> 6 bytes SW 9000",
        f"00 D6 00 00 +12 bytes -> CARD_RESET (SCardTransmit 0x80100068 on {R})",
    ]
    assert all(line.endswith(" ms") for line in trace)


@pytest.mark.parametrize("result", [0, 0x8010001D, 0x80100069, 0x80100001])
def test_closing_says_what_becomes_of_the_card_and_minds_no_result(result: int) -> None:
    connection, scard, _ = connect(Row("disconnect", result))
    connection.close(Disposition.UNPOWER)
    assert scard.calls[-1] == ("disconnect", (99, Disposition.UNPOWER))


def test_a_handle_that_died_with_the_service_is_left_alone() -> None:
    connection, scard, _ = connect(transmit(b"", 0x80100013))
    connection.exchange(WRITE)
    connection.close(Disposition.UNPOWER)
    assert scard.ended


def test_a_connection_that_comes_too_late_is_closed_and_not_used() -> None:
    guard = NoGuard()
    guard.late = LinkError(PcscProblem.HELD_BY_OTHER, "over its limit")
    scard = ScriptedScard([Row("connect_exclusive", 0, (99, 1)), Row("disconnect")])
    assert open_connection(CardLine(scard, guard, Deadlines()), 7, R, COUNTER) is guard.late
    assert scard.ended
    assert [call for call, _ in guard.entered] == ["SCardConnect", "SCardDisconnect"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((Row("establish_context", 0x8010001D, 0),), False),
        ((Row("establish_context", 0, 8), status(0x20), Row("release_context")), False),
        ((Row("establish_context", 0, 8), status(0x120), Row("release_context")), True),
        ((Row("establish_context", 0, 8), status(0xA0), Row("release_context", 0x80100003)), True),
        ((Row("establish_context", 0, 8), Row("get_status_change", 0x80100009, ()), Row("release_context")), False),
    ],
)
def test_another_program_is_seen_by_the_readers_state(rows: tuple[Row, ...], expected: bool) -> None:
    assert card_in_use(ScriptedScard(rows), R) is expected
