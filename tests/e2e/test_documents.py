"""Signed documents through the whole kiosk: an operator signs, the kiosk obeys and shows, a restart changes nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from kiosk.sync.documents import FLEET
from kiosk.visit import events as ev
from kiosk.visit.failures import Cause
from kiosk.visit.model import State
from kiosk.visit.pages import Attract, Home, OutOfService, Result
from kiosk.visit.policy import Quarantine
from kiosk.visit.values import Outcome
from simulators.card import open_persona
from simulators.stage import KIOSK_ID
from tests.e2e.audience import LIMIT_S, words
from tests.e2e.scene import says
from tests.e2e.theatre import POLL_S, Centre, House, centre, house, reopened

NEXT_POLL_S = 61.0


def polls(kiosk: House) -> None:
    """The next poll comes."""
    kiosk.audience.attend()
    kiosk.time.pass_s(NEXT_POLL_S)
    kiosk.kiosk.background.wake()


def quarantine(state: State) -> Quarantine:
    return state.policy.quarantine


def test_a_stopped_kiosk_says_so_keeps_its_events_and_stays_stopped_after_a_restart(tmp_path: Path) -> None:
    with centre(tmp_path / "backend", "up-to-date") as the_centre, house(tmp_path, the_centre) as kiosk:
        settings = kiosk.settings
        assert kiosk.drained()
        the_centre.command("quarantine", KIOSK_ID, level="stop")
        polls(kiosk)
        page = kiosk.audience.step(OutOfService)
        assert page.fault is not None
        assert page.fault.cause is Cause.QUARANTINED
        kiosk.kiosk.post(ev.Chosen(ev.Choice.START_WITHOUT_CARD))
        kiosk.kiosk.post(ev.Chosen(ev.Choice.STOP))
        kiosk.audience.step(OutOfService)
        assert [check.facts for check in kiosk.kiosk._condition() if check.part == "documents"] == [
            {"policy": "2", "quarantine": "1 stop"}
        ]
    with centre(tmp_path / "elsewhere", "up-to-date"), stopped(settings) as again:  # nobody answers at its origin
        assert quarantine(again.audience.state) is Quarantine.STOP
        assert upload_of(again) == "held"  # and not waiting for the network: nothing is to be sent
        assert again.in_store(lambda tx: tx.execute("SELECT count(*) FROM event WHERE state <> 'acked'"))[0][0] > 0
    with centre(tmp_path / "backend", "up-to-date") as the_centre, stopped(settings) as again:
        the_centre.command("quarantine", KIOSK_ID, level="none")
        polls(again)
        again.audience.step(Attract)
        assert again.drained()
        assert len(the_centre.told("visit_started")) == 1


def upload_of(kiosk: House) -> str:
    """What the uploader does, once it has had its turn."""
    turn = threading.Event()
    for _ in range(round(LIMIT_S / POLL_S)):
        (check,) = [check for check in kiosk.kiosk._condition() if check.part == "outbox"]
        if check.facts["upload"] != "idle":
            return str(check.facts["upload"])
        kiosk.time.pass_s(1.0)  # the limit of a call to nobody comes sooner
        turn.wait(POLL_S)
    return "idle"


def stopped(settings: Any) -> Any:
    """A start that ends on the page « out of service »."""
    return reopened(settings, lambda s: isinstance(s.step, OutOfService) and quarantine(s) is Quarantine.STOP)


def test_no_relay_for_the_fleet_leaves_the_rest(the_centre: Centre, the_house: House) -> None:
    the_centre.command("quarantine", FLEET, level="no_relay")
    polls(the_house)
    the_house.audience.wait(lambda s: quarantine(s) is Quarantine.NO_RELAY, "the fleet's order")
    the_house.to_home(open_persona("outdated"))
    the_house.choose(ev.Choice.UPDATE)
    the_house.audience.wait(lambda s: says(s, Cause.QUARANTINED), "a page that says it")
    assert the_centre.pending("802500000204671322631") > 0


def outage(cancelled: bool, now_s: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": "vendredi", "service": "update", "regimes": [], "caisses": [], "text": None}
    return {"texts": {}, "entries": [{**entry, "from": now_s - 60, "until": now_s + 7200, "cancelled": cancelled}]}


def test_an_outage_is_shown_before_and_after_the_card_and_its_cancelling_too(
    the_centre: Centre, the_house: House
) -> None:
    now_s = the_centre.time()
    the_centre.command("document", FLEET, type="outage_calendar", body=outage(False, now_s))
    polls(the_house)
    the_house.audience.wait(lambda s: bool(s.world.outages.now), "the outage")
    assert "mise à jour impossible pour tout le monde" in words(the_house.audience.state)
    the_house.to_home(open_persona("outdated"))
    assert "La mise à jour est fermée pour votre caisse" in words(the_house.audience.state)
    the_house.choose(ev.Choice.UPDATE)
    the_house.audience.wait(lambda s: says(s, Cause.SERVICE_CLOSED), "closed")
    the_house.leave()
    the_centre.command("document", FLEET, type="outage_calendar", body=outage(True, now_s))
    polls(the_house)
    the_house.audience.wait(lambda s: not s.world.outages.now, "open again")
    assert the_house.updated(open_persona("outdated")).outcome is Outcome.UPDATED


def test_a_narrower_allow_list_stops_a_package_before_its_first_command(the_centre: Centre, the_house: House) -> None:
    the_centre.command("document", KIOSK_ID, type="allow_list", body={"ins": ["a4", "b0"]})
    polls(the_house)
    the_house.audience.wait(lambda _: len(the_house.kiosk.office._in_force.allowed_ins) == 2, "the list")
    card = open_persona("outdated")
    before = card.digest()
    result = the_house.updated(card)
    assert (result.outcome, result.fault and result.fault.cause) == (Outcome.IMPOSSIBLE, Cause.APDU_REFUSED)
    assert card.digest() == before


def test_places_and_phones_of_a_site_reach_its_pages(the_centre: Centre, the_house: House) -> None:
    body = {"phone": "3646", "nearby": [{"name": "Pharmacie fictive", "address": "1 rue du Test"}]}
    the_centre.command("document", KIOSK_ID, type="contents", body=body)
    polls(the_house)
    the_house.audience.wait(lambda s: s.policy.phone == "3646", "the contents")
    the_house.choose(ev.Choice.START_WITHOUT_CARD)
    the_house.choose(ev.Choice.GUIDE)
    state = the_house.audience.wait(lambda s: s.step.page == "guide", "the guide")
    assert "Pharmacie fictive, 1 rue du Test" in words(state)


def test_capabilities_take_the_update_off_the_page_and_raise_the_level_of_the_number(
    the_centre: Centre, the_house: House
) -> None:
    body = {"show_serial": True, "levels": {"serial": 2}}
    the_centre.command("document", KIOSK_ID, type="site_capabilities", body=body)
    polls(the_house)
    state = the_house.audience.wait(lambda s: not s.policy.update, "the capabilities")
    assert (state.policy.serial_level, state.policy.print_tickets) == (2, False)
    the_house.insert(open_persona("outdated"))
    the_house.audience.step(Home)
    the_house.choose(ev.Choice.UPDATE)
    the_house.audience.wait(lambda s: says(s, Cause.QUARANTINED), "a page that says it")
    assert not any(isinstance(step, Result) for step in the_house.audience.steps())
