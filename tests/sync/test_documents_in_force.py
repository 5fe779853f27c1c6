"""All documents together: the kiosk's own before the fleet's, the strictest word where something is forbidden."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync.allow_list import BUILT_IN_INS, INS_READ_BINARY, INS_SELECT, INS_UPDATE_BINARY
from kiosk.sync.documents import FLEET, Document
from kiosk.sync.documents_bodies import AllowList, Body, Calendar, Capabilities, SiteContents
from kiosk.sync.documents_in_force import SHIPPED_POLICY, InForce, expired, in_force
from kiosk.visit.contents import Contents
from kiosk.visit.outages import Outage
from kiosk.visit.policy import CodeIssuing, Policy, Quarantine, SiteKind
from tests.sync.support import KIOSK, NOW_S

NAMES: dict[type[Body], str] = {
    Policy: "policy",
    Quarantine: "quarantine",
    Calendar: "outage_calendar",
    Capabilities: "site_capabilities",
    SiteContents: "contents",
    AllowList: "allow_list",
}
ALL = Capabilities(update=True, show_serial=True, issue_code=CodeIssuing.ON, print_tickets=True)
AGENCY = Policy(site_kind=SiteKind.AGENCY, issue_code=CodeIssuing.ON)


def document(body: Body, *, fleet: bool = False, not_after_s: int = NOW_S) -> Document:
    return Document(NAMES[type(body)], FLEET if fleet else KIOSK, 1, not_after_s, body, b"", b"")


def counting(*bodies: Body | Document, now_s: int | None = NOW_S) -> InForce:
    return in_force([body if isinstance(body, Document) else document(body) for body in bodies], now_s)


def test_without_documents_the_shipped_values_count() -> None:
    assert counting() == InForce()
    assert SHIPPED_POLICY.issue_code is CodeIssuing.OFF


def test_the_kiosks_own_policy_and_contents_stand_before_the_fleets() -> None:
    fleet = [document(Policy(idle_s=9), fleet=True), document(SiteContents(phone="3646"), fleet=True)]
    assert (counting(*fleet).policy.idle_s, counting(*fleet).policy.phone) == (9, "3646")
    own = [document(Policy(idle_s=8)), document(SiteContents(Contents(contact_address="ici")))]
    for order in ([*fleet, *own], [*own, *fleet]):
        policy = counting(*order).policy
        assert (policy.idle_s, policy.phone, policy.contents.contact_address) == (8, Policy().phone, "ici")


@settings(max_examples=60, deadline=None)
@given(fleet=st.sampled_from(Quarantine), own=st.sampled_from(Quarantine), policy=st.sampled_from(Quarantine))
def test_the_strictest_quarantine_counts(fleet: Quarantine, own: Quarantine, policy: Quarantine) -> None:
    found = counting(document(fleet, fleet=True), own, Policy(quarantine=policy)).policy.quarantine
    assert found.severity == max(level.severity for level in (fleet, own, policy))


@pytest.mark.parametrize(
    ("kind", "most"),
    [(SiteKind.AGENCY, CodeIssuing.ON), (SiteKind.PHARMACY, CodeIssuing.STAFF), (SiteKind.LABORATORY, CodeIssuing.OFF),
     (SiteKind.HEALTH_ESTABLISHMENT, CodeIssuing.OFF)],
)  # fmt: skip
@pytest.mark.parametrize("said", list(CodeIssuing))
def test_no_document_allows_more_than_the_kind_of_site(kind: SiteKind, most: CodeIssuing, said: CodeIssuing) -> None:
    order = list(CodeIssuing)
    found = counting(Policy(site_kind=kind, issue_code=said), ALL).policy.issue_code
    assert order.index(found) == min(order.index(most), order.index(said))


def test_a_capability_needs_every_word_that_is_said_of_it() -> None:
    assert counting(AGENCY).policy.update
    policy = counting(AGENCY, replace(ALL, serial_level=2)).policy
    assert (policy.update, policy.print_tickets, policy.serial_level) == (True, True, 2)
    assert policy.issue_code is CodeIssuing.ON
    for narrowed in (counting(AGENCY, Capabilities()), counting(AGENCY, ALL, document(Capabilities(), fleet=True))):
        denied = narrowed.policy
        assert (denied.update, denied.show_serial, denied.print_tickets) == (False, False, False)
        assert denied.issue_code is CodeIssuing.OFF
    assert not counting(replace(AGENCY, update=False), ALL).policy.update


def test_allow_lists_only_narrow() -> None:
    assert counting().allowed_ins == BUILT_IN_INS
    one, two = (AllowList(frozenset({INS_SELECT, other})) for other in (INS_READ_BINARY, INS_UPDATE_BINARY))
    assert counting(one).allowed_ins == one.allowed_ins
    assert counting(document(two, fleet=True), one).allowed_ins == {INS_SELECT}
    assert counting(AllowList(frozenset({0x20, INS_SELECT}))).allowed_ins == {INS_SELECT}


def test_calendars_are_read_together_and_a_kiosks_own_entry_counts() -> None:
    first, second = Outage("a", 1, 2), Outage("b", 3, 4)
    fleet = document(Calendar((first, second)), fleet=True)
    assert counting(fleet).outages == (first, second)
    moved = replace(second, until_utc_s=9)
    assert counting(Calendar((moved,)), fleet).outages == (first, moved)
    assert counting(Calendar((second,), frozenset({"b"})), fleet).outages == (first,)
    assert counting(document(Calendar((first,), frozenset({"a"})), fleet=True), Calendar((first,))).outages == (first,)


OVER = NOW_S - 1


def test_what_is_over_is_kept_or_stops_what_it_governs() -> None:
    kept = [document(AGENCY, not_after_s=OVER), document(SiteContents(phone="3646"), not_after_s=OVER)]
    assert counting(*kept).policy == replace(AGENCY, phone="3646")
    assert not counting(*kept, document(ALL, not_after_s=OVER)).policy.update
    late = counting(AGENCY, document(AllowList(BUILT_IN_INS), not_after_s=OVER))
    assert (late.allowed_ins, late.policy.update, late.policy.show_serial) == (frozenset(), False, True)
    assert counting(document(Quarantine.STOP, not_after_s=0)).policy.quarantine is Quarantine.STOP


def test_without_a_time_to_believe_nothing_is_over() -> None:
    late = document(ALL, not_after_s=OVER)
    assert counting(AGENCY, late, now_s=None).policy.update
    assert [expired(late, now_s) for now_s in (None, OVER, NOW_S)] == [False, False, True]
    assert not expired(document(Quarantine.STOP, not_after_s=0), NOW_S)


@pytest.mark.parametrize(
    ("lost", "quarantine", "update"),
    [("quarantine", Quarantine.STOP, True), ("allow_list", Quarantine.NONE, False),
     ("site_capabilities", Quarantine.NONE, False), ("contents", Quarantine.NONE, True)],
)  # fmt: skip
def test_of_what_cannot_be_read_the_worst_is_believed(lost: str, quarantine: Quarantine, update: bool) -> None:
    policy = in_force([document(AGENCY)], NOW_S, unreadable=frozenset({lost})).policy
    assert (policy.quarantine, policy.update) == (quarantine, update)
