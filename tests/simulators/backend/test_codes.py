"""Identity checks and the life of a provisional code, to the account that redeems it."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from kiosk.visit.policy import SiteKind
from simulators.backend import in_thread, schema
from simulators.backend.server import Ready
from simulators.personas import load
from tests.simulators.backend.card_side import serial
from tests.simulators.backend.kiosk_side import FakeUtc, KioskSide, enrolled
from tests.simulators.backend.observer import Observer

ISSUE, IDENTIFY = "/v1/code/issue", "/v1/identify"
LOGIN = "2840599999002"  # outdated
RIGHT = {"iccsn": serial("outdated"), "birth_date": "19840517", "postcode": "75020"}
WRONG = {**RIGHT, "birth_date": "19840518"}


def redeem_raw(ready: Ready, raw: bytes) -> tuple[int, Any]:
    connection = http.client.HTTPSConnection(
        ready.enrol_origin.removeprefix("https://"),
        context=ssl.create_default_context(cafile=ready.ca_file),
        timeout=10,
    )
    try:
        connection.request("POST", "/account/redeem", raw)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def redeem(ready: Ready, code: str, login: str = LOGIN) -> bool:
    status, answer = redeem_raw(ready, json.dumps({"login": login, "code": code}).encode())
    assert status == 200
    assert set(answer) == {"accepted"}
    return bool(answer["accepted"])


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10_000:04d}"


def issue(kiosk: KioskSide, **options: Any) -> dict[str, Any]:
    proof = kiosk.good(IDENTIFY, RIGHT)["proof"]
    return kiosk.good(ISSUE, {"iccsn": RIGHT["iccsn"], "proof": proof}, **options)


def test_a_code_has_four_digits_fifteen_minutes_and_one_use(kiosk: KioskSide, ready: Ready) -> None:
    answer = issue(kiosk)
    assert len(answer["code"]) == 4
    assert answer["code"].isdigit()
    assert (answer["valid_s"], answer["expires_at_s"]) == (900, kiosk.utc() + 900)
    assert redeem(ready, answer["code"])
    assert not redeem(ready, answer["code"])


@pytest.mark.parametrize(("after_s", "works"), [(899, True), (900, False)])
def test_a_code_ends_with_its_time(kiosk: KioskSide, ready: Ready, after_s: int, works: bool) -> None:
    code = issue(kiosk)["code"]
    kiosk.utc.now_s += after_s
    assert redeem(ready, code) is works


@pytest.mark.parametrize(("wrong", "works"), [(2, True), (3, False)])
def test_the_third_wrong_try_ends_a_code(kiosk: KioskSide, ready: Ready, wrong: int, works: bool) -> None:
    code = issue(kiosk)["code"]
    for _ in range(wrong):
        assert not redeem(ready, other_than(code))
    assert redeem(ready, code) is works


def test_a_new_code_replaces_the_older_one(kiosk: KioskSide, ready: Ready, observer: Observer) -> None:
    issue(kiosk)
    old = observer.scalar(select(schema.code.c.digest))
    new = issue(kiosk)["code"]
    assert observer.scalar(select(schema.code.c.digest)) != old
    assert redeem(ready, new)


def test_a_code_belongs_to_its_person(kiosk: KioskSide, ready: Ready) -> None:
    code = issue(kiosk)["code"]
    assert not redeem(ready, code, "279022A999041")
    assert redeem(ready, code)


def test_a_retry_within_its_life_gives_the_same_code_and_later_gone(kiosk: KioskSide) -> None:
    proof = kiosk.good(IDENTIFY, RIGHT)["proof"]
    body, key = {"iccsn": RIGHT["iccsn"], "proof": proof}, "00" * 16
    first = kiosk.good(ISSUE, body, key)
    kiosk.utc.now_s += 899
    assert kiosk.good(ISSUE, body, key) == first
    kiosk.utc.now_s += 1
    assert kiosk.refused(ISSUE, body, key) == (410, "gone", "EXPIRED")


def test_neither_code_nor_identity_is_kept_or_logged_readable(
    kiosk: KioskSide, observer: Observer, capfd: pytest.CaptureFixture[str]
) -> None:
    code = issue(kiosk)["code"]
    kiosk.utc.now_s += 900
    kiosk.good("/v1/sync/state", {"batch_seq": 1})
    kept = observer.database.run(lambda c: [tuple(row) for row in c.execute(select(schema.code))])
    stored = observer.database.run(lambda c: [row.body or b"" for row in c.execute(select(schema.response))])
    assert code.encode() not in b"".join(value for row in kept for value in row if isinstance(value, bytes))
    assert not any(b'"code"' in body for body in stored)
    log = capfd.readouterr().err
    assert '"path":"/v1/code/issue"' in log
    assert not any(secret in log for secret in (f'"{code}"', RIGHT["iccsn"], "19840517", "75020"))


@pytest.mark.parametrize("postcode", ["75020", "86000"])
def test_the_present_and_the_previous_post_code_are_right(kiosk: KioskSide, postcode: str) -> None:
    answer = kiosk.good(IDENTIFY, {**RIGHT, "postcode": postcode})
    assert (answer["accepted"], answer["tries_left"]) == (True, 3)


@pytest.mark.parametrize("wrong", [{"birth_date": "19840518"}, {"postcode": "75019"}])
def test_three_wrong_tries_a_card_and_day_whatever_comes_after(kiosk: KioskSide, wrong: dict[str, str]) -> None:
    for left in (2, 1, 0, 0):
        answer = kiosk.good(IDENTIFY, {**RIGHT, **wrong})
        assert answer == {"accepted": False, "tries_left": left, "proof": None}
    assert kiosk.good(IDENTIFY, RIGHT)["accepted"] is False
    kiosk.utc.now_s += 86_400
    assert kiosk.good(IDENTIFY, RIGHT)["accepted"] is True


def test_tries_are_counted_for_each_card(kiosk: KioskSide) -> None:
    for _ in range(3):
        kiosk.good(IDENTIFY, WRONG)
    other = {"iccsn": serial("corsican"), "birth_date": "19790226", "postcode": "20000"}
    assert kiosk.good(IDENTIFY, other)["accepted"] is True


def test_a_card_without_previous_post_code_takes_no_empty_one(kiosk: KioskSide) -> None:
    body = {"iccsn": serial("corsican"), "birth_date": "19790226", "postcode": ""}
    assert kiosk.refused(IDENTIFY, body) == (422, "schema", "BAD_MESSAGE")


NEEDED = (403, "capability", "IDENTITY_NEEDED")


def test_a_proof_is_for_its_card_its_kiosk_and_ten_minutes(kiosk: KioskSide, ready: Ready, tmp_path: Path) -> None:
    proof = kiosk.good(IDENTIFY, RIGHT)["proof"]
    body = {"iccsn": RIGHT["iccsn"], "proof": proof}
    other = enrolled(kiosk.data.root, ready, kiosk.utc, tmp_path / "other", kiosk="borne-0002")
    assert other.refused(ISSUE, body) == NEEDED
    assert kiosk.refused(ISSUE, {**body, "iccsn": serial("corsican")}) == NEEDED
    assert kiosk.refused(ISSUE, {**body, "proof": "00" * 16}) == NEEDED
    kiosk.utc.now_s += 599
    kiosk.good(ISSUE, body)
    kiosk.utc.now_s += 1
    assert kiosk.refused(ISSUE, body) == NEEDED


@pytest.mark.parametrize("kind", [kind for kind in SiteKind if kind is not SiteKind.AGENCY])
def test_codes_are_for_agencies(ready: Ready, data_dir: Path, utc: FakeUtc, tmp_path: Path, kind: SiteKind) -> None:
    kiosk = enrolled(data_dir, ready, utc, tmp_path / "kiosk", kind=kind)
    proof = kiosk.good(IDENTIFY, RIGHT)["proof"]
    body = {"iccsn": RIGHT["iccsn"], "proof": proof}
    assert kiosk.refused(ISSUE, body) == (403, "capability", "UNAVAILABLE")
    kiosk.operate("policy", set={"issue_code": "staff"})
    assert kiosk.refused(ISSUE, body) == (403, "capability", "UNAVAILABLE")
    kiosk.operate("policy", set={"issue_code": "on"})
    assert kiosk.refused(ISSUE, body) == (403, "capability", "UNAVAILABLE")  # whoever signed it
    kiosk.operate("policy", set={"site_kind": "agency"})
    assert kiosk.good(ISSUE, body)["code"]


def test_a_card_in_opposition_gets_neither_identity_nor_code(kiosk: KioskSide) -> None:
    body = {"iccsn": serial("opposed"), "birth_date": "19571208", "postcode": "13001"}
    assert kiosk.refused(IDENTIFY, body) == (403, "capability", "CARD_OPPOSED")
    assert kiosk.refused(ISSUE, {"iccsn": serial("opposed"), "proof": "00" * 16})[2] == "CARD_OPPOSED"


def test_who_is_not_eligible_gets_no_code(kiosk: KioskSide) -> None:
    body = {"iccsn": serial("two-ribs"), "proof": "00" * 16}
    assert kiosk.refused(ISSUE, body) == (403, "capability", "NOT_ELIGIBLE")


@pytest.mark.parametrize("path", [IDENTIFY, ISSUE])
def test_an_unknown_card(kiosk: KioskSide, path: str) -> None:
    unknown = "8025000002" + "9" * 11
    body = {**RIGHT, "iccsn": unknown} if path == IDENTIFY else {"iccsn": unknown, "proof": "00" * 16}
    assert kiosk.refused(path, body) == (422, "schema", "NOT_OUR_CARD")


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b'{"login":"2840599999002"}', b'{"login":"2840599999002","code":"12345"}',
     b'{"login":"2A40599999002","code":"1234"}', b'{"login":"2840599999002","code":1234}', b"x" * 2000],
)  # fmt: skip
def test_a_malformed_redemption_is_refused(ready: Ready, raw: bytes) -> None:
    status, answer = redeem_raw(ready, raw)
    assert status == (413 if len(raw) > 1024 else 400)
    assert answer == {"status": status}


def test_a_code_of_a_card_opposed_since_is_not_taken(kiosk: KioskSide, ready: Ready, observer: Observer) -> None:
    code = issue(kiosk)["code"]
    observer.execute(schema.card.update().values(opposed=True))
    assert not redeem(ready, code)


def test_two_cards_of_one_person_have_a_code_each(new_dir: Path, utc: FakeUtc, tmp_path: Path) -> None:
    first = load("outdated")
    chip = first.card.chip
    assert chip is not None
    twin = replace(first, card=replace(first.card, chip=replace(chip, serial="802500000210000000996")))
    with in_thread(new_dir, utc, [first, twin]) as ready:
        kiosk = enrolled(new_dir, ready, utc, tmp_path / "kiosk")
        one = issue(kiosk)["code"]
        body = {**RIGHT, "iccsn": "802500000210000000996"}
        proof = kiosk.good(IDENTIFY, body)["proof"]
        two = kiosk.good(ISSUE, {"iccsn": body["iccsn"], "proof": proof})["code"]
        assert redeem(ready, one)
        assert redeem(ready, two) or one == two
