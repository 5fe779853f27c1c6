"""The end of every visit: a card that has something to finish goes in once more, and then all must be well."""

from __future__ import annotations

from simulators.soak.card import WatchedCard
from simulators.soak.judge import left_behind
from simulators.soak.plan import Goal, Kind, Plan
from simulators.soak.rig import Rig
from simulators.soak.walk import Walk


def settle(rig: Rig, card: WatchedCard) -> list[str]:
    """With everything in service, put the card back if it is unfinished or not what the centre believes it to be.

    Returns what is not as it must be then. The kiosk must be waiting for a card.
    """
    if card.serial is None:
        return []
    truth, books = card.truth(), rig.centre.ask("books", serial=card.serial)
    problems: list[str] = []
    if truth.unfinished or not card.holds(books["content"]):
        again = Walk(rig, Plan(card.persona.name, (Goal.UPDATE,), Kind.NONE), card)
        again.run()
        again.judge_at_last()
        problems += again.violations
        rig.ready_for_a_visit()
        books = rig.centre.ask("books", serial=card.serial)
    return problems + list(left_behind(rig.audience.state, card, books))
