"""Every result of the hardware reference's table maps to one problem; output of a failed call goes nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.hardware.pcsc import api
from kiosk.hardware.pcsc.api import PROBLEMS, PcscError, PcscProblem, PyscardScard, denied_or_died, scard_call
from simulators.reader.scripted import Row, ScriptedScard

TABLE = [
    (0x8010001D, PcscProblem.SERVICE_LOST),
    (0x80100013, PcscProblem.SERVICE_LOST),
    (0x8010001E, PcscProblem.SERVICE_LOST),
    (0x80100003, PcscProblem.SERVICE_LOST),
    (0x8010006A, PcscProblem.SERVICE_LOST),  # nobody is denied a transmit: the service died under it
    (0x8010002E, PcscProblem.NO_READER),
    (0x80100009, PcscProblem.READER_GONE),
    (0x80100017, PcscProblem.READER_GONE),
    (0x8010000C, PcscProblem.NO_CARD),
    (0x80100069, PcscProblem.CARD_REMOVED),
    (0x80100068, PcscProblem.CARD_RESET),
    (0x80100016, PcscProblem.EXCHANGE_FAILED),
    (0x80100067, PcscProblem.CARD_MUTE),
    (0x80100066, PcscProblem.CARD_MUTE),
    (0x8010000F, PcscProblem.PROTOCOL_MISMATCH),
    (0x8010000B, PcscProblem.HELD_BY_OTHER),
    (0x8010000A, PcscProblem.WAIT_ENDED),
    (0x80100002, PcscProblem.WAIT_ENDED),
    (0x80100001, PcscProblem.UNKNOWN),
    (0x8010001F, PcscProblem.UNKNOWN),
]


@pytest.mark.parametrize(("code", "problem"), TABLE)
@pytest.mark.parametrize("sign", [0, 1 << 32])
def test_each_result_has_one_problem_signed_or_not(code: int, problem: PcscProblem, sign: int) -> None:
    error = scard_call("SCardTransmit", "Reader 00 00", (code - sign, b"stale"))
    assert error == PcscError(problem, "SCardTransmit", code, "Reader 00 00")


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("SCardEstablishContext", PcscProblem.ACCESS_DENIED),
        ("SCardConnect", PcscProblem.ACCESS_DENIED),
        ("SCardListReaders", PcscProblem.SERVICE_LOST),
        ("SCardGetStatusChange", PcscProblem.SERVICE_LOST),
    ],
)
def test_only_what_polkit_may_deny_is_a_denial(call: str, problem: PcscProblem) -> None:
    error = scard_call(call, "", (0x8010006A, None))
    assert isinstance(error, PcscError)
    assert error.problem is problem


@pytest.mark.parametrize(
    ("call", "asked_again", "problem"),
    [
        ("SCardEstablishContext", [0x8010006A] * 3, PcscProblem.ACCESS_DENIED),
        ("SCardEstablishContext", [0x8010001D], PcscProblem.SERVICE_LOST),
        ("SCardEstablishContext", [0x8010006A, 0x8010006A, 0x8010001D], PcscProblem.SERVICE_LOST),  # it took a while
        ("SCardEstablishContext", [0], PcscProblem.SERVICE_LOST),  # it is back by now, and denies nothing
        ("SCardConnect", [0x8010001D], PcscProblem.SERVICE_LOST),
        ("SCardConnect", [0x8010006A, 0x8010001D], PcscProblem.SERVICE_LOST),
        ("SCardConnect", [0], PcscProblem.ACCESS_DENIED),  # alive: it is the card that is denied
    ],
)
def test_a_denial_is_believed_of_a_living_service_only(
    monkeypatch: pytest.MonkeyPatch, call: str, asked_again: list[int], problem: PcscProblem
) -> None:
    monkeypatch.setattr(api, "DENIED_AGAIN_S", (0.0,) * len(api.DENIED_AGAIN_S))
    rows = [Row("establish_context", result, 7) for result in asked_again]
    scard = ScriptedScard([*rows, *[Row("release_context")] * (asked_again[-1] == 0)])
    died = denied_or_died(scard, PcscError(PcscProblem.ACCESS_DENIED, call, 0x8010006A, "R"))
    assert died == PcscError(problem, call, 0x8010006A, "R")
    assert scard.ended


def test_other_errors_are_not_asked_about() -> None:
    error = PcscError(PcscProblem.NO_CARD, "SCardConnect", 0x8010000C, "R")
    assert denied_or_died(ScriptedScard([]), error) is error


@given(st.integers(-(2**31), 2**32 - 1))
def test_any_result_is_success_or_one_error(code: int) -> None:
    outcome = scard_call("SCardConnect", "R", (code, "output"))
    if code == 0:
        assert outcome == "output"
    else:
        assert isinstance(outcome, PcscError)
        assert outcome.problem is PROBLEMS.get(code & 0xFFFFFFFF, PcscProblem.UNKNOWN)  # SCardConnect may be denied


def test_a_failed_call_says_what_failed_and_nothing_of_its_output() -> None:
    error = scard_call("SCardTransmit", "Reader 00 00", (0x80100013, b"PLANTED"))
    assert str(error) == "SCardTransmit 0x80100013 on Reader 00 00"
    assert "PLANTED" not in repr(error)


def test_the_real_adapter_drops_stale_bytes_of_a_failed_transmit() -> None:
    adapter = PyscardScard()

    class Stale:
        SCARD_PCI_T0 = 1
        SCARD_PCI_T1 = 2

        def SCardTransmit(self, *_: object) -> tuple[int, list[int]]:  # noqa: N802
            return -0x7FEFFFED, [0x53, 0x45, 0x43]

    adapter._scard = Stale()
    from kiosk.hardware.pcsc.api import CardProtocol  # noqa: PLC0415

    assert adapter.transmit(1, CardProtocol.T0, b"\x00\xa4\x04\x00") == (-0x7FEFFFED, b"")
