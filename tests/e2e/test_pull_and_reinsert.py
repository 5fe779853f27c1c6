"""The card is pulled at every single command of the update and put back: the update completes, the card is whole."""

from __future__ import annotations

from collections import Counter

import pytest

from kiosk.ui import texts
from kiosk.ui.typography import plain
from kiosk.visit import events as ev
from kiosk.visit.model import Attract, Interrupted, Notice, Reading, Result, Updating
from kiosk.visit.values import Outcome
from simulators.card import FaultKind, PlannedFault, SimulatedCard, open_persona
from tests.e2e.theatre import Centre, House, Watched, centre, house, serial_of, words

PERSONA = "outdated"
COMMANDS = 17
"""TPDUs of this persona's update, GET RESPONSEs included; a test counts them."""
FIRST_WRITE = 6
WRITE_INS = 0xD6
PULLS = [(kind, at) for kind in (FaultKind.REMOVED_BEFORE, FaultKind.REMOVED_AFTER) for at in range(1, COMMANDS + 1)]


@pytest.fixture(scope="module")
def whole_image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The card's image after an update that nobody disturbs."""
    folder, card = tmp_path_factory.mktemp("undisturbed"), open_persona(PERSONA)
    with centre(folder / "backend", PERSONA) as backend, house(folder, backend) as kiosk:
        assert kiosk.updated(card).outcome is Outcome.UPDATED
        kiosk.leave()
    return card.image_bytes()


def test_the_commands_that_are_pulled_at_are_all_there_are(the_house: House) -> None:
    card = Watched(open_persona(PERSONA))
    the_house.to_agreement(card)
    card.count_from_here()
    the_house.choose(ev.Choice.ACCEPT)
    the_house.audience.step(Result)
    assert len(card.commands) == COMMANDS
    assert [command[1] == WRITE_INS for command in card.commands].index(True) == FIRST_WRITE - 1


def pulled(house: House, card: SimulatedCard, fault: PlannedFault) -> None:
    """Walk to the agreement, agree, and lose the card at the planned command of the update."""
    house.to_agreement(card)
    card.plan([fault])  # the counts start again
    house.choose(ev.Choice.ACCEPT)
    house.audience.step(Updating)


def mended(house: House, centre: Centre, card: SimulatedCard, whole_image: bytes) -> None:
    """What must be true of card, kiosk and backend once the update has completed."""
    assert card.image_bytes() == whole_image
    assert house.leave().notice is Notice.CARD_REMOVED
    assert house.drained()
    assert house.journal_whole()
    serial = serial_of(PERSONA)
    assert (centre.pending(serial), centre.open_conversations(serial)) == (0, 0)
    told = centre.told("update_ended")
    assert len(told) == len(house.journal("update_ended")) == len(house.journal("update_started"))
    assert Counter('"outcome":"updated"' in body for _, _, body in told)[True] == 1
    assert len({(aggregate, number) for aggregate, number, _ in told}) == len(told)


@pytest.mark.parametrize(("kind", "at"), [pull for pull in PULLS if pull[1] < FIRST_WRITE])
def test_pulled_before_the_first_write(
    the_house: House, the_centre: Centre, whole_image: bytes, kind: FaultKind, at: int
) -> None:
    """Nothing was changed, and that is what the member is told; the next visit updates the card."""
    card = open_persona(PERSONA)
    before = card.image_bytes()
    pulled(the_house, card, PlannedFault(kind, at=at))
    page = the_house.audience.step(Attract)
    assert page.notice is Notice.UNCHANGED
    assert plain(texts.NOTICE_UNCHANGED) in words(the_house.audience.state)
    assert card.image_bytes() == before
    assert the_house.updated(card).outcome is Outcome.UPDATED
    mended(the_house, the_centre, card, whole_image)


@pytest.mark.parametrize(("kind", "at"), [pull for pull in PULLS if pull[1] >= FIRST_WRITE])
def test_pulled_once_a_write_may_have_begun(
    the_house: House, the_centre: Centre, whole_image: bytes, kind: FaultKind, at: int
) -> None:
    """The member is told that it is unfinished; the same card back, it completes without another question."""
    card = open_persona(PERSONA)
    pulled(the_house, card, PlannedFault(kind, at=at))
    the_house.audience.step(Interrupted)
    assert plain(texts.INTERRUPTED) in words(the_house.audience.state)
    the_house.insert(card)
    the_house.audience.step(Reading, lambda page: page.resume)
    result = the_house.audience.step(Result)
    assert result.outcome is Outcome.UPDATED
    mended(the_house, the_centre, card, whole_image)
