"""A scripted centre, a scripted card, and one run of the relay between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kiosk.card.values import Beneficiary, CardContent, Generation
from kiosk.sync.faults import Refusal
from kiosk.sync.relay import run_update
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardAnswers, CardSession, CardStep
from kiosk.visit.values import UpdatePhase, UpdateReport

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


BAD_PACKAGES: dict[str, tuple[dict[str, Any], Cause, str]] = {
    "late": (package(0, SELECT, not_after_s=NOW_S - 1), Cause.PACKAGE_REFUSED, "not_after_s has passed"),
    "counter": (package(1, SELECT), Cause.PACKAGE_REFUSED, "counter 1 instead of 0"),
    "pin": (package(0, SELECT, "0020000108" + "00" * 8), Cause.APDU_REFUSED, "step 1: instruction 20 is not allowed"),
    "plain write": (package(0, "00d6920001aa"), Cause.APDU_REFUSED, "step 0: write without secure messaging"),
    "erase": (package(0, SELECT, "00e40000"), Cause.APDU_REFUSED, "step 1: instruction E4 is not allowed"),
}
