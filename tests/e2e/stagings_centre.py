"""How each cause of the channel, of the update and of the member's answers is brought about, at a real backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from unittest.mock import patch

from sqlalchemy import delete, true

from kiosk.sync.messages import VerifiedRequest
from kiosk.visit import events as ev
from kiosk.visit.failures import Cause
from kiosk.visit.page_kinds import Question
from kiosk.visit.policy import CodeIssuing
from simulators.backend import app, http, schema
from simulators.backend import centre as update_centre
from simulators.backend.exchange import Answer
from simulators.card import open_persona
from tests.e2e.scene import Scene, born
from tests.e2e.stagings import Staging, own_kiosk, poll
from tests.e2e.theatre import Watched, centre, house, one_attempt

# --- the card, as the centre knows it ----------------------------------------------------------------------------


def to_be_replaced(scene: Scene) -> None:
    """The centre asks for a new card."""
    scene.alter_card("up-to-date", replace=True)
    scene.house().insert(open_persona("up-to-date"))


def torn_without_order(scene: Scene) -> None:
    """The card waits for the end of an update the centre no longer has."""
    scene.withdraw_orders("torn")
    scene.asked_for(ev.Choice.UPDATE, "torn")


# --- the channel -------------------------------------------------------------------------------------------------


def network(scene: Scene) -> None:
    """Nobody is there any more."""
    with centre(scene.folder / "gone", "outdated") as gone, house(scene.folder, gone, kiosk_id="borne-0990") as first:
        settings = first.settings
    scene.stack.enter_context(one_attempt())
    scene.at_home_again(scene.house(settings), ev.Choice.UPDATE)


async def _without_signature(send: Any, status: int, _fields: Any, body: bytes) -> None:
    await http.answer(send, status, (("content-length", str(len(body))),), body)


def unsigned(scene: Scene) -> None:
    """Something in the way takes the signature off."""
    kiosk = scene.house()
    scene.stack.enter_context(patch.object(app, "answer", _without_signature))
    scene.stack.enter_context(one_attempt())
    scene.at_home_again(kiosk, ev.Choice.UPDATE)


def refused_key(scene: Scene) -> None:
    """The operator has revoked this kiosk's key."""
    kiosk = scene.house(own_kiosk(scene, "borne-0997"))
    table = schema.kiosk_key
    scene.alter(table, table.c.kiosk == "borne-0997", state="revoked")
    scene.at_home_again(kiosk, ev.Choice.UPDATE)


def malformed(scene: Scene) -> None:
    """Signed, and not what the protocol says."""
    scene.alter_card("up-to-date", ineligible_reason="for no reason")
    scene.at_home_again(scene.house(), ev.Choice.UPDATE, "up-to-date")


def closed(scene: Scene) -> None:
    """The caisse is closed for the next hour."""
    scene.alter_card("outdated", outage_until_s=int(time.time()) + 3600)
    scene.asked_for(ev.Choice.UPDATE)


def wrong_clock(scene: Scene) -> None:
    """No time the kiosk learns is good enough."""
    kiosk = scene.house()
    scene.stack.enter_context(patch.object(VerifiedRequest, "in_window", lambda _request, _now_s: False))
    scene.at_home_again(kiosk, ev.Choice.UPDATE)


def clock_gone_back(scene: Scene) -> None:
    """The centre's clock falls behind what it has signed before."""
    kiosk, time = scene.house(), scene.centre.time
    time.ahead_s -= 3600
    scene.stack.callback(setattr, time, "ahead_s", time.ahead_s + 3600)
    scene.at_home_again(kiosk, ev.Choice.UPDATE)


# --- the update --------------------------------------------------------------------------------------------------


def _with_packages(change: Callable[[dict[str, Any]], None]) -> Staging:
    make = update_centre._package

    def changed(*arguments: Any) -> Answer:
        answer = make(*arguments)
        change(answer.body["package"])
        return answer

    def play(scene: Scene) -> None:
        scene.stack.enter_context(patch.object(update_centre, "_package", changed))
        scene.agreed()

    return play


