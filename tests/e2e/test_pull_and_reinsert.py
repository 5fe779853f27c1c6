"""The card is pulled at every single command of the update and put back: the update completes, the card is whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from kiosk.ui import texts
from kiosk.ui.typography import plain
from kiosk.visit import events as ev
from kiosk.visit.page_kinds import Notice
from kiosk.visit.pages import Attract, Interrupted, Reading, Result, Updating
from kiosk.visit.values import Outcome
from simulators.card import CardGoneError, FaultKind, PlannedFault, SimulatedCard, open_persona
from tests.e2e.audience import words
from tests.e2e.theatre import Centre, House, Watched, centre, house, serial_of

PERSONA = "outdated"
COMMANDS = 17
"""TPDUs of this persona's update, GET RESPONSEs included; a test counts them."""
FIRST_WRITE = 6
WRITE_INS = 0xD6
INITIALIZE_UPDATE = bytes.fromhex("8050")
PULLS = [(kind, at) for kind in (FaultKind.REMOVED_BEFORE, FaultKind.REMOVED_AFTER) for at in range(1, COMMANDS + 1)]


@pytest.fixture(scope="module")
def whole_images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Card images after an update that nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    cards = {name: open_persona(name) for name in (PERSONA, "torn")}
    with centre(folder / "backend", *cards) as backend, house(folder, backend) as kiosk:
        for card in cards.values():
            assert kiosk.updated(card).outcome is Outcome.UPDATED
            kiosk.leave()
    return {name: card.image_bytes() for name, card in cards.items()}


@pytest.fixture
def whole_image(whole_images: dict[str, bytes]) -> bytes:
    """The card's image after an update that nobody disturbs."""
    return whole_images[PERSONA]


def test_the_commands_that_are_pulled_at_are_all_there_are(the_house: House) -> None:
    card = Watched(open_persona(PERSONA))
    the_house.to_agreement(card)
    card.count_from_here()
    the_house.choose(ev.Choice.ACCEPT)
    the_house.audience.step(Result)
    assert len(card.commands) == COMMANDS
    assert [command[1] == WRITE_INS for command in card.commands].index(True) == FIRST_WRITE - 1


def leave_at(header: bytes) -> Callable[[int, bytes], None]:
    """A card that is pulled before this command."""

    def before(_number: int, command: bytes) -> None:
        if command.startswith(header):
            raise CardGoneError

    return before


def pulled(house: House, card: SimulatedCard, fault: PlannedFault) -> None:
    """Walk to the agreement, agree, and lose the card at the planned command of the update."""
    house.to_agreement(card)
    card.plan([fault])  # the counts start again
    house.choose(ev.Choice.ACCEPT)
    house.audience.step(Updating)


def mended(house: House, centre: Centre, card: SimulatedCard, whole_image: bytes, persona: str = PERSONA) -> None:
    """What must be true of card, kiosk and backend once the update has completed."""
    assert card.image_bytes() == whole_image
    assert house.leave().notice is Notice.CARD_REMOVED
    assert house.drained()
    assert house.journal_whole()
    serial = serial_of(persona)
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


def test_another_persons_card_is_told_so_and_not_touched(
    the_house: House, the_centre: Centre, whole_image: bytes
) -> None:
    card, other = open_persona(PERSONA), open_persona("losing-rights")
    before = other.image_bytes()
    pulled(the_house, card, PlannedFault(FaultKind.REMOVED_AFTER, at=FIRST_WRITE))
    the_house.audience.step(Interrupted)
    the_house.insert(other)
    assert the_house.audience.step(Interrupted, lambda page: page.other_card).other_card
    assert plain(texts.OTHER_CARD) in words(the_house.audience.state)
    the_house.remove()
    the_house.audience.step(Interrupted, lambda page: not page.other_card)
    assert other.image_bytes() == before
    the_house.insert(card)
    assert the_house.audience.step(Result).outcome is Outcome.UPDATED
    mended(the_house, the_centre, card, whole_image)


def test_time_over_is_an_honest_notice_and_the_next_visit_mends_it(
    the_house: House, the_centre: Centre, whole_image: bytes
) -> None:
    card = open_persona(PERSONA)
    pulled(the_house, card, PlannedFault(FaultKind.REMOVED_AFTER, at=FIRST_WRITE))
    state = the_house.audience.wait(
        lambda s: isinstance(s.step, Interrupted) and not s.running, "the relay's last word"
    )
    the_house.let_pass(state.policy.interrupted_s + 1)
    assert the_house.audience.step(Attract).notice is Notice.UNFINISHED
    assert plain(texts.NOTICE_UNFINISHED) in words(the_house.audience.state)
    assert the_house.audience.state.member is None
    the_house.to_home(card)
    assert plain(texts.UNFINISHED) in words(the_house.audience.state)
    the_house.leave()
    assert the_house.updated(card).outcome is Outcome.UPDATED
    mended(the_house, the_centre, card, whole_image)


def test_a_card_found_torn_and_pulled_again_before_the_first_write_is_still_unfinished(
    the_house: House, the_centre: Centre, whole_image: bytes
) -> None:
    """The second pull writes nothing, yet nobody may call the card unchanged: its flag is open."""
    card = open_persona(PERSONA)
    pulled(the_house, card, PlannedFault(FaultKind.REMOVED_AFTER, at=FIRST_WRITE))
    the_house.audience.step(Interrupted)
    again = Watched(card, before=leave_at(INITIALIZE_UPDATE))
    the_house.insert(again)
    the_house.audience.step(Updating)
    the_house.audience.step(Interrupted)
    the_house.insert(card)
    assert the_house.audience.step(Result).outcome is Outcome.UPDATED
    assert Attract not in [type(step) for step in the_house.audience.steps()]
    mended(the_house, the_centre, card, whole_image)


@pytest.mark.parametrize("at", range(1, COMMANDS + 1))
def test_a_torn_card_is_pulled_at_every_command(
    the_house: House, the_centre: Centre, whole_images: dict[str, bytes], at: int
) -> None:
    """Torn before and torn again: it is unfinished all the while, and whole in the end."""
    card = open_persona("torn")
    pulled(the_house, card, PlannedFault(FaultKind.REMOVED_AFTER, at=at))
    the_house.audience.step(Interrupted)
    the_house.insert(card)
    assert the_house.audience.step(Result).outcome is Outcome.UPDATED
    mended(the_house, the_centre, card, whole_images["torn"], "torn")
