"""Policy documents as a kiosk gets them: proven by the product's own verifier, versions that rise, site rules."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk.sync.documents import DocumentError, PolicyDocument, verify_policy
from kiosk.visit.policy import CodeIssuing, Quarantine, SiteKind
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


def verified(kiosk: KioskSide, envelope: dict[str, Any]) -> PolicyDocument | DocumentError:
    return verify_policy(
        json.dumps(envelope).encode(),
        role=kiosk.identity.trust.roles["policy"],
        scope=kiosk.identity.kiosk,
        floor=None,
        now_s=kiosk.utc(),
        app_version="0.1.0",
    )


@pytest.mark.parametrize("kind", list(SiteKind))
def test_a_new_kiosk_gets_what_its_site_may(
    ready: Ready, data_dir: Path, utc: FakeUtc, tmp_path: Path, kind: SiteKind
) -> None:
    kiosk = enrolled(data_dir, ready, utc, tmp_path / "kiosk", kind=kind)
    document = verified(kiosk, envelopes(kiosk)["policy"])
    assert isinstance(document, PolicyDocument), document
    assert document.version == 1
    assert document.policy.site_kind is kind
    assert document.policy.kiosk_number == "0001"
    assert document.policy.issue_code is (CodeIssuing.ON if kind is SiteKind.AGENCY else CodeIssuing.OFF)


def test_only_newer_documents_are_sent_and_the_latest_numbers_always(kiosk: KioskSide) -> None:
    assert set(envelopes(kiosk, {"policy": 0})) == {"policy"}
    assert envelopes(kiosk, {"policy": 1}) == {}
    kiosk.operate("policy", set={"idle_s": 30})
    answer = kiosk.good(STATE, {"known": {"policy": 1}})
    assert answer["latest"] == {"policy": 2}
    document = verified(kiosk, answer["documents"][0])
    assert isinstance(document, PolicyDocument)
    assert (document.version, document.policy.idle_s) == (2, 30.0)


@pytest.mark.parametrize("known", [{"surprise": 1}, {"policy": 1, "Policy": 1}, {"": 0}])
def test_a_document_nobody_knows_is_refused(kiosk: KioskSide, known: dict[str, int]) -> None:
    assert kiosk.refused(STATE, {"known": known}) == (422, "schema", "BAD_MESSAGE")


def test_one_signature_alone_is_below_the_threshold(kiosk: KioskSide) -> None:
    envelope = envelopes(kiosk)["policy"]
    assert len({signature["keyid"] for signature in envelope["signatures"]}) == 2
    envelope["signatures"].pop()
    assert isinstance(verified(kiosk, envelope), DocumentError)


def test_a_quarantine_comes_in_both_documents_and_the_policy_is_lifted_by_a_release(kiosk: KioskSide) -> None:
    kiosk.operate("quarantine", level="no_relay")
    found = envelopes(kiosk)
    document = verified(kiosk, found["policy"])
    assert isinstance(document, PolicyDocument)
    assert document.policy.quarantine is Quarantine.NO_RELAY
    quarantine = json.loads(base64.b64decode(found["quarantine"]["payload"]))
    assert (quarantine["version"], quarantine["body"], quarantine["not_after"]) == (
        1,
        {"level": "no_relay"},
        9999999999,
    )
    kiosk.operate("quarantine", level="none")
    document = verified(kiosk, envelopes(kiosk)["policy"])
    assert isinstance(document, PolicyDocument)
    assert (document.version, document.policy.quarantine) == (3, Quarantine.NONE)


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
