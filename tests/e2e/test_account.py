"""The code a member reads opens the account once, in time, and not to somebody who guesses."""

from __future__ import annotations

import http.client
import json
import ssl
from functools import partial

from kiosk.visit import events as ev
from kiosk.visit.page_kinds import Question
from kiosk.visit.pages import CodeIntro, CodePage, Identification
from simulators.backend.codes import CODE_LIFE_S, CODE_TRIES
from simulators.card import open_persona
from simulators.personas import load
from tests.e2e.audience import digits_shown
from tests.e2e.theatre import Centre, House

PERSONA = "outdated"


def asks(question: Question, page: Identification) -> bool:
    """Whether this page asks it."""
    return page.question is question


def code_shown(house: House) -> str:
    """Walk to the page of the code; the four digits that can be read there."""
    member = load(PERSONA)
    assert member.card.chip is not None
    assert member.centre is not None
    born = member.card.chip.beneficiaries[0].birth_date
    house.to_home(open_persona(PERSONA))
    house.choose(ev.Choice.CODE)
    for question, answer in (
        (Question.BIRTH_DATE, born[6:8] + born[4:6] + born[:4]),
        (Question.POSTCODE, member.centre.postcode),
    ):
        house.audience.step(Identification, partial(asks, question))
        for digit in answer:
            house.kiosk.post(ev.DigitTyped(int(digit)))
        house.kiosk.post(ev.DigitsSubmitted())
    house.audience.step(CodeIntro)
    house.choose(ev.Choice.CONTINUE)
    house.audience.step(CodePage)
    state = house.audience.state
    assert state.member is not None
    assert state.member.code is not None
    code = digits_shown(state)
    assert (code == state.member.code.digits) is True  # so that a failure does not print it
    return code


def redeemed(centre: Centre, code: str) -> bool:
    """What the account's own site learns when somebody types this code."""
    chip = load(PERSONA).card.chip
    assert chip is not None
    connection = http.client.HTTPSConnection(
        centre.ready.enrol_origin.removeprefix("https://"),
        context=ssl.create_default_context(cafile=centre.ready.ca_file),
        timeout=10,
    )
    try:
        login = chip.beneficiaries[0].nir[:13]
        connection.request("POST", "/account/redeem", json.dumps({"login": login, "code": code}))
        answer = connection.getresponse()
        assert answer.status == 200
        return bool(json.loads(answer.read())["accepted"])
    finally:
        connection.close()


def another(code: str) -> str:
    """A code that is not this one."""
    return f"{(int(code) + 1) % 10_000:04d}"


def test_it_is_redeemed_once(the_house: House, the_centre: Centre) -> None:
    code = code_shown(the_house)
    assert redeemed(the_centre, code)
    assert not redeemed(the_centre, code)


def test_it_is_not_redeemed_after_its_time(the_house: House, the_centre: Centre) -> None:
    code = code_shown(the_house)
    the_centre.time.ahead_s += CODE_LIFE_S
    assert not redeemed(the_centre, code)
    the_centre.time.ahead_s -= CODE_LIFE_S
    assert not redeemed(the_centre, code), "an expired code is gone"


def test_it_is_redeemed_in_its_last_second(the_house: House, the_centre: Centre) -> None:
    code = code_shown(the_house)
    the_centre.time.ahead_s += CODE_LIFE_S - 1
    assert redeemed(the_centre, code)


def test_the_last_allowed_try_may_be_right(the_house: House, the_centre: Centre) -> None:
    code = code_shown(the_house)
    assert [redeemed(the_centre, another(code)) for _ in range(CODE_TRIES - 1)] == [False] * (CODE_TRIES - 1)
    assert redeemed(the_centre, code)


def test_it_dies_with_the_last_wrong_try(the_house: House, the_centre: Centre) -> None:
    code = code_shown(the_house)
    assert [redeemed(the_centre, another(code)) for _ in range(CODE_TRIES)] == [False] * CODE_TRIES
    assert not redeemed(the_centre, code)


def test_a_new_code_replaces_the_one_before(the_house: House, the_centre: Centre) -> None:
    first = code_shown(the_house)
    the_house.leave()
    second = code_shown(the_house)
    assert first == second or not redeemed(the_centre, first)
    assert redeemed(the_centre, second)
