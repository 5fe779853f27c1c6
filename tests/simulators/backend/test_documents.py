"""Policy documents as a kiosk gets them: proven by the product's own verifier, versions that rise, site rules."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk.sync.documents import FLEET, Document, DocumentError, verify_document
from kiosk.sync.documents_bodies import TYPES
from kiosk.visit.policy import CodeIssuing, Policy, Quarantine, SiteKind
from simulators.backend.__main__ import _DOCUMENTS, main
from simulators.backend.admin import command
from simulators.backend.operator import OperatorError, policy_change
from simulators.backend.server import Ready
from tests.simulators.backend.kiosk_side import FakeUtc, KioskSide, enrolled

STATE = "/v1/policy/state"


def envelopes(kiosk: KioskSide, known: dict[str, int] | None = None) -> dict[str, dict[str, Any]]:
    """Type → newer envelope."""
    found = {}
    for envelope in kiosk.good(STATE, {"known": known or {}})["documents"]:
        found[json.loads(base64.b64decode(envelope["payload"]))["type"]] = envelope
    return found


def judged(kiosk: KioskSide, envelope: dict[str, Any], kind: str = "policy") -> Document | DocumentError:
    return verify_document(
        json.dumps(envelope).encode(),
        TYPES[kind],
        role=kiosk.identity.trust.roles[kind],
        kiosk=kiosk.identity.kiosk,
        floor=lambda _scope: None,
        now_s=kiosk.utc(),
        app_version="0.1.0",
    )


def proven(kiosk: KioskSide, envelope: dict[str, Any], kind: str = "policy") -> Document:
    document = judged(kiosk, envelope, kind)
    assert isinstance(document, Document), document
    return document


def policy_in(document: Document) -> Policy:
    assert isinstance(document.body, Policy)
    return document.body


@pytest.mark.parametrize("kind", list(SiteKind))
def test_a_new_kiosk_gets_what_its_site_may(
    ready: Ready, data_dir: Path, utc: FakeUtc, tmp_path: Path, kind: SiteKind
) -> None:
    kiosk = enrolled(data_dir, ready, utc, tmp_path / "kiosk", kind=kind)
    document = proven(kiosk, envelopes(kiosk)["policy"])
    policy = policy_in(document)
    assert document.version == 1
    assert policy.site_kind is kind
    assert policy.kiosk_number == "0001"
    assert policy.issue_code is (CodeIssuing.ON if kind is SiteKind.AGENCY else CodeIssuing.OFF)


def test_only_newer_documents_are_sent_and_the_latest_numbers_always(kiosk: KioskSide) -> None:
    assert set(envelopes(kiosk, {"policy": 0})) == {"policy"}
    assert envelopes(kiosk, {"policy": 1}) == {}
    kiosk.operate("policy", set={"idle_s": 30})
    answer = kiosk.good(STATE, {"known": {"policy": 1}})
    assert answer["latest"] == {"policy": 2}
    document = proven(kiosk, answer["documents"][0])
    assert (document.version, policy_in(document).idle_s) == (2, 30.0)


@pytest.mark.parametrize("known", [{"surprise": 1}, {"policy": 1, "Policy": 1}, {"": 0}, {"policy/": 0}])
def test_a_document_nobody_knows_is_refused(kiosk: KioskSide, known: dict[str, int]) -> None:
    assert kiosk.refused(STATE, {"known": known}) == (422, "schema", "BAD_MESSAGE")


def test_one_signature_alone_is_below_the_threshold(kiosk: KioskSide) -> None:
    envelope = envelopes(kiosk)["policy"]
    assert len({signature["keyid"] for signature in envelope["signatures"]}) == 2
    envelope["signatures"].pop()
    assert isinstance(judged(kiosk, envelope), DocumentError)


def told(kiosk: KioskSide) -> tuple[int, Any, int]:
    """The quarantine as this kiosk is told: version, body, end."""
    quarantine = json.loads(base64.b64decode(envelopes(kiosk)["quarantine"]["payload"]))
    return quarantine["version"], quarantine["body"], quarantine["not_after"]


ICCSN = "802500000204671322631"
FLAGS = {"card": {"generation": "vitale2", "iccsn": ICCSN}, "mode": "SELF"}
START = {"card": FLAGS["card"], "update_id": "f1c700000001", "actor": {"mode": "SELF"}}
CLOSED = (403, "quarantined", "UNAVAILABLE")


def test_a_quarantine_is_one_order_lifted_by_a_newer_one(kiosk: KioskSide) -> None:
    kiosk.operate("quarantine", level="no_relay")
    assert told(kiosk) == (1, {"level": "no_relay"}, 9999999999)
    assert proven(kiosk, envelopes(kiosk)["quarantine"], "quarantine").body is Quarantine.NO_RELAY
    assert kiosk.refused("/v1/relay/start", START) == CLOSED
    kiosk.operate("quarantine", level="none")
    assert told(kiosk) == (2, {"level": "none"}, 9999999999)
    kiosk.good("/v1/relay/start", START)


def test_a_release_lifts_what_the_policy_ordered_too(kiosk: KioskSide) -> None:
    kiosk.operate("policy", set={"quarantine": "no_relay"})
    assert kiosk.refused("/v1/relay/start", START) == CLOSED
    kiosk.operate("quarantine", level="none")
    kiosk.good("/v1/relay/start", START)
    assert policy_in(proven(kiosk, envelopes(kiosk)["policy"])).quarantine is Quarantine.NONE


def test_the_fleet_and_the_kiosk_each_have_a_quarantine_and_the_stricter_counts(
    kiosk: KioskSide, ready: Ready, data_dir: Path, utc: FakeUtc, tmp_path: Path
) -> None:
    other = enrolled(data_dir, ready, utc, tmp_path / "other", kiosk="borne-0002")
    kiosk.operate("quarantine", level="no_code")
    command(kiosk.data, {"do": "quarantine", "kiosk": FLEET, "level": "no_relay"})
    assert kiosk.refused("/v1/relay/start", START) == CLOSED
    assert other.refused("/v1/relay/start", START) == CLOSED
    new = enrolled(data_dir, ready, utc, tmp_path / "new", kiosk="borne-0003")
    assert new.refused("/v1/relay/start", START) == CLOSED
    command(kiosk.data, {"do": "quarantine", "kiosk": FLEET, "level": "none"})
    other.good("/v1/relay/start", START)
    assert kiosk.refused("/v1/code/issue", {"iccsn": ICCSN, "proof": "0" * 32}) == CLOSED


BODIES: dict[str, dict[str, Any]] = {
    "outage_calendar": {"texts": {}, "entries": []},
    "site_capabilities": {"update": True, "levels": {"serial": 2}},
    "contents": {"phone": "3646", "nearby": [{"name": "Pharmacie fictive", "address": "1 rue du Test"}]},
    "allow_list": {"ins": ["a4", "b0"]},
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("scope", ["own", "fleet"])
def test_every_type_can_be_signed_for_a_kiosk_or_for_the_fleet(kiosk: KioskSide, kind: str, scope: str) -> None:
    name, target = (kind, kiosk.identity.kiosk) if scope == "own" else (f"{kind}/fleet", FLEET)
    order = {"do": "document", "type": kind, "kiosk": target}
    assert command(kiosk.data, {**order, "body": None}) == {kind: {}}
    assert command(kiosk.data, {**order, "body": BODIES[kind]}) == {kind: {"version": 1, **BODIES[kind]}}
    assert command(kiosk.data, {**order, "body": None}) == {kind: {"version": 1, **BODIES[kind]}}
    answer = kiosk.good(STATE, {"known": {"policy": 1}})
    assert answer["latest"] == {"policy": 1, name: 1}
    document = proven(kiosk, answer["documents"][0], kind)
    assert (document.type, document.scope, document.version) == (kind, target, 1)
    assert kiosk.good(STATE, {"known": {"policy": 1, name: 1}})["documents"] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [({"type": "weather", "body": {}}, "type: one of "), ({"type": "allow_list", "body": []}, "body: an object"),
     ({"type": "allow_list", "body": {"ins": ["20"]}}, "ins: only instructions of the built-in list"),
     ({"type": "contents", "body": {"colour": "red"}}, "colour: unknown field")],
)  # fmt: skip
def test_a_wrong_document_is_never_signed(kiosk: KioskSide, values: dict[str, Any], message: str) -> None:
    with pytest.raises(OperatorError, match=f"^{message}"):
        kiosk.operate("document", **values)
    assert kiosk.good(STATE, {"known": {}})["latest"] == {"policy": 1}


def outage(kiosk: KioskSide, **changes: Any) -> dict[str, Any]:
    now_s = kiosk.utc()
    good = {"id": "vendredi", "service": "update", "regimes": ["91"], "caisses": [], "text": None, "cancelled": False}
    return {"texts": {}, "entries": [{**good, "from": now_s - 60, "until": now_s + 3600, **changes}]}


def test_the_centre_keeps_to_its_calendar(kiosk: KioskSide) -> None:
    until_s = kiosk.utc() + 3600
    kiosk.operate("document", type="outage_calendar", body=outage(kiosk, regimes=["01"]))
    assert kiosk.good("/v1/relay/flags", FLAGS)["outage_until_s"] is None
    kiosk.operate("document", type="outage_calendar", body=outage(kiosk))
    answer = kiosk.good("/v1/relay/flags", FLAGS)
    assert (answer["outage_until_s"], answer["updates"]) == (until_s, [])
    assert kiosk.refused("/v1/relay/start", START) == (503, "service_closed", "UNAVAILABLE")
    kiosk.operate("document", type="outage_calendar", body=outage(kiosk, cancelled=True))
    assert kiosk.good("/v1/relay/flags", FLAGS)["outage_until_s"] is None
    kiosk.good("/v1/relay/start", START)


CODE = {"iccsn": ICCSN, "proof": "0" * 32}


def test_the_centre_keeps_to_capabilities_and_to_what_the_kind_of_site_may(kiosk: KioskSide) -> None:
    may_not = (403, "capability", "UNAVAILABLE")
    assert kiosk.refused("/v1/code/issue", CODE) == (403, "capability", "IDENTITY_NEEDED")
    kiosk.operate("document", type="site_capabilities", body={"issue_code": "on"})
    assert kiosk.refused("/v1/relay/start", START) == may_not  # not named, so denied
    kiosk.operate("document", type="site_capabilities", body={"update": True})
    assert kiosk.refused("/v1/code/issue", CODE) == may_not
    kiosk.good("/v1/relay/start", START)
    kiosk.operate("document", type="site_capabilities", body={"issue_code": "on"})
    kiosk.operate("policy", set={"site_kind": "pharmacy", "issue_code": "on"})
    assert kiosk.refused("/v1/code/issue", CODE) == may_not


@pytest.mark.parametrize(
    ("change", "field"),
    [({"idle_s": 0}, "idle_s"), ({"nothing": 1}, "nothing"), ({"issue_code": "perhaps"}, "issue_code"),
     ({"phone": "123"}, "phone"), ({"update": "yes"}, "update"), ({"kiosk_number": ""}, "kiosk_number"),
     ({"kiosk_number": "<b>"}, "kiosk_number"), ({"help_place": "ici\x07"}, "help_place")],
)  # fmt: skip
def test_a_wrong_change_is_refused_by_name_and_publishes_nothing(
    kiosk: KioskSide, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(OperatorError, match=f"^{field}: "):
        kiosk.operate("policy", set=change)
    assert kiosk.good(STATE, {"known": {}})["latest"] == {"policy": 1}


@pytest.mark.parametrize("do", ["policy", "quarantine"])
def test_an_unknown_kiosk_has_no_policy(kiosk: KioskSide, do: str) -> None:
    kiosk.identity = replace(kiosk.identity, kiosk="borne-9999")
    with pytest.raises(OperatorError, match=r"^kiosk: unknown"):
        kiosk.operate(do, set={}, level="stop")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("idle_s=30", ("idle_s", 30)), ("update=false", ("update", False)), ("phone=3676", ("phone", "3676")),
     ("kiosk_number=0042", ("kiosk_number", "0042")), ("help_place=Place = ici", ("help_place", "Place = ici")),
     ("help_place=12", ("help_place", "12")), ("issue_code=off", ("issue_code", "off")),
     ("help_place=[1]", ("help_place", "[1]"))],
)  # fmt: skip
def test_a_change_on_the_command_line(text: str, expected: tuple[str, Any]) -> None:
    assert policy_change(text) == expected


def test_a_change_without_equals_is_refused() -> None:
    with pytest.raises(OperatorError, match=r"^set: "):
        policy_change("idle_s")


@pytest.mark.parametrize("name", ["calendar", "capabilities", "contents", "allow-list"])
def test_documents_are_signed_on_the_command_line(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    kind, _ = _DOCUMENTS[name]
    body = tmp_path / "body.json"
    body.write_text(json.dumps(BODIES[kind]))
    fleet = [name, "--data", str(data_dir), "--fleet"]
    assert main([*fleet, "--body", str(body)]) == 0
    assert main(fleet) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert shown == [{kind: {"version": 1, **BODIES[kind]}}] * 2
    for broken in ("{", "[" * 100_000):
        body.write_text(broken)
        assert main([*fleet, "--body", str(body)]) == 1
        assert capsys.readouterr().err == "simulators.backend: body: JSON expected\n"
    with pytest.raises(SystemExit):
        main([name, "--data", str(data_dir)])
    assert "one of the arguments --kiosk --fleet is required" in capsys.readouterr().err