def _forbid(package: dict[str, Any]) -> None:
    package["items"][0]["apdu"] = "80e60c0000"  # INSTALL: no update needs it


def _disorder(package: dict[str, Any]) -> None:
    package["counter"] += 1


def expired(scene: Scene) -> None:
    """The centre gave the conversation up while the card worked."""
    kiosk, card = scene.house(), Watched(open_persona("outdated"))
    table = schema.conversation

    def late(number: int, _command: bytes) -> None:
        if number == 4:
            scene.alter(table, table.c.state == "open", touched_s=0)

    kiosk.to_agreement(card)
    card.count_from_here()
    card.before = late
    kiosk.choose(ev.Choice.ACCEPT)


def impossible(scene: Scene) -> None:
    """The order is gone when the update begins."""
    scene.agreed(lambda _card: scene.withdraw_orders("outdated"))


# --- the member's answers ----------------------------------------------------------------------------------------


def wrong_date(scene: Scene) -> None:
    """One digit beside."""
    kiosk = scene.asked_for(ev.Choice.SERIAL)
    scene.answered(kiosk, Question.BIRTH_DATE, "01011900")


def wrong_postcode(scene: Scene) -> None:
    """A post code the centre does not know."""
    kiosk = scene.asked_for(ev.Choice.CODE)
    scene.stack.callback(_forget_tries, scene)
    scene.answered(kiosk, Question.BIRTH_DATE, born("outdated"))
    scene.answered(kiosk, Question.POSTCODE, "99999")


def _forget_tries(scene: Scene) -> None:
    scene.centre.database.run(lambda c: c.execute(delete(schema.identity_try)))


def no_try_left(scene: Scene) -> None:
    """Three wrong dates, for a card that nobody asks for afterwards: the kiosk's journal remembers them all day."""
    kiosk = scene.asked_for(ev.Choice.SERIAL, "two-ribs")
    for _ in range(3):
        scene.answered(kiosk, Question.BIRTH_DATE, "01011900")


def no_code_here(scene: Scene) -> None:
    """The operator closes the counter while somebody stands at it."""
    kiosk = scene.identified(scene.house(own_kiosk(scene, "borne-0995")))
    scene.centre.command("policy", "borne-0995", set={"issue_code": CodeIssuing.OFF.value})
    poll(kiosk, lambda policy: policy.issue_code is CodeIssuing.OFF)
    kiosk.choose(ev.Choice.CONTINUE)


def code_refused(scene: Scene) -> None:
    """The proof of identity is no longer good."""
    kiosk = scene.identified()
    scene.alter(schema.proof, true(), expires_s=0)
    kiosk.choose(ev.Choice.CONTINUE)


def not_eligible(scene: Scene) -> None:
    """Two sets of bank details."""
    scene.asked_for(ev.Choice.CODE, "two-ribs")


AT_THE_CENTRE: Final[Mapping[Cause, tuple[Staging, ...]]] = {
    Cause.CARD_REPLACE: (to_be_replaced,),
    Cause.CARD_TORN: (torn_without_order,),
    Cause.NETWORK: (network,),
    Cause.UNSIGNED_ANSWER: (unsigned,),
    Cause.KIOSK_REFUSED: (refused_key,),
    Cause.BAD_ANSWER: (malformed,),
    Cause.SERVICE_CLOSED: (closed,),
    Cause.CLOCK_WRONG: (wrong_clock, clock_gone_back),
    Cause.APDU_REFUSED: (_with_packages(_forbid),),
    Cause.PACKAGE_REFUSED: (_with_packages(_disorder),),
    Cause.CONVERSATION_EXPIRED: (expired,),
    Cause.UPDATE_IMPOSSIBLE: (impossible,),
    Cause.BIRTH_DATE_WRONG: (wrong_date,),
    Cause.POSTCODE_WRONG: (wrong_postcode,),
    Cause.TRIES_EXHAUSTED: (no_try_left,),
    Cause.CODE_NOT_HERE: (no_code_here,),
    Cause.CODE_REFUSED: (code_refused,),
    Cause.NOT_ELIGIBLE: (not_eligible,),
}
