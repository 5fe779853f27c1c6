"""Each cause of the failure catalogue on the page where a member meets it: what the gallery draws and tests measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from kiosk.visit.failures import CATALOGUE, CardSafety, Cause, Fault, MemberPage
from kiosk.visit.model import State
from kiosk.visit.page_kinds import Goal, Question
from kiosk.visit.pages import (
    Attract,
    CardProblem,
    Identification,
    OutOfService,
    Problem,
    Result,
    StaffPin,
    StaffSlot,
    TicketPage,
)
from kiosk.visit.ports import PrintState
from kiosk.visit.values import CardStanding, Outcome
from simulators import samples

CLOSED_UNTIL_UTC_S: Final = 1_790_006_400  # in the afternoon of the gallery's day
_OUT_OF_SERVICE: Final = (MemberPage.READER, MemberPage.SUSPENDED, MemberPage.STORAGE)
_ASKED: Final = {Cause.BIRTH_DATE_WRONG: Question.BIRTH_DATE, Cause.POSTCODE_WRONG: Question.POSTCODE}
_SEEN_AT_HOME: Final = frozenset({Cause.KIOSK_REFUSED, Cause.NOT_ENROLLED, Cause.CARD_TORN, Cause.INTERNAL})
_REFUSED_UPDATE: Final = {
    Cause.UNEXPECTED_STATUS: Outcome.ABORTED,
    Cause.CONVERSATION_EXPIRED: Outcome.UNCERTAIN,
    Cause.APDU_REFUSED: Outcome.IMPOSSIBLE,
    Cause.PACKAGE_REFUSED: Outcome.IMPOSSIBLE,
    Cause.UPDATE_IMPOSSIBLE: Outcome.IMPOSSIBLE,
}


def failure_states() -> Mapping[Cause, State]:
    """By cause, in the catalogue's order. `READER_UNSEEN` has none: it is met in the diagnostics only."""
    return {cause: _state(cause) for cause in Cause if cause is not Cause.READER_UNSEEN}


def failure_pages() -> tuple[State, ...]:
    """One state for each member page."""
    by_page = {CATALOGUE[cause].page: state for cause, state in failure_states().items()}
    return tuple(by_page.values())


def _state(cause: Cause) -> State:
    fault, page = Fault(cause, "two_ribs" if cause is Cause.NOT_ELIGIBLE else ""), CATALOGUE[cause].page
    if cause in _ASKED:
        asked = Identification(_ASKED[cause], Goal.CODE, fault=fault, tries_left=2)
        return samples.state(asked, member=samples.MEMBER, card=True)
    if page in (MemberPage.TICKET_FAILED, MemberPage.TICKET_UNKNOWN):
        ended = PrintState.UNKNOWN if page is MemberPage.TICKET_UNKNOWN else PrintState.FAILED
        member = replace(samples.MEMBER, level=2, code=samples.CODE)
        return samples.state(TicketPage(samples.TICKET, ended, fault), member=member, card=True)
    if cause in _REFUSED_UPDATE:
        return _result(_REFUSED_UPDATE[cause], fault)
    if page in _OUT_OF_SERVICE and cause not in _SEEN_AT_HOME:
        return samples.state(OutOfService(fault))
    if cause.value.startswith(("N", "I")) or cause in _SEEN_AT_HOME:
        return _problem(fault)
    if cause is Cause.PIN_WRONG:
        return replace(samples.state(StaffPin(Attract(), fault=fault, tries_left=2)), staff=samples.BADGE)
    if page is MemberPage.OTHER_SLOT or cause.value.startswith("B"):
        return samples.state(StaffSlot(fault))
    return samples.state(CardProblem(fault), card=True)


def _result(outcome: Outcome, fault: Fault) -> State:
    torn = outcome is Outcome.ABORTED
    member = replace(samples.MEMBER, outcome=outcome, open_write=torn)
    return samples.state(Result(outcome, fault), member=member, card=True)


def _problem(fault: Fault) -> State:
    closed = fault.cause is Cause.SERVICE_CLOSED
    standing = CardStanding((), outage_until_utc_s=CLOSED_UNTIL_UTC_S if closed else None)
    safety = CardSafety.UNFINISHED if fault.cause is Cause.CARD_TORN else CardSafety.UNCHANGED
    member = replace(samples.MEMBER, standing=standing)
    return samples.state(Problem(fault, safety), member=member, card=True)
