"""Packages that the relay refuses: before their first command, each naming what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from kiosk.visit.failures import Cause, Fault
from kiosk.visit.values import Outcome, UpdateReport
from tests.sync.relay_stage import (
    ABORTED,
    AUTH,
    AUTHENTICATE,
    BAD_PACKAGES,
    NOW_S,
    READ,
    SELECT,
    UPDATED,
    WRITE_FLAG,
    package,
    run,
)


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
