"""What works when something does not: the availability table of the domain reference, as pure functions."""

from __future__ import annotations

from enum import StrEnum

from kiosk.visit.failures import Cause, Fault, quarantined, service_closed
from kiosk.visit.model import State
from kiosk.visit.policy import CodeIssuing, Policy, Quarantine
from kiosk.visit.world import World


class Service(StrEnum):
    """What a member can come for, and the kiosk may have to refuse (guide and help are always there)."""

    UPDATE = "update"
    SERIAL = "serial"
    CODE = "code"


def refusal(service: Service, state: State) -> Fault | None:
    """Why this service is not to be had here and now; None when it is, as far as is known."""
    world, policy = state.world, state.policy
    match service:
        case Service.SERIAL:
            return _switched_off(policy, Quarantine.STOP) if policy.show_serial else quarantined("serial off here")
        case Service.UPDATE:
            if not policy.update:
                return quarantined("update off here")
            return _switched_off(policy, Quarantine.NO_RELAY) or _centre_fault(world) or _closed(state)
        case Service.CODE:
            if policy.issue_code is not CodeIssuing.ON:
                return Fault(Cause.CODE_NOT_HERE, f"issue_code={policy.issue_code}")
            return _switched_off(policy, Quarantine.NO_CODE) or _centre_fault(world)


def closed_until_s(state: State) -> int | None:
    """Until when (UTC) the update is closed for the card in hand, or for everybody while there is none; None: open.

    The centre's own answer about this card is the newest word; the calendar stands in for it until there is one.
    """
    member, outages = state.member, state.world.outages
    if member is not None and member.standing is not None:
        return member.standing.outage_until_utc_s
    outage = outages.closing_all() if member is None else outages.closing(member.card.organisation)
    return None if outage is None else outage.until_utc_s


def blocking_fault(world: World, policy: Policy) -> Fault | None:
    """Why no card can be served at all."""
    return world.reader_fault or world.store_fault or _switched_off(policy, Quarantine.STOP)


def in_service(world: World, policy: Policy) -> bool:
    """Whether a card may be put in. A reader that has not reported is not ready."""
    return world.reader_ready and blocking_fault(world, policy) is None


def _switched_off(policy: Policy, from_level: Quarantine) -> Fault | None:
    if policy.quarantine.severity >= from_level.severity:
        return quarantined(policy.quarantine.value)
    return None


def _centre_fault(world: World) -> Fault | None:
    if world.service_up is False:
        return world.service_fault
    return None if world.clock_trusted else world.clock_fault


def _closed(state: State) -> Fault | None:
    return None if closed_until_s(state) is None else service_closed()
