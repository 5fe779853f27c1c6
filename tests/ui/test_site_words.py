"""What signed documents make pages say: short, true, with the right hours; and only web addresses that are listed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kiosk.ui import texts as t
from kiosk.ui import texts_guide, ticket_texts
from kiosk.ui.present import present
from kiosk.ui.site_words import announced
from kiosk.ui.typography import plain
from kiosk.visit import failure_pages
from kiosk.visit.contents import SHIPPED, web_addresses
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.model import State
from kiosk.visit.outages import Outage, Outages
from kiosk.visit.page_kinds import Topic
from kiosk.visit.pages import Attract, CodeIntro, Guide, Help, Home, OutOfService, Welcome
from simulators import samples
from simulators.document_states import CONTENTS, NEARBY

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 24, 10, 30, tzinfo=PARIS)  # a Tuesday


def at(day: int, hour: int, minute: int = 0) -> int:
    return int(datetime(2026, 11, day, hour, minute, tzinfo=PARIS).timestamp())


NOT_FOR_SOME = "mise à jour impossible pour certaines caisses."
SOME = Outage("a", at(27, 12), at(27, 20), regimes=("91",))


@pytest.mark.parametrize(
    ("outages", "words"),
    [
        (Outages(), ""),
        (
            Outages(soon=(SOME,)),
            f"Vendredi 27 novembre, de 12 h à 20 h : {NOT_FOR_SOME}",
        ),
        (
            Outages(soon=(replace(SOME, from_utc_s=at(24, 12, 30), until_utc_s=at(24, 20), who="les agents"),)),
            "Aujourd'hui, de 12 h 30 à 20 h : mise à jour impossible pour les agents.",
        ),
        (
            Outages(soon=(replace(SOME, until_utc_s=at(28, 6)),)),
            f"Du vendredi 27 novembre à 12 h au samedi 28 novembre à 6 h : {NOT_FOR_SOME}",
        ),
        (
            Outages(now=(Outage("b", at(24, 8), at(24, 20)),), soon=(SOME,)),
            "Jusqu'à 20 h : mise à jour impossible pour tout le monde.",
        ),
        (
            Outages(now=(replace(SOME, until_utc_s=at(24, 11)), replace(SOME, until_utc_s=at(25, 11)))),
            "Jusqu'au 25 novembre 2026 à 11 h : mise à jour impossible pour certaines caisses.",
        ),
        (
            Outages(now=(Outage("b", at(24, 8), at(24, 20)), replace(SOME, until_utc_s=at(25, 11)))),
            "Jusqu'à 20 h : mise à jour impossible pour tout le monde.",
        ),
    ],
)
def test_an_outage_in_one_sentence(outages: Outages, words: str) -> None:
    assert plain(announced(outages, NOW)) == words


def test_the_hour_is_that_of_the_wall_beside_the_kiosk() -> None:
    """12 h in Paris in winter is 11 h UTC; in July it would be 10 h."""
    assert "de 11 h à 19 h" in plain(announced(Outages(soon=(SOME,)), NOW.astimezone(UTC)))


def attract(**world: Any) -> State:
    return replace(samples.state(Attract()), world=replace(samples.WORLD, **world))


def services(state: State) -> dict[str, str]:
    return {plain(row.title): plain(row.detail) for row in present(state, NOW).rows}


def test_before_a_card_the_list_says_what_works_and_for_whom_it_does_not() -> None:
    closed = attract(outages=Outages(now=(Outage("b", at(24, 8), at(24, 20)),)))
    assert services(closed)["Mise à jour de la carte"] == "indisponible jusqu'à 20 h"
    assert services(closed)["Numéro de série"] == "disponible"
    some = attract(outages=Outages(now=(replace(SOME, who="les personnes de la MGEN"),)))
    assert services(some)["Mise à jour de la carte"] == "sauf pour les personnes de la MGEN"
    away = replace(some, world=replace(some.world, service_up=False, service_fault=Fault(Cause.NETWORK)))
    assert services(away)["Mise à jour de la carte"] == "indisponible"


def test_a_site_without_tickets_does_not_speak_of_them() -> None:
    without = replace(attract(), policy=replace(samples.POLICY, print_tickets=False))
    assert "Ticket imprimé" in services(attract())
    assert "Ticket imprimé" not in services(without)
    assert "Ticket imprimé" not in services(attract(has_printer=False))


def test_a_wrong_clock_is_said_before_a_card_is_put_in_and_after() -> None:
    wrong: dict[str, Any] = {"clock_trusted": False, "clock_fault": Fault(Cause.CLOCK_WRONG)}
    assert "L'heure de cette borne est fausse" in plain(present(attract(**wrong), NOW).notice)
    assert present(attract(clock_trusted=False), NOW).notice == ""  # not known yet is not wrong
    home = samples.state(Home(), member=replace(samples.MEMBER, standing=None), card=True)
    assert "ne répond pas" in plain(present(home, NOW).notice)
    home = replace(home, world=replace(samples.WORLD, **wrong))
    assert "L'heure de cette borne est fausse" in plain(present(home, NOW).notice)


TOLD = replace(samples.POLICY, contents=CONTENTS)


def test_places_nearby_stand_where_one_is_sent_away_and_in_the_guide() -> None:
    for step in (OutOfService(Fault(Cause.READER_LOST)), Guide(1)):
        view = present(replace(samples.state(step), policy=TOLD), NOW)
        said = plain("\n".join(row.detail for row in view.rows))
        assert all(place.name in said and place.address in said and place.hours in said for place in NEARBY)
        assert not any(place.name in str(present(samples.state(step), NOW)) for place in NEARBY)


def test_a_sites_own_help_stands_for_the_shipped_one() -> None:
    view = present(replace(samples.state(Help(back=Welcome())), policy=TOLD), NOW)
    rows = {plain(row.title): plain(row.detail) for row in view.rows}
    assert rows[plain(t.TOPICS[Topic.LOST][0])] == dict(CONTENTS.help_texts)["lost"]
    assert rows[plain(t.TOPICS[Topic.CONTACT][0])].endswith(CONTENTS.contact_address)
    assert "09 72 72 40 60" in rows[plain(t.TOPICS[Topic.CONTACT][0])]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _strings(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _strings(part)
    elif hasattr(value, "__dataclass_fields__"):
        yield from _strings([getattr(value, name) for name in value.__dataclass_fields__])


@pytest.mark.parametrize("module", [t, texts_guide, ticket_texts, failure_pages], ids=lambda module: module.__name__)
def test_no_shipped_text_names_a_web_address_by_itself(module: ModuleType) -> None:
    """A page names `{site}`, which is one of the listed domains: see `documents_bodies` for signed texts."""
    found = [plain(text) for name, value in vars(module).items() if name.isupper() for text in _strings(value)]
    assert found
    assert [text for text in found if list(web_addresses(text))] == []


def test_pages_name_the_sites_own_address() -> None:
    policy = replace(samples.POLICY, contents=replace(SHIPPED, web_domains=("mgen.fr",), account_site="mgen.fr"))
    member = replace(samples.MEMBER, level=2)
    for shown in (samples.state(Guide(4)), samples.state(CodeIntro(), member=member, card=True)):
        assert "mgen.fr" in str(present(replace(shown, policy=policy), NOW))
        assert re.search(r"assure\.ameli\.fr", str(present(shown, NOW)))
        assert "ameli.fr" not in str(present(replace(shown, policy=policy), NOW))
