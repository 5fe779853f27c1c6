"""All documents together: the one value that a visit, the relay and the uploader go by. Pure.

A kiosk's own document stands before the fleet's. Where something is forbidden the strictest word counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from kiosk.sync.allow_list import BUILT_IN_INS
from kiosk.sync.documents import FLEET, Document
from kiosk.sync.documents_bodies import TYPES, AllowList, Calendar, Capabilities, Expiry, SiteContents
from kiosk.visit.outages import Outage
from kiosk.visit.policy import CodeIssuing, Policy, Quarantine, SiteKind

B = TypeVar("B")

CODE_CEILING: Final = {
    SiteKind.AGENCY: CodeIssuing.ON,
    SiteKind.PHARMACY: CodeIssuing.STAFF,
    SiteKind.LABORATORY: CodeIssuing.OFF,
    SiteKind.HEALTH_ESTABLISHMENT: CodeIssuing.OFF,
}
"""The most that any document can allow on such a site (domain reference §7)."""
_ISSUING: Final = tuple(CodeIssuing)


SHIPPED_POLICY: Final = Policy()


@dataclass(frozen=True, slots=True)
class InForce:
    """What counts now. `outages`: the whole calendar, without what was cancelled."""

    policy: Policy = SHIPPED_POLICY
    allowed_ins: frozenset[int] = BUILT_IN_INS
    outages: tuple[Outage, ...] = ()


def expired(document: Document, now_s: int | None) -> bool:
    """Whether its time is over. now_s: None when no time may be believed; then nothing is."""
    return now_s is not None and TYPES[document.type].dated and now_s > document.not_after_s


def in_force(documents: Iterable[Document], now_s: int | None, *, unreadable: frozenset[str] = frozenset()) -> InForce:
    """Put the documents of one kiosk together.

    now_s: seconds since 1970, None when no time may be believed. unreadable: types of which an accepted document cannot
    be read any more: nobody knows what it forbade, so it forbids everything.
    """
    known = sorted(documents, key=lambda document: document.scope != FLEET)  # a kiosk's own come last
    stopped = {d.type for d in known if expired(d, now_s) and TYPES[d.type].on_expiry is Expiry.STOP_SERVICE}
    stopped |= unreadable
    policy = _last(known, Policy) or SHIPPED_POLICY
    policy = _with_contents(policy, _last(known, SiteContents))
    policy = _within(policy, _of(known, Capabilities), denied="site_capabilities" in stopped)
    orders = [*_of(known, Quarantine), policy.quarantine]
    if "quarantine" in unreadable:
        orders.append(Quarantine.STOP)
    policy = replace(policy, quarantine=max(orders, key=lambda level: level.severity))
    allowed = frozenset(BUILT_IN_INS)
    for body in _of(known, AllowList):
        allowed &= body.allowed_ins
    if "allow_list" in stopped:
        allowed, policy = frozenset(), replace(policy, update=False)
    return InForce(policy, allowed, _calendar(_of(known, Calendar)))


def _of(documents: Iterable[Document], kind: type[B]) -> list[B]:
    return [document.body for document in documents if isinstance(document.body, kind)]


def _last(documents: Iterable[Document], kind: type[B]) -> B | None:
    found = _of(documents, kind)
    return found[-1] if found else None


def _with_contents(policy: Policy, said: SiteContents | None) -> Policy:
    if said is None:
        return policy
    return replace(
        policy,
        contents=said.contents,
        phone=said.phone or policy.phone,
        phone_hours=said.phone_hours or policy.phone_hours,
        help_place=said.help_place or policy.help_place,
    )


def _within(policy: Policy, capabilities: Iterable[Capabilities], *, denied: bool) -> Policy:
    """No more than the kind of site may, and no more than every capability document allows."""
    issuing = [policy.issue_code, CODE_CEILING[policy.site_kind]]
    limits = [*capabilities, Capabilities()] if denied else list(capabilities)
    for allowed in limits:
        issuing.append(allowed.issue_code)
        policy = replace(
            policy,
            update=policy.update and allowed.update,
            show_serial=policy.show_serial and allowed.show_serial,
            print_tickets=policy.print_tickets and allowed.print_tickets,
            update_level=max(policy.update_level, allowed.update_level),
            serial_level=max(policy.serial_level, allowed.serial_level),
        )
    return replace(policy, issue_code=min(issuing, key=_ISSUING.index))


def _calendar(calendars: Iterable[Calendar]) -> tuple[Outage, ...]:
    entries: dict[str, Outage] = {}
    for calendar in calendars:
        for outage in calendar.outages:
            entries[outage.outage_id] = outage
            if outage.outage_id in calendar.cancelled:
                del entries[outage.outage_id]
    return tuple(entries.values())
