"""The update centre over the signed channel: flags, conversations, and how each of them can end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulators.backend import in_thread
from simulators.backend.server import Ready
from simulators.card import SimulatedCard, open_persona
from simulators.personas import load
from tests.simulators.backend.card_side import commands_of, content_after, content_before, holds, run_commands, serial
from tests.simulators.backend.kiosk_side import FakeUtc, KioskSide, enrolled

ORDER = "f1c700000001"


def card_of(persona: str) -> dict[str, str]:
    return {"generation": "vitale2", "iccsn": serial(persona)}


def flags(kiosk: KioskSide, persona: str = "outdated") -> dict[str, Any]:
    return kiosk.good("/v1/relay/flags", {"card": card_of(persona), "mode": "SELF"})


def start_body(persona: str = "outdated", update_id: str = ORDER) -> dict[str, Any]:
    return {"card": card_of(persona), "update_id": update_id, "actor": {"mode": "SELF"}}


def start(kiosk: KioskSide, persona: str = "outdated", update_id: str = ORDER) -> dict[str, Any]:
    package = kiosk.good("/v1/relay/start", start_body(persona, update_id))["package"]
    assert package["counter"] == 0
    assert package["not_after_s"] == kiosk.utc() + 60
    return dict(package)


def step_body(package: dict[str, Any], responses: list[bytes], abort: bool | None = None) -> dict[str, Any]:
    return {
        "conversation_id": package["conversation_id"],
        "counter": package["counter"],
        "responses": [response.hex() for response in responses],
        "abort": None if abort is None else {"command_sent": abort},
    }


def step(kiosk: KioskSide, package: dict[str, Any], card: SimulatedCard) -> dict[str, Any]:
    """Run the package and send the answers; `{"package"}` or `{"close"}`."""
    responses, _ = run_commands(card, commands_of(package))
    return kiosk.good("/v1/relay/step", step_body(package, responses))


def update(kiosk: KioskSide, card: SimulatedCard, persona: str = "outdated", packages: int = 9) -> dict[str, Any]:
    """An update, or its first packages."""
    card.power_on()
    answer = {"package": start(kiosk, persona, load_order(persona))}
    for count in range(packages):
        if "close" in answer:
            break
        assert answer["package"]["counter"] == count
        answer = step(kiosk, answer["package"], card)
    return answer


def load_order(persona: str) -> str:
    centre = load(persona).centre
    assert centre is not None
    return centre.orders[0].update_id


def test_a_whole_update_then_nothing_is_due(kiosk: KioskSide) -> None:
    card = open_persona("outdated")
    assert [order["update_id"] for order in flags(kiosk)["updates"]] == [ORDER]
    close = update(kiosk, card)["close"]
    assert (close["outcome"], close["detail"], close["code"]) == ("updated", 1, None)
    assert 0 < len(close["receipt"]) <= 65
    assert holds(card, content_after("outdated"))
    after = flags(kiosk)
    assert after["updates"] == []
    assert 0 < len(after["receipt"]) <= 65
    assert kiosk.refused("/v1/relay/start", start_body()) == (422, "schema", "NO_SUCH_UPDATE")


def test_the_last_package_may_let_the_screen_go_on_and_no_other(kiosk: KioskSide) -> None:
    card = open_persona("outdated")
    card.power_on()
    package, last = start(kiosk), []
    while True:
        last.append((package["last_if_ok"], package["max_wait_ms"] == 0))
        answer = step(kiosk, package, card)
        if "close" in answer:
            break
        package = answer["package"]
    assert last == [(False, False)] * 3 + [(True, True)]


@pytest.mark.parametrize("packages", range(4))
def test_a_conversation_that_dies_leaves_the_order_and_the_next_one_mends_the_card(
    kiosk: KioskSide, packages: int
) -> None:
    card = open_persona("outdated")
    unfinished = update(kiosk, card, packages=packages)["package"]
    run_commands(card, commands_of(unfinished))  # executed, and never told
    kiosk.utc.now_s += 3600
    assert [order["update_id"] for order in flags(kiosk)["updates"]] == [ORDER]
    assert update(kiosk, card)["close"]["outcome"] == "updated"
    assert holds(card, content_after("outdated"))


def test_a_lost_card_closes_and_keeps_the_order(kiosk: KioskSide) -> None:
    package = update(kiosk, open_persona("outdated"), packages=2)["package"]
    close = kiosk.good("/v1/relay/step", step_body(package, [], abort=True))["close"]
    assert (close["outcome"], close["detail"]) == ("aborted", 3)
    assert flags(kiosk)["updates"] != []
    body = step_body(package, [], abort=True)
    assert kiosk.refused("/v1/relay/step", body) == (410, "gone", "CONVERSATION_EXPIRED")


def test_another_card_in_the_slot_fails_at_its_cryptogram(kiosk: KioskSide) -> None:
    card = open_persona("corsican")
    close = update(kiosk, card, "outdated")["close"]
    assert (close["outcome"], close["code"]) == ("impossible", "CARD_AUTH_FAILED")
    assert holds(card, content_before("corsican"))


def test_a_repeated_message_gets_the_stored_answer_and_the_conversation_goes_on(kiosk: KioskSide) -> None:
    card = open_persona("outdated")
    card.power_on()
    key = "0" * 31 + "1"
    first = kiosk.good("/v1/relay/start", start_body(), key)
    assert kiosk.good("/v1/relay/start", start_body(), key) == first
    body = step_body(first["package"], run_commands(card, commands_of(first["package"]))[0])
    second = kiosk.good("/v1/relay/step", body, key[::-1])
    assert kiosk.good("/v1/relay/step", body, key[::-1]) == second
    assert second["package"]["counter"] == 1


def test_the_close_can_be_repeated_but_no_package_of_a_closed_conversation(kiosk: KioskSide) -> None:
    key = "0" * 31 + "1"
    package = kiosk.good("/v1/relay/start", start_body(), key)["package"]
    body = step_body(package, [], abort=False)
    close = kiosk.good("/v1/relay/step", body, key[::-1])
    assert kiosk.good("/v1/relay/step", body, key[::-1]) == close
    assert kiosk.refused("/v1/relay/start", start_body(), key) == (410, "gone", "EXPIRED")


@pytest.mark.parametrize("counter", [1, 2, 32_767])
def test_a_counter_out_of_step_changes_nothing(kiosk: KioskSide, counter: int) -> None:
    package = start(kiosk)
    wrong = {**step_body(package, []), "counter": counter}
    assert kiosk.refused("/v1/relay/step", wrong) == (422, "schema", "BAD_MESSAGE")
    card = open_persona("outdated")
    card.power_on()
    assert step(kiosk, package, card)["package"]["counter"] == 1


def test_a_minute_of_silence_is_allowed_and_one_second_more_is_not(kiosk: KioskSide) -> None:
    card = open_persona("outdated")
    card.power_on()
    package = start(kiosk)
    kiosk.utc.now_s += 60
    package = step(kiosk, package, card)["package"]
    kiosk.utc.now_s += 61
    assert kiosk.refused("/v1/relay/step", step_body(package, [])) == (410, "gone", "CONVERSATION_EXPIRED")


def test_a_second_start_ends_the_older_conversation(kiosk: KioskSide) -> None:
    older = start(kiosk)
    newer = start(kiosk)
    assert kiosk.refused("/v1/relay/step", step_body(older, [])) == (410, "gone", "CONVERSATION_EXPIRED")
    card = open_persona("outdated")
    card.power_on()
    assert step(kiosk, newer, card)["package"]["counter"] == 1


def test_a_conversation_belongs_to_its_kiosk(kiosk: KioskSide, ready: Ready, tmp_path: Path) -> None:
    package = start(kiosk)
    other = enrolled(kiosk.data.root, ready, kiosk.utc, tmp_path / "other", kiosk="borne-0002")
    assert other.refused("/v1/relay/step", step_body(package, [])) == (410, "gone", "CONVERSATION_EXPIRED")


def test_a_chip_that_holds_twenty_digits_is_found_and_gets_all_twenty_one(kiosk: KioskSide) -> None:
    card = {"generation": "vitale2", "iccsn": serial("outdated")[:20]}
    answer = kiosk.good("/v1/relay/flags", {"card": card, "mode": "SELF"})
    assert answer["serial"] == serial("outdated")


def test_a_card_in_opposition_is_told_so_and_gets_nothing_else(kiosk: KioskSide) -> None:
    answer = flags(kiosk, "opposed")
    assert (answer["opposition"], answer["serial"], answer["updates"]) == (True, None, [])
    assert kiosk.refused("/v1/relay/start", start_body("opposed")) == (403, "capability", "CARD_OPPOSED")


@pytest.mark.parametrize(
    ("persona", "reason"),
    [("provisional-nir", "provisional_nir"), ("no-bank-details", "no_bank_details"), ("two-ribs", "two_ribs")],
)
def test_eligibility_comes_with_its_reason(kiosk: KioskSide, persona: str, reason: str) -> None:
    assert flags(kiosk, persona)["eligibility"] == {"eligible": False, "reason": reason}


@pytest.mark.parametrize("path", ["/v1/relay/flags", "/v1/relay/start"])
def test_an_unknown_serial_is_not_our_card(kiosk: KioskSide, path: str) -> None:
    card = {"generation": "vitale2", "iccsn": "802500000299999999999"}
    body = {"card": card, "mode": "SELF"} if path.endswith("flags") else {**start_body(), "card": card}
    assert kiosk.refused(path, body) == (422, "schema", "NOT_OUR_CARD")


def test_an_outage_is_told_with_its_end_and_closes_the_update_only(new_dir: Path, utc: FakeUtc, tmp_path: Path) -> None:
    persona = load("outdated")
    assert persona.centre is not None
    closed = replace(persona, centre=replace(persona.centre, outage_s=600))
    with in_thread(new_dir, utc, [closed]) as ready:
        kiosk = enrolled(new_dir, ready, utc, tmp_path / "kiosk")
        answer = flags(kiosk)
        assert (answer["outage_until_s"], answer["updates"]) == (utc() + 600, [])
        status, refusal = kiosk.call("/v1/relay/start", start_body())
        assert (status, refusal["error"]["reason"]) == (503, "service_closed")
        assert refusal["error"]["retry_after_s"] == 600
        utc.now_s += 600
        assert flags(kiosk)["outage_until_s"] is None
        assert start(kiosk)["counter"] == 0


def test_orders_are_run_in_list_order(new_dir: Path, utc: FakeUtc, tmp_path: Path) -> None:
    persona = load("outdated")
    assert persona.centre is not None
    first = persona.centre.orders[0]
    second = replace(first, update_id="f1c7000000ff")
    two = replace(persona, centre=replace(persona.centre, orders=(first, second)))
    with in_thread(new_dir, utc, [two]) as ready:
        kiosk = enrolled(new_dir, ready, utc, tmp_path / "kiosk")
        later = start_body(update_id=second.update_id)
        assert kiosk.refused("/v1/relay/start", later) == (422, "schema", "OUT_OF_ORDER")
        assert update(kiosk, open_persona("outdated"))["close"]["outcome"] == "updated"
        assert "package" in kiosk.good("/v1/relay/start", later)
