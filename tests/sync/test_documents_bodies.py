"""What documents say: each wrong body gives one error that names its field; each good one its value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync.allow_list import BUILT_IN_INS
from kiosk.sync.documents_bodies import TYPES, AllowList, Body, Calendar, Capabilities, SiteContents
from kiosk.sync.fields import FieldError
from kiosk.visit.contents import HELP_TOPICS, SHIPPED, Contents, NearbyKiosk, web_addresses
from kiosk.visit.outages import Outage
from kiosk.visit.page_kinds import Topic
from kiosk.visit.policy import CodeIssuing, Quarantine

ENTRY: dict[str, Any] = {
    "id": "vendredi-1",
    "service": "update",
    "regimes": ["91"],
    "caisses": ["01/999"],
    "from": 10,
    "until": 20,
    "text": "mgen",
    "cancelled": False,
}
TEXTS = {"mgen": "les personnes de la MGEN"}
NEARBY = NearbyKiosk("Pharmacie fictive", "1 rue du Test, Paris")
PLACE = {"name": "Pharmacie fictive", "address": "1 rue du Test, Paris"}


def entries(**changes: Any) -> dict[str, Any]:
    return {"texts": TEXTS, "entries": [{**ENTRY, **changes}]}


def without(name: str) -> dict[str, Any]:
    return {"texts": TEXTS, "entries": [{key: value for key, value in ENTRY.items() if key != name}]}


OUTAGE = Outage("vendredi-1", 10, 20, ("91",), ("01/999",), "les personnes de la MGEN")

GOOD: list[tuple[str, dict[str, Any], Body]] = [
    ("quarantine", {"level": "report_only"}, Quarantine.REPORT_ONLY),
    ("outage_calendar", {"texts": {}, "entries": []}, Calendar(())),
    ("outage_calendar", entries(), Calendar((OUTAGE,))),
    ("outage_calendar", entries(cancelled=True), Calendar((OUTAGE,), frozenset({"vendredi-1"}))),
    ("outage_calendar", entries(regimes=[], caisses=[], text=None), Calendar((Outage("vendredi-1", 10, 20),))),
    ("site_capabilities", {}, Capabilities()),
    (
        "site_capabilities",
        {"update": True, "show_serial": True, "issue_code": "staff", "printer": True, "levels": {"serial": 2}},
        Capabilities(True, True, CodeIssuing.STAFF, True, 0, 2),
    ),
    ("contents", {}, SiteContents()),
    (
        "contents",
        {"phone": "3646", "phone_hours": "9 h – 17 h", "help_place": "l'accueil", "contact_address": "1 rue du Test"},
        SiteContents(Contents(contact_address="1 rue du Test"), "3646", "9 h – 17 h", "l'accueil"),
    ),
    (
        "contents",
        {"nearby": [PLACE, {**PLACE, "hours": "8 h – 20 h"}], "help_texts": {"lost": "Appelez."}},
        SiteContents(
            Contents(
                help_texts=(("lost", "Appelez."),),
                nearby=(NEARBY, replace(NEARBY, hours="8 h – 20 h")),
            )
        ),
    ),
    (
        "contents",
        {"web_domains": ["assure.ameli.fr", "mgen.fr"], "account_site": "mgen.fr", "help_place": "MGEN.fr"},
        SiteContents(
            Contents(web_domains=("assure.ameli.fr", "mgen.fr"), account_site="mgen.fr"), help_place="MGEN.fr"
        ),
    ),
    ("allow_list", {"ins": []}, AllowList(frozenset())),
    ("allow_list", {"ins": [f"{ins:02x}" for ins in sorted(BUILT_IN_INS)]}, AllowList(BUILT_IN_INS)),
]

_WEB = "only web addresses of `web_domains` expected"
BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("quarantine", {}, "level", "missing"),
    ("quarantine", {"level": "mild"}, "level", "one of none, no_code, no_relay, report_only, stop expected"),
    ("quarantine", {"level": "stop", "until": 1}, "until", "unknown field"),
    ("outage_calendar", {"texts": {}}, "entries", "missing"),
    ("outage_calendar", {"texts": {}, "entries": [], "note": ""}, "note", "unknown field"),
    ("outage_calendar", {"texts": {}, "entries": [], "\x1b[2J": ""}, "?", "unknown field"),
    ("outage_calendar", {"texts": {"MGEN": "x"}, "entries": []}, "texts.?", "an id of lower-case letters expected"),
    ("outage_calendar", {"texts": {"mgen": "\x1b"}, "entries": []}, "texts.mgen", "printable characters expected"),
    ("outage_calendar", {"texts": {"mgen": "{phone}"}, "entries": []}, "texts.mgen", "braces are not allowed"),
    *((("outage_calendar", without(name), f"entries[0].{name}", "missing")) for name in ENTRY),
    ("outage_calendar", entries(until=10), "entries[0].until", "after `from` expected"),
    ("outage_calendar", entries(until="20"), "entries[0].until", "a whole number from 0 to 9999999999 expected"),
    ("outage_calendar", entries(text="cpam"), "entries[0].text", "one of `texts` expected"),
    ("outage_calendar", entries(service="serial"), "entries[0].service", "the form update expected"),
    ("outage_calendar", entries(regimes=["9"]), "entries[0].regimes[0]", "the form [0-9]{2} expected"),
    ("outage_calendar", entries(caisses=["999"]), "entries[0].caisses[0]", "the form [0-9]{2}/[0-9]{3} expected"),
    ("outage_calendar", entries(cancelled="no"), "entries[0].cancelled", "true or false expected"),
    ("outage_calendar", entries(id="Vendredi"), "entries[0].id", "the form [a-z0-9][a-z0-9-]{0,39} expected"),
    (
        "outage_calendar",
        {"texts": TEXTS, "entries": [ENTRY, ENTRY]},
        "entries[1].id",
        "an id of its own expected",
    ),
    ("site_capabilities", {"update": "yes"}, "update", "true or false expected"),
    ("site_capabilities", {"issue_code": "all"}, "issue_code", "one of off, staff, on expected"),
    ("site_capabilities", {"levels": {"serial": 0}}, "levels.serial", "a whole number from 1 to 2 expected"),
    ("site_capabilities", {"levels": {"update": 3}}, "levels.update", "a whole number from 0 to 2 expected"),
    ("site_capabilities", {"levels": {"code": 1}}, "levels.code", "unknown field"),
    ("site_capabilities", {"teleport": True}, "teleport", "unknown field"),
    ("contents", {"colour": "red"}, "colour", "unknown field"),
    ("contents", {"phone": "123"}, "phone", "a phone number has 10 digits, or 4"),
    ("contents", {"phone_hours": "9\x00"}, "phone_hours", "printable characters expected"),
    ("contents", {"help_texts": {"weather": "x"}}, "help_texts", f"topics among {', '.join(HELP_TOPICS)} expected"),
    ("contents", {"help_texts": {"lost": "Allez sur amel1.fr"}}, "help_texts.lost", _WEB),
    ("contents", {"help_texts": {"lost": "x" * 201}}, "help_texts.lost", "at most 200 characters expected"),
    ("contents", {"contact_address": "voyez http://10.0.0.1"}, "contact_address", _WEB),
    ("contents", {"nearby": [PLACE] * 4}, "nearby", "a list of 0 to 3 expected"),
    ("contents", {"nearby": [{"name": "x"}]}, "nearby[0].address", "a text expected"),
    ("contents", {"nearby": [{**PLACE, "hours": "www.test.fr"}]}, "nearby[0].hours", _WEB),
    ("contents", {"web_domains": []}, "web_domains", "a list of 1 to 16 expected"),
    ("contents", {"web_domains": ["mgen.fr"]}, "account_site", "one of `web_domains` expected"),
    ("contents", {"account_site": "mgen.fr"}, "account_site", "one of `web_domains` expected"),
    ("allow_list", {"ins": ["20"]}, "ins", "only instructions of the built-in list expected"),
    ("allow_list", {"ins": ["A4"]}, "ins[0]", "the form [0-9a-f]{2} expected"),
    ("allow_list", {"ins": ["a4"], "cla": []}, "cla", "unknown field"),
    ("policy", {"contents": {}}, "contents", "unknown field"),
    ("policy", {"serial_level": 0}, "serial_level", "unknown field"),
]


@pytest.mark.parametrize(("kind", "body", "value"), GOOD)
def test_a_good_body_is_its_value(kind: str, body: dict[str, Any], value: Body) -> None:
    assert TYPES[kind].parse(body) == value


@pytest.mark.parametrize(("kind", "body", "field", "reason"), BAD)
def test_a_wrong_body_names_field_and_cause(kind: str, body: dict[str, Any], field: str, reason: str) -> None:
    assert TYPES[kind].parse(body) == FieldError(field, reason)


_NAMES = sorted({name for _, body, _ in GOOD for name in body})
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(sorted(TYPES)), body=st.dictionaries(st.sampled_from(_NAMES), _JSON, max_size=3))
def test_any_body_is_a_value_or_one_error(kind: str, body: dict[str, Any]) -> None:
    result = TYPES[kind].parse(body)
    assert not isinstance(result, FieldError) or result.reason


def test_the_topics_of_help_are_those_of_the_page() -> None:
    assert set(HELP_TOPICS) == {topic.value for topic in Topic}


@pytest.mark.parametrize(
    ("text", "found"),
    [("Tapez assure.ameli.fr.", ["assure.ameli.fr"]), ("Assure.Ameli.FR", ["assure.ameli.fr"]), ("e-mail", []),
     ("8.30", []), ("Le 3. Allez", []), ("assure.àmeli.fr", ["meli.fr"]), ("a.fr,b.fr", ["a.fr", "b.fr"]),
     ("assure.ameli.fr.faux.com", ["assure.ameli.fr.faux.com"])],
)  # fmt: skip
def test_what_looks_like_a_web_address(text: str, found: list[str]) -> None:
    assert list(web_addresses(text)) == found


def test_what_is_shipped_is_listed() -> None:
    assert SHIPPED.account_site in SHIPPED.web_domains
