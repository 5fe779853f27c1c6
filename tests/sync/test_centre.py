"""Answers of the centre, field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from kiosk.card.values import CardContent, Generation
from kiosk.sync import centre
from kiosk.sync.faults import Call, Refusal, RefusalReason
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.values import CardStanding, Identified, PreviewEffect, PreviewLine, ProvisionalCode, UpdateOrder

CARD = CardContent(generation=Generation.VITALE_2, iccsn="802500000200000000013", beneficiaries=())
PROOF = "0123456789abcdef" * 2
STANDING: dict[str, Any] = {
    "opposition": False,
    "replace": False,
    "eligibility": {"eligible": True, "reason": None},
    "outage_until_s": None,
    "serial": "802500000200000000013",
    "receipt": None,
    "updates": [
        {
            "update_id": "ab12",
            "service": "VSD",
            "provider": "999999999",
            "priority": "MANDATORY",
            "description": "Nouvelle caisse",
            "preview": [
                {"field": "Caisse", "before": "999", "after": "998", "effect": "NEUTRAL", "sensitive": False},
            ],
        }
    ],
}
IDENTIFIED: dict[str, Any] = {"accepted": True, "tries_left": 3, "proof": PROOF}
CODE: dict[str, Any] = {"code": "0427", "expires_at_s": 1_795_000_900, "valid_s": 900}


class Answering:
    """Gives one answer and remembers the question."""

    def __init__(self, answer: dict[str, Any] | Refusal | Fault) -> None:
        self.answer = answer
        self.route = ""
        self.body: Mapping[str, Any] = {}

    def __call__(
        self,
        route: str,
        body: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        deadline_s: float = 15.0,
    ) -> dict[str, Any] | Refusal | Fault:
        self.route, self.body = route, body
        return self.answer


def _standing(call: Call) -> CardStanding | Fault:
    return centre.ask_standing(call, CARD)


def _identify(call: Call) -> Identified | Fault:
    return centre.identify(call, CARD, "19550814", "75020")


def _code(call: Call) -> ProvisionalCode | Fault:
    return centre.issue_code(call, CARD, PROOF)


def test_standing() -> None:
    call = Answering(STANDING)
    assert _standing(call) == CardStanding(
        orders=(
            UpdateOrder(
                "ab12", True, "Nouvelle caisse", (PreviewLine("Caisse", "999", "998", PreviewEffect.NEUTRAL, False),)
            ),
        ),
        serial="802500000200000000013",
    )
    assert call.route == "/v1/relay/flags"
    assert call.body == {"card": {"generation": "vitale2", "iccsn": CARD.iccsn}, "mode": "SELF"}


def test_identify_and_code() -> None:
    call = Answering(IDENTIFIED)
    assert _identify(call) == Identified(True, 3, PROOF)
    assert (call.route, call.body) == (
        "/v1/identify",
        {"iccsn": CARD.iccsn, "birth_date": "19550814", "postcode": "75020"},
    )
    assert _identify(Answering({"accepted": False, "tries_left": 0, "proof": None})) == Identified(False, 0)
    call = Answering(CODE)
    assert _code(call) == ProvisionalCode("0427", 900, 1_795_000_900)
    assert (call.route, call.body) == ("/v1/code/issue", {"iccsn": CARD.iccsn, "proof": PROOF})


Ask = Callable[[Call], object]
ROWS: list[tuple[Ask, dict[str, Any], str, Any, str]] = [
    (_standing, STANDING, "opposition", None, "opposition: true or false expected"),
    (_standing, STANDING, "replace", "no", "replace: true or false expected"),
    (_standing, STANDING, "eligibility", None, "eligibility: an object expected"),
    (_standing, STANDING, "eligibility.eligible", 1, "eligibility.eligible: true or false expected"),
    (
        _standing,
        STANDING,
        "eligibility.reason",
        "because",
        "eligibility.reason: one of other_regime, provisional_nir, no_bank_details, no_active_card, two_ribs expected",
    ),
    (_standing, STANDING, "outage_until_s", -1, "outage_until_s: a whole number from 0 to 9999999999 expected"),
    (_standing, STANDING, "serial", "80250", "serial: the form [0-9]{21} expected"),
    (_standing, STANDING, "updates", {}, "updates: a list of 0 to 16 expected"),
    (_standing, STANDING, "updates.0.update_id", "XY", "updates[0].update_id: the form [0-9a-f]{1,40} expected"),
    (_standing, STANDING, "updates.0.priority", "SOON", "updates[0].priority: one of MANDATORY, OPTIONAL expected"),
    (
        _standing,
        STANDING,
        "updates.0.description",
        "x" * 121,
        "updates[0].description: at most 120 characters expected",
    ),
    (
        _standing,
        STANDING,
        "updates.0.preview.0.effect",
        "BAD",
        "updates[0].preview[0].effect: one of GAIN, LOSS, NEUTRAL expected",
    ),
    (
        _standing,
        STANDING,
        "updates.0.preview.0.sensitive",
        0,
        "updates[0].preview[0].sensitive: true or false expected",
    ),
    (_identify, IDENTIFIED, "accepted", "yes", "accepted: true or false expected"),
    (_identify, IDENTIFIED, "tries_left", -1, "tries_left: a whole number from 0 to 10 expected"),
    (_identify, IDENTIFIED, "tries_left", 11, "tries_left: a whole number from 0 to 10 expected"),
    (_identify, IDENTIFIED, "proof", "00", "proof: the form [0-9a-f]{32} expected"),
    (_identify, IDENTIFIED, "proof", None, "proof: a proof expected if and only if accepted"),
    (_identify, IDENTIFIED, "accepted", False, "proof: a proof expected if and only if accepted"),
    (_code, CODE, "code", "42", "code: the form [0-9]{4} expected"),
    (_code, CODE, "code", 427, "code: a text expected"),
    (_code, CODE, "valid_s", 0, "valid_s: a whole number from 1 to 86400 expected"),
    (_code, CODE, "expires_at_s", "soon", "expires_at_s: a whole number from 1 to 9999999999 expected"),
]


def _place(body: dict[str, Any], path: str) -> tuple[Any, Any]:
    *outer, last = path.split(".")
    inner: Any = body
    for part in outer:
        inner = inner[int(part) if part.isdigit() else part]
    return inner, last


@pytest.mark.parametrize(("ask", "good", "path", "value", "detail"), ROWS)
def test_each_wrong_field_is_named(ask: Ask, good: dict[str, Any], path: str, value: Any, detail: str) -> None:
    body = deepcopy(good)
    inner, last = _place(body, path)
    inner[last] = value
    assert ask(Answering(body)) == Fault(Cause.BAD_ANSWER, detail)


@pytest.mark.parametrize(("ask", "good", "path"), [(ask, good, path) for ask, good, path, *_ in ROWS])
def test_each_missing_field_is_named(ask: Ask, good: dict[str, Any], path: str) -> None:
    body = deepcopy(good)
    inner, last = _place(body, path)
    del inner[last]
    fault = ask(Answering(body))
    assert isinstance(fault, Fault)
    assert fault.detail.endswith(f"{last}: missing")


@pytest.mark.parametrize("ask", [_standing, _identify, _code])
def test_faults_pass_and_refusals_have_their_cause(ask: Ask) -> None:
    network = Fault(Cause.NETWORK, "time-out")
    assert ask(Answering(network)) is network
    closed = ask(Answering(Refusal(503, RefusalReason.SERVICE_CLOSED, "UNAVAILABLE", True, 60)))
    assert isinstance(closed, Fault)
    assert closed.cause is Cause.SERVICE_CLOSED
    capability = ask(Answering(Refusal(403, RefusalReason.CAPABILITY, "UNAVAILABLE")))
    assert isinstance(capability, Fault)
    assert capability.cause is (Cause.CODE_REFUSED if ask is _code else Cause.KIOSK_REFUSED)


@pytest.mark.parametrize("reason", [RefusalReason.CAPABILITY, RefusalReason.GONE])
def test_no_code(reason: RefusalReason) -> None:
    fault = _code(Answering(Refusal(403, reason, "IDENTITY_NEEDED")))
    assert fault == Fault(Cause.CODE_REFUSED, f"{reason.value} IDENTITY_NEEDED")
