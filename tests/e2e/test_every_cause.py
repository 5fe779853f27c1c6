"""Every cause of the catalogue, staged once through the real parts, and seen: code, what happened, what to do, whom to
call on the member's page; or, where no member ever meets it, in the diagnostics."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk import probes
from kiosk.hardware.pcsc.contacts import BACK_WITHIN_S
from kiosk.settings import ReaderSettings, Settings
from kiosk.ui import texts
from kiosk.ui.typography import plain
from kiosk.visit.failure_pages import PAGES
from kiosk.visit.failures import CATALOGUE, Cause, MemberPage
from kiosk.visit.model import State
from kiosk.visit.pages import Attract, Identification, OutOfService, StaffPin
from simulators.card import open_persona
from simulators.card.plan_file import Plan, parse_plan
from simulators.reader.embedded import EmbeddedScard
from simulators.reader.plan import Stagehand, unstageable
from simulators.reader.private_pcscd import PrivatePcscd
from tests.e2e.audience import words
from tests.e2e.scene import Scene, says
from tests.e2e.stagings import BY_HAND, FAST, ON_PLAN, Staging
from tests.e2e.stagings_centre import AT_THE_CENTRE
from tests.e2e.stagings_staff import WITH_A_BADGE
from tests.e2e.theatre import Centre, centre, house
from tests.hardware.pcsc.hands import EmbeddedHands, Hands, PcscdHands, private_pcscd

__all__ = ["private_pcscd"]

CAST = ("outdated", "up-to-date", "torn", "opposed", "two-ribs")
DIAGNOSED = {Cause.READER_UNSEEN}
STAGED = {**BY_HAND, **AT_THE_CENTRE, **WITH_A_BADGE}


@pytest.fixture(scope="module")
def the_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """One backend for all scenes."""
    with centre(tmp_path_factory.mktemp("causes") / "backend", *CAST) as started:
        yield started


@pytest.fixture(scope="module")
def settings(the_centre: Centre, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of the one kiosk that most scenes play in, enrolled."""
    with house(tmp_path_factory.mktemp("causes") / "kiosk", the_centre) as enrolled:
        return enrolled.settings


@pytest.fixture
def scene(the_centre: Centre, settings: Settings, tmp_path: Path, qapp: object) -> Iterator[Scene]:
    """An empty stage. Tickets are drawn with the fonts of a Qt application."""
    with ExitStack() as stack:
        yield Scene(tmp_path, the_centre, settings, stack)


def test_every_cause_is_staged() -> None:
    assert set(ON_PLAN) | set(STAGED) | DIAGNOSED == set(Cause)
    assert len(ON_PLAN) + len(STAGED) + len(DIAGNOSED) == len(Cause), "staged in two tables"


def seen(scene: Scene, cause: Cause) -> None:
    """The code is on a page, and the page is that cause's, whole."""
    state = scene.opened[-1].audience.wait(lambda shown: says(shown, cause), f"a page with {cause.value}")
    page, shown = CATALOGUE[cause].page, words(state)
    told = PAGES[page]
    assert plain(told.what).partition("{")[0].rstrip(" .") in shown
    assert any(answer in shown for answer in _next_actions(page, state))
    if not isinstance(state.step, Identification | StaffPin):  # there the fixed frame offers help
        assert plain(state.policy.phone) in shown


def _next_actions(page: MemberPage, state: State) -> set[str]:
    """What the member may be told to do."""
    if isinstance(state.step, OutOfService):
        return {plain(texts.ELSEWHERE_TEXT)}
    todo, finish = (PAGES[name].todo for name in (page, MemberPage.UPDATE_STOPPED))
    return {plain(todo).partition("{")[0], plain(finish)}


@pytest.mark.parametrize(
    ("cause", "play"),
    [
        pytest.param(cause, play, id=f"{cause.name}-{number}")
        for cause, plays in STAGED.items()
        for number, play in enumerate(plays, 1)
    ],
)
def test_a_cause_is_seen_with_its_code_and_its_next_action(scene: Scene, cause: Cause, play: Staging) -> None:
    play(scene)
    seen(scene, cause)


@pytest.mark.parametrize("reader", ["embedded", pytest.param("pcscd", marks=pytest.mark.pcscd)])
def test_causes_of_readers_and_cards_are_the_same_on_both_readers(
    scene: Scene, reader: str, private_pcscd: Callable[[], PrivatePcscd]
) -> None:
    hands: Hands = EmbeddedHands() if reader == "embedded" else PcscdHands(private_pcscd())
    scene.stack.callback(hands.tidy)
    kiosk = scene.house(replace(scene.settings, readers=ReaderSettings(hands.readers[0])), hands.scard)
    staged = set()
    for cause, (persona, document) in ON_PLAN.items():
        plan = parse_plan(json.dumps(document).encode(), cause.name)
        assert isinstance(plan, Plan)
        if unstageable(plan, hands.can) is not None:
            continue
        with Stagehand(hands, 0) as stagehand:
            kiosk.audience.attend()
            kiosk.time.run(FAST if cause is Cause.READER_HUNG else 1.0)
            stagehand.insert(open_persona(persona), plan)
            seen(scene, cause)
            staged.add(cause)
        hands.remove(0)
        kiosk.audience.wait(_at_rest, f"an empty slot after {cause.value}")
        kiosk.time.pass_s(BACK_WITHIN_S + 1)  # a card that is back at once would be one with dirty contacts
    only_embedded = {Cause.READER_LOST, Cause.CARD_RESET}
    assert staged == set(ON_PLAN) - (set() if reader == "embedded" else only_embedded)


def _at_rest(state: State) -> bool:
    return isinstance(state.step, Attract) and state.card_session is None


def test_a_reader_without_a_driver_is_diagnosed_with_code_and_next_action(scene: Scene) -> None:
    """No member meets it: PC/SC does not know of it."""
    device = scene.folder / "usb" / "1-1"
    device.mkdir(parents=True)
    for name, content in (("idVendor", "0b00"), ("idProduct", "0090"), ("bDeviceClass", "0b")):
        (device / name).write_text(content, encoding="ascii")
    report = probes.look(scene.settings, EmbeddedScard(), usb=scene.folder / "usb", drivers=scene.folder)
    (row,) = [check.as_json() for check in report.checks if check.part == "usb readers"]
    assert (row["code"], row["next_action"]) == (
        Cause.READER_UNSEEN.value,
        CATALOGUE[Cause.READER_UNSEEN].next_action,
    )
