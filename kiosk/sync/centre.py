"""What a kiosk asks the centre about a member: standing of the card, identity check, provisional code.

Each answer is checked field by field; what does not fit is a `BAD_ANSWER` fault that names the field.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Final, TypeVar

from kiosk.card.values import CardContent
from kiosk.sync import faults
from kiosk.sync.fields import LATEST_S, FieldError, Fields, read
from kiosk.visit.failures import Fault
from kiosk.visit.policy import INELIGIBLE_REASONS
from kiosk.visit.values import CardStanding, Identified, PreviewEffect, PreviewLine, ProvisionalCode, UpdateOrder

T = TypeVar("T")

DEADLINE_S: Final = 12.0
MAX_UPDATES: Final = 16
MAX_TRIES: Final = 10
MAX_PREVIEW_LINES: Final = 100
_UPDATE_ID: Final = re.compile(r"[0-9a-f]{1,40}", re.ASCII)
_SERIAL: Final = re.compile(r"[0-9]{21}", re.ASCII)
_PROOF: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_CODE: Final = re.compile(r"[0-9]{4}", re.ASCII)


class _Priority(StrEnum):
    MANDATORY = "MANDATORY"
    OPTIONAL = "OPTIONAL"


def ask_standing(call: faults.Call, card: CardContent, *, deadline_s: float = DEADLINE_S) -> CardStanding | Fault:
    """`relay/flags`: opposition, eligibility, outage, full serial and the orders ready for this card."""
    body = {"card": {"generation": card.generation.value, "iccsn": card.iccsn}, "mode": "SELF"}
    answer = _answer(call("/v1/relay/flags", body, deadline_s=deadline_s))
    return answer if isinstance(answer, Fault) else _read(read(answer, _standing))


def identify(
    call: faults.Call, card: CardContent, birth_date: str, postcode: str, *, deadline_s: float = DEADLINE_S
) -> Identified | Fault:
    """Check a birth date (YYYYMMDD) and a post code for this card; few tries a day."""
    body = {"iccsn": card.iccsn, "birth_date": birth_date, "postcode": postcode}
    answer = _answer(call("/v1/identify", body, deadline_s=deadline_s))
    return answer if isinstance(answer, Fault) else _read(read(answer, _identified))


def issue_code(
    call: faults.Call, card: CardContent, proof: str, *, deadline_s: float = DEADLINE_S
) -> ProvisionalCode | Fault:
    """Ask for a provisional code. `proof`: from `identify`, for this card."""
    answer = call("/v1/code/issue", {"iccsn": card.iccsn, "proof": proof}, deadline_s=deadline_s)
    if isinstance(answer, faults.Refusal) and answer.reason in _NO_CODE:
        return faults.code_refused(f"{answer.reason.value} {answer.code}")
    body = _answer(answer)
    return body if isinstance(body, Fault) else _read(read(body, _provisional_code))


_NO_CODE: Final = (faults.RefusalReason.CAPABILITY, faults.RefusalReason.GONE)


def _answer(answer: faults.Answer) -> dict[str, Any] | Fault:
    return faults.from_refusal(answer) if isinstance(answer, faults.Refusal) else answer


def _read(value: T | FieldError) -> T | Fault:
    return faults.bad_answer(str(value)) if isinstance(value, FieldError) else value


def _standing(fields: Fields) -> CardStanding:
    eligibility = fields.object("eligibility")
    reason = eligibility.optional("reason", eligibility.text)
    if reason is not None and reason not in INELIGIBLE_REASONS:
        eligibility.refuse("reason", f"one of {', '.join(INELIGIBLE_REASONS)} expected")
    return CardStanding(
        orders=tuple(_order(entry) for entry in fields.objects("updates", high=MAX_UPDATES)),
        opposed=fields.flag("opposition"),
        replace=fields.flag("replace"),
        eligible=eligibility.flag("eligible"),
        ineligible_reason=reason,
        outage_until_utc_s=fields.optional("outage_until_s", lambda name: fields.whole(name, 0, LATEST_S)),
        serial=fields.optional("serial", lambda name: fields.text(name, pattern=_SERIAL)),
    )


def _order(entry: Fields) -> UpdateOrder:
    return UpdateOrder(
        update_id=entry.text("update_id", pattern=_UPDATE_ID),
        mandatory=entry.one_of("priority", _Priority) is _Priority.MANDATORY,
        description=entry.text("description", max_chars=120),
        preview=tuple(_line(line) for line in entry.objects("preview", high=MAX_PREVIEW_LINES)),
    )


def _line(line: Fields) -> PreviewLine:
    return PreviewLine(
        label=line.text("field"),
        before=line.text("before"),
        after=line.text("after"),
        effect=line.one_of("effect", PreviewEffect),
        sensitive=line.flag("sensitive"),
    )


def _identified(fields: Fields) -> Identified:
    accepted = fields.flag("accepted")
    proof = fields.optional("proof", lambda name: fields.text(name, pattern=_PROOF))
    if accepted != (proof is not None):
        fields.refuse("proof", "a proof expected if and only if accepted")
    return Identified(accepted=accepted, tries_left=fields.whole("tries_left", 0, MAX_TRIES), proof=proof)


def _provisional_code(fields: Fields) -> ProvisionalCode:
    return ProvisionalCode(
        digits=fields.text("code", pattern=_CODE),
        valid_s=fields.whole("valid_s", 1, 86_400),
        expires_utc_s=fields.whole("expires_at_s", 1, LATEST_S),
    )
